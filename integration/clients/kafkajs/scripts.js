// kafkajs: a program as ../doc.go describes it.
const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, AclResourceTypes, AclOperationTypes, AclPermissionTypes, ResourcePatternTypes, Partitioners, PartitionAssigners, logLevel } = require('kafkajs')
const readline = require('readline')
const dependent = require('lz4js')
const lz4 = require('lz4-napi')
const zstd = require('@bokuweb/zstd-wasm')

CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async (encoder) => lz4.compressFrame(encoder.buffer),
  decompress: async (buffer) => lz4.decompressFrame(buffer),
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async (encoder) => Buffer.from(zstd.compress(encoder.buffer)),
  decompress: async (buffer) => Buffer.from(zstd.decompress(buffer)),
})

const CLIENT = 'kafkajs'
const answers = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

function connect(brokers, more = {}) {
  return new Kafka({ clientId: 'kafkajs-scripts', brokers: brokers.split(','), logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 30 }, ...more })
}

async function until(what, condition, limit = 60000) {
  const deadline = Date.now() + limit
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`${what} does not come to be`)
    await sleep(20)
  }
}

// The kind and the text of what a call throws, or what it returns.
async function outcome(promise) {
  try {
    const result = await promise
    return result === undefined ? 'done' : result
  } catch (err) {
    const cause = err.originalError || err.cause || (err.errors && err.errors[0]) || err
    return `${cause.type || cause.name}: ${cause.message}`
  }
}

async function create(kafka, topic, numPartitions = 3, configEntries = []) {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions, replicationFactor: -1, configEntries }] })
  await known(admin, topic, numPartitions)
  return admin
}

// Waits until a topic has so many partitions with leaders, whichever broker it asks.
async function known(admin, topic, numPartitions) {
  for (let inRow = 0; inRow < 30;) {
    try {
      const { topics: [{ partitions }] } = await admin.fetchTopicMetadata({ topics: [topic] })
      inRow = partitions.length === numPartitions && partitions.every((p) => p.leader >= 0) ? inRow + 1 : 0
    } catch (err) {
      if (!['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE'].includes(err.type)) throw err
      inRow = 0
      await sleep(20)
    }
  }
}

function producerOf(kafka, more = {}) {
  return kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, idempotent: true, maxInFlightRequests: 1, ...more })
}

// Everything that a topic holds, by partition and offset.
async function read(kafka, topic, more = {}) {
  const admin = kafka.admin()
  await admin.connect()
  const ends = await admin.fetchTopicOffsets(topic)
  const consumer = kafka.consumer({ groupId: `${topic}-reader-${Math.random()}`, maxWaitTimeInMs: 100, ...more })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const records = []
  const positions = new Map()
  await consumer.run({
    eachBatchAutoResolve: true,
    eachBatch: async ({ batch }) => {
      for (const message of batch.messages) records.push({ partition: batch.partition, ...message })
      positions.set(batch.partition, Number(batch.lastOffset()) + 1)
    },
  })
  await until(`the end of ${topic}`, () => ends.every((e) => Number(e.high) === 0 || (positions.get(e.partition) || 0) >= Number(e.high)))
  await consumer.disconnect()
  await admin.disconnect()
  return records.sort((a, b) => a.partition - b.partition || Number(a.offset) - Number(b.offset))
}

const text = (b) => (b === null || b === undefined ? null : b.toString())

