package groups

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestRandomConsumersNeverShareAPartition lets honest clients of both protocols
// come, go, die, lose answers and take their time to give partitions up, while
// topics grow and the coordinator ends and starts again. What is written of the
// group is what is known of it. No partition may ever be read by two of them, and when they come
// to rest every partition must be read by one.
func TestRandomConsumersNeverShareAPartition(t *testing.T) {
	seeds := []uint64{*seed}
	if *seed == 0 {
		seeds = seeds[:0]
		for range 15 {
			seeds = append(seeds, rand.Uint64())
		}
	}
	for _, seed := range seeds {
		if !t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { fleetTest(t, seed) }) {
			break
		}
	}
}

func fleetTest(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	topics := newTopics(Topic{"orders", [16]byte{1}, int32(1 + rnd.IntN(8))}, Topic{"payments", [16]byte{2}, int32(1 + rnd.IntN(4))})
	log := new(offsetsLog)
	cfg := Config{Topics: topics.list, Consumer: ConsumerConfig{AssignmentInterval: time.Duration(rnd.IntN(2)) * time.Second}, Members: true, Write: log.write}
	inBubble(t, cfg, func(b *bench) {
		f := &fleet{bench: b, rnd: rnd, topics: topics, cfg: cfg, log: log}
		assignor := []string{uniformName, rangeName}[rnd.IntN(2)]
		mixed := rnd.IntN(2) == 0
		for i := range 6 {
			c := &reader{fleet: f, name: fmt.Sprint("c", i), classic: mixed && i%2 == 0, topics: []string{"orders", "payments"}}
			if rnd.IntN(3) == 0 {
				c.topics = c.topics[:1]
			}
			if rnd.IntN(3) == 0 {
				c.instance = kmsg.StringPtr(fmt.Sprint("i", i))
			}
			c.assignor = &assignor
			f.readers = append(f.readers, c)
		}
		for range 400 {
			f.step()
			f.check()
			if rnd.IntN(20) == 0 {
				log.checkWritten(t, cfg, f.Manager)
			}
		}
		f.settle()
	})
}

// topicList is what a cluster's topics are.
type topicList struct {
	mu     sync.Mutex
	topics []Topic
}

func newTopics(ts ...Topic) *topicList { return &topicList{topics: ts} }

func (l *topicList) list() []Topic {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.topics)
}

func (l *topicList) grow(i int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.topics[i].Partitions++
}

// fleet is all clients of one group.
type fleet struct {
	*bench
	rnd     *rand.Rand
	topics  *topicList
	cfg     Config
	log     *offsetsLog
	readers []*reader
	calm    bool // nothing is lost any more
}

// reader is a client of either protocol, and what it believes that it may read.
type reader struct {
	*fleet
	name     string
	classic  bool
	instance *string
	assignor *string
	topics   []string

	id    string
	epoch int32 // or generation; 0: not a member
	last  time.Time
	reads map[string]map[int32]bool // by topic

	// What it has been told to give up, which takes it a while.
	keep map[string]map[int32]bool
	// A member of the classic protocol has to join, or waits for answers.
	rejoin, synced bool
	join, sync     *asked
}

func (f *fleet) step() {
	c := f.readers[f.rnd.IntN(len(f.readers))]
	switch f.rnd.IntN(25) {
	case 24:
		if g, _ := f.Group("g"); g.Type == "consumer" { // of a classic one too little is written
			if f.rnd.IntN(2) == 0 {
				f.Moved("g")
			} else {
				f.restart(f.cfg, f.log, f.rnd.IntN(2) == 0)
			}
		}
	case 0:
		c.leave(false)
	case 1:
		c.leave(true)
	case 2: // dies
		c.reset()
	case 3:
		f.topics.grow(f.rnd.IntN(2))
		f.Changed()
	case 4:
		f.Rebalance("g")
	case 5:
		f.Evict("g", c.id)
		c.reset() // as far as the test goes: it would notice with its next heartbeat
	case 6:
		c.topics = []string{"orders", "payments"}[:1+f.rnd.IntN(2)]
		if c.classic {
			c.rejoin = true
		}
	case 7, 8:
		time.Sleep(time.Duration(f.rnd.IntN(5000)) * time.Millisecond)
	default:
		c.turn()
	}
	synctest.Wait()
	for _, c := range f.readers { // who is silent for too long knows that it is out
		session := 45 * time.Second
		if c.classic {
			session = 10 * time.Second
		}
		if c.epoch > 0 && time.Since(c.last) >= session {
			c.reset()
		}
		c.listen()
	}
}

