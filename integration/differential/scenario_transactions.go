package main

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func initProducer(txn *string, timeout int32, id int64, epoch int16) *kmsg.InitProducerIDRequest {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID, req.TransactionTimeoutMillis, req.ProducerID, req.ProducerEpoch = txn, timeout, id, epoch
	return req
}

// idempotentProducers: InitProducerId without a transactional id, and sequences.
func idempotentProducers(s *session) {
	id := s.topic("producers", 2)
	ask[*kmsg.InitProducerIDResponse](s, "", latest(initProducer(nil, 10_000, -1, -1)), preparing(), until(func(r kmsg.Response) bool {
		return r.(*kmsg.InitProducerIDResponse).ErrorCode == 0 // the first block of ids has to be reserved
	}))
	s.each("a producer id", kmsg.InitProducerID, func(int16) kmsg.Request { return initProducer(nil, 10_000, -1, -1) })
	s.each("a producer id with one of its own", kmsg.InitProducerID, func(int16) kmsg.Request { return initProducer(nil, 10_000, 99_999, 3) })
	s.each("an empty transactional id", kmsg.InitProducerID, func(int16) kmsg.Request { return initProducer(ptr(""), 10_000, -1, -1) })
	p := ask[*kmsg.InitProducerIDResponse](s, "ours", latest(initProducer(nil, 10_000, -1, -1))).ProducerID
	send := func(what string, epoch int16, sequence int32, n int) {
		recs := values("a", "b", "c")[:n]
		s.send(what, latest(produce("producers", id, 0, s.batch(recs...).of(p, epoch, sequence).encode())))
	}
	send("first", 0, 0, 2)
	send("second", 0, 2, 1)
	send("second again", 0, 2, 1)
	send("first again", 0, 0, 2)
	send("overlapping", 0, 1, 2)
	send("a gap", 0, 9, 1)
	send("third", 0, 3, 1)
	send("next epoch, not from 0", 1, 4, 1)
	send("next epoch", 1, 0, 1)
	send("old epoch", 0, 4, 1)
	for i := range int32(6) {
		send("one more", 1, 1+i, 1)
	}
	send("out of the window", 1, 0, 1)
	s.send("unknown producer in the middle", latest(produce("producers", id, 1, s.batch(values("a")...).of(p+5000, 3, 7).encode())))
	s.send("producers", latest(describeProducers("producers", 0, 1, 9)))
	s.send("producers of an unknown topic", latest(describeProducers("producers-nowhere", 0)))
	b := s.batch(values("a")...).of(p, 1, 7)
	b.Attributes |= 0x10
	s.send("transactional without a transaction", latest(produce("producers", id, 0, b.encode())))
	s.send("transactional without a transaction", at(11, produce("producers", id, 0, b.encode())))
}

func describeProducers(topic string, partitions ...int32) *kmsg.DescribeProducersRequest {
	return &kmsg.DescribeProducersRequest{Topics: []kmsg.DescribeProducersRequestTopic{{Topic: topic, Partitions: partitions}}}
}

