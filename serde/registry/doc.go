// Package registry is the client of a schema registry that serde/avro, serde/protobuf and serde/jsonschema share: Confluent's REST API, which Confluent's
// own registry, Apicurio, Karapace, Redpanda and the one in package broker/registry speak.
//
// A service does not use it by itself: it sets Cluster.Registry, and a serde that needs a registry makes the client when it is bound. What it is used for
// directly is what production code must not do by accident:
//
//	schema, err := registry.Register(ctx, cluster.Registry, "orders", serde.Value, avro.Serde[Order]()) // or: sordini schema register
//
// # What is cached
//
// A schema never changes under its id, so ids, GUIDs and the id of a codec's own schema are asked for once in the life of the process, by one request however
// many records wait for it. That a schema is unknown is remembered for [UnknownFor], because a registry may be told of it meanwhile; a registry that did
// not answer is asked again by the next attempt. Clients are shared by all serdes with the same settings.
//
// # What goes wrong, and what becomes of the record (guarantee G9)
//
//   - Bytes that are not framed, a schema that does not exist, one of another format or that does not fit: the record is poison and goes to the dead-letter
//     topic with that reason. See [FrameError] and [UnknownError].
//   - No registry answers, or with 429 or 5xx, or not in time: a [serde.RetryableError]. The record waits.
//   - 401 or 403: a [serde.AccessError]. The group stops, because every record would fail alike.
//
// # What it does not do
//
// Field-level encryption and the rules of data contracts (migration, validation by CEL) are out of scope: a schema that carries rules is used without them.
package registry