func (c *reader) reset() {
	*c = reader{fleet: c.fleet, name: c.name, classic: c.classic, instance: c.instance, assignor: c.assignor, topics: c.topics}
}

// turn is one thing that a client does when nobody interferes.
func (c *reader) turn() {
	if c.keep != nil && c.rnd.IntN(2) == 0 { // has given up what it had to
		c.reads, c.keep = c.keep, nil
	}
	if c.classic {
		c.turnClassic()
		return
	}
	if c.epoch == 0 {
		if c.classicIsMoving() {
			return
		}
		c.id = fmt.Sprintf("%s-%d", c.name, c.rnd.IntN(1000))
	}
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID, req.MemberEpoch = 1, "g", c.id, c.instance, c.epoch
	full := c.epoch == 0 || c.rnd.IntN(3) == 0
	if full {
		req.RebalanceTimeoutMillis, req.SubscribedTopicNames, req.ServerAssignor = 3600_000, c.topics, c.assignor
	}
	if full || c.rnd.IntN(2) == 0 {
		req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		for _, t := range c.fleet.topics.list() {
			if ps := slices.Sorted(maps.Keys(c.reads[t.Name])); len(ps) > 0 {
				req.Topics = append(req.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: t.ID, Partitions: ps})
			}
		}
	}
	r := got[*kmsg.ConsumerGroupHeartbeatResponse](c.send(req))
	switch err := kerr.TypedErrorForCode(r.ErrorCode); err {
	case nil:
	case kerr.FencedMemberEpoch, kerr.UnknownMemberID, kerr.FencedInstanceID, kerr.GroupIDNotFound, kerr.UnreleasedInstanceID:
		c.reset()
		return
	default:
		c.t.Fatalf("%s: %v", c.name, err)
	}
	c.last = time.Now()
	if c.epoch > 0 && !c.calm && c.rnd.IntN(10) == 0 {
		return // the answer is lost
	}
	if r.MemberEpoch < c.epoch {
		c.t.Errorf("%s goes from epoch %d to %d", c.name, c.epoch, r.MemberEpoch)
	}
	c.epoch = r.MemberEpoch
	if r.Assignment != nil {
		given := make(map[string]map[int32]bool)
		for _, t := range r.Assignment.Topics {
			for _, lt := range c.fleet.topics.list() {
				if lt.ID == t.TopicID {
					given[lt.Name] = set(t.Partitions)
				}
			}
		}
		c.given(given)
	}
}

// classicIsMoving reports whether a classic group has members that read what
// they are not assigned. The coordinator does not know of that, Kafka's neither,
// so that a consumer that joins now may share partitions with them until they
// have given them up.
func (f *fleet) classicIsMoving() bool {
	g, ok := f.Group("g")
	if !ok || g.Type != "classic" {
		return false
	}
	return g.State == PreparingRebalance || g.State == CompletingRebalance ||
		slices.ContainsFunc(f.readers, func(c *reader) bool { return c.classic && c.keep != nil })
}

func set(ps []int32) map[int32]bool {
	m := make(map[int32]bool)
	for _, p := range ps {
		m[p] = true
	}
	return m
}

// given takes an assignment in: what is new at once, what is gone later.
func (c *reader) given(a map[string]map[int32]bool) {
	c.keep = nil
	all := make(map[string]map[int32]bool)
	for topic, ps := range a {
		all[topic] = maps.Clone(ps)
	}
	for topic, ps := range c.reads {
		for p := range ps {
			if !a[topic][p] {
				if all[topic] == nil {
					all[topic] = make(map[int32]bool)
				}
				all[topic][p] = true
				c.keep = a
			}
		}
	}
	c.reads = all
}

