// KafkaJS's registry client, unmodified, against a registry: node client.js URL [USER PASSWORD]. The first claim that does not hold ends it.
import assert from 'node:assert/strict'
import registry from '@kafkajs/confluent-schema-registry'

const { SchemaRegistry, SchemaType, COMPATIBILITY } = registry
const [host, username, password] = process.argv.slice(2)
const options = username ? { host, auth: { username, password } } : { host }
const client = () => new SchemaRegistry(options)

const avro = { type: SchemaType.AVRO, schema: JSON.stringify({ type: 'record', name: 'Order', namespace: 'node', fields: [{ name: 'id', type: 'string' }] }) }
const json = { type: SchemaType.JSON, schema: JSON.stringify({ type: 'object', title: 'Order', properties: { id: { type: 'string' } } }) }
const proto = { type: SchemaType.PROTOBUF, schema: 'syntax = "proto3"; package node; message Order { string id = 1; }' }

for (const [name, schema] of Object.entries({ avro, json, proto })) {
  const subject = `node-${name}`
  const { id } = await client().register(schema, { subject, compatibility: COMPATIBILITY.BACKWARD })
  assert.equal((await client().register(schema, { subject, compatibility: COMPATIBILITY.BACKWARD })).id, id)
  assert.equal(await client().getRegistryId(subject, 1), id)
  assert.equal(await client().getLatestSchemaId(subject), id)
  assert.equal(await client().getRegistryIdBySchema(subject, schema), id)
  const raw = await client().encode(id, { id: '17' })
  assert.equal(raw.readUInt8(0), 0)
  assert.equal(raw.readInt32BE(1), id)
  assert.equal((await client().decode(raw)).id, '17')
}

const broken = { ...avro, schema: avro.schema.replace('"string"', '"int"') }
await assert.rejects(client().register(broken, { subject: 'node-avro' }), /incompatible/)
await assert.rejects(client().getSchema(1000000), /not found/i)
const referring = {
  ...avro,
  schema: JSON.stringify({ type: 'record', name: 'Shipment', namespace: 'node', fields: [{ name: 'order', type: 'node.Order' }] }),
  references: [{ name: 'node.Order', subject: 'node-avro', version: 1 }]
}
const { id } = await client().register(referring, { subject: 'node-shipment' })
assert.deepEqual({ ...(await client().decode(await client().encode(id, { order: { id: '1' } }))).order }, { id: '1' })
console.log('ok')
