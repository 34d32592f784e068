package groups

import (
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// player is a member in a script.
type player struct {
	s           *script
	name, group string
	version     int16 // of its joins
	id          string
	instance    *string
	generation  int32
	session     time.Duration
	rebalance   time.Duration
	kind        string
	protocols   []kmsg.JoinGroupRequestProtocol
}

func (s *script) player(name, group string) *player {
	return &player{
		s: s, name: name, group: s.group(group), version: 9, generation: -1,
		session: 20 * time.Second, rebalance: 20 * time.Second, kind: "consumer", protocols: offer("range"),
	}
}

func (s *script) static(name, group string) *player {
	p := s.player(name, group)
	p.instance = kmsg.StringPtr("i-" + name)
	return p
}

// join sends one JoinGroup, and a second where the first is answered with the
// id to use.
func (p *player) join() {
	if p.id == "" && p.instance == nil && p.version >= 4 {
		p.joinOnce()
	}
	p.joinOnce()
}

func (p *player) joinOnce() {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID = p.version, p.group, p.id, p.instance
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = int32(p.session.Milliseconds()), int32(p.rebalance.Milliseconds())
	req.ProtocolType, req.Protocols = p.kind, p.protocols
	p.s.doThen(p.name+" joins", req, func(r kmsg.Response) {
		if r := r.(*kmsg.JoinGroupResponse); r.MemberID != "" {
			p.id = r.MemberID
			if r.ErrorCode == 0 {
				p.generation = r.Generation
			}
		}
	})
}

// sync sends a SyncGroup that assigns to each of ps its own name.
func (p *player) sync(ps ...*player) {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID, req.Generation = 5, p.group, p.id, p.instance, p.generation
	req.ProtocolType, req.Protocol = &p.kind, &p.protocols[0].Name
	p.s.do(p.name+" syncs", p.assigning(req, ps))
}

func (p *player) assigning(req *kmsg.SyncGroupRequest, ps []*player) *kmsg.SyncGroupRequest {
	for _, o := range ps {
		req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: o.id, MemberAssignment: []byte("for " + o.name)})
	}
	return req
}

func (p *player) beat() {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID, req.Generation = 4, p.group, p.id, p.instance, p.generation
	p.s.do(p.name+" beats", req)
}

func (p *player) leave() {
	p.s.leave(p.group, kmsg.LeaveGroupRequestMember{MemberID: p.id, InstanceID: p.instance})
}

func (s *script) leave(group string, ms ...kmsg.LeaveGroupRequestMember) {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Version, req.Group, req.Members = 5, group, ms
	s.do("leave", req)
}

func commitTopics(offset int64, meta string, topics ...string) (ts []kmsg.OffsetCommitRequestTopic) {
	for _, name := range topics {
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic = name
		cp := kmsg.NewOffsetCommitRequestTopicPartition()
		cp.Offset, cp.Metadata = offset, &meta
		t.Partitions = append(t.Partitions, cp)
		ts = append(ts, t)
	}
	return ts
}

func (p *player) commit() {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID, req.Generation = 9, p.group, p.id, p.instance, p.generation
	req.Topics = commitTopics(7, "", "orders")
	p.s.do(p.name+" commits", req)
}

func (s *script) commitAlone(version int16, group string, ts []kmsg.OffsetCommitRequestTopic) {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Topics = version, group, ts
	s.do("commit", req)
}

func (s *script) fetch(group string) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version = 9
	req.Groups = []kmsg.OffsetFetchRequestGroup{{Group: group, MemberEpoch: -1}}
	s.do("fetch all", req)
}

func (s *script) describe(version int16, groups ...string) {
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Version, req.Groups = version, groups
	s.do("describe", req)
}

// list asks for all groups and writes down those of this script.
func (s *script) list(version int16, states, types []string) {
	req := kmsg.NewPtrListGroupsRequest()
	req.Version, req.StatesFilter, req.TypesFilter = version, states, types
	s.do(fmt.Sprintf("list states %q types %q", states, types), req)
}