func (c *reader) turnClassic() {
	if c.join != nil || c.sync != nil {
		return
	}
	if c.epoch == 0 || c.rejoin && c.keep == nil {
		m := kmsg.NewConsumerMemberMetadata()
		m.Version, m.Topics, m.Generation = 3, c.topics, c.epoch
		for topic, ps := range c.reads {
			m.OwnedPartitions = append(m.OwnedPartitions, kmsg.ConsumerMemberMetadataOwnedPartition{Topic: topic, Partitions: slices.Sorted(maps.Keys(ps))})
		}
		j := c.joiner("g")
		j.id, j.instance, j.rebalance, j.protocols = c.id, c.instance, time.Hour, with(offer("range"), m.AppendTo(nil))
		c.rejoin, c.synced = false, false
		c.join = c.send(j.joinRequest())
		return
	}
	if !c.synced {
		return
	}
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID, req.Generation = 4, "g", c.id, c.instance, c.epoch
	switch err := kerr.TypedErrorForCode(got[*kmsg.HeartbeatResponse](c.send(req)).ErrorCode); err {
	case nil:
		c.last = time.Now()
	case kerr.RebalanceInProgress:
		c.last, c.rejoin = time.Now(), true
	default:
		c.reset()
	}
}

// listen takes in what a member of the classic protocol has waited for.
func (c *reader) listen() {
	if c.join != nil && c.join.answer() != nil {
		r := c.join.answer().(*kmsg.JoinGroupResponse)
		c.join = nil
		switch kerr.TypedErrorForCode(r.ErrorCode) {
		case nil:
			c.id, c.epoch, c.last = r.MemberID, r.Generation, time.Now()
			j := c.joiner("g")
			j.id, j.instance, j.generation = c.id, c.instance, c.epoch
			req := j.syncRequest(nil)
			if r.LeaderID == r.MemberID && !r.SkipAssignment {
				req.GroupAssignment = c.lead(r.Members)
			}
			c.sync = c.send(req)
		case kerr.MemberIDRequired:
			c.id = r.MemberID
		case kerr.RebalanceInProgress:
			c.rejoin = true
		default:
			c.reset()
			return
		}
	}
	if c.sync != nil && c.sync.answer() != nil {
		r := c.sync.answer().(*kmsg.SyncGroupResponse)
		c.sync = nil
		switch kerr.TypedErrorForCode(r.ErrorCode) {
		case nil:
			c.last, c.synced = time.Now(), true
			var a kmsg.ConsumerMemberAssignment
			if len(r.MemberAssignment) > 0 {
				if err := a.ReadFrom(r.MemberAssignment); err != nil {
					c.t.Fatal(err)
				}
			}
			given := make(map[string]map[int32]bool)
			for _, t := range a.Topics {
				given[t.Topic] = set(t.Partitions)
			}
			c.given(given)
			c.rejoin = c.keep != nil // cooperative: joins again when it has given up
		case kerr.RebalanceInProgress:
			c.rejoin = true
		default:
			c.reset()
		}
	}
}

// lead assigns as the leader of a classic group: what is read stays where it is,
// the rest goes around.
func (c *reader) lead(ms []kmsg.JoinGroupResponseMember) (as []kmsg.SyncGroupRequestGroupAssignment) {
	type member struct {
		sub   kmsg.ConsumerMemberMetadata
		given map[string][]int32
	}
	members := make([]member, len(ms))
	taken := make(map[string]map[int32]bool)
	for _, t := range c.fleet.topics.list() {
		taken[t.Name] = make(map[int32]bool)
	}
	for i, m := range ms {
		if err := members[i].sub.ReadFrom(m.ProtocolMetadata); err != nil {
			c.t.Fatal(err)
		}
		members[i].given = make(map[string][]int32)
		for _, o := range members[i].sub.OwnedPartitions {
			for _, p := range o.Partitions {
				taken[o.Topic][p] = true
				if slices.Contains(members[i].sub.Topics, o.Topic) {
					members[i].given[o.Topic] = append(members[i].given[o.Topic], p)
				}
			}
		}
	}
	next := 0
	for _, t := range c.fleet.topics.list() {
		for p := range t.Partitions {
			for range members {
				m := &members[next%len(members)]
				next++
				if !taken[t.Name][p] && slices.Contains(m.sub.Topics, t.Name) {
					m.given[t.Name] = append(m.given[t.Name], p)
					taken[t.Name][p] = true
				}
			}
		}
	}
	for i, m := range ms {
		a := kmsg.NewConsumerMemberAssignment()
		for topic, ps := range members[i].given {
			a.Topics = append(a.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: topic, Partitions: ps})
		}
		as = append(as, kmsg.SyncGroupRequestGroupAssignment{MemberID: m.MemberID, MemberAssignment: a.AppendTo(nil)})
	}
	return as
}

