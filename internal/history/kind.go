package history

import "fmt"

// Kind says what happened. In JSON it is the word in quotes.
//
// When to record decides what the history can prove. What permits something is recorded after it is true (Accepted, Ended, DeadLettered, Commit,
// Revoked); what starts something is recorded before it starts (Assigned, AttemptStart, CommitStart, DrainStart).
type Kind uint8

// The kinds, and the fields each needs besides Kind. "Record" is Topic, Partition, Offset; "partition" is Topic, Partition.
const (
	// Accepted: a Send returned nil. Member (producer), ID, record, Key; for order, Order; for G9, Hash and Undecodable.
	Accepted Kind = iota + 1
	// Unknown: a Send returned ErrOutcomeUnknown: the record may or may not exist. Member, ID, Topic, Key, Order.
	Unknown
	// Refused: a Send failed and promised that nothing was written. Member, ID, Topic.
	Refused

	// Assigned: a member owns a partition from here on. Group, Member, partition, Fence; Offset is where it resumes, Ranges the completion map it
	// read back. Err is set when commit metadata was found and ignored.
	Assigned
	// Revoking: a revocation starts. Group, Member, partition.
	Revoking
	// Revoked: the revocation has returned. Group, Member, partition.
	Revoked
	// Lost: the member learns that it no longer owns the partition. Group, Member, partition.
	Lost

	// AttemptStart: a handler is about to be called. Group, Member, record, Key, Attempt, Fence; Via when read from the inbox; Redriven; Call for
	// batches.
	AttemptStart
	// AttemptCancel: the attempt's context is cancelled by the runner. Group, Member, record, Cause.
	AttemptCancel
	// AttemptEnd: the handler returned. Group, Member, record, Attempt, Outcome (Succeeded, Failed or Cancelled), Cause when its context was
	// cancelled; Err.
	AttemptEnd

	// Ended ("outcome"): the record ended for the group, or was handed to its inbox. Group, Member, record, Outcome (Handled, Dead, Skipped,
	// Handed, Folded), Class when dead, Via when it was read from the inbox, To when handed, Tx when it holds only if the transaction commits.
	Ended
	// DeadLettered ("deadletter.acked"): every in-sync replica has the dead letter. Group, Member, record, To, Class; Tx when it is visible only if the
	// transaction commits.
	DeadLettered
	// Redrive: a dead letter was put into the group's inbox. Group, record, To.
	Redrive

	// CommitStart: a commit is about to be sent. Group, Member, partition, Offset (the first that is not committed), Ranges, Call; Tx when the
	// offsets go into a transaction.
	CommitStart
	// Commit: the broker acknowledged it for this partition. As CommitStart.
	Commit

	// DrainStart: Run's context was cancelled. Group, Member.
	DrainStart
	// RunEnd: Run returned, or the process is gone. Group, Member, Outcome (Clean when Run returned nil, Unclean, Killed).
	RunEnd

	// Truncated: retention, DeleteRecords or an unclean election took records. Partition, Ranges.
	Truncated
	// Missed: the group noticed that records were taken before it handled them. Group, partition, Ranges.
	Missed
	// Seek: the group's position was set on purpose, by the group or a tool. Group, partition, Offset.
	Seek

	// TxBegin: a transaction begins. Group, Member, Tx.
	TxBegin
	// Output: a record is added to a transaction on behalf of a source record. Group, Member, record (the source), ID (of the output), To (its
	// topic), Tx.
	Output
	// TxCommit: the transaction's commit was acknowledged. Group, Member, Tx.
	TxCommit
	// TxAbort: the transaction is aborted. Group, Member, Tx.
	TxAbort

	// Found: an independent reader (read_committed) read a record at the end. Record, ID, Key, Hash; for a dead letter or an inbox record: Group,
	// record is the source that its headers name, Via is where it was found.
	Found
	// Scanned: the independent reader has read all of these offsets, so what was not Found is not there. Partition, Ranges.
	Scanned
)

var kindNames = [...]string{
	Accepted: "accepted", Unknown: "unknown", Refused: "refused",
	Assigned: "assigned", Revoking: "revoking", Revoked: "revoked", Lost: "lost",
	AttemptStart: "attempt.start", AttemptCancel: "attempt.cancel", AttemptEnd: "attempt.end",
	Ended: "outcome", DeadLettered: "deadletter.acked", Redrive: "redrive",
	CommitStart: "commit.start", Commit: "commit",
	DrainStart: "drain.start", RunEnd: "run.end",
	Truncated: "truncated", Missed: "missed", Seek: "seek",
	TxBegin: "tx.begin", Output: "output", TxCommit: "tx.commit", TxAbort: "tx.abort",
	Found: "found", Scanned: "scanned",
}

// Outcome is how a record, an attempt or a run ended.
type Outcome uint8

// Outcomes of a record (Ended), of an attempt (AttemptEnd) and of a run (RunEnd).
const (
	Handled   Outcome = iota + 1 // the handler returned nil
	Dead                         // it is in the dead-letter topic
	Skipped                      // skipped on purpose, and counted
	Handed                       // it is in the group's inbox, which now owes its end
	Succeeded                    // the attempt's handler returned nil, or skipped the record
	Failed                       // the attempt's handler returned an error or panicked
	Cancelled                    // the attempt's context was cancelled, and the handler gave up
	Clean                        // Run returned nil
	Unclean                      // Run returned an error
	Killed                       // the process is gone; nothing of it runs any more
	Folded                       // this copy ended because another copy of the record stands for it (handed off twice by a crash): the record goes on
)

var outcomeNames = [...]string{
	Handled: "handled", Dead: "dead", Skipped: "skipped", Handed: "handed",
	Succeeded: "ok", Failed: "error", Cancelled: "cancelled",
	Clean: "clean", Unclean: "unclean", Killed: "killed", Folded: "folded",
}

// Cause is why an attempt's context was cancelled.
type Cause uint8

// Causes, as the consumer's ErrRevoked, ErrDraining, ErrHandlerTimeout, and a lost partition.
const (
	CauseRevoked Cause = iota + 1
	CauseDraining
	CauseTimeout
	CauseLost
)

var causeNames = [...]string{CauseRevoked: "revoked", CauseDraining: "draining", CauseTimeout: "timeout", CauseLost: "lost"}

func (k Kind) String() string    { return name(kindNames[:], uint8(k), "kind") }
func (o Outcome) String() string { return name(outcomeNames[:], uint8(o), "outcome") }
func (c Cause) String() string   { return name(causeNames[:], uint8(c), "cause") }

func name(names []string, i uint8, what string) string {
	if int(i) < len(names) && names[i] != "" {
		return names[i]
	}
	return fmt.Sprintf("%s(%d)", what, i)
}

// parse finds the number of a word; the empty word is 0.
func parse(names []string, word, what string) (uint8, error) {
	if word == "" {
		return 0, nil
	}
	for i, n := range names {
		if n == word {
			return uint8(i), nil
		}
	}
	return 0, fmt.Errorf("unknown %s %q: the history was written by another version", what, word)
}