func (s *script) remove(groups ...string) {
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Version, req.Groups = 2, groups
	s.do("delete", req)
}

func (s *script) offsetDelete(group, topic string, partitions ...int32) {
	req := kmsg.NewPtrOffsetDeleteRequest()
	req.Group = group
	t := kmsg.OffsetDeleteRequestTopic{Topic: topic}
	for _, p := range partitions {
		t.Partitions = append(t.Partitions, kmsg.OffsetDeleteRequestTopicPartition{Partition: p})
	}
	req.Topics = append(req.Topics, t)
	s.do("delete offsets of "+topic, req)
}

func with(ps []kmsg.JoinGroupRequestProtocol, meta []byte) []kmsg.JoinGroupRequestProtocol {
	for i := range ps {
		ps[i].Metadata = meta
	}
	return ps
}

// pair brings a group of two to be stable and returns its leader first.
func (s *script) pair(group string) (a, c *player) {
	a, c = s.player("a", group), s.player("b", group)
	a.join()
	a.sync(a)
	c.join()
	a.beat()
	a.join()
	c.sync()
	a.sync(a, c)
	return a, c
}

// scenario is a script with a name, which is also that of its transcript.
type scenario struct {
	name string
	run  func(*script)
}

var classicScenarios = []scenario{
	{"one-member", func(s *script) {
		a := s.player("a", "g")
		a.beat()
		a.commit()
		a.join()
		a.beat()
		a.commit()
		s.describe(6, a.group)
		a.sync(a)
		s.describe(6, a.group)
		a.sync()
		a.beat()
		a.commit()
		s.fetch(a.group)
		s.remove(a.group)
		a.leave()
		a.beat()
		a.leave()
		a.sync()
		a.commit()
		s.describe(5, a.group)
		a.joinOnce()
		s.remove(a.group)
		s.describe(6, a.group)
		s.describe(5, a.group)
		s.fetch(a.group)
		s.remove(a.group)
	}},
	{"two-members", func(s *script) {
		a, c := s.pair("g")
		c.commit()
		// A follower that joins again with the same metadata changes nothing.
		c.joinOnce()
		c.sync()
		a.beat()
		// The leader does.
		a.joinOnce()
		c.beat()
		c.commit() // of the generation that is still current
		s.describe(6, a.group)
		c.sync()
		c.joinOnce()
		c.commit()
		c.beat()
		c.joinOnce() // has missed the answer
		a.joinOnce()
		a.sync(a, c)
		c.sync()
		c.generation--
		c.beat()
		c.sync()
		c.commit()
		c.generation++
		// So does a follower with something new.
		c.protocols = with(offer("range"), subscription("orders", "payments"))
		c.joinOnce()
		a.beat()
		a.leave()
		c.sync(c)
		s.describe(6, a.group)
	}},
	{"three-members", func(s *script) {
		a, c := s.pair("g")
		d := s.player("c", "g")
		d.joinOnce() // an id, and no more
		a.beat()
		c.beat()
		d.joinOnce()
		a.beat()
		c.joinOnce()
		a.joinOnce()
		d.sync()
		c.sync()
		a.sync(a, c) // c is forgotten
		e := s.player("d", "g")
		e.joinOnce() // one too many
		e.id = "made-up"
		e.joinOnce()
		d.leave()
		c.beat()
		a.joinOnce()
		c.joinOnce()
		c.leave() // between join and sync
		a.sync(a)
		a.joinOnce()
		a.sync(a)
	}},
	{"group-without-a-name", func(s *script) {
		s.commitAlone(9, "", commitTopics(3, "", "orders"))
		s.fetch("")
		f := kmsg.NewPtrOffsetFetchRequest()
		f.Version, f.Topics = 7, []kmsg.OffsetFetchRequestTopic{{Topic: "orders", Partitions: []int32{0, 1}}}
		s.do("fetch", f)
		s.describe(6, "")
		s.offsetDelete("", "orders", 0)
		s.remove("")
		s.describe(6, "")
		s.describe(5, "")
		s.fetch("")
		s.remove("")
	}},
	{"list-groups", func(s *script) {
		a, _ := s.pair("g")
		s.commitAlone(9, s.group("simple"), commitTopics(3, "", "orders"))
		x := s.player("x", "other")
		x.kind = "connect"
		x.join()
		for _, states := range [][]string{nil, {"Stable"}, {"stable ", "COMPLETINGREBALANCE"}, {"Empty"}, {"nonsense"}} {
			s.list(5, states, nil)
		}
		for _, types := range [][]string{{"classic"}, {"Classic", "nonsense"}, {" classic"}, {"consumer"}, {"nonsense"}} {
			s.list(5, nil, types)
		}
		s.list(4, []string{"Stable"}, nil)
		s.list(0, nil, nil)
		_ = a
	}},
	{"join-is-refused", func(s *script) {
		a, c := s.pair("g")
		x := s.player("x", "g")
		x.kind = "connect"
		x.joinOnce()
		x.kind = ""
		x.joinOnce()
		x.kind, x.protocols = "consumer", offer("roundrobin")
		x.joinOnce()
		x.protocols = nil
		x.joinOnce()
		x.protocols = offer("range")
		x.id = "never-handed-out"
		x.joinOnce()
		x.instance = kmsg.StringPtr("never-seen")
		x.joinOnce()
		x.instance = nil
		x.id, x.session = "", time.Millisecond
		x.joinOnce()
		x.session = time.Hour
		x.joinOnce()
		x.session, x.group = 20*time.Second, ""
		x.joinOnce()
		x.sync()
		x.beat()
		x.leave()
		x.group = s.group("absent")
		x.id = "somebody"
		x.joinOnce()
		x.sync()
		x.beat()
		x.leave()
		x.commit()
		c.protocols = offer("roundrobin")
		c.joinOnce()
		y := s.player("y", "h")
		y.kind = ""
		y.joinOnce()
		s.describe(6, y.group)
		y.kind, y.protocols = "consumer", nil
		y.joinOnce()
		z := s.player("z", "k")
		z.joinOnce()
		z.instance = kmsg.StringPtr("i")
		z.joinOnce() // an id that was handed out is not for static members
		_ = a
	}},
	{"sync-is-refused", func(s *script) {
		a, c := s.pair("g")
		send := func(what string, version int16, kind, protocol *string) {
			req := kmsg.NewPtrSyncGroupRequest()
			req.Version, req.Group, req.MemberID, req.Generation = version, c.group, c.id, c.generation
			req.ProtocolType, req.Protocol = kind, protocol
			s.do(what, req)
		}
		str := kmsg.StringPtr
		send("sync", 5, str("consumer"), str("range"))
		send("sync of another type", 5, str("connect"), str("range"))
		send("sync of another protocol", 5, str("consumer"), str("sticky"))
		send("sync without type", 5, nil, str("range"))
		send("sync without protocol", 5, str("consumer"), nil)
		send("sync without both", 4, nil, nil)
		send("old sync", 0, nil, nil)
		_ = a
	}},
	{"protocol-votes", func(s *script) {
		for _, tie := range [][2][]string{
			{{"range", "roundrobin"}, {"roundrobin", "range"}},
			{{"cooperative-sticky", "range"}, {"range", "cooperative-sticky"}},
			{{"a", "b", "sticky"}, {"sticky", "b", "c"}},
			{{"x", "y"}, {"y", "z"}},
		} {
			a, c := s.player("a", strings.Join(tie[0], "-")), s.player("b", strings.Join(tie[0], "-"))
			a.protocols, c.protocols = offer(tie[0]...), offer(tie[1]...)
			a.join()
			c.join()
			a.joinOnce()
			c.leave()
			a.joinOnce()
		}
	}},
	{"old-versions", func(s *script) {
		a := s.player("a", "g")
		a.version = 0
		a.joinOnce()
		a.version = 2
		a.joinOnce()
		a.version = 6
		a.joinOnce()
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Version, leave.Group, leave.MemberID = 2, a.group, "nobody"
		s.do("leave", leave)
		leave.MemberID = a.id
		s.do("leave", leave)
		s.do("leave", leave)
		leave.Group = ""
		s.do("leave", leave)
		s.describe(0, a.group)
	}},
	{"session-expires", func(s *script) {
		a, c := s.player("a", "g"), s.player("b", "g")
		a.session, c.session = 20*time.Second, 4*time.Second
		a.join()
		c.join()
		a.joinOnce()
		c.sync()
		a.sync(a, c)
		a.beat()
		s.sleep(2 * time.Second)
		a.beat()
		c.beat()
		s.sleep(2500 * time.Millisecond)
		a.beat()
		s.sleep(2 * time.Second)
		a.beat()
		c.beat()
		c.commit()
		a.joinOnce()
		a.sync(a)
	}},
	{"handed-out-id-expires", func(s *script) {
		a, c := s.player("a", "g"), s.player("b", "g")
		a.join()
		a.sync(a)
		c.session = time.Second
		c.joinOnce()
		a.joinOnce() // waits for b, which has an id
		s.sleep(1500 * time.Millisecond)
		c.joinOnce()
		a.sync(a)
	}},
	{"late-for-the-rebalance", func(s *script) {
		a, c := s.player("a", "g"), s.player("b", "g")
		a.rebalance, c.rebalance = time.Second, 3*time.Second
		a.join()
		c.join()
		a.joinOnce()
		a.sync(a, c)
		c.sync()
		a.joinOnce()
		s.sleep(1500 * time.Millisecond) // the longer timeout counts
		s.sleep(2 * time.Second)
		c.beat()
		c.joinOnce()
	}},
	{"late-for-the-sync", func(s *script) {
		a, c := s.player("a", "g"), s.player("b", "g")
		a.rebalance, c.rebalance = 2*time.Second, 2*time.Second
		a.join()
		a.sync(a)
		c.join()
		a.joinOnce()
		a.sync(a, c)
		s.sleep(2 * time.Second)
		a.beat()
		c.beat()
	}},
	{"static-follower-is-replaced", func(s *script) {
		a, c := s.static("a", "g"), s.static("b", "g")
		a.join()
		a.sync(a)
		c.join()
		a.join()
		a.sync(a, c)
		c.sync()
		s.describe(6, a.group)
		old := *c
		c.id = ""
		c.join()
		c.sync()
		a.beat()
		c.beat()
		old.name = "old b"
		old.beat()
		old.sync()
		old.commit()
		old.joinOnce()
		old.leave()
		old.instance = kmsg.StringPtr("i-unknown")
		old.beat()
		s.describe(6, a.group)
		// With another protocol list, but the same choice.
		c.id, c.protocols = "", offer("range", "roundrobin")
		c.join()
		a.beat()
	}},
	{"static-leader-is-replaced", func(s *script) {
		a, c := s.static("a", "g"), s.static("b", "g")
		a.protocols, c.protocols = offer("range", "roundrobin"), offer("range", "roundrobin")
		a.join()
		a.sync(a)
		c.join()
		a.join()
		a.sync(a, c)
		c.sync()
		a.id = ""
		a.join()
		a.sync()
		c.beat()
		a.id, a.version = "", 8
		a.join()
		a.sync()
		c.beat()
		s.describe(6, a.group)
		// The choice changes: everybody joins again.
		a.id, a.version, a.protocols = "", 9, offer("roundrobin")
		a.join()
		c.beat()
		c.join()
		a.sync(a, c)
		c.protocols = offer("roundrobin")
		c.sync()
	}},
	{"static-replaced-in-a-rebalance", func(s *script) {
		a, c := s.static("a", "g"), s.static("b", "g")
		a.join()
		a.sync(a)
		c.join()
		old := *c
		old.id = ""
		c.id = ""
		c.join() // the first is fenced while it waits
		a.join()
		c.id = ""
		c.join() // after the answer, before the assignment
		a.sync(a, c)
		a.join()
		c.sync()
		c.id = ""
		c.join() // while its sync waits
		a.beat()
		a.join()
		a.sync(a, c)
		c.sync()
	}},
	{"static-members-away", func(s *script) {
		a, c := s.static("a", "g"), s.static("b", "g")
		for _, p := range []*player{a, c} {
			p.rebalance, p.session = 3*time.Second, 20*time.Second
		}
		a.join()
		a.sync(a)
		c.join()
		a.join()
		a.sync(a, c)
		c.sync()
		a.join()
		s.sleep(4 * time.Second) // b is away, and stays a member
		a.sync(a, c)
		s.describe(6, a.group)
		c.sync()
		a.leave()
		s.leave(a.group, kmsg.LeaveGroupRequestMember{InstanceID: kmsg.StringPtr("i-b")}, kmsg.LeaveGroupRequestMember{InstanceID: kmsg.StringPtr("i-c")}, kmsg.LeaveGroupRequestMember{MemberID: "nobody"}, kmsg.LeaveGroupRequestMember{})
		s.describe(6, a.group)
	}},
	{"leave-in-batches", func(s *script) {
		a, c := s.pair("g")
		d := s.player("c", "g")
		d.joinOnce()
		s.leave(a.group, kmsg.LeaveGroupRequestMember{MemberID: d.id}) // an id that was handed out
		a.beat()
		a.joinOnce()
		c.joinOnce()
		a.sync(a, c)
		s.leave(a.group)
		s.leave(a.group, kmsg.LeaveGroupRequestMember{MemberID: a.id}, kmsg.LeaveGroupRequestMember{MemberID: c.id}, kmsg.LeaveGroupRequestMember{MemberID: a.id})
		s.describe(6, a.group)
	}},
	{"leave-while-joining", func(s *script) {
		a, c := s.pair("g")
		a.joinOnce()
		a.leave() // its join waits
		c.joinOnce()
		c.sync(c)
	}},
	{"commit-alone", func(s *script) {
		g := s.group("g")
		s.commitAlone(9, g, commitTopics(3, "meta", "orders"))
		s.describe(6, g)
		s.fetch(g)
		s.commitAlone(9, g, nil)
		s.commitAlone(9, s.group("not-made"), nil)
		s.describe(6, s.group("not-made"))
		s.commitAlone(9, g, commitTopics(3, "", "missing", "orders", "gone"))
		ts := commitTopics(4, strings.Repeat("é", 4096), "orders")
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.Metadata = 1, 5, kmsg.StringPtr(strings.Repeat("😀", 2048)+"!")
		q := p
		q.Partition, q.LeaderEpoch, q.Metadata = 2, 3, nil
		r := p
		r.Partition = 3
		ts[0].Partitions = append(ts[0].Partitions, p, q, r)
		s.commitAlone(9, g, ts)
		s.do("fetch", func() kmsg.Request {
			req := kmsg.NewPtrOffsetFetchRequest()
			req.Version = 9
			req.Groups = []kmsg.OffsetFetchRequestGroup{{Group: g, Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "orders", Partitions: []int32{1, 2, 3}}}}}
			return req
		}())
		s.commitAlone(2, g, commitTopics(8, "", "orders"))
		// Whether a group is there now depends, in Kafka, on what else is written.
		s.commitAlone(9, s.group("only-bad"), commitTopics(4, strings.Repeat("x", 4097), "orders"))
		s.remove(g)
		s.fetch(g)
	}},
	{"commit-beside-members", func(s *script) {
		a, c := s.pair("g")
		s.commitAlone(9, a.group, commitTopics(3, "", "orders"))
		c.generation++
		c.commit()
		c.generation = -1
		c.commit()
		c.id = "nobody"
		c.commit()
		c.id, c.generation = "", a.generation
		c.commit()
		c.instance = kmsg.StringPtr("i")
		c.generation = -1
		c.commit()
		x := s.player("x", "absent")
		x.generation = 5
		x.commit()
		old := kmsg.NewPtrOffsetCommitRequest()
		old.Version, old.Group, old.Generation, old.MemberID, old.Topics = 8, s.group("absent"), 5, "x", commitTopics(1, "", "orders")
		s.do("old commit", old)
		e := s.player("e", "left")
		e.join()
		e.leave()
		e.commit()
		e.generation = -1
		e.commit()
		e.id = ""
		e.commit()
	}},
	{"topic-ids", func(s *script) {
		g := s.group("g")
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Version, req.Group = 10, g
		req.Topics = commitTopics(3, "m", "orders", "payments", "nothing")
		for i := range req.Topics {
			req.Topics[i].TopicID = s.to.topicID(req.Topics[i].Topic)
		}
		req.Topics[2].TopicID = [16]byte{1, 2, 3}
		bad := req.Topics[0].Partitions[0]
		bad.Partition = 17
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, bad)
		s.do("commit", req)
		f := kmsg.NewPtrOffsetFetchRequest()
		f.Version = 10
		topic := func(id [16]byte, ps ...int32) kmsg.OffsetFetchRequestGroupTopic {
			return kmsg.OffsetFetchRequestGroupTopic{TopicID: id, Partitions: ps}
		}
		f.Groups = []kmsg.OffsetFetchRequestGroup{
			{Group: g, MemberEpoch: -1, Topics: []kmsg.OffsetFetchRequestGroupTopic{topic([16]byte{9}, 0), topic(s.to.topicID("orders"), 0, 1, 17), topic([16]byte{})}},
			{Group: g, MemberEpoch: -1},
			{Group: s.group("absent"), MemberEpoch: -1, Topics: []kmsg.OffsetFetchRequestGroupTopic{topic(s.to.topicID("orders"), 0)}},
			{Group: s.group("absent"), MemberEpoch: -1},
		}
		f.RequireStable = true
		s.do("fetch", f)
	}},
	{"old-offset-fetches", func(s *script) {
		g := s.group("g")
		s.commitAlone(9, g, commitTopics(3, "m", "orders"))
		for _, v := range []int16{1, 2, 5, 7} {
			for _, group := range []string{g, s.group("absent")} {
				f := kmsg.NewPtrOffsetFetchRequest()
				f.Version, f.Group = v, group
				f.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: "orders", Partitions: []int32{0, 1}}, {Topic: "missing", Partitions: []int32{0}}}
				s.do("fetch of "+group, f)
			}
			f := kmsg.NewPtrOffsetFetchRequest()
			f.Version, f.Group, f.Topics = v, g, []kmsg.OffsetFetchRequestTopic{}
			s.do("fetch of nothing", f)
			if v > 1 {
				f.Topics = nil
				s.do("fetch of all", f)
			}
		}
	}},
	{"offset-delete", func(s *script) {
		a, c := s.pair("g")
		a.commit()
		s.offsetDelete("", "orders", 0)
		s.offsetDelete(s.group("absent"), "orders", 0)
		s.offsetDelete(a.group, "orders", 0, 9)
		s.offsetDelete(a.group, "payments", 0, 9)
		s.offsetDelete(a.group, "missing", 0)
		c.leave()
		a.leave()
		s.offsetDelete(a.group, "orders", 0, 1, 9)
		s.fetch(a.group)
		x := s.player("x", "other")
		x.kind = "connect"
		x.join()
		x.sync(x)
		s.offsetDelete(x.group, "orders", 0)
		s.offsetDelete(x.group, "missing", 0)
		s.remove(x.group)
		y := s.player("y", "unreadable")
		y.protocols = with(offer("range"), []byte("?"))
		y.join()
		y.sync(y)
		s.offsetDelete(y.group, "orders", 0)
		s.commitAlone(9, s.group("simple"), commitTopics(3, "", "orders"))
		s.offsetDelete(s.group("simple"), "orders", 0)
		s.describe(6, s.group("simple"))
		s.fetch(s.group("simple"))
	}},
	{"describe-and-delete-many", func(s *script) {
		a, _ := s.pair("g")
		simple := s.group("simple")
		s.commitAlone(9, simple, commitTopics(3, "", "orders"))
		s.describe(6, a.group, simple, s.group("absent"), a.group)
		s.describe(4, simple, s.group("absent"))
		s.remove(a.group, simple, s.group("absent"), simple)
		s.describe(6, simple)
	}},
}
