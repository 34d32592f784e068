// Package records reads and checks record batches (message format 2) where they lie: a [Batch] is the bytes that came over the wire, and nothing
// here copies them. Records are looked at one by one only where a rule of Kafka's needs it: to find an offset by its timestamp, to refuse a record
// without a key on a compacted topic, to answer a question of a test.
package records
