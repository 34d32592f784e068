// Package sordini puts a Go service on Apache Kafka without losing a record.
//
// It is for a service that publishes and handles records and wants the production checklist to hold without reading it: idempotent producing with acks=all,
// commits that never pass unfinished work, retries, dead letters, correlation ids, tracing, metrics, TLS and SASL. One writes a typed contract for a topic
// and a handler; what is easy to get wrong is the SDK's.
//
//	var Placed = sordini.Topic[Order]{
//		Name:  "orders",
//		Key:   sordini.KeyString(func(o Order) string { return o.ID }),
//		Value: serde.JSON[Order](),
//	}
//
//	cluster, err := sordini.FromEnv()                        // or sordini.Cluster{Brokers: []string{"localhost:9092"}}
//	err = sordini.EnsureTopics(ctx, cluster, Placed)         // creates what is missing
//
//	p, err := producer.New(cluster)                          // publishing
//	defer p.Close()
//	placed, err := producer.To(p, Placed)
//	err = placed.Send(ctx, order)                            // nil only when every in-sync replica has it
//
//	g, err := consumer.New(cluster, "billing")               // handling
//	err = consumer.Handle(g, Placed, func(ctx context.Context, m *consumer.Message[Order]) error {
//		return charge(ctx, m.Value)
//	})
//	err = g.Run(ctx)                                         // until ctx ends; then it drains
//
// This package has what both sides share: the settings of a [Cluster], the contract of a [Topic], the [Record] and its [Headers], one attempt's [Delivery],
// correlation ids in contexts, and the [Diagnosis] of an error. Packages producer and consumer do the work; serde turns values into bytes; middleware wraps
// attempts and sends; dlt reads dead letters; broker/brokertest gives a test a cluster in process.
//
// # What holds
//
// Each guarantee has a number, which tests, documentation and error texts refer to.
//
//   - G1 no loss: a record that was acknowledged to a producer ends, for each group, in at least one of handled, dead-lettered, skipped on purpose.
//   - G2 commit safety: a committed offset never passes a record that has not ended.
//   - G3 key order: the records of a key are handled one at a time and in order, retries included.
//   - G4 isolation: a slow, failing or retried key delays no other key.
//   - G5 ownership: after a revocation no handler of the partition is running, or it is cancelled and its result is fenced.
//   - G6 drain: ending Run's context lets handlers finish until a deadline; what is cut then is repeated, not lost.
//   - G7 restart: after a clean stop nothing is handled twice; after a crash little is.
//   - G8 bounded: records and bytes in flight are bounded; the bound slows fetching and drops nothing.
//   - G9 poison: bytes that do not decode go to the dead-letter topic unchanged, and stop nothing.
//   - G10 producer: Send returns nil only after acks=all; every error says whether the record may have been written.
//   - G11 exactly once: in a transactional handler outputs and offsets commit together or not at all (a later release).
//   - G12 bounded stop: Close and Run return within their deadlines, whatever the cluster does, and leave nothing behind.
//   - G13 truth: health and metrics say what is so.
//   - G14 secrecy: no secret appears in logs, errors or any printing of any setting.
//
// What would weaken one of them can not be configured: there is no other acks, no auto-commit, no isolation level. [Cluster.Kgo], the one way past the SDK
// to franz-go, refuses such options.
//
// # Errors
//
// Every error is matchable with errors.Is and errors.As. Where its cause is known, [Diagnose] gives what happened, why, and what to do: an advertised listener
// that can not be reached, TLS or SASL missing on either side, a missing ACL with the command that adds it, an unknown topic with the nearest name.
// The codes stay what they are from release to release.
//
// # What it does not do
//
// It does not make a handler idempotent: after a crash what was running is handled again. It keeps no order between keys, or between topics. It is no stream
// processor: no joins, windows or state stores. It changes no topic that exists. The broker in package broker is for tests, examples and laptops: it keeps
// what it has in memory; a real cluster is what carries a service past one machine.
package sordini
