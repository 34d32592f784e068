// Package avro is the serde of Avro records with a schema registry, in Confluent's wire format.
//
//	type Order struct {
//		ID    string    `avro:"id"`
//		Total *big.Rat  `avro:"total,decimal(12,2)"`
//		At    time.Time `avro:"at,timestamp-micros"`
//		Note  *string   `avro:"note"` // a union with null, which is its default
//	}
//
//	var Placed = sordini.Topic[Order]{Name: "orders", Key: …, Value: avro.Serde[Order](avro.Namespace("shop"))}
//
// The schema is made of the Go type and its tags, or given by [Text]. Before the first record is encoded it is looked up under its subject; it is never
// registered by itself (see [registry.Register] and `sordini schema register`). A record is decoded with the schema that it was written with, resolved
// against the service's own as the Avro specification has it: fields by name or alias, in any order, promoted, dropped, or filled with their default.
// Where the two cannot be resolved the record is poison.
//
// # Which library does what
//
// github.com/twmb/avro encodes and decodes: it takes structs, resolves schemas, and bounds what hostile bytes can make it allocate (nesting, counts of
// items without a size, decimals). github.com/linkedin/goavro/v2 works on maps only, resolves nothing, and takes 3 times as long to decode an order of ten
// fields and 79 allocations against 5; it counts blocks, but an array of nulls may still claim two thousand million of them. So it is the second opinion
// of this package's tests, where both must read what the other wrote. [Generic] gives records without a Go type in the form that goavro's users know.
package avro
