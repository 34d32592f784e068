package main

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// recordsProduced in every version and with every acks.
func recordsProduced(s *session) {
	id := s.topic("produce", 2)
	s.each("all acks", kmsg.Produce, func(v int16) kmsg.Request {
		return produce("produce", id, 0, s.batch(values("a", "b")...).encode())
	})
	s.each("one ack", kmsg.Produce, func(v int16) kmsg.Request {
		req := produce("produce", id, 1, s.batch(values("a", "b")...).encode())
		req.Acks = 1
		return req
	})
	none := produce("produce", id, 1, s.batch(values("unasked")...).encode())
	none.Acks = 0
	s.send("no acks", latest(none), unanswered())
	none.Topics[0].Partitions[0].Partition = 9
	s.send("no acks of an unknown partition", latest(none), unanswered())
	s.send("what is there", latest(fetch("produce", id, 1, 0)))
	for acks := int16(-3); acks <= 4; acks++ {
		if acks >= -1 && acks <= 1 {
			continue
		}
		req := produce("produce", id, 1, s.batch(values("a")...).encode())
		req.Acks = acks
		s.send(fmt.Sprintf("acks %d", acks), latest(req))
		s.send(fmt.Sprintf("acks %d", acks), at(9, req))
	}
}

// recordsRefused: each way in which a produce request is wrong.
func recordsRefused(s *session) {
	id := s.topic("produce-refused", 1, "max.message.bytes", "1000")
	compacted := s.topic("produce-refused-compacted", 1, "cleanup.policy", "compact")
	appended := s.topic("produce-refused-appended", 1, "message.timestamp.type", "LogAppendTime")
	good := func() *batch { return s.batch(values("a", "b")...) }
	refuse := func(what string, topic string, id [16]byte, partition int32, records []byte) {
		for _, v := range []int16{3, 8, 12, 13} {
			s.send(what, at(v, produce(topic, id, partition, records)))
		}
	}
	refuse("unknown topic", "produce-refused-nowhere", [16]byte{9}, 0, good().encode())
	refuse("zero id, empty name", "", [16]byte{}, 0, good().encode())
	refuse("unknown partition", "produce-refused", id, 7, good().encode())
	refuse("negative partition", "produce-refused", id, -1, good().encode())
	edit := func(what string, change func(b *batch)) {
		b := good()
		change(b)
		refuse(what, "produce-refused", id, 0, b.encode())
	}
	edit("wrong checksum", func(b *batch) { b.badCRC = true })
	edit("magic 1", func(b *batch) { b.Magic = 1 })
	edit("magic 3", func(b *batch) { b.Magic = 3 })
	edit("first offset 5", func(b *batch) { b.FirstOffset = 5 })
	edit("more records than there are", func(b *batch) { b.NumRecords = 3 })
	edit("fewer records than there are", func(b *batch) { b.NumRecords = 1 })
	edit("last offset too large", func(b *batch) { b.LastOffsetDelta = 5 })
	edit("negative count", func(b *batch) { b.NumRecords = -1 })
	edit("control batch", func(b *batch) { b.Attributes |= 0x20 })
	edit("transactional without a producer", func(b *batch) { b.Attributes |= 0x10 })
	edit("codec 5", func(b *batch) { b.Attributes |= 5 })
	edit("codec gzip on plain bytes", func(b *batch) { b.Attributes |= 1 })
	edit("codec zstd on plain bytes", func(b *batch) { b.Attributes |= 4 })
	edit("unknown attribute", func(b *batch) { b.Attributes |= 0x100 })
	edit("append time asked for", func(b *batch) { b.Attributes |= 8 })
	edit("delete horizon", func(b *batch) { b.Attributes |= 0x40 })
	edit("a timestamp far in the future", func(b *batch) {
		b.FirstTimestamp += int64(48 * time.Hour / time.Millisecond)
		b.MaxTimestamp = b.FirstTimestamp + 1000
	})
	edit("no timestamp", func(b *batch) { b.FirstTimestamp, b.MaxTimestamp = -1, -1 })
	edit("wrong max timestamp", func(b *batch) { b.MaxTimestamp += 5000 })
	edit("leader epoch", func(b *batch) { b.PartitionLeaderEpoch = 12 })
	edit("negative sequence with a producer", func(b *batch) { b.of(4000, 0, -1) })
	edit("negative epoch with a producer", func(b *batch) { b.of(4000, -1, 0) })
	edit("sequence without a producer", func(b *batch) { b.of(-1, 0, 0) })
	edit("records cut short", func(b *batch) { b.records = b.records[:len(b.records)-2] })
	edit("bytes after the records", func(b *batch) { b.records = append(b.records, 0, 0) })
	edit("no records", func(b *batch) { b.records, b.NumRecords, b.LastOffsetDelta = nil, 0, -1 })
	big := s.batch(rec{value: make([]byte, 1200)})
	refuse("larger than max.message.bytes", "produce-refused", id, 0, big.encode())
	refuse("two batches", "produce-refused", id, 0, append(good().encode(), good().encode()...))
	whole := good().encode()
	refuse("cut in the middle", "produce-refused", id, 0, whole[:len(whole)-5])
	refuse("cut in the header", "produce-refused", id, 0, whole[:40])
	refuse("bytes after the batch", "produce-refused", id, 0, append(good().encode(), 1, 2, 3))
	long := good().encode()
	long[8], long[9] = 0x7f, 0xff
	refuse("length beyond the bytes", "produce-refused", id, 0, long)
	short := good().encode()
	short[8], short[9], short[10], short[11] = 0, 0, 0, 5
	refuse("length below the smallest", "produce-refused", id, 0, short)
	refuse("no key on a compacted topic", "produce-refused-compacted", compacted, 0, s.batch(rec{value: []byte("x")}).encode())
	refuse("no value on a compacted topic", "produce-refused-compacted", compacted, 0, s.batch(rec{key: []byte("x")}).encode())
	refuse("on a topic with append time", "produce-refused-appended", appended, 0, good().encode())
	s.send("what is there", latest(fetch("produce-refused", id, 0, 0)))
	s.send("what is there with append time", latest(fetch("produce-refused-appended", appended, 0, 0)))
	many := produce("produce-refused", id, 0, good().encode())
	many.Topics[0].Partitions = append(many.Topics[0].Partitions, produce("", id, 3, good().encode()).Topics[0].Partitions...)
	s.send("a good and a bad partition", latest(many))
	txn := produce("produce-refused", id, 0, good().encode())
	txn.TransactionID = ptr("produce-refused-txn")
	s.send("transactional id without transactional batches", latest(txn))
	s.send("transactional id without transactional batches", at(11, txn))
}

