package txns

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Values for a producer that has no id or epoch.
const (
	NoProducer int64 = -1
	NoEpoch    int16 = -1
)

// lastEpoch is the last that a client may have. One is left above it, with which the coordinator can always fence the client.
const lastEpoch = math.MaxInt16 - 1

func exhausted(epoch int16) bool { return epoch >= lastEpoch }

// Producer is a producer id with its epoch.
type Producer struct {
	ID    int64
	Epoch int16
}

var noProducer = Producer{NoProducer, NoEpoch}

// Partition is one partition of a topic.
type Partition struct {
	Topic     string
	Partition int32
}

// txn is one transactional id.
type txn struct {
	id       string
	state    State
	producer Producer
	previous int64 // the producer id before this one
	upcoming int64 // the producer id that the client has been given, from when the markers are written
	last     int16 // the epoch before this one, if the client may still come with it
	timeout  time.Duration
	parts    []Partition // those that are to get a marker
	started  time.Time   // zero: never
	updated  time.Time
	bumped   bool          // the transaction that ends has a new epoch (transaction.version 2)
	changed  chan struct{} // closed, and replaced, with every state
}

// to changes the state.
func (t *txn) to(s State, now time.Time) {
	if !slices.Contains(next[t.state], s) {
		panic(fmt.Sprintf("txns: %s cannot follow %s", s, t.state))
	}
	t.state, t.updated = s, now
	close(t.changed)
	t.changed = make(chan struct{})
}

// prepare ends the transaction: from now on nothing is added to it. With transaction.version 2 the epoch grows, and upcoming is the id that follows
// this one where that has no more epochs.
func (t *txn) prepare(commit, bumped bool, upcoming int64, now time.Time) {
	if bumped {
		t.last = t.producer.Epoch
		if t.producer.Epoch < math.MaxInt16 {
			t.producer.Epoch++
		}
	}
	t.bumped, t.upcoming = bumped, upcoming
	if t.state != Ongoing {
		t.started = now
	}
	if commit {
		t.to(PrepareCommit, now)
	} else {
		t.to(PrepareAbort, now)
	}
}

// complete follows the last marker.
func (t *txn) complete(now time.Time) {
	if t.bumped {
		t.previous = t.producer.ID
		if t.upcoming != NoProducer {
			t.producer = Producer{t.upcoming, 0}
		}
	}
	t.upcoming = NoProducer
	if t.state == PrepareCommit {
		t.to(CompleteCommit, now)
	} else {
		t.to(CompleteAbort, now)
	}
}

// given is what the client is told that it is from now on.
func (t *txn) given() Producer {
	if t.upcoming != NoProducer {
		return Producer{t.upcoming, 0}
	}
	return t.producer
}

// Ending is a transaction that ends: each partition is to get a marker.
type Ending struct {
	TransactionalID string
	Producer        Producer // of the marker
	Commit          bool
	Bumped          bool // the epoch is newer than that of the transaction's records (transaction.version 2)
	Partitions      []Partition
}

func (t *txn) endingOf() Ending {
	return Ending{TransactionalID: t.id, Producer: t.producer, Commit: t.state == PrepareCommit, Bumped: t.bumped, Partitions: slices.Clone(t.parts)}
}
