package groups

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// beater is a member of a consumer group in a script.
type beater struct {
	s        *script
	id       string
	group    string
	version  int16
	instance *string
	epoch    int32
	timeout  time.Duration
	topics   []string
	regex    *string
	assignor *string
	has      []kmsg.ConsumerGroupHeartbeatRequestTopic
}

func (s *script) beater(id, group string, topics ...string) *beater {
	return &beater{s: s, id: id, group: s.group(group), version: 1, timeout: 20 * time.Second, topics: topics}
}

func (b *beater) request() *kmsg.ConsumerGroupHeartbeatRequest {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.MemberEpoch, req.InstanceID = b.version, b.group, b.id, b.epoch, b.instance
	return req
}

// full is a request with everything in it.
func (b *beater) full() *kmsg.ConsumerGroupHeartbeatRequest {
	req := b.request()
	req.RebalanceTimeoutMillis = int32(b.timeout.Milliseconds())
	req.SubscribedTopicNames, req.SubscribedTopicRegex, req.ServerAssignor = b.topics, b.regex, b.assignor
	req.Topics = append([]kmsg.ConsumerGroupHeartbeatRequestTopic{}, b.has...)
	return req
}

func (b *beater) send(what string, req *kmsg.ConsumerGroupHeartbeatRequest) {
	b.s.doThen(strings.TrimSpace(b.id+" "+what), req, func(r kmsg.Response) {
		resp := r.(*kmsg.ConsumerGroupHeartbeatResponse)
		if resp.ErrorCode != 0 {
			return
		}
		b.id, b.epoch = *resp.MemberID, resp.MemberEpoch
		if resp.Assignment != nil {
			b.has = nil
			for _, t := range resp.Assignment.Topics {
				b.has = append(b.has, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: t.TopicID, Partitions: t.Partitions})
			}
		}
	})
}

func (b *beater) join() {
	b.epoch, b.has = 0, nil
	b.send("joins", b.full())
}

// beat says nothing but that the member is alive.
func (b *beater) beat() { b.send("beats", b.request()) }

// report says what the member reads, which is what it has been given last.
func (b *beater) report() {
	req := b.request()
	req.Topics = append([]kmsg.ConsumerGroupHeartbeatRequestTopic{}, b.has...)
	b.send("reports", req)
}

func (b *beater) leave(epoch int32) {
	b.epoch = epoch
	b.send("leaves", b.request())
}

func (b *beater) commit(version int16, topic string, partition int32) {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID, req.Generation = version, b.group, b.id, b.instance, b.epoch
	req.Topics = commitTopics(7, "", topic)
	req.Topics[0].Partitions[0].Partition = partition
	req.Topics[0].TopicID = b.s.to.topicID(topic)
	b.s.do(b.id+" commits", req)
}

func (b *beater) fetch() {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version = 9
	req.Groups = []kmsg.OffsetFetchRequestGroup{{Group: b.group, MemberID: &b.id, MemberEpoch: b.epoch}}
	b.s.do(b.id+" fetches", req)
}

func (s *script) describeConsumers(groups ...string) {
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	req.Version, req.Groups = 1, groups
	s.do("describe", req)
}

// assigns is a SyncGroup in which the leader gives partitions of orders.
func (p *player) assigns(given map[*player][]int32) {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID, req.Generation = 5, p.group, p.id, p.instance, p.generation
	req.ProtocolType, req.Protocol = &p.kind, &p.protocols[0].Name
	for _, o := range slices.SortedFunc(maps.Keys(given), func(a, b *player) int { return strings.Compare(a.name, b.name) }) {
		a := kmsg.NewConsumerMemberAssignment()
		a.Topics = []kmsg.ConsumerMemberAssignmentTopic{{Topic: "orders", Partitions: given[o]}}
		req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: o.id, MemberAssignment: a.AppendTo(nil)})
	}
	p.s.do(p.name+" syncs", req)
}

