// Usage: node order.js BROKERS READ_ID WRITE_ID
// Reads topic orders until it has seen READ_ID, which a Go service published, then publishes an order WRITE_ID of its own. Prints one JSON object.
const { Kafka, Partitioners, logLevel } = require('kafkajs')

const [brokers, readId, writeId] = process.argv.slice(2)
const kafka = new Kafka({ clientId: 'kafkajs-shop', brokers: brokers.split(','), logLevel: logLevel.ERROR })

async function find(id) {
  const consumer = kafka.consumer({ groupId: `kafkajs-${writeId}` })
  await consumer.connect()
  await consumer.subscribe({ topics: ['orders'], fromBeginning: true })
  const found = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${id} is not on orders`)), 60000)
    consumer.run({
      eachMessage: async ({ partition, message }) => {
        if (message.key?.toString() !== id) return
        clearTimeout(timer)
        resolve({
          partition,
          order: JSON.parse(message.value.toString()),
          headers: Object.fromEntries(Object.entries(message.headers).map(([k, v]) => [k, v.toString()])),
        })
      },
    }).catch(reject)
  })
  await consumer.disconnect()
  return found
}

async function place(id) {
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, idempotent: true })
  await producer.connect()
  const order = { id, customer: 'kafkajs', card: '4000', country: 'Norway', cents: 4200 }
  const [answer] = await producer.send({
    topic: 'orders',
    acks: -1,
    messages: [
      { key: id, value: JSON.stringify(order), headers: { 'correlation-id': `cid-${writeId}`, source: 'kafkajs-shop' } },
    ],
  })
  // The same key as the order that was read: key order across languages needs the same partition.
  const [same] = await producer.send({ topic: 'orders', acks: -1, messages: [{ key: readId, value: JSON.stringify({ ...order, id: readId, cancelled: true }) }] })
  await producer.disconnect()
  return { partition: answer.partition, samePartition: same.partition }
}

async function main() {
  const found = await find(readId)
  const placed = await place(writeId)
  console.log(JSON.stringify({ found, placed }))
}

main().then(() => process.exit(0), (err) => {
  console.error(err)
  process.exit(1)
})
