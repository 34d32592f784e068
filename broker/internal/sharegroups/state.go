package sharegroups

import (
	"maps"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
)

// TopicID is a topic's id.
type TopicID = [16]byte

// Key names a share partition.
type Key struct {
	Group     string
	Topic     TopicID
	Partition int32
}

// What a partition has that is not set.
const (
	NoOffset = -1 // the group has not begun to read: share.auto.offset.reset says where it will
	NoEpoch  = -1 // the request does not say
	NoCount  = -1 // nobody has counted
)

// State is what is written down of a share partition.
type State struct {
	StateEpoch  int32 // grows when the offset is reset
	LeaderEpoch int32 // of the leader that has read it last; 0 where nobody has since it was reset
	Start       int64 // the first record that has not ended, or [NoOffset]
	Completed   int32 // how many records from there on have ended; -1: not known
	Batches     []StateBatch

	states, leaders int32 // the highest epochs that were seen: who has an older one may not write

	snapshot int32 // how often the whole state was written
	updates  int   // how many updates were written since
	created  int64 // when the snapshot was written, milliseconds since 1970
}

// StatesConfig says what [States] know of the cluster. The functions must be safe for concurrent use and must not call back.
type StatesConfig struct {
	// Exists reports whether there is a partition of a topic with this id. Nil: every partition exists.
	Exists func(topic TopicID, partition int32) bool
	// Write is told what Kafka writes down, in order, before a call returns. Nil: nobody is.
	Write func(Entry)
	// UpdatesPerSnapshot is how many updates are written before the whole state is written again
	// (share.coordinator.snapshot.update.records.per.snapshot). Negative: 500.
	UpdatesPerSnapshot int
}

// States is the share coordinator: the state of all share partitions. Its methods are safe for concurrent use. The errors are Kafka's codes; [Text] has
// what goes with them.
type States struct {
	cfg StatesConfig

	mu  sync.Mutex // guards what follows, and is held while what changes is written down
	all map[Key]*State
}

// NewStates returns States that know of no partition.
func NewStates(cfg StatesConfig) *States {
	if cfg.Exists == nil {
		cfg.Exists = func(TopicID, int32) bool { return true }
	}
	if cfg.Write == nil {
		cfg.Write = func(Entry) {}
	}
	if cfg.UpdatesPerSnapshot < 0 {
		cfg.UpdatesPerSnapshot = 500
	}
	return &States{cfg: cfg, all: make(map[Key]*State)}
}

// refusal is an error with a text of its own.
type refusal struct {
	code *kerr.Error
	text string
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.code }

var (
	errNegativePartition = &refusal{kerr.InvalidRequest, "The partition id cannot be a negative number."}
	errWriteUnknown      = &refusal{kerr.InvalidRequest, "Write operation on uninitialized share partition not allowed."}
	errDisorder          = &refusal{kerr.InvalidRequest, "The state batches must be in order and must not overlap."}
	errFencedLeader      = &refusal{kerr.FencedLeaderEpoch, "The leader epoch in the request is older than the epoch on the broker."}
	errFencedState       = &refusal{kerr.FencedStateEpoch, "The share coordinator rejected the request because the share-group state epoch did not match."}
	errReadUnknown       = &refusal{kerr.InvalidRequest, "Read operation on uninitialized share partition not allowed."}
)