async function produce(brokers, say) {
  await zstd.init()
  const kafka = connect(brokers)
  for (const [codec, compression] of Object.entries(CompressionTypes)) {
    const topic = `${CLIENT}-produce-${codec.toLowerCase()}`
    const admin = await create(kafka, topic)
    await admin.disconnect()
    const producer = producerOf(kafka)
    await producer.connect()
    for (let i = 0; i < 10; i++) {
      const messages = [{ key: `key-${i}`, value: `value-${i} `.repeat(20), headers: { n: `${i}`, codec } }]
      const [sent] = await producer.send({ topic, compression, messages })
      say(codec, [sent.partition, sent.baseOffset, sent.errorCode])
    }
    const [nobody] = await producer.send({ topic, compression, messages: [{ value: 'no key', partition: 1 }] })
    say(`${codec}, no key`, [nobody.partition, nobody.baseOffset])
    const [tomb] = await producer.send({ topic, compression, messages: [{ key: 'key-1', value: null }] })
    say(`${codec}, tombstone`, [tomb.partition, tomb.baseOffset])
    const batch = Array.from({ length: 300 }, (_, i) => ({ key: `batch-${i}`, value: `${i}`.repeat(50) }))
    const sent = await producer.sendBatch({ compression, topicMessages: [{ topic, messages: batch }] })
    say(`${codec}, batch`, sent.map((s) => [s.partition, s.baseOffset]).sort())
    await producer.disconnect()
    const records = await read(kafka, topic)
    say(`${codec}, read`, records.filter((r) => !(text(r.key) || '').startsWith('batch')).map((r) => [r.partition, r.offset, text(r.key), text(r.value),
      Object.entries(r.headers).map(([k, v]) => `${k}=${v}`)]))
    say(`${codec}, read all`, records.length)
  }
  // This writer's blocks depend on each other, which Kafka does not read.
  CompressionCodecs[CompressionTypes.LZ4] = () => ({ compress: async (encoder) => Buffer.from(dependent.compress(encoder.buffer)), decompress: async () => { throw new Error('not asked for') } })
  const producer = producerOf(connect(brokers))
  await producer.connect()
  say('LZ4 in dependent blocks', await outcome(producer.send({ topic: `${CLIENT}-produce-lz4`, compression: CompressionTypes.LZ4, messages: [{ value: 'x'.repeat(100) }] })))
  await producer.disconnect()
}

// A member of a group that reads until it is closed.
async function member(kafka, groupId, topic, seen, more = {}) {
  const consumer = kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 300, rebalanceTimeout: 10000, maxWaitTimeInMs: 100, ...more })
  const m = { owns: 0, close: async () => { await consumer.disconnect() } }
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => { m.owns = (payload.memberAssignment[topic] || []).length })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({ autoCommitInterval: 200, eachMessage: async ({ message }) => { seen.add(text(message.value)) } })
  return m
}

// Writes numbers until it is closed.
function flow(producer, topic) {
  const f = { sent: 0, acked: new Set(), failed: new Set() }
  let stop = false
  const done = (async () => {
    while (!stop) {
      const value = `${f.sent++}`
      try {
        await producer.send({ topic, messages: [{ key: value, value }] })
        f.acked.add(value)
      } catch (err) {
        f.failed.add(err.message)
      }
      await sleep(5)
    }
  })()
  f.close = async () => { stop = true; await done }
  return f
}

async function groups(brokers, say) {
  const kafka = connect(brokers)
  const topic = `${CLIENT}-groups`
  const admin = await create(kafka, topic, 4)
  const producer = producerOf(kafka)
  await producer.connect()
  const flowing = flow(producer, topic)
  const seen = new Set()
  const more = { partitionAssigners: [PartitionAssigners.roundRobin] }
  const first = await member(kafka, topic, topic, seen, more)
  await until('one member', () => first.owns === 4 && seen.size > 20)
  say('one member', first.owns)
  const second = await member(kafka, topic, topic, seen, more)
  await until('two members', () => first.owns === 2 && second.owns === 2)
  say('two members', [first.owns, second.owns])
  const before = seen.size
  await until('two members read', () => seen.size > before + 20)
  let described
  await until('a stable group', async () => {
    ({ groups: [described] } = await admin.describeGroups([topic]))
    return described.state === 'Stable' && described.members.length === 2
  })
  say('described', [described.state, described.protocol, described.protocolType, described.members.length, described.errorCode])
  await second.close()
  await until('one left', () => first.owns === 4)
  say('one left', first.owns)
  await flowing.close()
  await producer.disconnect()
  say('failed', [...flowing.failed])
  await until('all read', () => [...flowing.acked].every((v) => seen.has(v)))
  await until('committed all', async () => {
    const [committed] = await admin.fetchOffsets({ groupId: topic, topics: [topic] })
    return committed.partitions.reduce((sum, p) => sum + Number(p.offset), 0) === flowing.sent
  })
  say('committed all', true)
  await first.close()
  const listed = await admin.listGroups()
  say('listed', listed.groups.filter((g) => g.groupId === topic))
  await admin.disconnect()
}

