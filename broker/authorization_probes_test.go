package broker_test

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// probes are one request of every kind whose answer is an authorizer's business.
var probes = []probe{
	{"Metadata", kmsg.Metadata, func(w *wire, _ [16]byte) string {
		return w.metadata("orders", false)
	}},
	{"MetadataGhost", kmsg.Metadata, func(w *wire, _ [16]byte) string {
		return w.metadata("ghost", false)
	}},
	{"MetadataByID", kmsg.Metadata, func(w *wire, orders [16]byte) string {
		req := kmsg.NewPtrMetadataRequest()
		req.Topics = []kmsg.MetadataRequestTopic{{TopicID: orders}}
		t := ask[*kmsg.MetadataResponse](w, 12, req).Topics[0]
		return said(t.ErrorCode, t.Topic != nil, t.TopicID == orders)
	}},
	{"MetadataAll", kmsg.Metadata, func(w *wire, _ [16]byte) string {
		var names []string
		for _, t := range ask[*kmsg.MetadataResponse](w, 12, kmsg.NewPtrMetadataRequest()).Topics {
			if !strings.HasPrefix(*t.Topic, "__") {
				names = append(names, *t.Topic)
			}
		}
		slices.Sort(names)
		return said(0, names)
	}},
	{"MetadataOperations", kmsg.Metadata, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrMetadataRequest()
		req.Topics = []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr("orders")}}
		req.IncludeClusterAuthorizedOperations, req.IncludeTopicAuthorizedOperations = true, true
		r := ask[*kmsg.MetadataResponse](w, 9, req)
		return said(r.Topics[0].ErrorCode, r.AuthorizedOperations, r.Topics[0].AuthorizedOperations)
	}},
	{"Produce", kmsg.Produce, func(w *wire, _ [16]byte) string {
		return said(ask[*kmsg.ProduceResponse](w, 12, produceRequest("orders", 0, seal(batchOf(text("x")...)))).Topics[0].Partitions[0].ErrorCode)
	}},
	{"ProduceGhost", kmsg.Produce, func(w *wire, _ [16]byte) string {
		return said(ask[*kmsg.ProduceResponse](w, 12, produceRequest("ghost", 0, seal(batchOf(text("x")...)))).Topics[0].Partitions[0].ErrorCode)
	}},
	{"ProduceByID", kmsg.Produce, func(w *wire, orders [16]byte) string {
		req := produceRequest("", 0, seal(batchOf(text("x")...)))
		req.Topics[0].TopicID = orders
		return said(ask[*kmsg.ProduceResponse](w, 13, req).Topics[0].Partitions[0].ErrorCode)
	}},
	{"Fetch", kmsg.Fetch, func(w *wire, _ [16]byte) string {
		return said(ask[*kmsg.FetchResponse](w, 12, fetchRequest("orders", 0, 0)).Topics[0].Partitions[0].ErrorCode)
	}},
	{"FetchGhost", kmsg.Fetch, func(w *wire, _ [16]byte) string {
		return said(ask[*kmsg.FetchResponse](w, 12, fetchRequest("ghost", 0, 0)).Topics[0].Partitions[0].ErrorCode)
	}},
	{"FetchByID", kmsg.Fetch, func(w *wire, orders [16]byte) string {
		req := fetchRequest("", 0, 0)
		req.Topics[0].TopicID = orders
		return said(ask[*kmsg.FetchResponse](w, 13, req).Topics[0].Partitions[0].ErrorCode)
	}},
	{"ListOffsets", kmsg.ListOffsets, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrListOffsetsRequest()
		req.ReplicaID = -1
		req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "orders", Partitions: []kmsg.ListOffsetsRequestTopicPartition{{CurrentLeaderEpoch: -1, Timestamp: -2}}}}
		return said(ask[*kmsg.ListOffsetsResponse](w, 7, req).Topics[0].Partitions[0].ErrorCode)
	}},
	{"OffsetForLeaderEpoch", kmsg.OffsetForLeaderEpoch, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrOffsetForLeaderEpochRequest()
		req.ReplicaID = -1
		req.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: "orders", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{CurrentLeaderEpoch: -1}}}}
		return said(ask[*kmsg.OffsetForLeaderEpochResponse](w, 4, req).Topics[0].Partitions[0].ErrorCode)
	}},
	{"DeleteRecords", kmsg.DeleteRecords, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrDeleteRecordsRequest()
		req.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: "orders", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Offset: 0}}}}
		return said(ask[*kmsg.DeleteRecordsResponse](w, 2, req).Topics[0].Partitions[0].ErrorCode)
	}},
	{"CreateTopics", kmsg.CreateTopics, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrCreateTopicsRequest()
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = "new", 1, 1
		req.Topics, req.ValidateOnly = append(req.Topics, t), true
		r := ask[*kmsg.CreateTopicsResponse](w, 7, req).Topics[0]
		return said(r.ErrorCode, r.ConfigErrorCode, r.NumPartitions, len(r.Configs) > 0, r.ErrorMessage != nil)
	}},
	{"CreatePartitions", kmsg.CreatePartitions, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrCreatePartitionsRequest()
		req.Topics, req.ValidateOnly = []kmsg.CreatePartitionsRequestTopic{{Topic: "orders", Count: 1}}, true
		return said(ask[*kmsg.CreatePartitionsResponse](w, 3, req).Topics[0].ErrorCode)
	}},
	{"DeleteTopics", kmsg.DeleteTopics, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrDeleteTopicsRequest()
		req.Topics = []kmsg.DeleteTopicsRequestTopic{{Topic: kmsg.StringPtr("ghost")}}
		r := ask[*kmsg.DeleteTopicsResponse](w, 6, req).Topics[0]
		return said(r.ErrorCode, r.Topic != nil)
	}},
	{"DescribeConfigsTopic", kmsg.DescribeConfigs, func(w *wire, _ [16]byte) string {
		return w.describeConfigs(kmsg.ConfigResourceTypeTopic, "orders")
	}},
	{"DescribeConfigsBroker", kmsg.DescribeConfigs, func(w *wire, _ [16]byte) string {
		return w.describeConfigs(kmsg.ConfigResourceTypeBroker, "1")
	}},
	{"IncrementalAlterConfigsTopic", kmsg.IncrementalAlterConfigs, func(w *wire, _ [16]byte) string {
		return w.alterConfigs(kmsg.ConfigResourceTypeTopic, "orders", "retention.ms")
	}},
	{"IncrementalAlterConfigsBroker", kmsg.IncrementalAlterConfigs, func(w *wire, _ [16]byte) string {
		return w.alterConfigs(kmsg.ConfigResourceTypeBroker, "", "message.max.bytes")
	}},
	{"AlterConfigsTopic", kmsg.AlterConfigs, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrAlterConfigsRequest()
		req.Resources, req.ValidateOnly = []kmsg.AlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "orders"}}, true
		return said(ask[*kmsg.AlterConfigsResponse](w, 2, req).Resources[0].ErrorCode)
	}},
	{"FindCoordinatorGroup", kmsg.FindCoordinator, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorKeys = []string{"g"}
		return said(ask[*kmsg.FindCoordinatorResponse](w, 4, req).Coordinators[0].ErrorCode)
	}},
	{"JoinGroup", kmsg.JoinGroup, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrJoinGroupRequest()
		req.Group, req.SessionTimeoutMillis, req.ProtocolType = "g", 1, "consumer"
		return said(ask[*kmsg.JoinGroupResponse](w, 7, req).ErrorCode)
	}},
	{"Heartbeat", kmsg.Heartbeat, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrHeartbeatRequest()
		req.Group, req.MemberID = "g", "nobody"
		return said(ask[*kmsg.HeartbeatResponse](w, 4, req).ErrorCode)
	}},
	{"SyncGroup", kmsg.SyncGroup, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrSyncGroupRequest()
		req.Group, req.MemberID = "g", "nobody"
		return said(ask[*kmsg.SyncGroupResponse](w, 4, req).ErrorCode)
	}},
	{"LeaveGroup", kmsg.LeaveGroup, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrLeaveGroupRequest()
		req.Group, req.Members = "g", []kmsg.LeaveGroupRequestMember{{MemberID: "nobody"}}
		return said(ask[*kmsg.LeaveGroupResponse](w, 4, req).ErrorCode)
	}},
	{"OffsetCommit", kmsg.OffsetCommit, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.Generation = "g", -1
		req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "orders", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 1, LeaderEpoch: -1}}}}
		return said(ask[*kmsg.OffsetCommitResponse](w, 8, req).Topics[0].Partitions[0].ErrorCode)
	}},
	{"OffsetCommitByID", kmsg.OffsetCommit, func(w *wire, orders [16]byte) string {
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.Generation = "g", -1
		req.Topics = []kmsg.OffsetCommitRequestTopic{{TopicID: orders, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 1, LeaderEpoch: -1}}}}
		return said(ask[*kmsg.OffsetCommitResponse](w, 10, req).Topics[0].Partitions[0].ErrorCode)
	}},
	{"OffsetFetch", kmsg.OffsetFetch, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrOffsetFetchRequest()
		req.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g", MemberEpoch: -1, Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "orders", Partitions: []int32{0}}}}}
		g := ask[*kmsg.OffsetFetchResponse](w, 9, req).Groups[0]
		if g.ErrorCode != 0 {
			return said(g.ErrorCode)
		}
		return said(g.Topics[0].Partitions[0].ErrorCode, g.Topics[0].Partitions[0].Offset)
	}},
	{"OffsetFetchByID", kmsg.OffsetFetch, func(w *wire, orders [16]byte) string {
		req := kmsg.NewPtrOffsetFetchRequest()
		req.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g", MemberEpoch: -1, Topics: []kmsg.OffsetFetchRequestGroupTopic{{TopicID: orders, Partitions: []int32{0}}}}}
		g := ask[*kmsg.OffsetFetchResponse](w, 10, req).Groups[0]
		if g.ErrorCode != 0 {
			return said(g.ErrorCode)
		}
		return said(g.Topics[0].Partitions[0].ErrorCode, g.Topics[0].Partitions[0].Offset)
	}},
	{"OffsetFetchAll", kmsg.OffsetFetch, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrOffsetFetchRequest()
		req.Groups = []kmsg.OffsetFetchRequestGroup{{Group: "g", MemberEpoch: -1}}
		g := ask[*kmsg.OffsetFetchResponse](w, 9, req).Groups[0]
		return said(g.ErrorCode, len(g.Topics))
	}},
	{"OffsetFetchOld", kmsg.OffsetFetch, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrOffsetFetchRequest()
		req.Group, req.Topics = "g", []kmsg.OffsetFetchRequestTopic{{Topic: "orders", Partitions: []int32{0}}}
		r := ask[*kmsg.OffsetFetchResponse](w, 1, req)
		return said(r.Topics[0].Partitions[0].ErrorCode, r.Topics[0].Partitions[0].Offset)
	}},
	{"DescribeGroups", kmsg.DescribeGroups, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Groups, req.IncludeAuthorizedOperations = []string{"g"}, true
		g := ask[*kmsg.DescribeGroupsResponse](w, 5, req).Groups[0]
		return said(g.ErrorCode, g.State, g.AuthorizedOperations)
	}},
	{"ListGroups", kmsg.ListGroups, func(w *wire, _ [16]byte) string {
		r := ask[*kmsg.ListGroupsResponse](w, 4, kmsg.NewPtrListGroupsRequest())
		return said(r.ErrorCode, len(r.Groups))
	}},
	{"DeleteGroups", kmsg.DeleteGroups, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrDeleteGroupsRequest()
		req.Groups = []string{"ghost"}
		return said(ask[*kmsg.DeleteGroupsResponse](w, 2, req).Groups[0].ErrorCode)
	}},
	{"OffsetDelete", kmsg.OffsetDelete, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrOffsetDeleteRequest()
		req.Group, req.Topics = "g", []kmsg.OffsetDeleteRequestTopic{{Topic: "orders", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 7}}}}
		r := ask[*kmsg.OffsetDeleteResponse](w, 0, req)
		if len(r.Topics) == 0 {
			return said(r.ErrorCode)
		}
		return said(r.Topics[0].Partitions[0].ErrorCode, r.ErrorCode)
	}},
	{"ConsumerGroupHeartbeat", kmsg.ConsumerGroupHeartbeat, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Group, req.MemberID, req.MemberEpoch, req.SubscribedTopicNames = "g", "nobody", 5, []string{"orders"}
		r := ask[*kmsg.ConsumerGroupHeartbeatResponse](w, 0, req)
		if r.ErrorMessage != nil && strings.Contains(strings.ToLower(*r.ErrorMessage), "authoriz") {
			return said(r.ErrorCode, *r.ErrorMessage)
		}
		return said(r.ErrorCode)
	}},
	{"ConsumerGroupDescribe", kmsg.ConsumerGroupDescribe, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrConsumerGroupDescribeRequest()
		req.Groups = []string{"g"}
		return said(ask[*kmsg.ConsumerGroupDescribeResponse](w, 0, req).Groups[0].ErrorCode)
	}},
	{"InitProducerID", kmsg.InitProducerID, func(w *wire, _ [16]byte) string {
		return said(ask[*kmsg.InitProducerIDResponse](w, 4, kmsg.NewPtrInitProducerIDRequest()).ErrorCode)
	}},
	{"DescribeCluster", kmsg.DescribeCluster, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrDescribeClusterRequest()
		req.IncludeClusterAuthorizedOperations = true
		r := ask[*kmsg.DescribeClusterResponse](w, 0, req)
		return said(r.ErrorCode, r.ClusterAuthorizedOperations)
	}},
	{"DescribeTopicPartitions", kmsg.DescribeTopicPartitions, func(w *wire, orders [16]byte) string {
		return w.describePartitions("orders", orders)
	}},
	{"DescribeTopicPartitionsGhost", kmsg.DescribeTopicPartitions, func(w *wire, orders [16]byte) string {
		return w.describePartitions("ghost", orders)
	}},
	{"DescribeTopicPartitionsAll", kmsg.DescribeTopicPartitions, func(w *wire, _ [16]byte) string {
		n := 0
		for _, t := range ask[*kmsg.DescribeTopicPartitionsResponse](w, 0, kmsg.NewPtrDescribeTopicPartitionsRequest()).Topics {
			if !strings.HasPrefix(*t.Topic, "__") {
				n++
			}
		}
		return said(0, n)
	}},
	{"DescribeACLs", kmsg.DescribeACLs, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrDescribeACLsRequest()
		req.ResourceType, req.ResourcePatternType, req.Operation, req.PermissionType = 1, 1, 1, 1
		r := ask[*kmsg.DescribeACLsResponse](w, 3, req)
		return said(r.ErrorCode, len(r.Resources))
	}},
	{"CreateACLs", kmsg.CreateACLs, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrCreateACLsRequest()
		a := kmsg.NewCreateACLsRequestCreation()
		a.ResourceType, a.ResourceName, a.ResourcePatternType, a.Principal, a.Host, a.Operation, a.PermissionType = 1, "x", 3, "User:x", "*", 3, 3
		req.Creations = append(req.Creations, a)
		return said(ask[*kmsg.CreateACLsResponse](w, 3, req).Results[0].ErrorCode)
	}},
	{"DeleteACLs", kmsg.DeleteACLs, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrDeleteACLsRequest()
		f := kmsg.NewDeleteACLsRequestFilter()
		f.ResourceType, f.ResourcePatternType, f.Principal, f.Operation, f.PermissionType = 1, 1, kmsg.StringPtr("User:nobody"), 1, 1
		req.Filters = append(req.Filters, f)
		return said(ask[*kmsg.DeleteACLsResponse](w, 3, req).Results[0].ErrorCode)
	}},
	{"DescribeUserScramCredentials", kmsg.DescribeUserSCRAMCredentials, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrDescribeUserSCRAMCredentialsRequest()
		req.Users = []kmsg.DescribeUserSCRAMCredentialsRequestUser{{Name: "nobody"}}
		r := ask[*kmsg.DescribeUserSCRAMCredentialsResponse](w, 0, req)
		if len(r.Results) > 0 {
			return said(r.ErrorCode, r.Results[0].ErrorCode)
		}
		return said(r.ErrorCode)
	}},
	{"AlterUserScramCredentials", kmsg.AlterUserSCRAMCredentials, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
		req.Deletions = []kmsg.AlterUserSCRAMCredentialsRequestDeletion{{Name: "nobody", Mechanism: 1}}
		return said(ask[*kmsg.AlterUserSCRAMCredentialsResponse](w, 0, req).Results[0].ErrorCode)
	}},
	{"CreateDelegationToken", kmsg.CreateDelegationToken, func(w *wire, _ [16]byte) string {
		r := ask[*kmsg.CreateDelegationTokenResponse](w, 3, kmsg.NewPtrCreateDelegationTokenRequest())
		return said(r.ErrorCode, r.PrincipalType, r.PrincipalName, r.TokenRequesterPrincipalName, r.IssueTimestamp, r.TokenID, len(r.HMAC))
	}},
	{"DescribeDelegationToken", kmsg.DescribeDelegationToken, func(w *wire, _ [16]byte) string {
		return said(ask[*kmsg.DescribeDelegationTokenResponse](w, 3, kmsg.NewPtrDescribeDelegationTokenRequest()).ErrorCode)
	}},
	{"RenewDelegationToken", kmsg.RenewDelegationToken, func(w *wire, _ [16]byte) string {
		r := ask[*kmsg.RenewDelegationTokenResponse](w, 2, kmsg.NewPtrRenewDelegationTokenRequest())
		return said(r.ErrorCode, r.ExpiryTimestamp)
	}},
	{"ExpireDelegationToken", kmsg.ExpireDelegationToken, func(w *wire, _ [16]byte) string {
		r := ask[*kmsg.ExpireDelegationTokenResponse](w, 2, kmsg.NewPtrExpireDelegationTokenRequest())
		return said(r.ErrorCode, r.ExpiryTimestamp)
	}},
	{"InitProducerIDTransactional", kmsg.InitProducerID, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID, req.TransactionTimeoutMillis = kmsg.StringPtr("t"), -7
		return said(ask[*kmsg.InitProducerIDResponse](w, 4, req).ErrorCode)
	}},
	{"FindCoordinatorTransaction", kmsg.InitProducerID, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorKeys, req.CoordinatorType = []string{"t"}, 1
		return said(ask[*kmsg.FindCoordinatorResponse](w, 4, req).Coordinators[0].ErrorCode)
	}},
	{"ProduceTransactional", kmsg.EndTxn, func(w *wire, _ [16]byte) string {
		return w.produceTransactional("orders")
	}},
	{"ProduceTransactionalGhost", kmsg.EndTxn, func(w *wire, _ [16]byte) string {
		return w.produceTransactional("ghost")
	}},
	{"AddPartitionsToTxn", kmsg.AddPartitionsToTxn, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrAddPartitionsToTxnRequest()
		req.TransactionalID, req.ProducerID = "t", 999
		req.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: "orders", Partitions: []int32{0}}}
		return said(ask[*kmsg.AddPartitionsToTxnResponse](w, 3, req).Topics[0].Partitions[0].ErrorCode)
	}},
	{"AddPartitionsToTxnOfBrokers", kmsg.AddPartitionsToTxn, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrAddPartitionsToTxnRequest()
		req.Transactions = []kmsg.AddPartitionsToTxnRequestTransaction{{TransactionalID: "t", ProducerID: 999, VerifyOnly: true,
			Topics: []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: "orders", Partitions: []int32{0}}}}}
		return said(ask[*kmsg.AddPartitionsToTxnResponse](w, 4, req).ErrorCode)
	}},
	{"AddOffsetsToTxn", kmsg.AddOffsetsToTxn, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrAddOffsetsToTxnRequest()
		req.TransactionalID, req.ProducerID, req.Group = "t", 999, "g"
		return said(ask[*kmsg.AddOffsetsToTxnResponse](w, 3, req).ErrorCode)
	}},
	{"EndTxn", kmsg.EndTxn, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrEndTxnRequest()
		req.TransactionalID, req.ProducerID = "t", 999
		return said(ask[*kmsg.EndTxnResponse](w, 3, req).ErrorCode)
	}},
	{"TxnOffsetCommit", kmsg.TxnOffsetCommit, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrTxnOffsetCommitRequest()
		req.TransactionalID, req.Group, req.ProducerID, req.Generation = "t", "g", 999, 7
		req.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: "orders", Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{LeaderEpoch: -1}}}}
		r := ask[*kmsg.TxnOffsetCommitResponse](w, 3, req)
		if code := r.Topics[0].Partitions[0].ErrorCode; code == 29 || code == 30 || code == 53 {
			return said(code)
		}
		return "allowed" // what then is wrong with it is the coordinators' business
	}},
	{"WriteTxnMarkers", kmsg.WriteTxnMarkers, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrWriteTxnMarkersRequest()
		m := kmsg.NewWriteTxnMarkersRequestMarker()
		m.ProducerID, m.Topics = 999, []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: "ghost", Partitions: []int32{0}}}
		req.Markers = append(req.Markers, m)
		return said(ask[*kmsg.WriteTxnMarkersResponse](w, 1, req).Markers[0].Topics[0].Partitions[0].ErrorCode)
	}},
	{"DescribeProducers", kmsg.DescribeProducers, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrDescribeProducersRequest()
		req.Topics = []kmsg.DescribeProducersRequestTopic{{Topic: "orders", Partitions: []int32{0}}}
		return said(ask[*kmsg.DescribeProducersResponse](w, 0, req).Topics[0].Partitions[0].ErrorCode)
	}},
	{"DescribeTransactions", kmsg.DescribeTransactions, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrDescribeTransactionsRequest()
		req.TransactionalIDs = []string{"t"}
		return said(ask[*kmsg.DescribeTransactionsResponse](w, 0, req).TransactionStates[0].ErrorCode)
	}},
	{"ListTransactions", kmsg.ListTransactions, func(w *wire, _ [16]byte) string {
		return said(ask[*kmsg.ListTransactionsResponse](w, 1, kmsg.NewPtrListTransactionsRequest()).ErrorCode)
	}},
	{"UpdateFeatures", kmsg.UpdateFeatures, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrUpdateFeaturesRequest()
		req.ValidateOnly = true
		return said(ask[*kmsg.UpdateFeaturesResponse](w, 1, req).ErrorCode)
	}},
	{"ListConfigResources", kmsg.ListConfigResources, func(w *wire, _ [16]byte) string {
		return said(ask[*kmsg.ListConfigResourcesResponse](w, 0, kmsg.NewPtrListConfigResourcesRequest()).ErrorCode)
	}},
	{"DescribeConfigsGroup", kmsg.ListConfigResources, func(w *wire, _ [16]byte) string {
		return w.describeConfigs(kmsg.ConfigResourceTypeGroupConfig, "g")
	}},
	{"ElectLeaders", kmsg.ElectLeaders, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrElectLeadersRequest()
		req.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: "orders", Partitions: []int32{0}}}
		r := ask[*kmsg.ElectLeadersResponse](w, 2, req)
		if len(r.Topics) > 0 {
			return said(r.ErrorCode, r.Topics[0].Partitions[0].ErrorCode)
		}
		return said(r.ErrorCode)
	}},
	{"AlterPartitionReassignments", kmsg.AlterPartitionAssignments, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
		req.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: "orders", Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{}}}}
		r := ask[*kmsg.AlterPartitionAssignmentsResponse](w, 0, req)
		if len(r.Topics) > 0 {
			return said(r.ErrorCode, r.Topics[0].Partitions[0].ErrorCode)
		}
		return said(r.ErrorCode)
	}},
	{"ListPartitionReassignments", kmsg.ListPartitionReassignments, func(w *wire, _ [16]byte) string {
		return said(ask[*kmsg.ListPartitionReassignmentsResponse](w, 0, kmsg.NewPtrListPartitionReassignmentsRequest()).ErrorCode)
	}},
	{"DescribeQuorum", kmsg.DescribeQuorum, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrDescribeQuorumRequest()
		req.Topics = []kmsg.DescribeQuorumRequestTopic{{Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{}}}}
		return said(ask[*kmsg.DescribeQuorumResponse](w, 2, req).ErrorCode)
	}},
	{"UnregisterBroker", kmsg.UnregisterBroker, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrUnregisterBrokerRequest()
		req.BrokerID = 999
		return said(ask[*kmsg.UnregisterBrokerResponse](w, 0, req).ErrorCode)
	}},
	{"DescribeLogDirs", kmsg.DescribeLogDirs, func(w *wire, _ [16]byte) string {
		r := ask[*kmsg.DescribeLogDirsResponse](w, 4, kmsg.NewPtrDescribeLogDirsRequest())
		return said(r.ErrorCode, len(r.Dirs))
	}},
	{"DescribeClientQuotas", kmsg.DescribeClientQuotas, func(w *wire, _ [16]byte) string {
		return said(ask[*kmsg.DescribeClientQuotasResponse](w, 1, kmsg.NewPtrDescribeClientQuotasRequest()).ErrorCode)
	}},
	{"AlterClientQuotas", kmsg.AlterClientQuotas, func(w *wire, _ [16]byte) string {
		req := kmsg.NewPtrAlterClientQuotasRequest()
		req.ValidateOnly = true
		req.Entries = []kmsg.AlterClientQuotasRequestEntry{{Entity: []kmsg.AlterClientQuotasRequestEntryEntity{{Type: "user", Name: kmsg.StringPtr("x")}},
			Ops: []kmsg.AlterClientQuotasRequestEntryOp{{Key: "producer_byte_rate", Value: 1000}}}}
		return said(ask[*kmsg.AlterClientQuotasResponse](w, 1, req).Entries[0].ErrorCode)
	}},
	{"SaslHandshakeAgain", kmsg.SASLHandshake, func(w *wire, _ [16]byte) string {
		return said(ask[*kmsg.SASLAuthenticateResponse](w, 2, kmsg.NewPtrSASLAuthenticateRequest()).ErrorCode)
	}},
}

