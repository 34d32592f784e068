package proxy

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// namesTopics reports whether eachPartition knows the kind of request.
func namesTopics(api int16) bool {
	switch kmsg.Key(api) {
	case kmsg.Produce, kmsg.Fetch, kmsg.ListOffsets, kmsg.OffsetCommit:
		return true
	}
	return false
}

// eachPartition calls f for every partition that the request names.
func eachPartition(req kmsg.Request, names map[[16]byte]string, f func(topic string, partition int32)) {
	name := func(topic string, id [16]byte) string {
		if topic == "" {
			return names[id]
		}
		return topic
	}
	switch req := req.(type) {
	case *kmsg.ProduceRequest:
		for _, t := range req.Topics {
			for _, p := range t.Partitions {
				f(name(t.Topic, t.TopicID), p.Partition)
			}
		}
	case *kmsg.FetchRequest:
		for _, t := range req.Topics {
			for _, p := range t.Partitions {
				f(name(t.Topic, t.TopicID), p.Partition)
			}
		}
	case *kmsg.ListOffsetsRequest:
		for _, t := range req.Topics {
			for _, p := range t.Partitions {
				f(t.Topic, p.Partition)
			}
		}
	case *kmsg.OffsetCommitRequest:
		for _, t := range req.Topics {
			for _, p := range t.Partitions {
				f(name(t.Topic, t.TopicID), p.Partition)
			}
		}
	}
}

// groupOf returns the group that the request is about, "" where it is about none.
func groupOf(req kmsg.Request) string {
	switch req := req.(type) {
	case *kmsg.OffsetCommitRequest:
		return req.Group
	case *kmsg.OffsetFetchRequest:
		if len(req.Groups) > 0 {
			return req.Groups[0].Group
		}
		return req.Group
	case *kmsg.JoinGroupRequest:
		return req.Group
	case *kmsg.SyncGroupRequest:
		return req.Group
	case *kmsg.HeartbeatRequest:
		return req.Group
	case *kmsg.LeaveGroupRequest:
		return req.Group
	case *kmsg.ConsumerGroupHeartbeatRequest:
		return req.Group
	case *kmsg.TxnOffsetCommitRequest:
		return req.Group
	}
	return ""
}

// canRefuse reports whether refuse knows the kind of request.
func canRefuse(api int16) error {
	switch kmsg.Key(api) {
	case kmsg.Produce, kmsg.OffsetCommit, kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat, kmsg.InitProducerID, kmsg.EndTxn, kmsg.ConsumerGroupHeartbeat, kmsg.Fetch:
		return nil
	}
	return fmt.Errorf("a refusal of %s is not implemented", kmsg.NameForKey(api))
}

// refuse makes the answer that refuses the request with the fault's code. For a Produce of which only some partitions match, rest is the request for the
// others, which has to be forwarded, and the answer is to be merged into theirs.
func (f Fault) refuse(req kmsg.Request, names map[[16]byte]string) (answer kmsg.Response, rest *kmsg.ProduceRequest) {
	answer = req.ResponseKind()
	switch req := req.(type) {
	case *kmsg.ProduceRequest:
		return f.refuseProduce(req, names)
	case *kmsg.OffsetCommitRequest:
		resp := answer.(*kmsg.OffsetCommitResponse)
		for _, t := range req.Topics {
			rt := kmsg.NewOffsetCommitResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				rp := kmsg.NewOffsetCommitResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, f.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
	case *kmsg.JoinGroupRequest:
		answer.(*kmsg.JoinGroupResponse).ErrorCode = f.Code
	case *kmsg.SyncGroupRequest:
		answer.(*kmsg.SyncGroupResponse).ErrorCode = f.Code
	case *kmsg.HeartbeatRequest:
		answer.(*kmsg.HeartbeatResponse).ErrorCode = f.Code
	case *kmsg.InitProducerIDRequest:
		answer.(*kmsg.InitProducerIDResponse).ErrorCode = f.Code
	case *kmsg.EndTxnRequest:
		answer.(*kmsg.EndTxnResponse).ErrorCode = f.Code
	case *kmsg.ConsumerGroupHeartbeatRequest:
		answer.(*kmsg.ConsumerGroupHeartbeatResponse).ErrorCode = f.Code
	case *kmsg.FetchRequest:
		answer.(*kmsg.FetchResponse).ErrorCode = f.Code
	}
	return answer, nil
}

func (f Fault) refuseProduce(req *kmsg.ProduceRequest, names map[[16]byte]string) (kmsg.Response, *kmsg.ProduceRequest) {
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	rest := *req
	rest.Topics = nil
	for _, t := range req.Topics {
		name := t.Topic
		if name == "" {
			name = names[t.TopicID]
		}
		refused := kmsg.NewProduceResponseTopic()
		refused.Topic, refused.TopicID = t.Topic, t.TopicID
		others := t
		others.Partitions = nil
		for _, p := range t.Partitions {
			if !f.matchesPartition(name, p.Partition) {
				others.Partitions = append(others.Partitions, p)
				continue
			}
			rp := kmsg.NewProduceResponseTopicPartition()
			rp.Partition, rp.ErrorCode, rp.BaseOffset, rp.LogStartOffset = p.Partition, f.Code, -1, -1
			refused.Partitions = append(refused.Partitions, rp)
		}
		if len(refused.Partitions) > 0 {
			resp.Topics = append(resp.Topics, refused)
		}
		if len(others.Partitions) > 0 {
			rest.Topics = append(rest.Topics, others)
		}
	}
	if len(rest.Topics) == 0 {
		return resp, nil
	}
	return resp, &rest
}
