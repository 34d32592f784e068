// Package protobuf is the serde of Protobuf messages with a schema registry, in Confluent's wire format: the schema's id, the path to the message in its
// file, the message.
//
//	var Placed = sordini.Topic[*pb.Order]{Name: "orders", Key: …, Value: protobuf.Serde[*pb.Order]()}
//
// The schema is the file of the generated message. It is registered (by [registry.Register] or the command line, not by a service) with the files that it
// imports, each under a subject named after its path, as Confluent's serializers do; the well-known types are known to every registry. A record is decoded
// as the message that it was written as: one of another name is poison, even where its bytes would do. Unknown fields are kept, so a service that passes
// on what it read loses nothing that a newer producer added.
//
// [Dynamic] reads messages without their generated types: those that the process has are of them, others are made from the registry's schema.
package protobuf
