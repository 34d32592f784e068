package groups

import (
	"maps"
	"slices"
	"time"
)

// typeShare is how ListGroups calls a share group, and its protocol.
const typeShare = "share"

// ShareConfig has the settings of share groups (KIP-932). The zero value has
// Kafka's defaults, except that a new assignment is computed at once.
type ShareConfig struct {
	// Session is how long a member may be silent
	// (group.share.session.timeout.ms). 0: 45 seconds.
	Session time.Duration
	// Heartbeat is how often members are told to report
	// (group.share.heartbeat.interval.ms). 0: 5 seconds.
	Heartbeat time.Duration
	// AssignmentInterval is how long a computed assignment stands at least before
	// the next one (group.share.assignment.interval.ms, 1 second in Kafka 4.3).
	// 0: no time.
	AssignmentInterval time.Duration
	// MaxSize is how many members a group may have (group.share.max.size). 0: any
	// number.
	MaxSize int
}

func (c ShareConfig) withDefaults() ShareConfig {
	if c.Session == 0 {
		c.Session = 45 * time.Second
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = 5 * time.Second
	}
	return c
}

// ShareStates is the share coordinator as the group coordinator needs it: it
// keeps where a group reads each partition. It must be safe for concurrent use
// and must not call back.
type ShareStates interface {
	// Initialize makes a partition known in a group's epoch, to be read from start
	// on; -1: from where the group's settings say.
	Initialize(group string, topic [16]byte, partition, epoch int32, start int64) error
	// Delete forgets a partition.
	Delete(group string, topic [16]byte, partition int32) error
}

// initializeRetry is how long a partition that the share coordinator would not
// take waits for the next try.
const initializeRetry = 30 * time.Second

// share is a group of the protocol that ShareGroupHeartbeat makes (KIP-932): the
// coordinator assigns, several members may have the same partition, and nobody
// has to give anything up before another gets it. A partition is assigned once
// the share coordinator knows it.
type share struct {
	m *Manager
	g *group

	epoch           int32 // grows with every change of members, subscriptions, topics or known partitions
	assignmentEpoch int32 // the epoch that target was computed for
	assignedAt      time.Time

	members map[string]*shareMember
	target  map[string]map[partition]bool // what each member is to have

	refresh bool  // topics may have changed
	topics  int64 // fingerprint of the subscribed topics

	known map[partition]bool      // to the share coordinator
	asked map[partition]time.Time // since when the share coordinator has been told of them

	kept kept // in __consumer_offsets
}

type shareMember struct {
	shareData
	session alarm
}

// shareData is what is known of a member. What a request changes of it is a
// value, so that a request which is refused has changed nothing.
type shareData struct {
	id              string
	rack            *string
	client          Client
	topics          map[string]bool
	epoch, previous int32
	assigned        map[partition]bool
}

func newShare(m *Manager, g *group) *share {
	return &share{
		m: m, g: g, refresh: true,
		epoch:   1, // as a consumer group's
		members: make(map[string]*shareMember),
		target:  make(map[string]map[partition]bool),
		known:   make(map[partition]bool),
		asked:   make(map[partition]time.Time),
		kept:    kept{targets: true},
	}
}

func (s *share) state() State {
	if len(s.members) == 0 {
		return Empty
	}
	return Stable
}

// subscribed is what all members read.
func (s *share) subscribed() map[string]bool {
	reads := make(map[string]bool)
	for _, mb := range s.members {
		maps.Copy(reads, mb.topics)
	}
	return reads
}

func (s *share) settings() ShareConfig {
	return s.m.cfg.ShareOf(s.g.name, s.m.cfg.Share)
}

func (s *share) close() {
	for _, mb := range s.members {
		s.m.unset(&mb.session)
	}
}

// reload starts the clocks again. All else of the group is written down with
// every change.
func (s *share) reload() {
	s.refresh = true
	for _, mb := range s.members {
		s.m.unset(&mb.session)
		s.beat(mb)
	}
}

func (s *share) beat(mb *shareMember) {
	s.m.set(&mb.session, s.settings().Session, func() { s.fence(mb, "its session expired") })
}

// fence removes a member, for whatever reason, which starts a new epoch.
func (s *share) fence(mb *shareMember, why string) {
	s.m.log("member is removed", "group", s.g.name, "member", mb.id, "why", why)
	delete(s.members, mb.id)
	delete(s.target, mb.id)
	s.kept.touch(mb.id)
	s.m.unset(&mb.session)
	s.topics = s.m.image.fingerprint(s.subscribed())
	s.epoch++
	s.notes()
	s.m.reached(s.g.name, s.state())
}

// pending reports whether the assignment is not of all partitions that are
// known, while nothing else asks for another.
func (s *share) pending() bool {
	if len(s.members) == 0 || len(s.known) == 0 {
		return false
	}
	assigned := make(map[partition]bool)
	for _, ps := range s.target {
		maps.Copy(assigned, ps)
	}
	reads := s.subscribed()
	for p := range s.known {
		if t, ok := s.m.image.byID[p.topic]; ok && reads[t.Name] && !assigned[p] {
			return true
		}
	}
	return false
}

// assign computes the target assignment of the current epoch, unless the last
// one is too recent.
func (s *share) assign() {
	if s.assignmentEpoch >= s.epoch {
		return
	}
	if wait := s.settings().AssignmentInterval; wait > 0 && !s.assignedAt.IsZero() && time.Since(s.assignedAt) < wait {
		return
	}
	var members []shareReader
	for _, id := range slices.Sorted(maps.Keys(s.members)) {
		r := shareReader{id: id, topics: make(map[topicID]bool), old: s.target[id]}
		for name := range s.members[id].topics {
			if t, ok := s.m.image.byName[name]; ok {
				r.topics[t.ID] = true
			}
		}
		members = append(members, r)
	}
	s.target, s.kept.targets = assignSimple(members, s.known), true
	s.assignmentEpoch, s.assignedAt = s.epoch, time.Now()
	s.m.log("group is assigned", "group", s.g.name, "epoch", s.epoch, "members", len(s.members), "assignor", simpleName)
}

// lead gives a member its target, of the topics that it reads.
func (s *share) lead(mb *shareMember, changed bool) {
	if !changed && mb.epoch == s.assignmentEpoch {
		return
	}
	assigned := make(map[partition]bool)
	for p := range s.target[mb.id] {
		if t, ok := s.m.image.byID[p.topic]; ok && mb.topics[t.Name] {
			assigned[p] = true
		}
	}
	mb.assigned = assigned
	if mb.epoch != s.assignmentEpoch {
		mb.previous, mb.epoch = mb.epoch, s.assignmentEpoch
	}
}

// forgetTopics drops what is known of topics that are gone.
func (s *share) forgetTopics() {
	for p := range s.known {
		if _, still := s.m.image.byID[p.topic]; !still {
			delete(s.known, p)
		}
	}
	for p := range s.asked {
		if _, still := s.m.image.byID[p.topic]; !still {
			delete(s.asked, p)
		}
	}
}
