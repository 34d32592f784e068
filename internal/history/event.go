package history

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// An Event is one thing that happened to a record, to the ownership of a partition, or to a member. Which fields a kind needs is said at the [Kind].
//
// Topic, Partition and Offset always name the record by its source: where its producer put it. When an attempt reads it elsewhere (the group's inbox),
// Via says where; when it is copied (dead letter, inbox), To says where the copy was written.
//
// An Event is plain data. A [Recorder] may keep Key, Ranges, Via and To: whoever records an event must not change them afterwards.
type Event struct {
	// Seq is the place of the event in the total order of recording, from 1. The [Log] sets it.
	Seq int64
	// At is when it happened. The [Log] sets it when it is zero.
	At time.Time

	Kind    Kind
	Outcome Outcome // of Ended, AttemptEnd and RunEnd
	Cause   Cause   // why the attempt's context was cancelled, of AttemptCancel and AttemptEnd
	// Redriven marks an attempt or outcome of a redriven dead letter: it has left the order of its key.
	Redriven bool
	// Undecodable marks a sent or found record whose value cannot be decoded on purpose, so that G9 can tell poison from a registry that is away.
	Undecodable bool

	Partition int32
	Offset    int64
	// Member is who: the group's member, or the name of the producer for Accepted, Unknown and Refused. Names are unique for a life: a process
	// that starts again takes a new name, or its RunEnd (Killed, if need be) was recorded.
	Member string
	Group  string
	Topic  string

	// Key of the record; nil is a null key, which is not the same as an empty one.
	Key []byte
	// ID is the identity of a produced record, chosen by the test that produces it and carried in the record.
	ID string
	// Hash is of the record's value bytes (see [HashValue]); 0 is not known.
	Hash uint64
	// Order is the place of a send among the sends of its producer, from 1, counted before the send; 0 is not known. Two sends are ordered only if
	// the first call had returned (SendAsync) before the second began.
	Order int64

	Attempt int   // from 1
	Fence   int64 // of the ownership
	// Call ties together what one call did: the records of one batch that a handler was given, the CommitStart and Commit of one request (per
	// partition). 0 is a call of its own.
	Call int64
	// Tx names the transaction that an Output, an Ended or a CommitStart belongs to; unique in the group.
	Tx string

	// Class of a dead letter: decode, permanent, exhausted, panic, too-large, crash.
	Class string
	Err   string

	Via *Place // where this copy of the record was read, when not at its source
	To  *Place // where it was copied to, acknowledged by every in-sync replica

	// Ranges of offsets: those completed beyond the committed offset (CommitStart, Commit), those taken (Truncated, Missed), those read (Scanned).
	Ranges []Range
}

// A Place is where a copy of a record lies. Offset -1 is not known.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
}

func (p Place) String() string { return place(p.Topic, p.Partition, p.Offset) }

// A Range is the offsets From <= o < To.
type Range struct{ From, To int64 }

func (r Range) String() string {
	if r.To == r.From+1 {
		return strconv.FormatInt(r.From, 10)
	}
	return fmt.Sprintf("%d-%d", r.From, r.To-1)
}

// HashValue is the hash that Event.Hash holds: FNV-1a of 64 bits, never 0, the same in every process. A nil value (tombstone) and an empty one
// differ.
func HashValue(value []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range value {
		h = (h ^ uint64(b)) * 1099511628211
	}
	switch {
	case value == nil:
		return 1
	case h <= 1:
		return 2
	}
	return h
}

// String is the event in one readable line.
func (e *Event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "#%d %s", e.Seq, e.At.Format("15:04:05.000"))
	for _, s := range []string{e.Group, e.Member} {
		if s != "" {
			b.WriteByte(' ')
			b.WriteString(s)
		}
	}
	b.WriteByte(' ')
	b.WriteString(e.Kind.String())
	if e.Outcome != 0 {
		fmt.Fprintf(&b, " %s", e.Outcome)
	}
	if e.Cause != 0 {
		fmt.Fprintf(&b, " (%s)", e.Cause)
	}
	if e.Topic != "" {
		b.WriteByte(' ')
		b.WriteString(place(e.Topic, e.Partition, e.Offset))
	}
	if e.Key != nil {
		b.WriteString(" key " + showKey(e.Key))
	}
	if e.Via != nil {
		b.WriteString(" via " + e.Via.String())
	}
	if e.To != nil {
		b.WriteString(" to " + e.To.String())
	}
	for _, r := range e.Ranges {
		b.WriteString(" +" + r.String())
	}
	for _, f := range []struct {
		name string
		v    int64
	}{{"attempt", int64(e.Attempt)}, {"fence", e.Fence}, {"call", e.Call}, {"order", e.Order}} {
		if f.v != 0 {
			fmt.Fprintf(&b, " %s %d", f.name, f.v)
		}
	}
	for _, f := range []struct{ name, v string }{{"id", e.ID}, {"tx", e.Tx}, {"class", e.Class}} {
		if f.v != "" {
			fmt.Fprintf(&b, " %s %s", f.name, f.v)
		}
	}
	if e.Redriven {
		b.WriteString(" redriven")
	}
	if e.Undecodable {
		b.WriteString(" undecodable")
	}
	if e.Err != "" {
		b.WriteString(": " + strings.ReplaceAll(e.Err, "\n", " "))
	}
	return b.String()
}

func place(topic string, partition int32, offset int64) string {
	return topic + "[" + strconv.Itoa(int(partition)) + "]@" + strconv.FormatInt(offset, 10)
}

// showKey is a key in print: as text where it is text.
func showKey(key []byte) string {
	if key == nil {
		return "null"
	}
	if utf8.Valid(key) && len(key) <= 64 {
		return strconv.Quote(string(key))
	}
	return fmt.Sprintf("%x", key)
}
