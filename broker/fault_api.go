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
	APISaslHandshake           = 1 + API(kmsg.SASLHandshake)
	APISaslAuthenticate        = 1 + API(kmsg.SASLAuthenticate)
	APIDescribeAcls            = 1 + API(kmsg.DescribeACLs)
	APICreateAcls              = 1 + API(kmsg.CreateACLs)
	APIDeleteAcls              = 1 + API(kmsg.DeleteACLs)
	APIDescribeScramUsers      = 1 + API(kmsg.DescribeUserSCRAMCredentials)
	APIAlterScramUsers         = 1 + API(kmsg.AlterUserSCRAMCredentials)
	APIApiVersions             = 1 + API(kmsg.ApiVersions)
	APICreateTopics            = 1 + API(kmsg.CreateTopics)
	APIDeleteTopics            = 1 + API(kmsg.DeleteTopics)
	APIDeleteRecords           = 1 + API(kmsg.DeleteRecords)
	APIDescribeLogDirs         = 1 + API(kmsg.DescribeLogDirs)
	APIAlterReplicaLogDirs     = 1 + API(kmsg.AlterReplicaLogDirs)
	APIInitProducerID          = 1 + API(kmsg.InitProducerID)
	APIOffsetForLeaderEpoch    = 1 + API(kmsg.OffsetForLeaderEpoch)
	APIDescribeConfigs         = 1 + API(kmsg.DescribeConfigs)
	APIAlterConfigs            = 1 + API(kmsg.AlterConfigs)
	APICreatePartitions        = 1 + API(kmsg.CreatePartitions)
	APIDeleteGroups            = 1 + API(kmsg.DeleteGroups)
	APIIncrementalAlterConfigs = 1 + API(kmsg.IncrementalAlterConfigs)
	APIAddPartitionsToTxn      = 1 + API(kmsg.AddPartitionsToTxn)
	APIAddOffsetsToTxn         = 1 + API(kmsg.AddOffsetsToTxn)
	APIEndTxn                  = 1 + API(kmsg.EndTxn)
	// APIWriteTxnMarkers is also what transaction coordinators send to the leaders of partitions.
	APIWriteTxnMarkers             = 1 + API(kmsg.WriteTxnMarkers)
	APITxnOffsetCommit             = 1 + API(kmsg.TxnOffsetCommit)
	APIDescribeProducers           = 1 + API(kmsg.DescribeProducers)
	APIDescribeTransactions        = 1 + API(kmsg.DescribeTransactions)
	APIListTransactions            = 1 + API(kmsg.ListTransactions)
	APIOffsetDelete                = 1 + API(kmsg.OffsetDelete)
	APIDescribeCluster             = 1 + API(kmsg.DescribeCluster)
	APIConsumerGroupHeartbeat      = 1 + API(kmsg.ConsumerGroupHeartbeat)
	APIConsumerGroupDescribe       = 1 + API(kmsg.ConsumerGroupDescribe)
	APIUpdateFeatures              = 1 + API(kmsg.UpdateFeatures)
	APIGetTelemetrySubscriptions   = 1 + API(kmsg.GetTelemetrySubscriptions)
	APIPushTelemetry               = 1 + API(kmsg.PushTelemetry)
	APIDescribeClientQuotas        = 1 + API(kmsg.DescribeClientQuotas)
	APIAlterClientQuotas           = 1 + API(kmsg.AlterClientQuotas)
	APIListConfigResources         = 1 + API(kmsg.ListConfigResources)
	APIElectLeaders                = 1 + API(kmsg.ElectLeaders)
	APIAlterPartitionReassignments = 1 + API(kmsg.AlterPartitionAssignments)
	APIListPartitionReassignments  = 1 + API(kmsg.ListPartitionReassignments)
	APIDescribeQuorum              = 1 + API(kmsg.DescribeQuorum)
	APIUnregisterBroker            = 1 + API(kmsg.UnregisterBroker)
	APIDescribeTopicPartitions     = 1 + API(kmsg.DescribeTopicPartitions)
	APIShareGroupHeartbeat         = 1 + API(kmsg.ShareGroupHeartbeat)
	APIShareGroupDescribe          = 1 + API(kmsg.ShareGroupDescribe)
	APIShareFetch                  = 1 + API(kmsg.ShareFetch)
	APIShareAcknowledge            = 1 + API(kmsg.ShareAcknowledge)
	APIDescribeShareGroupOffsets   = 1 + API(kmsg.DescribeShareGroupOffsets)
	APIAlterShareGroupOffsets      = 1 + API(kmsg.AlterShareGroupOffsets)
	APIDeleteShareGroupOffsets     = 1 + API(kmsg.DeleteShareGroupOffsets)
)

