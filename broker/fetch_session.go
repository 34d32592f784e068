package broker

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Epochs of a fetch session with a meaning (KIP-227).
const (
	firstEpoch = 0  // asks for a new session
	noSession  = -1 // wants none, and ends the one that it names
)

// sessionIdle is how long a session must have been idle before another may take its place (min.incremental.fetch.session.eviction.ms).
const sessionIdle = 2 * time.Minute

// fetchSession is what a broker remembers of a client's fetches, so that the client says only what changes and is told only what has changed.
type fetchSession struct {
	id    int32
	byID  bool // its client names topics by id
	epoch int32
	used  time.Time
	busy  bool // a request is using parts
	parts []*fetchPartition
	index map[partitionKey]*fetchPartition
}

type partitionKey struct {
	name  string
	id    topicID
	index int32
}

func (p *fetchPartition) key() partitionKey { return partitionKey{p.name, p.id, p.index} }

// fetchSessions are the sessions of one broker.
type fetchSessions struct {
	mu   sync.Mutex // guards what follows, and the sessions
	byID map[int32]*fetchSession
}

// clear forgets every session, as a broker that ends does.
func (s *fetchSessions) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.byID)
}

// resolveFetch lists the partitions that the request reads: those that it names, or those of its session.
func (r *request) resolveFetch() *fetch {
	req := r.msg.(*kmsg.FetchRequest)
	f := &fetch{req: req, version: req.Version, replica: req.ReplicaID}
	if req.Version >= 15 {
		f.replica = req.ReplicaState.ID
	}
	if req.Version < 7 {
		f.parts = named(req)
		return f
	}
	s := &r.node.sessions
	s.mu.Lock()
	defer s.mu.Unlock()
	if req.SessionEpoch == firstEpoch || req.SessionEpoch == noSession {
		delete(s.byID, req.SessionID)
		f.parts = named(req)
		if req.SessionEpoch == firstEpoch {
			f.session = s.openLocked(f.parts, req.Version >= 13, r.node.cluster.property().Int("max.incremental.fetch.session.cache.slots"))
		}
		return f
	}
	session := s.byID[req.SessionID]
	switch {
	case session == nil:
		f.code = kerr.FetchSessionIDNotFound.Code
	case session.epoch != req.SessionEpoch:
		f.code = kerr.InvalidFetchSessionEpoch.Code
	case session.busy: // with a request that is not answered yet: the client begins another session
		f.code = kerr.FetchSessionIDNotFound.Code
	case session.byID != (req.Version >= 13):
		f.code = kerr.FetchSessionTopicIDError.Code
	}
	if f.code != 0 {
		return f
	}
	session.update(req)
	if len(session.parts) == 0 {
		delete(s.byID, session.id)
		return f
	}
	session.used, session.busy = time.Now(), true
	if session.epoch++; session.epoch < 0 {
		session.epoch = 1
	}
	f.session, f.incremental, f.parts = session, true, session.parts
	return f
}

// named returns the partitions that a request names. One that is named twice is read once, as it is named last: Kafka keeps them in a map.
func named(req *kmsg.FetchRequest) []*fetchPartition {
	n := 0
	for i := range req.Topics {
		n += len(req.Topics[i].Partitions)
	}
	parts := make([]*fetchPartition, 0, n)
	backing := make([]fetchPartition, n)
	var index map[partitionKey]*fetchPartition
	if n > 1 {
		index = make(map[partitionKey]*fetchPartition, n)
	}
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			key := partitionKey{t.Topic, t.TopicID, t.Partitions[j].Partition}
			p := index[key]
			if p == nil {
				p = &backing[len(parts)]
				p.name, p.id, p.index, p.sentHW = key.name, key.id, key.index, -1
				parts = append(parts, p)
				if index != nil {
					index[key] = p
				}
			}
			p.want(&t.Partitions[j])
		}
	}
	return parts
}