async function transactions(brokers, say) {
  const kafka = connect(brokers)
  const topic = `${CLIENT}-transactions`
  const admin = await create(kafka, topic, 1)
  const producer = producerOf(kafka, { transactionalId: topic })
  await producer.connect()
  for (const [i, end] of ['commit', 'abort', 'commit', 'abort'].entries()) {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ key: end, value: `${i}` }, { key: end, value: `${i} again` }] })
    await transaction[end]()
  }
  say('read committed', (await read(kafka, topic)).map((r) => [r.offset, text(r.key), text(r.value)]))
  say('read uncommitted', (await read(kafka, topic, { readUncommitted: true })).map((r) => [r.offset, text(r.key), text(r.value)]))
  for (const end of ['abort', 'commit']) {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ key: 'with offsets', value: end }] })
    await transaction.sendOffsets({ consumerGroupId: topic, topics: [{ topic, partitions: [{ partition: 0, offset: '4' }] }] })
    await transaction[end]()
    let offset
    await until('the offsets', async () => { // markers follow what EndTxn answers
      [{ partitions: [{ offset }] }] = await admin.fetchOffsets({ groupId: topic, topics: [topic] })
      return end === 'abort' || offset === '4'
    })
    say(`offsets after ${end}`, offset)
  }
  const newer = producerOf(kafka, { transactionalId: topic })
  await newer.connect()
  const open = await newer.transaction()
  await open.send({ topic, messages: [{ key: 'newer', value: 'newer' }] })
  say('fenced', await outcome((async () => {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ key: 'older', value: 'older' }] })
    await transaction.commit()
  })()))
  await open.commit()
  say('after it', (await read(kafka, topic)).map((r) => text(r.key)).filter((k) => k.endsWith('er')))
  await producer.disconnect()
  await newer.disconnect()
  await admin.disconnect()
}

async function administration(brokers, say) {
  const kafka = connect(brokers)
  const topic = `${CLIENT}-admin`
  const admin = await create(kafka, topic, 3, [{ name: 'retention.ms', value: '3600000' }])
  const cluster = await admin.describeCluster()
  say('cluster', [cluster.brokers.length, cluster.controller > 0, typeof cluster.clusterId])
  say('topic', (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.sort((a, b) => a.partitionId - b.partitionId)
    .map((p) => [p.partitionId, p.replicas.length, p.isr.length, p.leader === p.replicas[0], p.offlineReplicas.length]))
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
  const configs = await admin.describeConfigs({ includeSynonyms: true, resources: [resource] })
  say('configs', configs.resources[0].configEntries.sort((a, b) => (a.configName < b.configName ? -1 : 1)).map((e) => [e.configName, e.configValue, e.configSource, e.isDefault, e.isSensitive, e.readOnly,
    e.configSynonyms.map((s) => `${s.configName}=${s.configValue}`)]))
  await admin.alterConfigs({ resources: [{ ...resource, configEntries: [{ name: 'segment.ms', value: '600000' }] }] })
  const of = async () => (await admin.describeConfigs({ resources: [{ ...resource, configNames: ['segment.ms', 'retention.ms'] }] })).resources[0].configEntries.map((e) => [e.configName, e.configValue]).sort()
  for (let i = 0; i < 30; i++) await until('altered', async () => JSON.stringify(await of()).includes('600000')) // whichever broker it asks
  say('altered', await of())
  say('more partitions', await outcome(admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] })))
  await known(admin, topic, 5)
  say('fewer partitions', await outcome(admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] })))
  const producer = producerOf(kafka)
  await producer.connect()
  for (let i = 0; i < 20; i++) await producer.send({ topic, messages: [{ value: `${i}`, partition: 0, timestamp: `${1700000000000 + i}` }] })
  await producer.disconnect()
  const offset = async (offsets) => (await offsets).filter((o) => o.partition === 0)
  say('offsets', await offset(admin.fetchTopicOffsets(topic)))
  say('offsets by time', await offset(admin.fetchTopicOffsetsByTimestamp(topic, 1700000000005)))
  say('delete records', await outcome(admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '7' }] })))
  say('delete too many', await outcome(admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '70' }] })))
  say('offsets after', await offset(admin.fetchTopicOffsets(topic)))
  say('set offsets', await outcome(admin.setOffsets({ groupId: topic, topic, partitions: [{ partition: 0, offset: '9' }] })))
  const [fetched] = await admin.fetchOffsets({ groupId: topic, topics: [topic] })
  say('fetched', fetched.partitions.sort((a, b) => a.partition - b.partition))
  say('reset offsets', await outcome(admin.resetOffsets({ groupId: topic, topic, earliest: true })))
  say('delete group', await outcome(admin.deleteGroups([topic])))
  say('delete it again', await outcome(admin.deleteGroups([topic])))
  const acl = { resourceType: AclResourceTypes.TOPIC, resourceName: topic, resourcePatternType: ResourcePatternTypes.LITERAL, principal: 'User:eve', host: '*', operation: AclOperationTypes.READ, permissionType: AclPermissionTypes.ALLOW }
  say('ACLs without an authorizer', await outcome(admin.createAcls({ acl: [acl] })))
  say('reassign', await outcome(admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment: [{ partition: 0, replicas: [1, 2, 3] }] }] })))
  say('delete topic', await outcome(admin.deleteTopics({ topics: [topic] })))
  const hasty = connect(brokers, { retry: { retries: 1 } }).admin() // which does not ask thirty times
  await hasty.connect()
  say('delete an unknown topic', await outcome(hasty.deleteTopics({ topics: [`${topic}-none`] })))
  await hasty.disconnect()
  await admin.disconnect()
}