// busy reports whether a client is not where it is to be in the end.
func (c *reader) busy() bool {
	return c.epoch == 0 || c.keep != nil || c.rejoin || c.join != nil || c.sync != nil
}

// leave ends a membership: of a static member of the consumer protocol for a
// while, if it is to be.
func (c *reader) leave(forAWhile bool) {
	if c.epoch == 0 || c.join != nil || c.sync != nil {
		return
	}
	if c.classic {
		l := kmsg.NewPtrLeaveGroupRequest()
		l.Version, l.Group, l.Members = 5, "g", []kmsg.LeaveGroupRequestMember{{MemberID: c.id, InstanceID: c.instance}}
		got[*kmsg.LeaveGroupResponse](c.send(l))
	} else {
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Version, req.Group, req.MemberID, req.InstanceID, req.MemberEpoch = 1, "g", c.id, c.instance, -1
		if forAWhile && c.instance != nil {
			req.MemberEpoch = departed
		}
		got[*kmsg.ConsumerGroupHeartbeatResponse](c.send(req))
	}
	c.reset()
}

// check looks for a partition that two read, and at the group from inside.
func (f *fleet) check() {
	f.t.Helper()
	by := make(map[string]string)
	for _, c := range f.readers {
		for topic, ps := range c.reads {
			for p := range ps {
				name := fmt.Sprintf("%s/%d", topic, p)
				if other := by[name]; other != "" {
					info, _ := f.Group("g")
					f.t.Fatalf("%s is read by %s and %s; the group is %+v", name, other, c.name, info)
				}
				by[name] = c.name
			}
		}
	}
	f.Manager.mu.Lock()
	defer f.Manager.mu.Unlock()
	g := f.groups["g"]
	if g == nil || g.consumer == nil {
		return
	}
	c := g.consumer
	owner := make(map[partition]string)
	for id, mb := range c.members {
		if mb.id != id || mb.instance != nil && c.static[*mb.instance] != mb {
			f.t.Fatalf("%s is not known by its id and instance", id)
		}
		if mb.session.call == nil {
			f.t.Fatalf("nothing will ever happen to %s", id)
		}
		for p := range mb.has() {
			if owner[p] != "" {
				f.t.Fatalf("%v is owned by %s and %s", p, owner[p], id)
			}
			owner[p] = id
		}
		if mb.epoch > c.epoch || c.assignmentEpoch > c.epoch {
			f.t.Fatalf("%s is in epoch %d, the assignment in %d, the group in %d", id, mb.epoch, c.assignmentEpoch, c.epoch)
		}
	}
	if !maps.Equal(owner, c.owner) {
		f.t.Fatalf("owners are %v, accounted for %v", owner, c.owner)
	}
	targeted := make(map[partition]string)
	for id, ps := range c.target {
		if c.members[id] == nil {
			f.t.Fatalf("%s is no member and has a target", id)
		}
		for p := range ps {
			if targeted[p] != "" {
				f.t.Fatalf("%v is the target of %s and %s", p, targeted[p], id)
			}
			targeted[p] = id
		}
	}
}

// settle lets everybody do what it should until the sessions of the dead are
// over and nothing is left to do.
func (f *fleet) settle() {
	f.calm = true
	quiet := 0
	for round := 0; (round < 100 || quiet < 20) && round < 2000; round++ {
		quiet++
		if g, _ := f.Group("g"); g.State != Stable || slices.ContainsFunc(f.readers, (*reader).busy) {
			quiet = 0
		}
		for _, c := range f.readers {
			c.turn()
			synctest.Wait()
			c.listen()
		}
		f.check()
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		for _, c := range f.readers {
			c.listen()
		}
	}
	info := f.wantState("g", Stable)
	read := make(map[string]int)
	for _, c := range f.readers {
		for topic, ps := range c.reads {
			read[topic] += len(ps)
			if !slices.Contains(c.topics, topic) {
				f.t.Errorf("%s reads %s and does not subscribe to it", c.name, topic)
			}
		}
	}
	for _, t := range f.topics.list() {
		wanted := slices.ContainsFunc(f.readers, func(c *reader) bool { return slices.Contains(c.topics, t.Name) })
		if wanted && read[t.Name] != int(t.Partitions) {
			f.t.Errorf("%d of %d partitions of %s are read; the group is %+v", read[t.Name], t.Partitions, t.Name, info)
		}
	}
}