// want takes what a request says about a partition.
func (p *fetchPartition) want(q *kmsg.FetchRequestTopicPartition) {
	p.offset, p.maxBytes, p.epoch, p.lastEpoch = q.FetchOffset, q.PartitionMaxBytes, q.CurrentLeaderEpoch, q.LastFetchedEpoch
}

// openLocked starts a session for a full fetch. It returns nil where there is no room: the client then goes on without.
func (s *fetchSessions) openLocked(parts []*fetchPartition, byID bool, room int) *fetchSession {
	if len(s.byID) >= room {
		for id, old := range s.byID {
			if !old.busy && time.Since(old.used) > sessionIdle {
				delete(s.byID, id)
			}
		}
		if len(s.byID) >= room {
			return nil
		}
	}
	session := &fetchSession{byID: byID, epoch: 1, used: time.Now(), busy: true, index: make(map[partitionKey]*fetchPartition, len(parts))}
	for _, p := range parts {
		if session.index[p.key()] == nil {
			session.index[p.key()] = p
			session.parts = append(session.parts, p)
		}
	}
	for session.id == 0 || s.byID[session.id] != nil {
		session.id = rand.Int32()
	}
	if s.byID == nil {
		s.byID = make(map[int32]*fetchSession)
	}
	s.byID[session.id] = session
	return session
}

// update adds, changes and forgets what an incremental request names.
func (s *fetchSession) update(req *kmsg.FetchRequest) {
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			q := &t.Partitions[j]
			key := partitionKey{t.Topic, t.TopicID, q.Partition}
			p := s.index[key]
			if p == nil {
				p = &fetchPartition{name: key.name, id: key.id, index: key.index, sentHW: -1}
				s.index[key] = p
				s.parts = append(s.parts, p)
			}
			p.want(q)
		}
	}
	if len(req.ForgottenTopics) == 0 {
		return
	}
	for i := range req.ForgottenTopics {
		t := &req.ForgottenTopics[i]
		for _, index := range t.Partitions {
			delete(s.index, partitionKey{t.Topic, t.TopicID, index})
		}
	}
	kept := s.parts[:0]
	for _, p := range s.parts {
		if s.index[p.key()] == p {
			kept = append(kept, p)
		}
	}
	clear(s.parts[len(kept):])
	s.parts = kept
}

// recall remembers the name of a topic that is read by its id. Once it is known a session is told of the topic as by name: that there is none any more, or
// that it has another id.
func (p *fetchPartition) recall(r *request, err error) error {
	switch {
	case err == nil:
		p.known = p.part.topic.name
	case err == kerr.UnknownTopicID && p.known != "":
		if _, err = r.partition(false, p.known, topicID{}, p.index); err == nil {
			return kerr.InconsistentTopicID
		}
	}
	return err
}

// due says whether an incremental response has to mention the partition, and notes what it says.
func (p *fetchPartition) due() bool {
	changed := p.bytes > 0 || p.err != nil || p.result.diverges || p.result.preferred != noPreference || p.result.highWatermark != p.sentHW || p.result.start != p.sentStart
	p.sentHW, p.sentStart = p.result.highWatermark, p.result.start // -1 after an error: it is mentioned again when it is well
	return changed
}

// closeSession lets the next request use the session. Partitions that had records go to its end, so that they cannot keep the others from being read.
// It is to be called before the response is written: whoever has read it may use the session, over another connection too.
func (r *request) closeSession(f *fetch) {
	if f == nil || f.session == nil {
		return
	}
	s := &r.node.sessions
	s.mu.Lock()
	defer s.mu.Unlock()
	var full []*fetchPartition
	rest := make([]*fetchPartition, 0, len(f.session.parts))
	for _, p := range f.session.parts {
		if p.bytes > 0 {
			full = append(full, p)
		} else {
			rest = append(rest, p)
		}
		p.part, p.batches, p.aborted, p.bytes = nil, nil, nil, 0 // what retention or a deletion drops must not be held here
	}
	f.session.parts = append(rest, full...)
	f.session.busy = false
	f.session = nil
}
