// Package dlt is the format of dead letters: records that a group gave up on, kept byte for byte with the reason, until somebody decides about them.
//
// A group "billing" that handles the topic "orders" writes them to "orders.billing.dlt" ([TopicName]), each to the partition that it came from. The
// consumer writes them by itself, acknowledged by every in-sync replica before the source's offset moves (guarantees G1 and G2); what a user of
// this package does is read them:
//
//	for letter, err := range dlt.Read(ctx, cluster, dlt.Query{Group: "billing"}) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(letter.Identity(), letter.Class, letter.Error)
//	}
//
// or, from a shell, "sordini dlt ls -brokers localhost:9092 -group billing".
//
// # Headers
//
// A dead letter has its source's key, value, headers and partition, and these headers, all of them text:
//
//	dlt-version      1
//	dlt-topic        the topic it came from
//	dlt-topic-id     that topic's id as Kafka prints it (22 characters of base64), so that a recreated topic is another one
//	dlt-partition    decimal
//	dlt-offset       decimal
//	dlt-timestamp    the source record's, RFC 3339 in UTC with milliseconds (the dead letter's own is when it was written, or retention would eat it)
//	dlt-group        the group that gave up
//	dlt-error        the error's message, cleaned by Format.Redact, at most 4 KiB
//	dlt-error-class  decode, permanent, exhausted, panic, too-large or crash
//	dlt-stack        the panicking goroutine's stack, at most 8 KiB; class panic only
//	dlt-fingerprint  16 hexadecimal digits, the same for failures of the same cause; see Fingerprint
//	dlt-attempts     decimal
//	dlt-first-failed RFC 3339
//	dlt-failed       RFC 3339
//	dlt-client       client id, host and version of the member
//	dlt-truncated    only where the record was too large: stack, headers, value or key, the last part that had to be left out
//
// They are replaced and never appended: a dead letter that a group handles and gives up on has the headers of the latest failure. Names that begin
// with "dlt-" and are not in this table are the user's and are kept. The names and their meaning are a persisted format: golden files hold them,
// [Parse] of a later release reads what this one writes.
//
// [Profile] writes the names that Spring Kafka, Kafka's own share groups and Kafka Connect use as well, for the tools that look for them, and [Parse]
// understands dead letters that those wrote.
//
// # What it does not do
//
// State (parked, redriven, resolved, discarded) and redriving come with a later release. [InboxName] names the topic that carries redriven records and retries,
// [InboxRecord] is what is in it.
package dlt