func (w *wire) metadata(topic string, create bool) string {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics, req.AllowAutoTopicCreation = []kmsg.MetadataRequestTopic{{Topic: &topic}}, create
	t := ask[*kmsg.MetadataResponse](w, 12, req).Topics[0]
	return said(t.ErrorCode, t.TopicID != [16]byte{})
}

func (w *wire) describeConfigs(kind kmsg.ConfigResourceType, name string) string {
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kind, ResourceName: name}}
	r := ask[*kmsg.DescribeConfigsResponse](w, 4, req).Resources[0]
	return said(r.ErrorCode, len(r.Configs) > 0)
}

func (w *wire) alterConfigs(kind kmsg.ConfigResourceType, name, key string) string {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Resources, req.ValidateOnly = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kind, ResourceName: name,
		Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: key, Value: kmsg.StringPtr("100000")}}}}, true
	return said(ask[*kmsg.IncrementalAlterConfigsResponse](w, 1, req).Resources[0].ErrorCode)
}

func (w *wire) describePartitions(topic string, orders [16]byte) string {
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	req.Topics, req.ResponsePartitionLimit = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: topic}}, 10
	t := ask[*kmsg.DescribeTopicPartitionsResponse](w, 0, req).Topics[0]
	return said(t.ErrorCode, t.TopicID == orders, t.AuthorizedOperations)
}

func (w *wire) produceTransactional(topic string) string {
	b := batchOf(text("x")...)
	b.ProducerID, b.ProducerEpoch, b.FirstSequence, b.Attributes = 999, 0, 0, 1<<4
	req := produceRequest(topic, 0, seal(b))
	req.TransactionID = kmsg.StringPtr("t")
	code := ask[*kmsg.ProduceResponse](w, 11, req).Topics[0].Partitions[0].ErrorCode
	if code == 29 || code == 53 {
		return said(code)
	}
	return "allowed"
}
