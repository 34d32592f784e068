package main

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// replicas: three brokers, replicas where they are told to be.
func replicas(s *session) {
	id := s.makeTopic(assigned("replicas", [][]int32{{1, 2}, {2, 3}, {3, 1}}, "min.insync.replicas", "2"))
	for b := int32(1); b <= 3; b++ {
		s.send(fmt.Sprintf("metadata of broker %d", b), latest(metadata("replicas")), to(b))
	}
	ends := map[int32]int64{3: 8} // where partition 2 ends, at its leader, when each broker is asked for it
	for b := int32(1); b <= 3; b++ {
		for _, v := range []int16{9, 13} {
			s.send(fmt.Sprintf("produce to broker %d", b), at(v, produce("replicas", id, 0, s.batch(values("a", "b")...).encode())), to(b))
			s.send(fmt.Sprintf("produce to broker %d without a replica", b), at(v, produce("replicas", id, 2, s.batch(values("a", "b")...).encode())), to(b))
			ack := produce("replicas", id, 2, s.batch(values("a", "b")...).encode())
			ack.Acks = 1
			s.send(fmt.Sprintf("produce to broker %d with one ack", b), at(v, ack), to(b))
		}
		for _, v := range []int16{4, 11, 12, 13, 18} {
			s.send(fmt.Sprintf("fetch from broker %d", b), at(v, fetch("replicas", id, 0, 0)), to(b), until(caughtUp(4)))
			s.send(fmt.Sprintf("fetch of one replica from broker %d", b), at(v, fetch("replicas", id, 2, 0)), to(b), until(caughtUp(ends[b])))
			epoch := fetch("replicas", id, 0, 0)
			epoch.Topics[0].Partitions[0].CurrentLeaderEpoch = 7
			s.send(fmt.Sprintf("fetch with a future epoch from broker %d", b), at(v, epoch), to(b))
		}
		s.each(fmt.Sprintf("list offsets of broker %d", b), kmsg.ListOffsets, func(int16) kmsg.Request { return listOffsets("replicas", 0, -2, -1) }, to(b))
		s.each(fmt.Sprintf("delete records at broker %d", b), kmsg.DeleteRecords, func(int16) kmsg.Request {
			return &kmsg.DeleteRecordsRequest{TimeoutMillis: 10_000, Topics: []kmsg.DeleteRecordsRequestTopic{{Topic: "replicas", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: 1, Offset: 0}}}}}
		}, to(b))
		end := kmsg.NewPtrOffsetForLeaderEpochRequest()
		end.ReplicaID = -1
		end.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: "replicas", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{Partition: 0, CurrentLeaderEpoch: -1}}}}
		s.send(fmt.Sprintf("end of epoch 0 at broker %d", b), latest(end), to(b))
		s.send(fmt.Sprintf("producers at broker %d", b), latest(describeProducers("replicas", 0)), to(b))
		dirs := kmsg.NewPtrDescribeLogDirsRequest()
		dirs.Topics = []kmsg.DescribeLogDirsRequestTopic{{Topic: "replicas", Partitions: []int32{0, 1, 2}}}
		s.send(fmt.Sprintf("log dirs of broker %d", b), latest(dirs), to(b))
	}
	s.send("the cluster", latest(kmsg.NewPtrDescribeClusterRequest()), to(2))
	refuse := func(what string, t kmsg.CreateTopicsRequestTopic) { s.send(what, latest(createTopics(t))) }
	refuse("four replicas", newTopic("replicas-refused", 1, 4))
	refuse("a broker that is not there", assigned("replicas-refused", [][]int32{{1, 4}}))
	refuse("different numbers of replicas", assigned("replicas-refused", [][]int32{{1, 2}, {3}}))

	assign := func(what string, partition int32, to []int32) {
		req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
		req.TimeoutMillis = 10_000
		req.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: "replicas", Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Partition: partition, Replicas: to}}}}
		s.send(what, latest(req))
		s.send(what+": done", latest(kmsg.NewPtrListPartitionReassignmentsRequest()), until(func(r kmsg.Response) bool {
			return len(r.(*kmsg.ListPartitionReassignmentsResponse).Topics) == 0
		}))
	}
	assign("another order", 0, []int32{2, 1})
	elect := kmsg.NewPtrElectLeadersRequest()
	elect.TimeoutMillis = 10_000
	elect.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: "replicas", Partitions: []int32{0}}}
	s.send("elect the preferred", latest(elect))
	s.send("elected", latest(metadata("replicas")), until(func(r kmsg.Response) bool { return r.(*kmsg.MetadataResponse).Topics[0].Partitions[0].Leader == 2 }))
	s.send("elect again", latest(elect))
	stale := fetch("replicas", id, 0, 0)
	stale.Topics[0].Partitions[0].CurrentLeaderEpoch = 0
	s.send("fetch with a stale epoch", latest(stale), to(2), until(func(r kmsg.Response) bool { // metadata names the leader a moment before it knows itself
		return fetchCode(r) == kerr.FencedLeaderEpoch.Code
	}))
	probe := fetch("replicas", id, 0, 0)
	probe.Topics[0].Partitions[0].CurrentLeaderEpoch = 0
	s.send("", latest(probe), to(1), preparing(), until(func(r kmsg.Response) bool { return fetchCode(r) == kerr.FencedLeaderEpoch.Code }))
	s.send("fetch from the old leader", latest(fetch("replicas", id, 0, 0)), to(1), until(caughtUp(4)))
	s.send("produce to the old leader", latest(produce("replicas", id, 0, s.batch(values("c")...).encode())), to(1))
	s.send("produce to the new leader", latest(produce("replicas", id, 0, s.batch(values("c")...).encode())), to(2))
	assign("to another broker", 2, []int32{1, 2})
	s.send("moved", latest(metadata("replicas")), until(func(r kmsg.Response) bool {
		for _, p := range r.(*kmsg.MetadataResponse).Topics[0].Partitions {
			if p.Partition == 2 && p.Leader != 1 {
				return false
			}
		}
		return true
	}))
	many := s.makeTopic(assigned("replicas-min", [][]int32{{3}}, "min.insync.replicas", "2"))
	s.send("fewer in-sync replicas than it takes", latest(produce("replicas-min", many, 0, s.batch(values("a")...).encode())), to(3))
	s.send("in version 9", at(9, produce("replicas-min", many, 0, s.batch(values("a")...).encode())), to(3))
}

// fetchCode is the error of the first partition that a fetch asked for.
func fetchCode(r kmsg.Response) int16 {
	for _, t := range r.(*kmsg.FetchResponse).Topics {
		for _, p := range t.Partitions {
			return p.ErrorCode
		}
	}
	return r.(*kmsg.FetchResponse).ErrorCode
}

// caughtUp says that a fetch shows no partition whose high watermark the answering replica has yet to hear of: a follower hears of it with its next
// fetch, after the producer has its answer.
func caughtUp(highWatermark int64) func(kmsg.Response) bool {
	return func(r kmsg.Response) bool {
		for _, t := range r.(*kmsg.FetchResponse).Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode == 0 && p.HighWatermark < highWatermark {
					return false
				}
			}
		}
		return true
	}
}
