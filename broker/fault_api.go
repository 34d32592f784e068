package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// API is one of Kafka's requests. The zero value stands for any.
type API int16

// AnyAPI matches every request.
const AnyAPI API = 0

// The requests that the broker serves, under Kafka's names.
const (
	APIProduce API = 1 + API(iota)
	APIFetch
	APIListOffsets
	APIMetadata
	APIOffsetCommit            = 1 + API(kmsg.OffsetCommit)
	APIOffsetFetch             = 1 + API(kmsg.OffsetFetch)
	APIFindCoordinator         = 1 + API(kmsg.FindCoordinator)
	APIJoinGroup               = 1 + API(kmsg.JoinGroup)
	APIHeartbeat               = 1 + API(kmsg.Heartbeat)
	APILeaveGroup              = 1 + API(kmsg.LeaveGroup)
	APISyncGroup               = 1 + API(kmsg.SyncGroup)
	APIDescribeGroups          = 1 + API(kmsg.DescribeGroups)
	APIListGroups              = 1 + API(kmsg.ListGroups)
	APIApiVersions             = 1 + API(kmsg.ApiVersions)
	APICreateTopics            = 1 + API(kmsg.CreateTopics)
	APIDeleteTopics            = 1 + API(kmsg.DeleteTopics)
	APIDeleteRecords           = 1 + API(kmsg.DeleteRecords)
	APIInitProducerID          = 1 + API(kmsg.InitProducerID)
	APIOffsetForLeaderEpoch    = 1 + API(kmsg.OffsetForLeaderEpoch)
	APIDescribeConfigs         = 1 + API(kmsg.DescribeConfigs)
	APIAlterConfigs            = 1 + API(kmsg.AlterConfigs)
	APICreatePartitions        = 1 + API(kmsg.CreatePartitions)
	APIDeleteGroups            = 1 + API(kmsg.DeleteGroups)
	APIIncrementalAlterConfigs = 1 + API(kmsg.IncrementalAlterConfigs)
	APIOffsetDelete            = 1 + API(kmsg.OffsetDelete)
	APIDescribeCluster         = 1 + API(kmsg.DescribeCluster)
	APIConsumerGroupHeartbeat  = 1 + API(kmsg.ConsumerGroupHeartbeat)
	APIConsumerGroupDescribe   = 1 + API(kmsg.ConsumerGroupDescribe)
	APIDescribeTopicPartitions = 1 + API(kmsg.DescribeTopicPartitions)
)

func apiWithKey(key int16) API { return API(key) + 1 }

// String returns Kafka's name of the request.
func (a API) String() string {
	if a == AnyAPI {
		return "any API"
	}
	return kmsg.NameForKey(int16(a) - 1)
}

// targets yields the topics and partitions that a request names. The partition is -1 in requests about whole topics.
func (r *request) targets() func(yield func(topic string, partition int32) bool) {
	return func(yield func(string, int32) bool) {
		name := func(topic string, id topicID) string {
			if topic == "" {
				if t := r.node.cluster.lookupID(id); t != nil {
					return t.name
				}
			}
			return topic
		}
		switch req := r.msg.(type) {
		case *kmsg.ProduceRequest:
			for _, t := range req.Topics {
				for _, p := range t.Partitions {
					if !yield(name(t.Topic, t.TopicID), p.Partition) {
						return
					}
				}
			}
		case *kmsg.FetchRequest:
			for _, p := range r.fetch.parts {
				if !yield(name(p.name, p.id), p.index) {
					return
				}
			}
		case *kmsg.ListOffsetsRequest:
			for _, t := range req.Topics {
				for _, p := range t.Partitions {
					if !yield(t.Topic, p.Partition) {
						return
					}
				}
			}
		case *kmsg.OffsetForLeaderEpochRequest:
			for _, t := range req.Topics {
				for _, p := range t.Partitions {
					if !yield(t.Topic, p.Partition) {
						return
					}
				}
			}
		case *kmsg.DeleteRecordsRequest:
			for _, t := range req.Topics {
				for _, p := range t.Partitions {
					if !yield(t.Topic, p.Partition) {
						return
					}
				}
			}
		case *kmsg.OffsetCommitRequest:
			for _, t := range req.Topics {
				for _, p := range t.Partitions {
					if !yield(name(t.Topic, t.TopicID), p.Partition) {
						return
					}
				}
			}
		case *kmsg.MetadataRequest:
			for _, t := range req.Topics {
				topic := ""
				if t.Topic != nil {
					topic = *t.Topic
				}
				if !yield(name(topic, t.TopicID), -1) {
					return
				}
			}
		case *kmsg.DescribeConfigsRequest:
			for _, q := range req.Resources {
				if q.ResourceType == kmsg.ConfigResourceTypeTopic && !yield(q.ResourceName, -1) {
					return
				}
			}
		case *kmsg.AlterConfigsRequest:
			for _, q := range req.Resources {
				if q.ResourceType == kmsg.ConfigResourceTypeTopic && !yield(q.ResourceName, -1) {
					return
				}
			}
		case *kmsg.IncrementalAlterConfigsRequest:
			for _, q := range req.Resources {
				if q.ResourceType == kmsg.ConfigResourceTypeTopic && !yield(q.ResourceName, -1) {
					return
				}
			}
		case *kmsg.CreateTopicsRequest:
			for _, t := range req.Topics {
				if !yield(t.Topic, -1) {
					return
				}
			}
		case *kmsg.CreatePartitionsRequest:
			for _, t := range req.Topics {
				if !yield(t.Topic, -1) {
					return
				}
			}
		case *kmsg.DeleteTopicsRequest:
			for _, t := range req.TopicNames {
				if !yield(t, -1) {
					return
				}
			}
			for _, t := range req.Topics {
				topic := ""
				if t.Topic != nil {
					topic = *t.Topic
				}
				if !yield(name(topic, t.TopicID), -1) {
					return
				}
			}
		}
	}
}

// groups returns the groups that a request names.
func (r *request) groups() []string {
	switch req := r.msg.(type) {
	case *kmsg.FindCoordinatorRequest:
		if req.CoordinatorType != coordinatesGroup {
			return nil
		}
		return append(req.CoordinatorKeys, req.CoordinatorKey)
	case *kmsg.DescribeGroupsRequest:
		return req.Groups
	case *kmsg.DeleteGroupsRequest:
		return req.Groups
	case *kmsg.ConsumerGroupDescribeRequest:
		return req.Groups
	case *kmsg.OffsetFetchRequest:
		names := []string{req.Group}
		for _, g := range req.Groups {
			names = append(names, g.Group)
		}
		return names
	}
	return []string{groupOf(r.msg)}
}