async function errors(brokers, say) {
  const kafka = connect(brokers, { retry: { initialRetryTime: 50, retries: 2 } })
  const topic = `${CLIENT}-errors`
  const admin = await create(kafka, topic, 1, [{ name: 'max.message.bytes', value: '1000' }])
  await (await create(kafka, `${topic}-compact`, 1, [{ name: 'cleanup.policy', value: 'compact' }])).disconnect()
  const producer = producerOf(kafka, { allowAutoTopicCreation: false })
  await producer.connect()
  const send = (to, message) => outcome(producer.send({ topic: to, messages: [message] }))
  say('too large', await send(topic, { value: 'x'.repeat(2000) }))
  say('unknown topic', await send(`${topic}-unknown`, { value: 'x' }))
  say('no key on a compacted topic', await send(`${topic}-compact`, { value: 'x' }))
  await producer.disconnect()
  for (const [what, config] of Object.entries({
    'bad name': { topic: 'no/slash' }, 'no partitions': { topic: `${topic}-0`, numPartitions: 0 }, 'replication 7': { topic: `${topic}-7`, replicationFactor: 7 },
    'illegal config': { topic: `${topic}-c`, configEntries: [{ name: 'retention.ms', value: 'soon' }] }, 'unknown config': { topic: `${topic}-c`, configEntries: [{ name: 'no.such', value: '1' }] },
  })) {
    say(`create: ${what}`, await outcome(admin.createTopics({ topics: [{ numPartitions: 1, replicationFactor: 1, ...config }] })))
  }
  say('create: exists', await outcome(admin.createTopics({ topics: [{ topic, numPartitions: 1 }] })))
  say('metadata of an unknown topic', await outcome(admin.fetchTopicMetadata({ topics: [`${topic}-unknown`] })))
  say('alter', await outcome(admin.alterConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name: 'retention.ms', value: 'soon' }] }] })))
  say('configs of an unknown topic', await outcome(admin.describeConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: `${topic}-unknown` }] })))
  const seen = new Set()
  const m = await member(connect(brokers), topic, topic, seen)
  await until('a member', () => m.owns === 1)
  say('delete a group that has a member', await outcome(admin.deleteGroups([topic])))
  say('set its offsets', await outcome(admin.setOffsets({ groupId: topic, topic, partitions: [{ partition: 0, offset: '0' }] })))
  await m.close()
  await admin.disconnect()
}

async function restart(brokers, say, ask) {
  const kafka = connect(brokers)
  const topic = `${CLIENT}-restart`
  const admin = await create(kafka, topic, 3)
  await admin.disconnect()
  const producer = producerOf(kafka)
  await producer.connect()
  const flowing = flow(producer, topic)
  const seen = new Set()
  const members = [await member(kafka, topic, topic, seen, { sessionTimeout: 10000 }), await member(kafka, topic, topic, seen, { sessionTimeout: 10000 })]
  await until('before', () => seen.size > 50)
  await ask()
  const before = flowing.acked.size
  await until('after', () => flowing.acked.size > before + 100, 90000)
  await flowing.close()
  say('failed', [...flowing.failed])
  await until('all read', () => [...flowing.acked].every((v) => seen.has(v)), 90000)
  say('lost', [...flowing.acked].filter((v) => !seen.has(v)))
  await producer.disconnect()
  for (const m of members) await m.close()
}

