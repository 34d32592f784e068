package broker_test

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// txnScenarios are what is asked of the reference broker and of Kafka.
var txnScenarios = []struct {
	name string
	run  func(*script)
}{
	{"bumped", func(s *script) {
		p := s.init("a")
		s.describe("a")
		s.produce(12, p, txnBatch{seq: 0, n: 2})
		s.produce(12, p, txnBatch{seq: 2})
		s.produce(12, p, txnBatch{seq: 0, n: 2}) // again
		s.describe("a")
		s.producers("orders", 0)
		s.fetch(0, 0)
		q := s.end(5, p, true)
		s.settle("a")
		s.producers("orders", 0)
		s.end(5, p, true) // again, because the answer was lost
		s.end(5, p, false)
		s.produce(12, p, txnBatch{seq: 3}) // in the old epoch
		s.produce(12, q, txnBatch{seq: 3}) // not from zero on
		s.produce(12, q, txnBatch{seq: 0})
		s.produce(12, q, txnBatch{partition: 1})
		s.describe("a")
		r := s.end(5, q, false)
		s.settle("a")
		s.end(5, q, false)
		s.end(5, q, true)
		s.fetch(0, 0)
		s.fetch(0, 4)
		s.fetch(0, 6)
		s.fetch(1, 0)
		r = s.end(5, r, false) // of nothing
		s.settle("a")
		s.end(5, r, true)
		s.end(5, prod{"a", r.id, r.epoch + 1}, true)
	}},
	{"announced", func(s *script) {
		p := s.init("a")
		s.produce(9, p, txnBatch{})
		s.produce(10, p, txnBatch{})
		s.produce(11, p, txnBatch{})
		s.add(3, p, map[string][]int32{"orders": {0}})
		s.describe("a")
		s.produce(11, p, txnBatch{seq: 0})
		s.produce(9, p, txnBatch{seq: 1})
		s.produce(11, p, txnBatch{partition: 1})
		s.produce(11, p, txnBatch{seq: 2, plain: true})
		s.produce(11, p, txnBatch{seq: 5})
		s.fetch(0, 0)
		s.end(3, p, true)
		s.settle("a")
		s.producers("orders", 0)
		s.end(3, p, true) // again
		s.end(3, p, false)
		s.produce(11, p, txnBatch{seq: 2})
		s.add(3, p, map[string][]int32{"orders": {0, 1}})
		s.produce(11, p, txnBatch{seq: 2})
		s.end(4, p, false)
		s.settle("a")
		s.end(4, p, false)
		s.end(4, p, true)
		s.fetch(0, 0)
		s.fetch(1, 0) // announced and never written to
		s.producers("orders", 1)
		s.produce(11, p, txnBatch{seq: 3, plain: true})
		s.fetch(0, 3)
	}},
	{"init", func(s *script) {
		s.find("a")
		a := prod{"a", -1, -1}
		for _, timeout := range []int32{0, -1, 900_001, 900_000} {
			s.initAs(4, a, timeout)
		}
		s.initAs(4, prod{"", -1, -1}, 1000)
		s.initAs(4, prod{"", -1, -1}, 0)
		p := s.init("a")
		q := s.init("a")
		s.initAs(4, p, 1000) // an older epoch
		s.initAs(3, p, 1000)
		r := s.initAs(4, q, 1000)
		s.initAs(4, q, 1000) // again
		s.initAs(4, p, 1000)
		s.initAs(4, prod{"a", r.id + 1_000_000, r.epoch}, 1000)
		s.initAs(3, prod{"a", r.id + 1_000_000, r.epoch}, 1000)
		s.initAs(4, prod{"a", r.id, r.epoch + 1}, 1000)
		s.initAs(4, prod{"a", r.id, -1}, 1000)
		s.initAs(4, prod{"a", -1, r.epoch}, 1000)
		s.initAs(5, r, 2000)
		s.describe("a")
		s.find("b")
		s.initAs(4, prod{"b", 77, 3}, 1000) // an id that the coordinator has forgotten
		s.describe("b")
	}},
	{"fenced", func(s *script) {
		s.findGroup("g")
		p := s.init("a")
		s.produce(12, p, txnBatch{})
		s.initAs(4, prod{"a", -1, -1}, 60_000) // aborts it
		s.settle("a")
		q := s.initAgain("a")
		s.producers("orders", 0)
		s.fetch(0, 0)
		s.produce(11, p, txnBatch{seq: 1})
		s.produce(12, p, txnBatch{seq: 1})
		s.produce(11, p, txnBatch{partition: 1})
		s.produce(12, p, txnBatch{partition: 1})
		for _, v := range []int16{0, 1, 2, 3, 4, 5} {
			s.end(v, p, true)
		}
		for _, v := range []int16{0, 1, 2, 3} {
			s.add(v, p, map[string][]int32{"orders": {0}})
		}
		s.verify(4, p, true, map[string][]int32{"orders": {0}})
		s.verify(5, p, false, map[string][]int32{"orders": {0}})
		for _, v := range []int16{0, 1, 2, 3, 4} {
			s.addOffsets(v, p, "g")
		}
		s.produce(12, q, txnBatch{})
		s.initAs(4, q, 60_000) // the producer itself begins anew
		s.settle("a")
		s.initAs(4, q, 60_000)
		s.add(3, q, map[string][]int32{"orders": {0}})
		r := s.initAgain("a")
		s.add(3, r, map[string][]int32{"orders": {0}})
		s.initAs(4, prod{"a", r.id + 1_000_000, 0}, 60_000)
		s.describe("a")
		s.initAs(2, prod{"a", -1, -1}, 60_000)
		s.settle("a")
	}},
	{"add", func(s *script) {
		s.findGroup("g")
		s.find("a")
		s.add(3, prod{"a", 5, 0}, map[string][]int32{"orders": {0}})
		s.verify(4, prod{"a", 5, 0}, true, map[string][]int32{"orders": {0}})
		s.verify(4, prod{"a", 5, 0}, false, map[string][]int32{"orders": {0}})
		s.addOffsets(3, prod{"a", 5, 0}, "g")
		p := s.init("a")
		other, newer := prod{"a", p.id + 1_000_000, p.epoch}, prod{"a", p.id, p.epoch + 1}
		for _, q := range []prod{other, newer} {
			s.add(3, q, map[string][]int32{"orders": {0}})
			s.addOffsets(3, q, "g")
			s.verify(5, q, true, map[string][]int32{"orders": {0}})
			s.end(4, q, true)
			s.end(5, q, true)
			s.end(5, q, false)
			s.produce(9, q, txnBatch{})
			s.produce(11, q, txnBatch{})
			s.produce(12, q, txnBatch{})
		}
		s.add(3, p, map[string][]int32{"orders": {0, 7}, "missing": {0}})
		s.add(3, p, map[string][]int32{"__consumer_offsets": {0}})
		s.add(3, p, nil)
		s.describe("a")
		s.verify(4, p, true, map[string][]int32{"orders": {0}})
		s.verify(4, p, false, map[string][]int32{"orders": {0}})
		s.verify(5, p, true, map[string][]int32{"orders": {0, 1}})
		s.verify(5, p, true, map[string][]int32{"orders": {0, 7}})
		s.addOffsets(3, p, "")
		s.describe("a")
		s.end(4, p, true)
		s.settle("a")
		s.verify(5, p, true, map[string][]int32{"orders": {0}})
		s.produce(12, prod{"nobody", p.id, p.epoch}, txnBatch{})
		s.produce(11, prod{"nobody", p.id, p.epoch}, txnBatch{})
		s.produce(12, prod{"nobody", p.id, p.epoch}, txnBatch{partition: 7})
	}},
	{"end", func(s *script) {
		s.find("a")
		s.end(4, prod{"a", 5, 0}, true)
		s.end(5, prod{"a", 5, 0}, true)
		s.end(4, prod{"", 5, 0}, true)
		p := s.init("a")
		s.end(4, p, true)
		s.end(4, p, false)
		s.end(5, p, true)
		q := s.end(5, p, false)
		s.settle("a")
		s.end(5, p, false)
		s.end(4, p, false)
		s.end(4, q, false)
		s.end(4, q, true)
		s.initAgain("a")
		s.describe("a")
		s.end(5, p, false)
	}},
	{"offsets", func(s *script) {
		s.findGroup("g")
		s.findGroup("h")
		p := s.init("a")
		s.commit(3, p, "g", 0, 5)
		s.commit(4, p, "g", 0, 5)
		s.addOffsets(3, p, "g")
		s.describe("a")
		s.commit(3, p, "g", 0, 5)
		s.commit(0, p, "g", 1, 6)
		s.committed("g")
		s.end(3, p, true)
		s.settle("a")
		s.committed("g")
		p = s.init("a")
		s.commit(5, p, "g", 0, 7)
		s.describe("a")
		s.committed("g")
		q := s.end(5, p, false)
		s.settle("a")
		s.committed("g")
		s.commit(5, p, "g", 0, 8)
		s.commit(5, prod{"a", q.id + 1_000_000, q.epoch}, "g", 0, 8)
		s.commit(5, prod{"nobody", q.id, q.epoch}, "g", 0, 8)
		s.commit(3, prod{"nobody", q.id, q.epoch}, "g", 0, 8)
		s.commit(3, p, "g", 0, 8)
		s.commit(5, q, "g", 0, 9)
		s.commit(5, q, "h", 0, 10)
		s.end(5, q, true)
		s.settle("a")
		s.committed("g")
		s.committed("h")
	}},
	{"timeout", func(s *script) {
		s.find("a")
		p := s.initAs(4, prod{"a", -1, -1}, 300)
		s.produce(12, p, txnBatch{})
		s.settle("a")
		s.producers("orders", 0)
		s.fetch(0, 0)
		s.end(5, p, true)
		s.end(4, p, true)
		s.produce(12, p, txnBatch{seq: 1})
		s.initAs(4, p, 300)
		q := s.initAgain("a")
		s.add(3, q, map[string][]int32{"orders": {1}})
		s.end(4, q, true)
		s.settle("a")
	}},
	{"markers", func(s *script) {
		s.init("a")
		p := s.init("a")
		s.produce(12, p, txnBatch{})
		s.mark(1, prod{"a", p.id, p.epoch - 1}, "orders", 0, 0, false)
		s.mark(1, prod{"a", p.id, -1}, "orders", 0, 0, false)
		s.mark(2, p, "orders", 0, 0, false)
		s.mark(1, p, "orders", 7, 0, false)
		s.mark(1, p, "missing", 0, 0, false)
		s.mark(1, p, "orders", 0, 5, false)
		s.producers("orders", 0)
		s.fetch(0, 0)
		s.mark(1, p, "orders", 0, 4, false)
		s.mark(2, p, "orders", 0, 5, false)
		s.mark(1, prod{"a", p.id, p.epoch + 2}, "orders", 0, 5, true)
		s.mark(1, p, "orders", 1, 0, true)
		s.producers("orders", 1)
		s.produce(12, p, txnBatch{seq: 1})
		s.produce(12, p, txnBatch{partition: 1})
		s.fetch(0, 0)
		s.producers("orders", 7)
		s.producers("missing", 0)
		s.producers("not a topic", 0)
	}},
	{"list", func(s *script) {
		p := s.init("a")
		q := s.init("ab")
		s.init("c")
		s.produce(12, p, txnBatch{})
		s.produce(12, q, txnBatch{partition: 1})
		s.end(5, q, true)
		s.settle("ab")
		s.list(0, nil)
		s.list(0, func(r *kmsg.ListTransactionsRequest) {
			r.StateFilters = []string{"Ongoing", "Bogus", "Dead", "ongoing"}
		})
		s.list(0, func(r *kmsg.ListTransactionsRequest) { r.StateFilters = []string{"Bogus"} })
		s.list(0, func(r *kmsg.ListTransactionsRequest) { r.ProducerIDFilters = []int64{p.id, 1 << 50} })
		s.list(1, func(r *kmsg.ListTransactionsRequest) { r.DurationFilterMillis = 600_000 })
		<-time.After(20 * time.Millisecond)
		s.list(1, func(r *kmsg.ListTransactionsRequest) { r.DurationFilterMillis = 0 })
		for _, pattern := range []string{"", "a", "a.*", "(", "[ac]"} {
			s.list(2, func(r *kmsg.ListTransactionsRequest) {
				r.TransactionalIDPattern = new(string)
				if *r.TransactionalIDPattern = pattern; pattern != "" {
					*r.TransactionalIDPattern += s.suffix
				}
			})
		}
		s.describe("nobody")
		s.describe("")
	}},
	{"exhausted", func(s *script) {
		p := s.init("a")
		for p.epoch < 32766 {
			req := kmsg.NewPtrInitProducerIDRequest()
			req.TransactionalID, req.TransactionTimeoutMillis = kmsg.StringPtr("a"+s.suffix), 60_000
			p.epoch = ask[*kmsg.InitProducerIDResponse](s.wire, 4, req).ProducerEpoch
		}
		s.produce(12, p, txnBatch{})
		q := s.end(5, p, true)
		s.settle("a")
		s.end(5, p, true)
		s.fetch(0, 0)
		s.producers("orders", 0)
		s.produce(12, p, txnBatch{seq: 1})
		s.initAs(4, p, 60_000)
		s.produce(12, q, txnBatch{})
		s.describe("a")
	}},
}