func apiWithKey(key int16) API { return API(key) + 1 }

// String returns Kafka's name of the request.
func (a API) String() string {
	if a == AnyAPI {
		return "any API"
	}
	return kmsg.NameForKey(int16(a) - 1)
}

// topicName returns the name of a topic that a request names by name or by id, "" for an id that is not known.
func (r *request) topicName(name string, id topicID) string {
	if name == "" {
		if t := r.node.cluster.lookupID(id); t != nil {
			return t.name
		}
	}
	return name
}

// target is a topic or partition that a request names; the partition is -1 in requests about whole topics.
type target struct {
	topic     string
	partition int32
}

// targets lists what a request names. An OffsetFetch that asks for everything names nothing.
func (r *request) targets() (ts []target) {
	add := func(topic string, partition int32) { ts = append(ts, target{topic, partition}) }
	each := func(topic string, partitions []int32) {
		for _, p := range partitions {
			add(topic, p)
		}
	}
	whole := func(name *string, id topicID) {
		if name == nil {
			name = new(string)
		}
		add(r.topicName(*name, id), -1)
	}
	switch req := r.msg.(type) {
	case *kmsg.ProduceRequest:
		for _, t := range req.Topics {
			name := r.topicName(t.Topic, t.TopicID)
			for _, p := range t.Partitions {
				add(name, p.Partition)
			}
		}
	case *kmsg.FetchRequest:
		for _, p := range r.fetch.parts {
			add(r.topicName(p.name, p.id), p.index)
		}
	case *kmsg.ShareFetchRequest:
		for _, tp := range r.sharedTargets() {
			add(r.topicName("", tp.Topic), tp.Partition)
		}
	case *kmsg.ShareAcknowledgeRequest:
		for _, t := range req.Topics {
			for _, p := range t.Partitions {
				add(r.topicName("", t.TopicID), p.Partition)
			}
		}
	case *kmsg.AlterShareGroupOffsetsRequest:
		for _, t := range req.Topics {
			for _, p := range t.Partitions {
				add(t.Topic, p.Partition)
			}
		}
	case *kmsg.ListOffsetsRequest:
		for _, t := range req.Topics {
			for _, p := range t.Partitions {
				add(t.Topic, p.Partition)
			}
		}
	case *kmsg.OffsetForLeaderEpochRequest:
		for _, t := range req.Topics {
			for _, p := range t.Partitions {
				add(t.Topic, p.Partition)
			}
		}
	case *kmsg.DeleteRecordsRequest:
		for _, t := range req.Topics {
			for _, p := range t.Partitions {
				add(t.Topic, p.Partition)
			}
		}
	case *kmsg.DescribeLogDirsRequest:
		for _, t := range req.Topics {
			each(t.Topic, t.Partitions)
		}
	case *kmsg.AlterReplicaLogDirsRequest:
		for _, d := range req.Dirs {
			for _, t := range d.Topics {
				each(t.Topic, t.Partitions)
			}
		}
	case *kmsg.ElectLeadersRequest:
		for _, t := range req.Topics {
			each(t.Topic, t.Partitions)
		}
	case *kmsg.AlterPartitionAssignmentsRequest:
		for _, t := range req.Topics {
			for _, p := range t.Partitions {
				add(t.Topic, p.Partition)
			}
		}
	case *kmsg.ListPartitionReassignmentsRequest:
		for _, t := range req.Topics {
			each(t.Topic, t.Partitions)
		}
	case *kmsg.OffsetCommitRequest:
		for _, t := range req.Topics {
			name := r.topicName(t.Topic, t.TopicID)
			for _, p := range t.Partitions {
				add(name, p.Partition)
			}
		}
	case *kmsg.OffsetFetchRequest:
		for _, t := range req.Topics {
			each(t.Topic, t.Partitions)
		}
		for _, g := range req.Groups {
			for _, t := range g.Topics {
				each(r.topicName(t.Topic, t.TopicID), t.Partitions)
			}
		}
	case *kmsg.AddPartitionsToTxnRequest:
		for _, t := range req.Topics {
			each(t.Topic, t.Partitions)
		}
		for _, txn := range req.Transactions {
			for _, t := range txn.Topics {
				each(t.Topic, t.Partitions)
			}
		}
	case *kmsg.WriteTxnMarkersRequest:
		for _, m := range req.Markers {
			for _, t := range m.Topics {
				each(t.Topic, t.Partitions)
			}
		}
	case *kmsg.TxnOffsetCommitRequest:
		for _, t := range req.Topics {
			for _, p := range t.Partitions {
				add(t.Topic, p.Partition)
			}
		}
	case *kmsg.DescribeProducersRequest:
		for _, t := range req.Topics {
			each(t.Topic, t.Partitions)
		}
	case *kmsg.MetadataRequest:
		for _, t := range req.Topics {
			whole(t.Topic, t.TopicID)
		}
	case *kmsg.CreateTopicsRequest:
		for _, t := range req.Topics {
			whole(&t.Topic, topicID{})
		}
	case *kmsg.CreatePartitionsRequest:
		for _, t := range req.Topics {
			whole(&t.Topic, topicID{})
		}
	case *kmsg.DeleteTopicsRequest:
		for _, name := range req.TopicNames {
			whole(&name, topicID{})
		}
		for _, t := range req.Topics {
			whole(t.Topic, t.TopicID)
		}
	case *kmsg.DescribeConfigsRequest:
		for _, q := range req.Resources {
			if q.ResourceType == kmsg.ConfigResourceTypeTopic {
				whole(&q.ResourceName, topicID{})
			}
		}
	case *kmsg.AlterConfigsRequest:
		for _, q := range req.Resources {
			if q.ResourceType == kmsg.ConfigResourceTypeTopic {
				whole(&q.ResourceName, topicID{})
			}
		}
	case *kmsg.IncrementalAlterConfigsRequest:
		for _, q := range req.Resources {
			if q.ResourceType == kmsg.ConfigResourceTypeTopic {
				whole(&q.ResourceName, topicID{})
			}
		}
	}
	return ts
}

