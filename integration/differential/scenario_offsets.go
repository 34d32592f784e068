package main

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// fill produces batches of two records each, at a second's distance, as a preparation.
func (s *session) fill(topic string, id [16]byte, partition int32, batches int) {
	for i := range batches {
		recs := values(fmt.Sprint("a", i), fmt.Sprint("b", i))
		for j := range recs {
			recs[j].after += 10 * recs[0].after
		}
		resp := ask[*kmsg.ProduceResponse](s, "fill", latest(produce(topic, id, partition, s.batch(recs...).encode())), preparing())
		if c := resp.Topics[0].Partitions[0].ErrorCode; c != 0 {
			panic("fill " + topic + ": " + code(c))
		}
	}
}

// offsetsListed: ListOffsets, OffsetForLeaderEpoch and DeleteRecords.
func offsetsListed(s *session) {
	id := s.topic("offsets", 2)
	s.fill("offsets", id, 0, 4)
	base := s.base.UnixMilli()
	for _, c := range []struct {
		what string
		at   int64
	}{
		{"latest", -1}, {"earliest", -2}, {"max timestamp", -3}, {"earliest local", -4}, {"latest tiered", -5}, {"earliest pending upload", -6}, {"-7", -7}, {"-100", -100},
		{"time 0", 0}, {"before the first", base - 1}, {"of the first", base}, {"of the second", base + 1000}, {"between", base + 500}, {"after the last", base + 5000},
	} {
		s.each(c.what, kmsg.ListOffsets, func(int16) kmsg.Request { return listOffsets("offsets", 0, c.at, -1) })
	}
	s.each("latest of an empty partition", kmsg.ListOffsets, func(int16) kmsg.Request { return listOffsets("offsets", 1, -1, -1) })
	s.each("max timestamp of an empty partition", kmsg.ListOffsets, func(int16) kmsg.Request { return listOffsets("offsets", 1, -3, -1) })
	s.each("time in an empty partition", kmsg.ListOffsets, func(int16) kmsg.Request { return listOffsets("offsets", 1, base, -1) })
	s.each("of an unknown topic", kmsg.ListOffsets, func(int16) kmsg.Request { return listOffsets("offsets-nowhere", 0, -1, -1) })
	s.each("of an unknown partition", kmsg.ListOffsets, func(int16) kmsg.Request { return listOffsets("offsets", 9, -1, -1) })
	s.each("with the epoch", kmsg.ListOffsets, func(int16) kmsg.Request { return listOffsets("offsets", 0, -1, 0) })
	s.each("with a future epoch", kmsg.ListOffsets, func(int16) kmsg.Request { return listOffsets("offsets", 0, -1, 3) })
	s.each("read committed", kmsg.ListOffsets, func(int16) kmsg.Request {
		req := listOffsets("offsets", 0, -1, -1)
		req.IsolationLevel = 1
		return req
	})
	s.each("a partition twice", kmsg.ListOffsets, func(int16) kmsg.Request {
		req := listOffsets("offsets", 0, -1, -1)
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, req.Topics[0].Partitions[0])
		return req
	})

	epoch := func(topic string, partition, current, of int32) *kmsg.OffsetForLeaderEpochRequest {
		req := kmsg.NewPtrOffsetForLeaderEpochRequest()
		req.ReplicaID = -1
		req.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{
			{Partition: partition, CurrentLeaderEpoch: current, LeaderEpoch: of},
		}}}
		return req
	}
	for _, c := range []struct {
		what                   string
		topic                  string
		partition, current, of int32
	}{
		{"epoch 0", "offsets", 0, -1, 0}, {"epoch 1", "offsets", 0, -1, 1}, {"epoch -1", "offsets", 0, -1, -1}, {"current", "offsets", 0, 0, 0}, {"future", "offsets", 0, 4, 0},
		{"empty", "offsets", 1, -1, 0}, {"unknown partition", "offsets", 7, -1, 0}, {"unknown topic", "offsets-nowhere", 0, -1, 0},
	} {
		s.each("end of epoch: "+c.what, kmsg.OffsetForLeaderEpoch, func(int16) kmsg.Request { return epoch(c.topic, c.partition, c.current, c.of) })
	}

	del := func(topic string, partition int32, offset int64) *kmsg.DeleteRecordsRequest {
		req := kmsg.NewPtrDeleteRecordsRequest()
		req.TimeoutMillis = 10_000
		req.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: partition, Offset: offset}}}}
		return req
	}
	s.each("delete", kmsg.DeleteRecords, func(v int16) kmsg.Request { return del("offsets", 0, 1+int64(v)) })
	s.each("delete below the start", kmsg.DeleteRecords, func(int16) kmsg.Request { return del("offsets", 0, 1) })
	s.each("delete beyond the end", kmsg.DeleteRecords, func(int16) kmsg.Request { return del("offsets", 0, 9) })
	s.each("delete -2", kmsg.DeleteRecords, func(int16) kmsg.Request { return del("offsets", 0, -2) })
	s.each("delete in an unknown topic", kmsg.DeleteRecords, func(int16) kmsg.Request { return del("offsets-nowhere", 0, 1) })
	s.each("delete in an unknown partition", kmsg.DeleteRecords, func(int16) kmsg.Request { return del("offsets", 5, 1) })
	s.send("earliest after it", latest(listOffsets("offsets", 0, -2, -1)))
	s.send("fetch below the start", latest(fetch("offsets", id, 0, 0)))
	s.send("fetch at the start", latest(fetch("offsets", id, 0, 3)))
	s.send("delete all", latest(del("offsets", 0, -1)))
	s.send("earliest after all", latest(listOffsets("offsets", 0, -2, -1)))
	s.send("max timestamp after all", latest(listOffsets("offsets", 0, -3, -1)))
	compacted := s.topic("offsets-compacted", 1, "cleanup.policy", "compact")
	s.fill("offsets-compacted", compacted, 0, 1)
	s.each("delete in a compacted topic", kmsg.DeleteRecords, func(int16) kmsg.Request { return del("offsets-compacted", 0, 1) })
}