// recordsFetched in every version, and each way in which a fetch is wrong.
func recordsFetched(s *session) {
	id := s.topic("fetch", 2)
	for i := range 5 {
		s.send("prepare", latest(produce("fetch", id, 0, s.batch(values(fmt.Sprint("a", i), fmt.Sprint("b", i))...).encode())), preparing())
	}
	s.each("from the beginning", kmsg.Fetch, func(int16) kmsg.Request { return fetch("fetch", id, 0, 0) })
	s.each("in the middle of a batch", kmsg.Fetch, func(int16) kmsg.Request { return fetch("fetch", id, 0, 3) })
	s.each("at the end", kmsg.Fetch, func(int16) kmsg.Request { return fetch("fetch", id, 0, 10) })
	s.each("beyond the end", kmsg.Fetch, func(int16) kmsg.Request { return fetch("fetch", id, 0, 11) })
	s.each("offset -1", kmsg.Fetch, func(int16) kmsg.Request { return fetch("fetch", id, 0, -1) })
	s.each("unknown topic", kmsg.Fetch, func(int16) kmsg.Request { return fetch("fetch-nowhere", [16]byte{5}, 0, 0) })
	s.each("unknown partition", kmsg.Fetch, func(int16) kmsg.Request { return fetch("fetch", id, 9, 0) })
	s.each("zero id, empty name", kmsg.Fetch, func(int16) kmsg.Request { return fetch("", [16]byte{}, 0, 0) })
	s.each("read committed", kmsg.Fetch, func(int16) kmsg.Request {
		req := fetch("fetch", id, 0, 2)
		req.IsolationLevel = 1
		return req
	})
	s.each("one byte", kmsg.Fetch, func(int16) kmsg.Request {
		req := fetch("fetch", id, 0, 4)
		req.MaxBytes, req.Topics[0].Partitions[0].PartitionMaxBytes = 1, 1
		return req
	})
	change := func(what string, edit func(*kmsg.FetchRequest)) {
		for _, v := range []int16{7, 11, 12, 13, 18} {
			req := fetch("fetch", id, 0, 2)
			edit(req)
			s.send(what, at(v, req))
		}
	}
	change("of 200 bytes", func(r *kmsg.FetchRequest) { r.Topics[0].Partitions[0].PartitionMaxBytes = 200 })
	change("of 0 bytes", func(r *kmsg.FetchRequest) { r.Topics[0].Partitions[0].PartitionMaxBytes = 0 })
	change("in all of 0 bytes", func(r *kmsg.FetchRequest) { r.MaxBytes = 0 })
	change("with a future epoch", func(r *kmsg.FetchRequest) { r.Topics[0].Partitions[0].CurrentLeaderEpoch = 5 })
	change("with the epoch", func(r *kmsg.FetchRequest) { r.Topics[0].Partitions[0].CurrentLeaderEpoch = 0 })
	change("with the epoch of what came last", func(r *kmsg.FetchRequest) { r.Topics[0].Partitions[0].LastFetchedEpoch = 0 })
	change("with a future epoch of what came last", func(r *kmsg.FetchRequest) { r.Topics[0].Partitions[0].LastFetchedEpoch = 9 })
	change("with a log start offset", func(r *kmsg.FetchRequest) { r.Topics[0].Partitions[0].LogStartOffset = 1 })
	change("isolation level 2", func(r *kmsg.FetchRequest) { r.IsolationLevel = 2 })
	change("two partitions", func(r *kmsg.FetchRequest) {
		r.Topics[0].Partitions = append(r.Topics[0].Partitions, fetch("fetch", id, 1, 0).Topics[0].Partitions...)
	})
	change("the same twice", func(r *kmsg.FetchRequest) { r.Topics = append(r.Topics, fetch("fetch", id, 0, 4).Topics...) })
	change("waits for more than there is", func(r *kmsg.FetchRequest) { r.MinBytes, r.MaxWaitMillis = 1<<20, 50 })
	change("no topics", func(r *kmsg.FetchRequest) { r.Topics = nil })
	change("as a replica that is not there", func(r *kmsg.FetchRequest) { r.ReplicaID, r.ReplicaState.ID, r.ReplicaState.Epoch = 7, 7, 1 })
	change("as a debugger", func(r *kmsg.FetchRequest) { r.ReplicaID, r.ReplicaState.ID = -2, -2 })
	change("rack", func(r *kmsg.FetchRequest) { r.Rack = "rack-9" })
}