// transactions in both client generations, and what goes wrong.
func transactions(s *session) {
	id := s.topic("txns", 2)
	s.coordinator(0, "txns")
	s.coordinator(1, "txns")
	ready := until(func(r kmsg.Response) bool {
		c := r.(*kmsg.InitProducerIDResponse).ErrorCode
		return c != 14 && c != 15 && c != 16 && c != 51
	})
	settled := func(txn string) {
		ask[*kmsg.DescribeTransactionsResponse](s, "settle", latest(&kmsg.DescribeTransactionsRequest{TransactionalIDs: []string{txn}}), preparing(), until(func(r kmsg.Response) bool {
			st := r.(*kmsg.DescribeTransactionsResponse).TransactionStates[0].State
			return st != "PrepareCommit" && st != "PrepareAbort"
		}))
	}
	begin := func(txn string, v int16) (int64, int16) {
		r := ask[*kmsg.InitProducerIDResponse](s, "init", at(v, initProducer(&txn, 60_000, -1, -1)), ready)
		return r.ProducerID, r.ProducerEpoch
	}
	add := func(v int16, txn string, p int64, e int16, topic string, partitions ...int32) *kmsg.AddPartitionsToTxnRequest {
		req := kmsg.NewPtrAddPartitionsToTxnRequest()
		req.Version, req.TransactionalID, req.ProducerID, req.ProducerEpoch = v, txn, p, e
		req.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: topic, Partitions: partitions}}
		req.Transactions = []kmsg.AddPartitionsToTxnRequestTransaction{{TransactionalID: txn, ProducerID: p, ProducerEpoch: e, Topics: []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: topic, Partitions: partitions}}}}
		return req
	}
	end := func(v int16, txn string, p int64, e int16, commit bool) *kmsg.EndTxnRequest {
		return at(v, &kmsg.EndTxnRequest{TransactionalID: txn, ProducerID: p, ProducerEpoch: e, Commit: commit})
	}
	records := func(p int64, e int16, sequence int32) []byte {
		b := s.batch(values("x", "y")...).of(p, e, sequence)
		b.Attributes |= 0x10
		return b.encode()
	}
	produceTxn := func(v int16, txn string, partition int32, raw []byte) *kmsg.ProduceRequest {
		req := produce("txns", id, partition, raw)
		req.Version, req.TransactionID = v, &txn
		return req
	}
	offsets := func(v int16, txn, group string, p int64, e int16, offset int64) *kmsg.TxnOffsetCommitRequest {
		req := kmsg.NewPtrTxnOffsetCommitRequest()
		req.Version, req.TransactionalID, req.Group, req.ProducerID, req.ProducerEpoch, req.Generation = v, txn, group, p, e, -1
		req.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: "txns", TopicID: id, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{Partition: 0, Offset: offset, LeaderEpoch: -1, Metadata: ptr("m")}}}}
		return req
	}
	addOffsets := func(v int16, txn, group string, p int64, e int16) *kmsg.AddOffsetsToTxnRequest {
		return at(v, &kmsg.AddOffsetsToTxnRequest{TransactionalID: txn, ProducerID: p, ProducerEpoch: e, Group: group})
	}
	describe := func(what string, txns ...string) {
		s.send(what, latest(&kmsg.DescribeTransactionsRequest{TransactionalIDs: txns}))
	}
	// The old generation: every version of each request once, commit and abort in turn.
	for v := range int16(5) {
		txn := fmt.Sprintf("txns-old-%d", v)
		p, e := begin(txn, v)
		av := min(v, 3)
		s.send("produce before the partition is added", produceTxn(11, txn, 0, records(p, e, 0)))
		s.send("add", add(av, txn, p, e, "txns", 0, 1))
		s.send("add again", add(av, txn, p, e, "txns", 0))
		s.send("add an unknown topic", add(av, txn, p, e, "txns-nowhere", 0))
		s.send("add an unknown partition", add(av, txn, p, e, "txns", 9))
		s.send("produce", produceTxn(11, txn, 0, records(p, e, 0)))
		s.send("add offsets", addOffsets(min(v, 4), txn, txn, p, e))
		s.send("commit offsets", offsets(min(v, 4), txn, txn, p, e, 5+int64(v)))
		s.send("read offsets that are not stable", latest(func() *kmsg.OffsetFetchRequest {
			r := offsetFetch(txn, id, "txns", 0)
			r.RequireStable = true
			return r
		}()))
		s.send("read offsets that may not be stable", latest(offsetFetch(txn, id, "txns", 0)))
		describe("describe while it goes on", txn)
		committed := fetch("txns", id, 0, 0)
		committed.IsolationLevel = 1
		s.send("read committed while it goes on", latest(committed))
		s.send("producers while it goes on", latest(describeProducers("txns", 0)))
		last := listOffsets("txns", 0, -1, -1)
		last.IsolationLevel = 1
		s.send("last stable offset", latest(last))
		s.send("end of another epoch", end(av, txn, p, e+1, true))
		s.send("end of another producer", end(av, txn, p+1, e, true))
		s.send("end of an unknown transaction", end(av, "txns-nowhere", p, e, true))
		s.send("end", end(av, txn, p, e, v%2 == 0))
		settled(txn)
		describe("describe after its end", txn)
		s.send("end again", end(av, txn, p, e, v%2 == 0))
		s.send("end the other way", end(av, txn, p, e, v%2 != 0))
		s.send("read committed afterwards", latest(committed), until(func(r kmsg.Response) bool {
			part := r.(*kmsg.FetchResponse).Topics[0].Partitions[0]
			return part.LastStableOffset == part.HighWatermark
		}))
		s.send("read offsets afterwards", latest(offsetFetch(txn, id, "txns", 0)))
		s.send("producers afterwards", latest(describeProducers("txns", 0)))
		s.send("init again", at(v, initProducer(&txn, 60_000, -1, -1)), ready)
		s.send("produce of the old epoch", produceTxn(11, txn, 0, records(p, e, 2)))
		s.send("add of the old epoch", add(av, txn, p, e, "txns", 0))
		s.send("add offsets of the old epoch", addOffsets(min(v, 4), txn, txn, p, e))
		s.send("commit offsets of the old epoch", offsets(min(v, 4), txn, txn, p, e, 7))
	}
	// The new one (KIP-890): partitions are added by producing, each end bumps the epoch.
	for i, commits := range []bool{true, false} {
		txn := fmt.Sprintf("txns-new-%d", i)
		p, e := begin(txn, 5)
		s.send("new: end of nothing", end(5, txn, p, e, commits))
		settled(txn)
		r := ask[*kmsg.InitProducerIDResponse](s, "new: init", at(5, initProducer(&txn, 60_000, -1, -1)), ready)
		p, e = r.ProducerID, r.ProducerEpoch
		s.send("new: produce", produceTxn(13, txn, 1, records(p, e, 0)))
		s.send("new: commit offsets", offsets(5, txn, txn, p, e, 40))
		describe("new: describe", txn)
		s.send("new: verify", func() *kmsg.AddPartitionsToTxnRequest {
			r := add(5, txn, p, e, "txns", 0, 1)
			r.Transactions[0].VerifyOnly = true
			return r
		}())
		s.send("new: add as a broker", add(4, txn, p, e, "txns", 0))
		done := ask[*kmsg.EndTxnResponse](s, "new: end", end(5, txn, p, e, commits))
		settled(txn)
		s.send("new: end again", end(5, txn, p, e, commits))
		s.send("new: end the other way", end(5, txn, p, e, !commits))
		s.send("new: produce of the old epoch", produceTxn(13, txn, 1, records(p, e, 2)))
		s.send("new: produce of the next", produceTxn(13, txn, 1, records(done.ProducerID, done.ProducerEpoch, 0)))
		s.send("new: init takes it over", at(5, initProducer(&txn, 60_000, -1, -1)), ready)
		s.send("new: what was open is fenced", end(5, txn, done.ProducerID, done.ProducerEpoch, true))
		committed := fetch("txns", id, 1, 0)
		committed.IsolationLevel = 1
		s.send("new: read committed", latest(committed), until(func(r kmsg.Response) bool {
			part := r.(*kmsg.FetchResponse).Topics[0].Partitions[0]
			return part.LastStableOffset == part.HighWatermark
		}))
	}
	s.each("timeout too long", kmsg.InitProducerID, func(int16) kmsg.Request { return initProducer(ptr("txns-refused"), 900_001, -1, -1) })
	s.each("timeout 0", kmsg.InitProducerID, func(int16) kmsg.Request { return initProducer(ptr("txns-refused"), 0, -1, -1) })
	s.each("timeout -1", kmsg.InitProducerID, func(int16) kmsg.Request { return initProducer(ptr("txns-refused"), -1, -1, -1) })
	for v := int16(3); v <= 5; v++ {
		s.send("an id that it does not have", at(v, initProducer(ptr(fmt.Sprint("txns-refused-", v)), 10_000, 12345, 2)))
		s.send("an id without an epoch", at(v, initProducer(ptr("txns-refused"), 10_000, 12345, -1)))
	}
	s.each("add to an unknown transaction", kmsg.AddPartitionsToTxn, func(v int16) kmsg.Request { return add(v, "txns-nowhere", 1, 0, "txns", 0) })
	s.each("add to no transaction", kmsg.AddPartitionsToTxn, func(v int16) kmsg.Request { return add(v, "", 1, 0, "txns", 0) })
	s.each("add offsets to an unknown transaction", kmsg.AddOffsetsToTxn, func(v int16) kmsg.Request { return addOffsets(v, "txns-nowhere", "txns", 1, 0) })
	s.each("end an unknown transaction", kmsg.EndTxn, func(v int16) kmsg.Request { return end(v, "txns-nowhere", 1, 0, true) })
	s.each("commit offsets in an unknown transaction", kmsg.TxnOffsetCommit, func(v int16) kmsg.Request { return offsets(v, "txns-nowhere", "txns-unknown", 1, 0, 3) })
	s.each("commit offsets without a group", kmsg.TxnOffsetCommit, func(v int16) kmsg.Request { return offsets(v, "txns-nowhere", "", 1, 0, 3) })
	describe("describe unknown ones", "txns-nowhere", "")
	for v := range int16(3) {
		list := func(what string, edit func(*kmsg.ListTransactionsRequest)) {
			req := kmsg.NewPtrListTransactionsRequest()
			req.Version = v
			edit(req)
			s.send(what, req)
		}
		list("list", func(*kmsg.ListTransactionsRequest) {})
		list("list what goes on", func(r *kmsg.ListTransactionsRequest) { r.StateFilters = []string{"Ongoing"} })
		list("list an unknown state", func(r *kmsg.ListTransactionsRequest) { r.StateFilters = []string{"Ongoing", "Asleep"} })
		list("list another producer", func(r *kmsg.ListTransactionsRequest) { r.ProducerIDFilters = []int64{424242} })
		if v >= 1 {
			list("list old ones", func(r *kmsg.ListTransactionsRequest) { r.DurationFilterMillis = 3_600_000 })
		}
		if v >= 2 {
			list("list by a pattern", func(r *kmsg.ListTransactionsRequest) { r.TransactionalIDPattern = ptr("txns-new-.*") })
			list("list by a pattern that is none", func(r *kmsg.ListTransactionsRequest) { r.TransactionalIDPattern = ptr("(") })
		}
	}
	marker := func(v int16, topic string, partition int32, p int64, e int16, coordinator int32) *kmsg.WriteTxnMarkersRequest {
		m := kmsg.NewWriteTxnMarkersRequestMarker()
		m.ProducerID, m.ProducerEpoch, m.CoordinatorEpoch, m.TransactionVersion = p, e, coordinator, 0
		m.Topics = []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: topic, Partitions: []int32{partition}}}
		return at(v, &kmsg.WriteTxnMarkersRequest{Markers: []kmsg.WriteTxnMarkersRequestMarker{m}})
	}
	hanging := "txns-hanging"
	p, e := begin(hanging, 4)
	s.send("open", add(3, hanging, p, e, "txns", 1))
	s.send("produce in it", produceTxn(11, hanging, 1, records(p, e, 0)))
	s.each("a marker for an unknown topic", kmsg.WriteTxnMarkers, func(v int16) kmsg.Request { return marker(v, "txns-nowhere", 0, p, e, 0) })
	s.each("a marker for an unknown partition", kmsg.WriteTxnMarkers, func(v int16) kmsg.Request { return marker(v, "txns", 9, p, e, 0) })
	s.send("a marker of an old epoch", marker(1, "txns", 1, p, e-1, 0))
	s.send("a marker aborts it", marker(1, "txns", 1, p, e, 0))
	s.send("what is there", latest(fetch("txns", id, 1, 0)))
	s.send("producers at the end", latest(describeProducers("txns", 1)))
}