// Initialize makes a partition known, or sets where its group reads on: at start, or where share.auto.offset.reset says for [NoOffset]. Whoever holds an
// older state epoch may not write any more.
func (s *States) Initialize(k Key, epoch int32, start int64) error {
	if k.Partition < 0 {
		return errNegativePartition
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.all[k]
	switch {
	case epoch != NoEpoch && old != nil && old.states > epoch:
		return errFencedState
	case !s.cfg.Exists(k.Topic, k.Partition):
		return kerr.UnknownTopicOrPartition
	}
	st := &State{StateEpoch: epoch, Start: start, states: epoch, created: now()}
	if start == NoOffset {
		st.Completed = NoCount
	}
	if old != nil {
		st.snapshot, st.updates = old.snapshot+1, old.updates
		st.states, st.leaders = max(epoch, old.states), old.leaders
	}
	s.all[k] = st
	s.cfg.Write(st.entry(k))
	return nil
}

// Read returns the state of a partition to its leader, whose epoch is noted so that earlier leaders may not write any more.
func (s *States) Read(k Key, leaderEpoch int32) (State, error) {
	if k.Partition < 0 {
		return State{}, errNegativePartition
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.all[k]
	switch {
	case st == nil:
		return State{}, errReadUnknown
	case leaderEpoch != NoEpoch && st.leaders > leaderEpoch:
		return State{}, errFencedLeader
	case !s.cfg.Exists(k.Topic, k.Partition):
		return State{}, kerr.UnknownTopicOrPartition
	}
	if leaderEpoch != NoEpoch && st.leaders != leaderEpoch {
		st.leaders, st.LeaderEpoch = leaderEpoch, leaderEpoch
		s.written(k, st, Update{Start: st.Start, Completed: st.Completed})
	}
	return st.clone(), nil
}

func (st *State) clone() State {
	c := *st
	c.Batches = slices.Clone(st.Batches)
	return c
}

// Update is what a leader writes down.
type Update struct {
	StateEpoch, LeaderEpoch int32 // -1: not said
	Start                   int64 // -1: as it was
	Completed               int32
	Batches                 []StateBatch
}

// Write takes a leader's update over.
func (s *States) Write(k Key, u Update) error {
	switch {
	case k.Partition < 0:
		return errNegativePartition
	case !ordered(u.Batches):
		return errDisorder
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.all[k]
	switch {
	case st == nil:
		return errWriteUnknown
	case u.LeaderEpoch != NoEpoch && st.leaders > u.LeaderEpoch:
		return errFencedLeader
	case u.StateEpoch != NoEpoch && st.states > u.StateEpoch:
		return errFencedState
	case !s.cfg.Exists(k.Topic, k.Partition):
		return kerr.UnknownTopicOrPartition
	}
	s.written(k, st, u)
	return nil
}

// written applies an update and writes it down: as an update, or after many of them as the whole state.
func (s *States) written(k Key, st *State, u Update) {
	st.apply(u)
	if st.updates < s.cfg.UpdatesPerSnapshot {
		st.updates++
		s.cfg.Write(st.updateEntry(k, u))
		return
	}
	st.updates, st.created = 0, now()
	st.snapshot++
	s.cfg.Write(st.entry(k))
}

func (st *State) apply(u Update) {
	if u.Start != NoOffset {
		st.Start = u.Start
	}
	st.Completed = u.Completed
	st.Batches = combine(st.Batches, u.Batches, st.Start)
}

// Summary returns the state of a partition without its batches. One that is not known has neither an offset nor epochs.
func (s *States) Summary(k Key) (State, error) {
	switch {
	case k.Partition < 0:
		return State{}, errNegativePartition
	case !s.cfg.Exists(k.Topic, k.Partition):
		return State{}, kerr.UnknownTopicOrPartition
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.all[k]
	if st == nil {
		return State{LeaderEpoch: 0, Start: NoOffset, Completed: NoCount}, nil
	}
	sum := *st
	sum.Batches = nil
	return sum, nil
}

// Delete forgets a partition. To forget what is not known is no error.
func (s *States) Delete(k Key) error {
	switch {
	case k.Partition < 0:
		return errNegativePartition
	case !s.cfg.Exists(k.Topic, k.Partition):
		return kerr.UnknownTopicOrPartition
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetLocked(k)
	return nil
}

// DeleteTopics forgets the partitions of topics that are gone, as exists has it.
func (s *States) DeleteTopics(exists func(TopicID) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range slices.SortedFunc(maps.Keys(s.all), compareKeys) {
		if !exists(k.Topic) {
			s.forgetLocked(k)
		}
	}
}

func (s *States) forgetLocked(k Key) {
	if s.all[k] == nil {
		return
	}
	delete(s.all, k)
	s.cfg.Write(tombstone(k))
}

// Text is what Kafka says with an error of this package where it says something, "" for none.
func Text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