// groups returns the groups that a request names.
func (r *request) groups() []string {
	switch req := r.msg.(type) {
	case *kmsg.FindCoordinatorRequest:
		if req.CoordinatorType != coordinatesGroup {
			return nil
		}
		return append(req.CoordinatorKeys, req.CoordinatorKey)
	case *kmsg.AddOffsetsToTxnRequest:
		return []string{req.Group}
	case *kmsg.TxnOffsetCommitRequest:
		return []string{req.Group}
	case *kmsg.DescribeGroupsRequest:
		return req.Groups
	case *kmsg.DeleteGroupsRequest:
		return req.Groups
	case *kmsg.ConsumerGroupDescribeRequest:
		return req.Groups
	case *kmsg.ShareGroupDescribeRequest:
		return req.GroupIDs
	case *kmsg.ShareFetchRequest:
		return nameOrNone(req.GroupID)
	case *kmsg.ShareAcknowledgeRequest:
		return nameOrNone(req.GroupID)
	case *kmsg.DescribeShareGroupOffsetsRequest:
		var names []string
		for _, g := range req.Groups {
			names = append(names, g.GroupID)
		}
		return names
	case *kmsg.OffsetFetchRequest:
		names := []string{req.Group}
		for _, g := range req.Groups {
			names = append(names, g.Group)
		}
		return names
	}
	return []string{groupOf(r.msg)}
}

// nameOrNone is a name that a request need not have.
func nameOrNone(name *string) []string {
	if name == nil {
		return nil
	}
	return []string{*name}
}

// transactionalIDs returns the transactional ids that a request names.
func (r *request) transactionalIDs() []string {
	switch req := r.msg.(type) {
	case *kmsg.ProduceRequest:
		if req.TransactionID != nil {
			return []string{*req.TransactionID}
		}
	case *kmsg.InitProducerIDRequest:
		if req.TransactionalID != nil {
			return []string{*req.TransactionalID}
		}
	case *kmsg.FindCoordinatorRequest:
		if req.CoordinatorType == coordinatesTxn {
			return append(req.CoordinatorKeys, req.CoordinatorKey)
		}
	case *kmsg.AddPartitionsToTxnRequest:
		ids := []string{req.TransactionalID}
		for _, t := range req.Transactions {
			ids = append(ids, t.TransactionalID)
		}
		return ids
	case *kmsg.AddOffsetsToTxnRequest:
		return []string{req.TransactionalID}
	case *kmsg.EndTxnRequest:
		return []string{req.TransactionalID}
	case *kmsg.TxnOffsetCommitRequest:
		return []string{req.TransactionalID}
	case *kmsg.DescribeTransactionsRequest:
		return req.TransactionalIDs
	}
	return nil
}
