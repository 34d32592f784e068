package groups

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// txn opens a transaction.
func (s *script) txn(name, group string) producer {
	fmt.Fprintf(&s.text, "> transaction %s begins\n", name)
	return s.to.begin(name+s.suffix, group)
}

func (s *script) end(p producer, commit bool) {
	fmt.Fprintf(&s.text, "> transaction %s ends, %v\n", s.plain(p.txn), commit)
	s.to.end(p, commit)
}

// commits sends a TxnOffsetCommit; change says what is special about it.
func (s *script) commits(p producer, offset int64, change func(*kmsg.TxnOffsetCommitRequest)) {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.Version, req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch = 4, p.txn, p.group, p.id, p.epoch
	for _, t := range commitTopics(offset, "", "orders") {
		rt := kmsg.TxnOffsetCommitRequestTopic{Topic: t.Topic}
		for _, tp := range t.Partitions {
			rp := kmsg.NewTxnOffsetCommitRequestTopicPartition()
			rp.Partition, rp.Offset, rp.Metadata = tp.Partition, tp.Offset, tp.Metadata
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
	}
	if change != nil {
		change(req)
	}
	s.do(p.txn+" commits offsets", req)
}

// stable fetches partitions 0 and 1 of orders, and all, stable or not.
func (s *script) stable(group string) {
	for _, stable := range []bool{false, true} {
		f := kmsg.NewPtrOffsetFetchRequest()
		f.Version, f.RequireStable = 9, stable
		f.Groups = []kmsg.OffsetFetchRequestGroup{
			{Group: group, MemberEpoch: -1, Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "orders", Partitions: []int32{0, 1}}}},
			{Group: group, MemberEpoch: -1},
		}
		s.do(fmt.Sprint("fetch, stable ", stable), f)
	}
}

var txnScenarios = []scenario{
	{"txn-offsets", func(s *script) {
		g := s.group("g")
		a := s.txn("a", g)
		s.commits(a, 5, nil)
		s.describe(6, g)
		s.stable(g)
		s.end(a, true)
		s.stable(g)
		b := s.txn("b", g)
		s.commits(b, 9, nil)
		s.stable(g)
		s.end(b, false)
		s.stable(g)
		// A commit without a transaction that comes later stands.
		c := s.txn("c", g)
		s.commits(c, 11, nil)
		s.commitAlone(9, g, commitTopics(12, "", "orders"))
		s.end(c, true)
		s.stable(g)
		// Two at once.
		d, e := s.txn("d", g), s.txn("e", g)
		s.commits(d, 20, nil)
		s.commits(e, 21, func(r *kmsg.TxnOffsetCommitRequest) { r.Topics[0].Partitions[0].Partition = 1 })
		s.end(d, true)
		s.stable(g)
		s.end(e, true)
		s.stable(g)
		f := s.txn("f", g)
		s.commits(f, 30, nil)
		s.offsetDelete(g, "orders", 0)
		s.stable(g)
		s.end(f, true)
		s.stable(g)
		h := s.txn("h", g)
		s.commits(h, 40, nil)
		s.remove(g)
		s.end(h, true)
		s.stable(g)
	}},
	{"txn-offsets-are-refused", func(s *script) {
		type request = kmsg.TxnOffsetCommitRequest
		g := s.group("g")
		a := s.txn("a", g)
		s.commits(a, 5, func(r *request) { r.Generation, r.MemberID = 3, "x" })
		s.commits(a, 5, func(r *request) {
			p := r.Topics[0].Partitions[0]
			p.Partition = 17
			q := p
			q.Partition, q.Metadata = 1, kmsg.StringPtr(strings.Repeat("x", 4097))
			r.Topics[0].Partitions = append(r.Topics[0].Partitions, p, q)
			r.Topics = append(r.Topics, kmsg.TxnOffsetCommitRequestTopic{Topic: "missing", Partitions: r.Topics[0].Partitions[:1]})
		})
		s.commits(a, 5, func(r *request) { r.Topics = r.Topics[:0] })
		s.end(a, false)

		x, y := s.pair("members")
		b := s.txn("b", x.group)
		s.commits(b, 6, nil) // says nothing of a member
		s.commits(b, 6, func(r *request) { r.Generation, r.MemberID = y.generation, y.id })
		s.commits(b, 6, func(r *request) { r.Generation, r.MemberID = y.generation+1, y.id })
		s.commits(b, 6, func(r *request) { r.Generation, r.MemberID = y.generation, "nobody" })
		s.commits(b, 6, func(r *request) { r.MemberID = y.id })
		s.commits(b, 6, func(r *request) { r.InstanceID = kmsg.StringPtr("i") })
		x.joinOnce()
		s.commits(b, 6, func(r *request) { r.Generation, r.MemberID = y.generation, y.id })
		y.joinOnce()
		s.commits(b, 6, func(r *request) { r.Generation, r.MemberID = y.generation, y.id })
		s.end(b, true)
		s.stable(x.group)

		m := s.beater("m", "consumers", "orders")
		m.join()
		c := s.txn("c", m.group)
		s.commits(c, 7, nil)
		s.commits(c, 7, func(r *request) { r.Generation, r.MemberID = m.epoch, m.id })
		s.commits(c, 7, func(r *request) { r.Generation, r.MemberID = m.epoch+1, m.id })
		s.commits(c, 7, func(r *request) { r.Generation, r.MemberID = m.epoch-1, m.id })
		s.commits(c, 7, func(r *request) { r.Generation, r.MemberID = m.epoch, "nobody" })
		s.commits(c, 7, func(r *request) { r.MemberID = m.id })
		s.end(c, true)
		s.stable(m.group)
	}},
}