const login = (user, password = `${user}-secret`, mechanism = 'plain') => ({ sasl: { mechanism, username: user, password }, retry: { retries: 0 } })

async function rights(brokers, say) {
  const topic = `${CLIENT}-rights`
  const root = connect(brokers, login('admin'))
  const admin = await create(root, topic, 1)
  for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512']) {
    for (const password of ['alice-secret', 'wrong']) {
      const a = connect(brokers, login('alice', password, mechanism)).admin()
      say(`${mechanism} ${password}`, await outcome(a.connect()))
      await a.disconnect()
    }
  }
  const alice = connect(brokers, login('alice'))
  const hers = alice.admin()
  await hers.connect()
  say('sees topics', (await hers.listTopics()).includes(topic))
  say('create a topic', await outcome(hers.createTopics({ topics: [{ topic: `${topic}-hers`, numPartitions: 1, replicationFactor: 1 }] })))
  say('delete a topic', await outcome(hers.deleteTopics({ topics: [topic] })))
  say('describe ACLs', await outcome(hers.describeAcls({ resourceType: AclResourceTypes.ANY, resourcePatternType: ResourcePatternTypes.ANY, operation: AclOperationTypes.ANY, permissionType: AclPermissionTypes.ANY })))
  const producer = alice.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  const send = () => outcome(producer.send({ topic, messages: [{ value: 'x' }] }))
  say('produce', await send())
  const grant = (resourceType, resourceName, operation) => ({ resourceType, resourceName, resourcePatternType: ResourcePatternTypes.LITERAL, principal: 'User:alice', host: '*', operation, permissionType: AclPermissionTypes.ALLOW })
  say('grant', await outcome(admin.createAcls({ acl: [grant(AclResourceTypes.TOPIC, topic, AclOperationTypes.WRITE), grant(AclResourceTypes.TOPIC, topic, AclOperationTypes.READ)] })))
  await until('granted', async () => typeof (await send()) !== 'string')
  say('granted', (await hers.listTopics()).includes(topic))
  const consumer = alice.consumer({ groupId: `${topic}-group`, retry: { retries: 0 } })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const crashed = new Promise((resolve) => consumer.on(consumer.events.CRASH, ({ payload }) => resolve(payload.error)))
  await consumer.run({ eachMessage: async () => {} }).catch(() => {})
  const err = await crashed
  say('group', `${err.type || err.name}: ${err.message}`)
  await consumer.disconnect()
  say('described', (await admin.describeAcls({ resourceType: AclResourceTypes.TOPIC, resourceName: topic, resourcePatternType: ResourcePatternTypes.LITERAL, operation: AclOperationTypes.ANY, permissionType: AclPermissionTypes.ANY }))
    .resources[0].acls.map((a) => [a.principal, a.host, a.operation]).sort())
  const deleted = await admin.deleteAcls({ filters: [{ resourceType: AclResourceTypes.TOPIC, resourceName: topic, resourcePatternType: ResourcePatternTypes.LITERAL, operation: AclOperationTypes.ANY, permissionType: AclPermissionTypes.ANY }] })
  say('revoked', deleted.filterResponses[0].matchingAcls.length)
  await producer.disconnect()
  await hers.disconnect()
  await admin.disconnect()
}

const SCRIPTS = { produce, groups, transactions, admin: administration, errors, restart, rights }

async function main() {
  const [brokers, ...names] = process.argv.slice(2)
  const print = (line) => process.stdout.write(JSON.stringify(line) + '\n')
  for (const script of names) {
    const ask = async () => {
      print({ script, ask: 'restart' })
      const { value } = await answers.next()
      if (value !== 'done') throw new Error('the suite has gone')
    }
    await SCRIPTS[script.slice(script.indexOf('/') + 1)](brokers, (step, saw) => print({ script, step, saw: saw === undefined ? null : saw }), ask)
    print({ script, end: true })
  }
}

main().then(() => process.exit(0), (err) => {
  console.error(err)
  process.exit(1)
})
