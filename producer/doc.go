// Package producer sends typed records to Kafka without losing one.
//
//	p, err := producer.New(cluster, producer.Source("order-service"))
//	if err != nil { … }
//	defer p.Close() // sends what is buffered; its error says how many were not sent
//	placed, err := producer.To(p, Placed)
//	if err != nil { … }
//	err = placed.Send(ctx, order) // nil only when every in-sync replica has it
//
// # What holds
//
// G10: a send is acknowledged by every in-sync replica (acks=all) before it returns nil. The producer is idempotent: a retry makes no duplicate, and the
// order of a key's records survives it. It retries with growing intervals (100 ms to 30 s) for as long as [DeliveryTimeout] allows, however often. Every
// error says whether the record may have been written: [ErrNotWritten] or [ErrOutcomeUnknown], also when the caller's context ended first.
//
// G12: Close returns within its own deadline, whatever any context says, and leaves no connection and no goroutine behind.
//
// None of this can be configured away.
//
// # Contexts
//
// A context bounds the caller's wait, never a record's life: a record that was accepted is sent even if its caller has gone, because franz-go can not take one
// record back from a batch without failing its neighbours. Until it is handed to franz-go a record is ours, and one whose context ends then is not sent.
//
// # Headers
//
// Every record carries correlation-id (the context's, or a new UUIDv7) and source; with a contract's Type also type. Middleware may add more, see [Middleware].
//
// # Where a record goes
//
// A key is placed by Java's murmur2; records without a key go to one partition for 64 KiB and then to another. Topics are not created by sending to them: an
// unknown one is an error with the nearest name. [Partition] chooses in place of the key. A record that exceeds its topic's max.message.bytes is refused before it is
// sent, measured without compression; [ClaimCheck] keeps large values elsewhere.
//
// # Many records
//
// [Publisher.SendBatch] sends many values of one contract and [Producer.SendAll] values of several; [Publisher.SendAsync] does not wait. What is not answered yet is
// bounded ([MaxBuffered]): who exceeds that waits, or is refused ([WhenFull]).
//
// # Transactions
//
// [Publisher.In] sends in a transaction: that of a handler of consumer.HandleTx, or one that [Begin] returned. What is sent so is staged, and becomes visible to
// readers of committed records all at once, or not at all (G11).
//
// # What it does not do
//
// A batch that a broker refuses because the topic's limit was lowered while the producer
// ran fails all records that were buffered for its partition.
package producer