// fetchSessions: KIP-227.
func fetchSessions(s *session) {
	id := s.topic("sessions", 2)
	s.fill("sessions", id, 0, 2)
	start := func(v int16) *kmsg.FetchRequest {
		req := fetch("sessions", id, 0, 0)
		req.Version, req.SessionEpoch = v, 0
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, fetch("sessions", id, 1, 0).Topics[0].Partitions...)
		return req
	}
	next := func(v int16, session, epoch int32) *kmsg.FetchRequest {
		req := fetch("sessions", id, 0, 0)
		req.Version, req.SessionID, req.SessionEpoch, req.Topics = v, session, epoch, nil
		return req
	}
	for _, v := range []int16{7, 12, 13, 18} {
		sid := ask[*kmsg.FetchResponse](s, "begin", start(v)).SessionID
		s.send("next", next(v, sid, 1))
		s.send("an epoch again", next(v, sid, 1))
		s.send("an epoch too far", next(v, sid, 9))
		moved := next(v, sid, 2)
		moved.Topics = fetch("sessions", id, 0, 4).Topics
		s.send("moved to the end", moved)
		s.fill("sessions", id, 1, 1)
		s.send("what is new", next(v, sid, 3))
		forget := next(v, sid, 4)
		forget.ForgottenTopics = []kmsg.FetchRequestForgottenTopic{{Topic: "sessions", TopicID: id, Partitions: []int32{1}}}
		s.send("without one partition", forget)
		s.send("end", next(v, sid, -1))
		s.send("after its end", next(v, sid, 5))
		s.send("of a session that never was", next(v, sid+1, 1))
		bad := start(v)
		bad.Topics = append(bad.Topics, fetch("sessions-nowhere", [16]byte{3}, 0, 0).Topics...)
		sid = ask[*kmsg.FetchResponse](s, "with an unknown topic", bad).SessionID
		s.send("and again", next(v, sid, 1))
	}
}