// reads makes a player say in its subscription what it reads of orders.
func (p *player) reads(partitions ...int32) {
	m := kmsg.NewConsumerMemberMetadata()
	m.Version, m.Topics, m.Generation = 3, []string{"orders"}, p.generation
	if len(partitions) > 0 {
		m.OwnedPartitions = []kmsg.ConsumerMemberMetadataOwnedPartition{{Topic: "orders", Partitions: partitions}}
	}
	p.protocols = with(p.protocols, m.AppendTo(nil))
}

var consumerScenarios = []scenario{
	{"consumer-one-member", func(s *script) {
		a := s.beater("a", "g", "orders")
		s.describeConsumers(a.group, "")
		a.join()
		s.describeConsumers(a.group)
		a.beat()
		a.report()
		a.send("says all", a.full())
		a.commit(9, "orders", 0)
		a.commit(10, "orders", 1)
		a.commit(8, "orders", 0)
		a.commit(9, "payments", 0) // not its own, but in its epoch
		a.fetch()
		s.fetch(a.group)
		a.epoch++
		a.commit(9, "orders", 0)
		a.fetch()
		a.epoch -= 2
		a.commit(9, "orders", 0)
		a.epoch++
		x := s.beater("x", "g", "orders")
		x.epoch = a.epoch
		x.commit(9, "orders", 0)
		x.fetch()
		x.beat()
		x.leave(-1)
		s.commitAlone(9, a.group, commitTopics(3, "", "orders"))
		s.describe(6, a.group)
		s.describe(5, a.group)
		s.list(5, nil, nil)
		s.list(5, []string{"stable"}, []string{"Consumer"})
		s.offsetDelete(a.group, "orders", 0)
		s.offsetDelete(a.group, "payments", 0)
		s.remove(a.group)
		a.leave(-1)
		a.beat()
		s.describeConsumers(a.group)
		s.list(5, nil, nil)
		s.fetch(a.group)
		s.commitAlone(9, a.group, commitTopics(3, "", "orders"))
		a.join()
		a.leave(-1)
		s.remove(a.group)
		a.leave(-1)
	}},
	{"consumer-two-members", func(s *script) {
		a, b := s.beater("a", "g", "orders", "payments"), s.beater("b", "g", "orders", "payments")
		a.topics = []string{"orders"}
		b.topics = []string{"orders"}
		a.join()
		b.join()
		s.describeConsumers(a.group)
		b.beat()
		a.beat() // is told to give one up
		s.describeConsumers(a.group)
		b.beat()
		a.beat() // has not yet
		a.commit(9, "orders", 0)
		a.commit(9, "orders", 1)
		a.commit(9, "orders", 2)
		a.report() // has now
		a.commit(9, "orders", 0)
		a.commit(9, "orders", 2)
		s.describeConsumers(a.group)
		b.beat()
		b.report()
		s.describeConsumers(a.group)
		b.leave(-1)
		s.describeConsumers(a.group)
		a.beat()
		s.describeConsumers(a.group)
	}},
	{"consumer-three-members", func(s *script) {
		topic := s.topic("wide", 10)
		a, b, c := s.beater("a", "g", topic), s.beater("b", "g", topic), s.beater("c", "g", topic)
		a.join()
		b.join()
		c.join()
		for range 3 {
			for _, m := range []*beater{a, b, c} {
				m.beat()
				m.report()
			}
		}
		s.describeConsumers(a.group)
		d := s.beater("d", "g", topic)
		d.join() // one too many
		b.leave(-1)
		for range 2 {
			for _, m := range []*beater{a, c} {
				m.report()
			}
		}
		s.describeConsumers(a.group)
	}},
	{"consumer-range", func(s *script) {
		x, y := s.topic("x", 5), s.topic("y", 4)
		var ms []*beater
		for _, id := range []string{"b", "a", "c"} {
			m := s.beater(id, "g", x, y)
			m.assignor = kmsg.StringPtr("range")
			if id == "c" {
				m.instance = kmsg.StringPtr("i")
			}
			ms = append(ms, m)
			m.join()
			s.describeConsumers(m.group)
		}
		for range 2 {
			for _, m := range ms {
				m.report()
			}
		}
		s.describeConsumers(ms[0].group)
		ms[0].assignor = kmsg.StringPtr("uniform")
		ms[0].send("says all", ms[0].full())
		ms[1].assignor = kmsg.StringPtr("uniform")
		ms[1].send("says all", ms[1].full())
		s.describeConsumers(ms[0].group)
	}},
	{"consumer-is-refused", func(s *script) {
		a := s.beater("a", "g", "orders")
		try := func(what string, change func(*kmsg.ConsumerGroupHeartbeatRequest)) {
			req := a.full()
			change(req)
			a.send(what, req)
		}
		type request = kmsg.ConsumerGroupHeartbeatRequest
		try("without id", func(r *request) { r.MemberID = "" })
		try("without id in version 0, in an epoch", func(r *request) { r.Version, r.MemberID, r.MemberEpoch = 0, "", 1 })
		try("without id in version 0, leaving", func(r *request) { r.Version, r.MemberID, r.MemberEpoch = 0, "", -1 })
		try("without group", func(r *request) { r.Group = "" })
		try("with empty instance", func(r *request) { r.InstanceID = kmsg.StringPtr("") })
		try("with empty rack", func(r *request) { r.RackID = kmsg.StringPtr("") })
		try("without timeout", func(r *request) { r.RebalanceTimeoutMillis = -1 })
		try("without partitions", func(r *request) { r.Topics = nil })
		try("with partitions", func(r *request) {
			r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{{TopicID: s.to.topicID("orders"), Partitions: []int32{0}}}
		})
		try("without topics", func(r *request) { r.SubscribedTopicNames = nil })
		try("with another assignor", func(r *request) { r.ServerAssignor = kmsg.StringPtr("sticky") })
		try("in epoch -2", func(r *request) { r.MemberEpoch = -2 })
		try("in epoch -3", func(r *request) { r.MemberEpoch = -3 })
		try("in epoch 1", func(r *request) { r.MemberEpoch = 1 })
		try("leaving", func(r *request) { r.MemberEpoch = -1 })
		try("with nonsense for a regex", func(r *request) { r.SubscribedTopicRegex = kmsg.StringPtr("(") })
		s.describeConsumers(a.group)
		try("subscribed to nothing", func(r *request) { r.SubscribedTopicNames = []string{} })
		s.describeConsumers(a.group)
		o := s.beater("o", "old", "orders")
		o.version, o.id = 0, ""
		o.join() // is given an id
		o.beat()
		x := s.player("x", "connect")
		x.kind = "connect"
		x.join()
		x.sync(x)
		c := s.beater("c", "connect", "orders")
		c.join()
		c.epoch = 3
		c.beat()
		c.leave(-1)
		s.describeConsumers(c.group)
	}},
	{"consumer-is-fenced", func(s *script) {
		a, b := s.beater("a", "g", "orders"), s.beater("b", "g", "orders")
		a.join()
		b.join()
		a.beat()
		before := *a
		a.report() // its answer is lost
		again := before
		again.beat()   // does not say what it reads
		again = before // does
		again.report()
		again = before
		again.has = []kmsg.ConsumerGroupHeartbeatRequestTopic{{TopicID: s.to.topicID("orders"), Partitions: []int32{0, 1, 2}}}
		again.report()
		again.epoch = 9
		again.beat()
		again.epoch = before.epoch - 1
		again.report()
		a.join() // starts over, and has what it had
		a.beat()
		s.describeConsumers(a.group)
	}},
	{"consumer-session-expires", func(s *script) {
		a, b := s.beater("a", "g", "orders"), s.beater("b", "g", "orders")
		a.join()
		b.join()
		a.beat()
		a.report()
		b.beat()
		s.sleep(2 * time.Second)
		a.beat()
		s.sleep(2500 * time.Millisecond)
		s.describeConsumers(a.group)
		b.beat()
		a.beat()
		s.sleep(5 * time.Second)
		s.describeConsumers(a.group)
		a.beat()
	}},
	{"consumer-does-not-revoke", func(s *script) {
		a, b := s.beater("a", "g", "orders"), s.beater("b", "g", "orders")
		a.timeout = 2 * time.Second
		a.join()
		b.join()
		a.beat()
		for range 3 {
			s.sleep(500 * time.Millisecond)
			a.beat()
		}
		b.beat()
		s.sleep(500 * time.Millisecond)
		a.beat()
		b.beat()
		s.describeConsumers(a.group)
	}},
	{"consumer-static-members", func(s *script) {
		a, b := s.beater("a", "g", "orders"), s.beater("b", "g", "orders")
		a.instance, b.instance = kmsg.StringPtr("i"), kmsg.StringPtr("j")
		a.join()
		b.join()
		a.beat()
		a.report()
		b.beat()
		c := s.beater("c", "g", "orders")
		c.instance = a.instance
		c.join() // a is still there
		c.epoch = a.epoch
		c.beat()
		c.leave(-2)
		a.leave(-2)
		s.describeConsumers(a.group)
		b.beat()
		c.join() // takes its place over
		s.describeConsumers(a.group)
		a.epoch = 2
		a.beat()
		b.beat()
		c.beat()
		c.commit(9, "orders", 0)
		c.leave(-2)
		c.topics = []string{"payments"}
		c.id = "d"
		c.join() // and changes its mind
		b.beat()
		c.beat()
		s.describeConsumers(a.group)
		c.leave(-2)
		s.sleep(5 * time.Second) // and does not come back
		s.describeConsumers(a.group)
		x := s.beater("x", "g", "orders")
		x.instance = kmsg.StringPtr("k")
		x.epoch = 1
		x.beat()
		x.leave(-1)
		x.leave(-2)
		x.join()
		x.leave(-1)
	}},
	{"consumer-subscribes-anew", func(s *script) {
		a, b := s.beater("a", "g", "orders"), s.beater("b", "g", "orders")
		a.join()
		a.topics = []string{"orders", "payments"}
		a.send("says all", a.full())
		a.topics = []string{"payments"}
		a.send("says all", a.full())
		a.report()
		a.topics = []string{"payments", "missing"}
		a.send("says all", a.full())
		b.topics = []string{"missing"}
		b.join()
		s.describeConsumers(a.group)
		a.topics = []string{}
		a.send("says all", a.full())
		a.report()
		s.describeConsumers(a.group)
	}},
	{"consumer-topics-change", func(s *script) {
		topic := s.topic("t", 2)
		later := "later" + s.suffix
		a := s.beater("a", "g", topic, later)
		a.join()
		s.topic("t", 3)
		a.beat()
		s.topic("later", 1)
		a.beat()
		s.topic("unrelated", 1)
		a.beat()
		a.commit(9, topic, 0)
		s.fetch(a.group)
		s.topic("t", 0)
		s.fetch(a.group)
		a.beat()
		a.report()
		s.describeConsumers(a.group)
	}},
	{"consumer-regex", func(s *script) {
		one := s.topic("re-one", 1)
		a := s.beater("a", "g")
		a.regex = kmsg.StringPtr("re-.*" + s.suffix)
		a.join()
		a.beat()
		s.describeConsumers(a.group)
		s.offsetDelete(a.group, one, 0)
		s.topic("re-two", 1)
		a.beat()
		a.beat()
		b := s.beater("b", "g")
		b.regex = a.regex
		b.join() // which is known already
		a.beat()
		a.report()
		b.beat()
		b.leave(-1)
		a.regex = kmsg.StringPtr("re-o.e" + s.suffix)
		a.send("says all", a.full())
		a.beat()
		a.beat()
		a.report()
		s.describeConsumers(a.group)
		a.regex, a.topics = kmsg.StringPtr(""), []string{"orders"}
		a.send("says all", a.full())
		a.report()
		a.regex = kmsg.StringPtr("e-one" + s.suffix) // a part is not enough
		a.send("says all", a.full())
		a.beat()
		s.describeConsumers(a.group)
		a.regex = kmsg.StringPtr("[")
		a.send("says all", a.full())
	}},
	{"consumer-after-classic", func(s *script) {
		p := s.player("p", "g")
		p.join()
		p.sync(p)
		p.commit()
		p.leave()
		a := s.beater("a", "g", "orders")
		a.join()
		s.fetch(a.group)
		s.list(5, nil, nil)
		a.leave(-1)
		q := s.player("q", "g")
		q.id = "made-up"
		q.joinOnce()
		q.id = ""
		q.joinOnce()
		s.list(5, nil, nil)
		q.joinOnce()
		q.sync(q)
		s.fetch(a.group)
		a.epoch = 2
		a.beat()
		simple := s.group("simple")
		s.commitAlone(9, simple, commitTopics(3, "", "orders"))
		b := s.beater("b", "simple", "orders")
		b.join()
		s.fetch(simple)
	}},
	{"consumer-joins-classic-group", func(s *script) {
		p := s.player("p", "g")
		p.reads()
		p.join()
		p.assigns(map[*player][]int32{p: {0, 1, 2}})
		p.commit()
		a := s.beater("a", "g", "orders")
		a.join()
		s.describeConsumers(a.group)
		s.describe(6, a.group)
		a.beat()
		p.commit()
		p.beat() // is to join again
		p.sync()
		p.reads(0, 1, 2)
		p.joinOnce()
		s.describeConsumers(a.group)
		p.sync()
		p.beat() // is to give something up
		p.reads(0)
		p.joinOnce()
		p.sync()
		s.describeConsumers(a.group)
		p.beat()
		a.beat()
		p.commit()
		p.generation--
		p.beat()
		p.sync()
		p.commit()
		p.generation++
		s.commitAlone(9, a.group, commitTopics(3, "", "orders"))
		a.beat()
		// A second one comes.
		q := s.player("q", "g")
		q.joinOnce()
		q.joinOnce()
		q.sync()
		r := s.player("r", "g")
		r.joinOnce() // one too many
		s.leave(a.group, kmsg.LeaveGroupRequestMember{MemberID: q.id}, kmsg.LeaveGroupRequestMember{MemberID: "nobody"}, kmsg.LeaveGroupRequestMember{InstanceID: kmsg.StringPtr("i")}, kmsg.LeaveGroupRequestMember{})
		s.describeConsumers(a.group)
		r.kind = "connect"
		r.joinOnce()
		r.kind, r.protocols = "consumer", offer("roundrobin")
		r.joinOnce()
		r.protocols = nil
		r.joinOnce()
		r.protocols = with(offer("range"), []byte{0})
		r.version = 3
		r.joinOnce()
		// The last consumer leaves: a classic group again.
		a.leave(-1)
		s.describeConsumers(a.group)
		s.describe(6, a.group)
		p.beat()
		p.joinOnce()
		p.assigns(map[*player][]int32{p: {0, 1, 2}})
	}},
	{"consumer-replaces-classic-static", func(s *script) {
		p := s.static("p", "g")
		p.reads()
		p.join()
		p.assigns(map[*player][]int32{p: {0, 1, 2}})
		a := s.beater("a", "g", "orders")
		a.instance = p.instance
		a.join()
		s.describeConsumers(a.group)
		p.beat()
		a.beat()
		r := s.static("r", "g")
		r.id = "somebody"
		r.joinOnce()
		r.beat()
		r.sync()
		a.beat()
		// And back.
		q := s.static("p", "g")
		q.reads()
		q.joinOnce()
		s.describe(6, a.group)
		q.sync()
		q.beat()
		a.beat()
	}},
	{"consumer-joins-rebalancing-group", func(s *script) {
		a, c := s.pair("g")
		_ = c
		a.joinOnce()
		b := s.beater("x", "g", "orders")
		b.join()
		s.describe(6, a.group)
		a.joinOnce()
	}},
	{"consumer-joins-unreadable-group", func(s *script) {
		p := s.player("p", "g")
		p.protocols = with(p.protocols, []byte("?"))
		p.join()
		p.sync(p)
		a := s.beater("a", "g", "orders")
		a.join()
		q := s.player("q", "h")
		q.join()
		q.sync() // nothing is assigned
		b := s.beater("b", "h", "payments")
		b.join()
		s.describeConsumers(b.group)
	}},
}
