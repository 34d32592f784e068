// Package consumer runs typed handlers over the records of a consumer group, and loses none of them.
//
//	g, err := consumer.New(cluster, "billing")
//	err = consumer.Handle(g, Placed, func(ctx context.Context, m *consumer.Message[Order]) error {
//		return charge(ctx, m.Value)
//	})
//	err = g.Run(ctx) // blocks; nil only after a clean drain whose last commit was acknowledged
//
// # A record's way
//
// A fetched record enters its partition's window, which knows what is in flight and what is complete. It queues in the lane of its key; a bounded pool of
// workers takes the heads of lanes that are due. An attempt decodes the value, runs the middleware and then the handler. What comes back decides:
//
//   - nil: the record is done;
//   - an error: it is tried again after a growing delay (see [RetryPolicy]), in place, holding its lane but no worker and no goroutine;
//   - an error after the last retry, or a [Permanent] one, or bytes that do not decode: it is written to the group's dead-letter topic, and is over once
//     every in-sync replica has that;
//   - [Skip]: it is over, and counted.
//
// Commits run beside all this, on a short interval, and never pass a record that is not over. What is complete beyond the committed offset travels in the
// commit's metadata, so that a crash repeats little.
//
// # What it promises
//
// The numbers are those of the guarantees in the module's README. No record is lost, skipped or committed early (G1, G2); the records of a key are handled
// in order and never at the same time, retries included (G3), while no key waits for another (G4); a partition that is taken away has no running handler
// left, or its result is fenced (G5); cancelling Run's context drains (G6), and a clean stop repeats nothing (G7); what is in flight is bounded (G8);
// undecodable records do not stop a group (G9); Run ends in bounded time (G12), and [Group.Health] says what is wrong (G13).
//
// # Batches
//
// [HandleBatch] gives a handler several records at once, by count, bytes and time, of a partition or of a key. It answers for each with a [BatchError]; what
// failed takes its ladder alone, and what is behind a failed record of its key follows it. A call that fails as a whole is repeated record by record, so that
// one poisonous record costs no other its life.
//
// # Exactly once
//
// With [HandleTx] what a handler sends, its dead letter and its record's offset are committed in one transaction of the group's, or not at all (G11).
//
// # Values that are kept elsewhere
//
// With [ClaimCheck] handlers have values that are too large for Kafka and were kept in a store by producer.ClaimCheck.
//
// # Steering it
//
// [Group.Pause], [Group.SetConcurrency], [Group.Seek] and [Group.Replay] work while the group runs, [Limit] holds handlers to a rate that may change, and
// [CircuitBreaker] leaves alone what is down. [Group.Status], [Group.Health] and [Group.Handler] say what the group does; [Lag] and [Reset] are for groups that
// one is no member of.
//
// # What it does not do
//
// It does not make a handler idempotent by itself: after a crash, what was running is handled again. middleware.Idempotent handles such a record once, with a table in
// the handler's own database; [Message].Fence lets a store refuse a late writer.
package consumer
