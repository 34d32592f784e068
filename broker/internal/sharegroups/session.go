package sharegroups

import (
	"math"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Epochs of a share session with a meaning.
const (
	FirstEpoch = 0  // asks for a new session
	FinalEpoch = -1 // ends it
)

// Session names a session of one broker.
type Session struct{ Group, Member string }

// TopicPartition is a partition of a topic.
type TopicPartition struct {
	Topic     TopicID
	Partition int32
}

// Sessions are the share sessions of one broker: for each member the partitions that it fetches, so that a request names only what changes. Their zero
// value is ready. The methods are safe for concurrent use.
type Sessions struct {
	mu  sync.Mutex // guards what follows
	all map[Session]*session
}

type session struct {
	epoch  int32
	parts  []TopicPartition
	owed   map[TopicPartition]bool // must be in the next answer, whatever there is to say
	client any
}

func nextEpoch(e int32) int32 {
	if e == math.MaxInt32 || e < 0 {
		return 1
	}
	return e + 1
}

// Open begins a session, instead of one that the member has. client is who owns it, for [Sessions.Disconnected].
func (s *Sessions) Open(id Session, parts []TopicPartition, limit int, client any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, id)
	if len(s.all) >= limit {
		return kerr.ShareSessionLimitReached
	}
	if s.all == nil {
		s.all = make(map[Session]*session)
	}
	open := &session{epoch: nextEpoch(FirstEpoch), owed: make(map[TopicPartition]bool), client: client}
	open.add(parts, false)
	s.all[id] = open
	return nil
}

func (s *session) add(parts []TopicPartition, owed bool) {
	known := make(map[TopicPartition]bool, len(s.parts))
	for _, p := range s.parts {
		known[p] = true
	}
	for _, p := range parts {
		if !known[p] {
			known[p] = true
			s.parts = append(s.parts, p)
			if owed {
				s.owed[p] = true
			}
		}
	}
}

// Use takes a session to its next epoch, with partitions that are added and forgotten, and returns what it fetches now.
func (s *Sessions) Use(id Session, epoch int32, add, forget []TopicPartition) ([]TopicPartition, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	open, err := s.find(id, epoch)
	if err != nil {
		return nil, err
	}
	open.add(add, true)
	if len(forget) > 0 {
		gone := make(map[TopicPartition]bool, len(forget))
		for _, p := range forget {
			gone[p] = true
			delete(open.owed, p)
		}
		open.parts = slices.DeleteFunc(open.parts, func(p TopicPartition) bool { return gone[p] })
	}
	open.epoch = nextEpoch(open.epoch)
	return slices.Clone(open.parts), nil
}

// Step takes a session to its next epoch. A request that ends the session only finds it.
func (s *Sessions) Step(id Session, epoch int32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if epoch == FirstEpoch {
		return kerr.InvalidShareSessionEpoch
	}
	if epoch == FinalEpoch {
		_, err := s.find(id, epoch)
		return err
	}
	open, err := s.find(id, epoch)
	if err == nil {
		open.epoch = nextEpoch(open.epoch)
	}
	return err
}

func (s *Sessions) find(id Session, epoch int32) (*session, error) {
	open := s.all[id]
	switch {
	case open == nil:
		return nil, kerr.ShareSessionNotFound
	case epoch != FinalEpoch && open.epoch != epoch:
		return nil, kerr.InvalidShareSessionEpoch
	}
	return open, nil
}

// Answer says which partitions of an answer to a request of an epoch the member is told: those with records, with an error, and those that it has just
// asked for. It fails where the session has gone on meanwhile.
func (s *Sessions) Answer(id Session, epoch int32, parts []TopicPartition, records, failed func(i int) bool) (told []bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := s.all[id]
	if open == nil || open.epoch != nextEpoch(epoch) {
		return nil, kerr.InvalidShareSessionEpoch
	}
	told = make([]bool, len(parts))
	for i, p := range parts {
		told[i] = records(i) || failed(i) || open.owed[p]
		if delete(open.owed, p); failed(i) {
			open.owed[p] = true
		}
		if records(i) { // others come first next time
			if at := slices.Index(open.parts, p); at >= 0 {
				open.parts = append(slices.Delete(open.parts, at, at+1), p)
			}
		}
	}
	return told, nil
}

// Parts returns the partitions of a session, nil where there is none.
func (s *Sessions) Parts(id Session) []TopicPartition {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := s.all[id]
	if open == nil {
		return nil
	}
	return slices.Clone(open.parts)
}

// Close ends a session and returns what it has fetched, false where there is none.
func (s *Sessions) Close(id Session) ([]TopicPartition, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := s.all[id]
	if open == nil {
		return nil, false
	}
	delete(s.all, id)
	return open.parts, true
}

// Disconnected lists the sessions of a client that has gone.
func (s *Sessions) Disconnected(client any) (ids []Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, open := range s.all {
		if open.client == client {
			ids = append(ids, id)
		}
	}
	return ids
}

// Unused reports whether no member of a group has a session.
func (s *Sessions) Unused(group string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.all {
		if id.Group == group {
			return false
		}
	}
	return true
}

// Clear forgets every session, as a broker that ends does.
func (s *Sessions) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.all)
}
