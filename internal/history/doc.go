// Package history is the one format in which tests, the fault suite and the examples write down what a run did, and the one checker that judges it by
// the guarantees.
//
//	var log history.Log                       // a Recorder: give it to producers, group members and readers
//	log.Record(history.Event{Kind: history.Accepted, Member: "p1", Topic: "orders", Partition: 3, Offset: 17, Key: key, ID: "order-17"})
//	…
//	report := history.Check(log.Events(), history.Options{Groups: []history.Group{{Name: "billing", Topics: []string{"orders"}}}})
//	if err := report.Err(); err != nil { t.Fatal(err) }
//
// A run of millions of records keeps no events: Log{Sink: checker, Forget: true} judges as it goes, and Log.Writer keeps the JSON lines on disk.
// A process that is killed leaves its lines; [Read] and [Merge] bring several together.
//
// # What is judged, and what the history must hold for it
//
// The checker allows exactly what the table of guarantees allows, and counts what it allows in [Counts].
//
//   - G1: every Accepted record that was not Truncated has an Ended (handled, dead, skipped) for every group that owes it one. Handed is no end, Folded ends a copy
//     and not the record, and a Redrive owes an end. A handled record's last attempt succeeded. Truncated records that the group went past need a Missed.
//   - G2: an acknowledged Commit, completed ranges included, covers no record without an Ended recorded before its CommitStart; of the inbox too. An
//     Ended (dead) needs its DeadLettered first, and the dead letter must be Found where it was Scanned. Offsets without a record may be covered.
//   - G3: within one ownership no two attempts of a key overlap, none starts before an earlier record of its key has ended, none goes back; first
//     successes follow the offsets over the whole history, except of records that died or were skipped first. Null keys are exempt, redriven records
//     are but for the overlap, records of one Call do not overlap. Fences grow over those
//     of earlier ownerships that called a handler, and an attempt bears its ownership's.
//   - G4 is about time: see [Isolate].
//   - G5: no attempt starts without an ownership; what runs when Revoked is recorded was cancelled by it (AttemptCancel before, or the Cause of its
//     AttemptEnd; a handler that was cancelled before for another cause needs the AttemptCancel); what a former owner says ends nothing, and it
//     commits nothing. A member whose partition is assigned to another before it gave it up was declared dead: it may go on until it records Lost,
//     Revoked or RunEnd, which it must.
//   - G6: an attempt that ended with cause draining and not with success is followed by one of no higher number, has no outcome, no dead letter and no
//     commit. Run does not return nil while handlers run.
//   - G7: what an acknowledged commit covers is not started again, nor what its own ownership ended, nor what ended before a clean RunEnd in
//     a partition that was owned when draining began (a revocation before that may have lost its last commit).
//   - G9: a Found copy (dead letter, inbox) has the key and Hash of its record. Undecodable records are never handled, and with Options.MarksPoison no
//     other dies with class decode. That a record which kills the process is dead-lettered shows as G1.
//   - G10: an ID is Found at most once where it was Accepted and once for each Unknown; a Refused one is not found; what was Accepted is found where it
//     was Scanned, unless Truncated; the offsets of one producer and key follow Order. Whoever sends an ID again after a crash records an Unknown for
//     the first send, or the second copy is a duplicate.
//   - G11: a transaction with Outputs commits the offsets of their sources; an output is visible exactly if its transaction committed, and once; what a
//     commit covers has no outcome in a transaction that is open or aborted. A transaction without an end is taken as committed if its outputs are
//     found, and as aborted if they are not.
//
// Not shown by one stream of events: that commits were stored (read them back from the broker), memory (G8), deadlines (G12), health and metrics (G13),
// secrets (G14). A topic that is recreated needs another name in the history, since its offsets begin again.
//
// # What it costs
//
// Time is n log n at worst, linear for what happens in order. Memory is 21 bytes an offset, 16 more where sends are numbered and values
// hashed, and 19 more for each group, in pages of 128 offsets, plus what is in flight; keys cost nothing once they are idle and committed.
package history
