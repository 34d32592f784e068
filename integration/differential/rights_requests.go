package main

import "github.com/twmb/franz-go/pkg/kmsg"

// rightsRequest is one kind of request whose answer depends on who asks. What it needs is the names of users who may.
type rightsRequest struct {
	what  string
	key   kmsg.Key
	needs []string
	build func(version int16) kmsg.Request
}

func newTopicDry(name string) *kmsg.CreateTopicsRequest {
	req := createTopics(newTopic(name, 1, 1))
	req.ValidateOnly = true
	return req
}

// requests are one of every kind, about the topic, group and transactional id "rights", which change nothing that another one sees.
func requests(id [16]byte) []rightsRequest {
	const name = "rights"
	var all []rightsRequest
	add := func(what string, key kmsg.Key, build func(v int16) kmsg.Request, needs ...string) {
		all = append(all, rightsRequest{what, key, needs, build})
	}
	fixed := func(build func() kmsg.Request) func(int16) kmsg.Request {
		return func(int16) kmsg.Request { return build() }
	}

	// topics and records
	add("metadata", kmsg.Metadata, fixed(func() kmsg.Request {
		req := metadata(name)
		req.IncludeClusterAuthorizedOperations, req.IncludeTopicAuthorizedOperations, req.AllowAutoTopicCreation = true, true, false
		return req
	}), "topic-describe", "cluster-describe")
	add("metadata by id and of a ghost", kmsg.Metadata, func(v int16) kmsg.Request {
		req := metadata(name)
		req.AllowAutoTopicCreation = false
		if v >= 4 {
			req = metadata("rights-ghost")
			req.AllowAutoTopicCreation = false
		}
		if v >= 12 {
			req = metadata()
			req.Topics = []kmsg.MetadataRequestTopic{{TopicID: id}, {TopicID: [16]byte{7}}}
		}
		return req
	}, "topic-describe")
	add("partitions", kmsg.DescribeTopicPartitions, fixed(func() kmsg.Request {
		req := kmsg.NewPtrDescribeTopicPartitionsRequest()
		req.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: name}, {Topic: "rights-ghost"}}
		return req
	}))
	add("produce", kmsg.Produce, fixed(func() kmsg.Request {
		return produce(name, id, 0, []byte("no batch"))
	}), "topic-write")
	add("produce to a ghost", kmsg.Produce, fixed(func() kmsg.Request { return produce("rights-ghost", [16]byte{7}, 0, []byte("no batch")) }), "topic-any")
	add("fetch", kmsg.Fetch, fixed(func() kmsg.Request { return fetch(name, id, 0, 0) }), "topic-read")
	add("fetch of a ghost", kmsg.Fetch, fixed(func() kmsg.Request { return fetch("rights-ghost", [16]byte{7}, 0, 0) }), "topic-any")
	add("list offsets", kmsg.ListOffsets, fixed(func() kmsg.Request { return listOffsets(name, 0, -2, -1) }), "topic-describe")
	add("epoch", kmsg.OffsetForLeaderEpoch, fixed(func() kmsg.Request {
		req := kmsg.NewPtrOffsetForLeaderEpochRequest()
		req.ReplicaID = -1
		req.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: name, Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{CurrentLeaderEpoch: -1}}}}
		return req
	}), "topic-describe", "cluster-action")
	add("delete records", kmsg.DeleteRecords, fixed(func() kmsg.Request {
		return &kmsg.DeleteRecordsRequest{TimeoutMillis: 10_000, Topics: []kmsg.DeleteRecordsRequestTopic{{Topic: name, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Offset: 0}}}}}
	}), "topic-delete")
	add("create topic", kmsg.CreateTopics, fixed(func() kmsg.Request { return newTopicDry("rights-new") }), "topic-create", "cluster-create")
	add("create topics, one of them there", kmsg.CreateTopics, fixed(func() kmsg.Request {
		req := newTopicDry("rights-new")
		req.Topics = append(req.Topics, newTopic(name, 1, 1), newTopic("rights-other", 1, 1))
		return req
	}), "topic-create")
	add("delete topic", kmsg.DeleteTopics, func(v int16) kmsg.Request {
		req := kmsg.NewPtrDeleteTopicsRequest()
		req.TimeoutMillis, req.TopicNames = 10_000, []string{"rights-ghost"}
		ghost := kmsg.NewDeleteTopicsRequestTopic()
		ghost.Topic = ptr("rights-ghost")
		req.Topics = append(req.Topics, ghost, kmsg.DeleteTopicsRequestTopic{TopicID: [16]byte{7}})
		return req
	}, "topic-delete")
	add("add partitions", kmsg.CreatePartitions, fixed(func() kmsg.Request {
		return &kmsg.CreatePartitionsRequest{TimeoutMillis: 10_000, ValidateOnly: true, Topics: []kmsg.CreatePartitionsRequestTopic{{Topic: name, Count: 1}, {Topic: "rights-ghost", Count: 2}}}
	}), "topic-alter")
	add("producers", kmsg.DescribeProducers, fixed(func() kmsg.Request { return describeProducers(name, 0) }))
	add("log dirs", kmsg.DescribeLogDirs, fixed(func() kmsg.Request {
		req := kmsg.NewPtrDescribeLogDirsRequest()
		req.Topics = []kmsg.DescribeLogDirsRequestTopic{{Topic: name, Partitions: []int32{0}}}
		return req
	}), "cluster-describe")
	add("move between folders", kmsg.AlterReplicaLogDirs, fixed(func() kmsg.Request {
		return &kmsg.AlterReplicaLogDirsRequest{Dirs: []kmsg.AlterReplicaLogDirsRequestDir{{Dir: "/nowhere", Topics: []kmsg.AlterReplicaLogDirsRequestDirTopic{{Topic: name, Partitions: []int32{0}}}}}}
	}), "cluster-alter")

	// configurations
	for _, c := range []struct {
		what  string
		kind  kmsg.ConfigResourceType
		name  string
		key   string
		needs []string
	}{
		{"a topic", kmsg.ConfigResourceTypeTopic, name, "retention.ms", []string{"topic-describe-configs", "topic-alter-configs"}},
		{"a ghost", kmsg.ConfigResourceTypeTopic, "rights-ghost", "retention.ms", []string{"topic-any"}},
		{"all brokers", kmsg.ConfigResourceTypeBroker, "", "message.max.bytes", []string{"cluster-describe-configs", "cluster-alter-configs"}},
		{"a group", kmsg.ConfigResourceTypeGroupConfig, name, "consumer.session.timeout.ms", []string{"group-describe-configs", "group-alter-configs"}},
		{"metrics", kmsg.ConfigResourceTypeClientMetrics, name, "interval.ms", []string{"cluster-describe-configs", "cluster-alter-configs"}},
	} {
		add("configs of "+c.what, kmsg.DescribeConfigs, fixed(func() kmsg.Request { return describeConfigs(c.kind, c.name, c.key) }), c.needs...)
		add("alter configs of "+c.what, kmsg.AlterConfigs, fixed(func() kmsg.Request {
			return &kmsg.AlterConfigsRequest{ValidateOnly: true, Resources: []kmsg.AlterConfigsRequestResource{{ResourceType: c.kind, ResourceName: c.name,
				Configs: []kmsg.AlterConfigsRequestResourceConfig{{Name: c.key, Value: ptr("100000")}}}}}
		}), c.needs...)
		add("alter one config of "+c.what, kmsg.IncrementalAlterConfigs, fixed(func() kmsg.Request {
			return &kmsg.IncrementalAlterConfigsRequest{ValidateOnly: true, Resources: []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: c.kind, ResourceName: c.name,
				Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: c.key, Value: ptr("100000")}}}}}
		}), c.needs...)
	}
	add("resources with configs", kmsg.ListConfigResources, func(v int16) kmsg.Request {
		if v == 0 {
			return kmsg.NewPtrListConfigResourcesRequest()
		}
		return &kmsg.ListConfigResourcesRequest{ResourceTypes: []int8{4, 16, 32}}
	}, "cluster-describe-configs")

	groupRequests(id, add)
	transactionRequests(id, add)
	clusterRequests(add)
	shareRequests(add, id)
	return all
}

type adding func(what string, key kmsg.Key, build func(v int16) kmsg.Request, needs ...string)

func groupRequests(id [16]byte, add adding) {
	const name = "rights"
	add("coordinator of a group", kmsg.FindCoordinator, func(int16) kmsg.Request {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorKey, req.CoordinatorKeys = name, []string{name, "rights-other"}
		return req
	}, "group-describe")
	add("coordinator of a transaction", kmsg.FindCoordinator, func(v int16) kmsg.Request {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorKey, req.CoordinatorKeys, req.CoordinatorType = name, []string{name}, 1
		return req
	}, "txn-describe")
	add("join", kmsg.JoinGroup, func(int16) kmsg.Request {
		req := kmsg.NewPtrJoinGroupRequest()
		req.Group, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis, req.ProtocolType = name, 1, 1, "consumer"
		return req
	}, "group-read")
	add("heartbeat", kmsg.Heartbeat, func(int16) kmsg.Request { return &kmsg.HeartbeatRequest{Group: name, MemberID: "nobody"} }, "group-read")
	add("sync", kmsg.SyncGroup, func(int16) kmsg.Request {
		return &kmsg.SyncGroupRequest{Group: name, MemberID: "nobody", ProtocolType: ptr("consumer"), Protocol: ptr("range")}
	}, "group-read")
	add("leave", kmsg.LeaveGroup, func(int16) kmsg.Request {
		return &kmsg.LeaveGroupRequest{Group: name, MemberID: "nobody", Members: []kmsg.LeaveGroupRequestMember{{MemberID: "nobody"}}}
	}, "group-read")
	add("commit", kmsg.OffsetCommit, func(v int16) kmsg.Request {
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.Generation = name, -1
		req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: name, TopicID: id, Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 1, LeaderEpoch: -1}}}}
		return req
	}, "group-read", "consumer")
	add("committed", kmsg.OffsetFetch, func(v int16) kmsg.Request {
		req := kmsg.NewPtrOffsetFetchRequest()
		req.Group, req.Topics = name, []kmsg.OffsetFetchRequestTopic{{Topic: name, Partitions: []int32{0}}}
		req.Groups = []kmsg.OffsetFetchRequestGroup{
			{Group: name, MemberEpoch: -1, Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: name, TopicID: id, Partitions: []int32{0}}}},
			{Group: "rights-other", MemberEpoch: -1, Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: name, TopicID: id, Partitions: []int32{0}}}},
		}
		return req
	}, "group-describe", "consumer")
	add("all committed", kmsg.OffsetFetch, func(v int16) kmsg.Request {
		req := kmsg.NewPtrOffsetFetchRequest()
		req.Group, req.Groups = name, []kmsg.OffsetFetchRequestGroup{{Group: name, MemberEpoch: -1}}
		if v < 2 {
			req.Topics = []kmsg.OffsetFetchRequestTopic{}
		}
		return req
	}, "group-describe", "consumer")
	add("groups", kmsg.ListGroups, func(int16) kmsg.Request { return kmsg.NewPtrListGroupsRequest() }, "group-describe", "cluster-describe")
	add("groups described", kmsg.DescribeGroups, func(int16) kmsg.Request {
		return &kmsg.DescribeGroupsRequest{Groups: []string{name, "rights-other"}, IncludeAuthorizedOperations: true}
	}, "group-describe")
	add("groups deleted", kmsg.DeleteGroups, func(int16) kmsg.Request { return &kmsg.DeleteGroupsRequest{Groups: []string{"rights-other"}} }, "group-delete")
	add("offsets deleted", kmsg.OffsetDelete, func(int16) kmsg.Request {
		return &kmsg.OffsetDeleteRequest{Group: name, Topics: []kmsg.OffsetDeleteRequestTopic{
			{Topic: name, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 7}}}, {Topic: "rights-ghost", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}}}}}
	})
	add("consumer heartbeat", kmsg.ConsumerGroupHeartbeat, func(int16) kmsg.Request {
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Group, req.MemberID, req.MemberEpoch, req.SubscribedTopicNames = name, "nobody", 5, []string{name}
		return req
	}, "group-read", "consumer")
	add("consumer groups described", kmsg.ConsumerGroupDescribe, func(int16) kmsg.Request {
		return &kmsg.ConsumerGroupDescribeRequest{Groups: []string{name, "rights-other"}, IncludeAuthorizedOperations: true}
	}, "group-describe")
}

func transactionRequests(id [16]byte, add adding) {
	const name = "rights"
	add("producer id", kmsg.InitProducerID, func(int16) kmsg.Request {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.ProducerID, req.ProducerEpoch = -1, 5 // an epoch without an id is refused, and tells who may ask
		return req
	}, "topic-write", "cluster-idempotent-write")
	add("transactional producer id", kmsg.InitProducerID, func(int16) kmsg.Request {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID, req.TransactionTimeoutMillis = ptr(name), -7
		return req
	}, "txn-write")
	add("partitions of a transaction", kmsg.AddPartitionsToTxn, func(int16) kmsg.Request {
		req := kmsg.NewPtrAddPartitionsToTxnRequest()
		req.TransactionalID, req.ProducerID = name, 999
		req.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: name, Partitions: []int32{0}}}
		req.Transactions = []kmsg.AddPartitionsToTxnRequestTransaction{{TransactionalID: name, ProducerID: 999, VerifyOnly: true,
			Topics: []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: name, Partitions: []int32{0}}}}}
		return req
	}, "txn-write", "txn-producer", "cluster-action")
	add("offsets of a transaction", kmsg.AddOffsetsToTxn, func(int16) kmsg.Request {
		return &kmsg.AddOffsetsToTxnRequest{TransactionalID: name, ProducerID: 999, Group: name}
	}, "txn-write", "txn-producer")
	add("end of a transaction", kmsg.EndTxn, func(int16) kmsg.Request { return &kmsg.EndTxnRequest{TransactionalID: name, ProducerID: 999} }, "txn-write")
	add("commit in a transaction", kmsg.TxnOffsetCommit, func(int16) kmsg.Request {
		req := kmsg.NewPtrTxnOffsetCommitRequest()
		req.TransactionalID, req.Group, req.ProducerID, req.Generation = name, name, 999, 7
		req.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: name, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{LeaderEpoch: -1}}}}
		return req
	}, "txn-write", "txn-producer")
	add("produce in a transaction", kmsg.Produce, func(int16) kmsg.Request {
		b := (&session{}).batch(values("x")...).of(999, 0, 0)
		b.Attributes = 1 << 4
		b.badCRC = true
		req := produce(name, id, 0, b.encode())
		req.TransactionID = ptr(name)
		return req
	}, "topic-write", "txn-producer")
	add("markers", kmsg.WriteTxnMarkers, func(v int16) kmsg.Request {
		req := kmsg.NewPtrWriteTxnMarkersRequest()
		m := kmsg.NewWriteTxnMarkersRequestMarker()
		m.ProducerID, m.Topics = 999, []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: "rights-ghost", Partitions: []int32{0}}}
		req.Markers = append(req.Markers, m)
		return req
	}, "cluster-action")
	add("transactions described", kmsg.DescribeTransactions, func(int16) kmsg.Request {
		return &kmsg.DescribeTransactionsRequest{TransactionalIDs: []string{name, "rights-other"}}
	})
	add("transactions", kmsg.ListTransactions, func(int16) kmsg.Request {
		req := kmsg.NewPtrListTransactionsRequest()
		req.DurationFilterMillis = -1
		return req
	})
}

func clusterRequests(add adding) {
	const name = "rights"
	add("the cluster", kmsg.DescribeCluster, func(int16) kmsg.Request {
		req := kmsg.NewPtrDescribeClusterRequest()
		req.IncludeClusterAuthorizedOperations = true
		return req
	}, "cluster-describe")
	add("versions", kmsg.ApiVersions, func(v int16) kmsg.Request { return apiVersions(v, "differential", "1") })
	add("handshake again", kmsg.SASLAuthenticate, func(int16) kmsg.Request { return &kmsg.SASLAuthenticateRequest{SASLAuthBytes: []byte("x")} })
	add("ACLs", kmsg.DescribeACLs, func(int16) kmsg.Request {
		req := anyACL()
		req.Principal = ptr("User:nobody")
		return req
	}, "cluster-describe")
	add("create an ACL", kmsg.CreateACLs, func(int16) kmsg.Request {
		return &kmsg.CreateACLsRequest{Creations: []kmsg.CreateACLsRequestCreation{{ResourceType: 1, ResourceName: "x", ResourcePatternType: 3, Principal: "User:x", Host: "*", Operation: 3, PermissionType: 3}}}
	}, "cluster-alter")
	add("delete ACLs", kmsg.DeleteACLs, func(int16) kmsg.Request {
		return &kmsg.DeleteACLsRequest{Filters: []kmsg.DeleteACLsRequestFilter{{ResourceType: 1, ResourcePatternType: 1, Principal: ptr("User:nobody"), Operation: 1, PermissionType: 1}}}
	}, "cluster-alter")
	add("SCRAM users", kmsg.DescribeUserSCRAMCredentials, func(int16) kmsg.Request {
		return &kmsg.DescribeUserSCRAMCredentialsRequest{Users: []kmsg.DescribeUserSCRAMCredentialsRequestUser{{Name: "alice"}, {Name: "nobody"}}}
	})
	add("delete a SCRAM user", kmsg.AlterUserSCRAMCredentials, func(int16) kmsg.Request {
		return &kmsg.AlterUserSCRAMCredentialsRequest{Deletions: []kmsg.AlterUserSCRAMCredentialsRequestDeletion{{Name: "nobody", Mechanism: 1}}}
	})
	add("quotas", kmsg.DescribeClientQuotas, func(int16) kmsg.Request { return kmsg.NewPtrDescribeClientQuotasRequest() }, "cluster-describe-configs")
	add("alter quotas", kmsg.AlterClientQuotas, func(int16) kmsg.Request {
		return &kmsg.AlterClientQuotasRequest{ValidateOnly: true, Entries: []kmsg.AlterClientQuotasRequestEntry{{Entity: []kmsg.AlterClientQuotasRequestEntryEntity{{Type: "user", Name: ptr("x")}},
			Ops: []kmsg.AlterClientQuotasRequestEntryOp{{Key: "producer_byte_rate", Value: 1000}}}}}
	}, "cluster-alter-configs")
	add("elect", kmsg.ElectLeaders, func(v int16) kmsg.Request {
		req := kmsg.NewPtrElectLeadersRequest()
		req.TimeoutMillis, req.Topics = 10_000, []kmsg.ElectLeadersRequestTopic{{Topic: name, Partitions: []int32{0}}}
		return req
	}, "cluster-alter")
	add("reassign", kmsg.AlterPartitionAssignments, func(int16) kmsg.Request {
		req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
		req.TimeoutMillis = 10_000
		req.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: name, Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{}}}}
		return req
	}, "cluster-alter")
	add("reassignments", kmsg.ListPartitionReassignments, func(int16) kmsg.Request {
		return &kmsg.ListPartitionReassignmentsRequest{TimeoutMillis: 10_000}
	})
	add("quorum", kmsg.DescribeQuorum, func(v int16) kmsg.Request {
		req := kmsg.NewPtrDescribeQuorumRequest()
		req.Topics = []kmsg.DescribeQuorumRequestTopic{{Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{}}}}
		return req
	}, "cluster-describe")
	add("features", kmsg.UpdateFeatures, func(v int16) kmsg.Request {
		req := kmsg.NewPtrUpdateFeaturesRequest()
		req.TimeoutMillis, req.ValidateOnly = 10_000, true
		f := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
		f.Feature, f.MaxVersionLevel, f.UpgradeType = "no.such.feature", 1, 1
		req.FeatureUpdates = append(req.FeatureUpdates, f)
		return req
	}, "cluster-alter")
	add("unregister a broker", kmsg.UnregisterBroker, func(int16) kmsg.Request { return &kmsg.UnregisterBrokerRequest{BrokerID: 999} }, "cluster-alter")
	add("a token", kmsg.CreateDelegationToken, func(int16) kmsg.Request { return kmsg.NewPtrCreateDelegationTokenRequest() })
	add("renew a token", kmsg.RenewDelegationToken, func(int16) kmsg.Request { return &kmsg.RenewDelegationTokenRequest{HMAC: []byte("x")} })
	add("let a token expire", kmsg.ExpireDelegationToken, func(int16) kmsg.Request { return &kmsg.ExpireDelegationTokenRequest{HMAC: []byte("x")} })
	add("tokens", kmsg.DescribeDelegationToken, func(int16) kmsg.Request { return kmsg.NewPtrDescribeDelegationTokenRequest() })
}

func shareRequests(add adding, id [16]byte) {
	const name = "rights"
	member := memberID(70)
	add("share heartbeat", kmsg.ShareGroupHeartbeat, func(int16) kmsg.Request { return shareBeat(name, member, 5, name) }, "consumer")
	add("share heartbeat for ghosts", kmsg.ShareGroupHeartbeat, func(int16) kmsg.Request { return shareBeat(name, member, 5, "rights-ghost") })
	add("leave a share group", kmsg.ShareGroupHeartbeat, func(int16) kmsg.Request { return shareBeat(name, member, -1) })
	add("describe share groups", kmsg.ShareGroupDescribe, func(int16) kmsg.Request {
		return &kmsg.ShareGroupDescribeRequest{GroupIDs: []string{name, "rights-other"}, IncludeAuthorizedOperations: true}
	})
	add("share fetch", kmsg.ShareFetch, func(v int16) kmsg.Request { return shareFetch(v, name, member, 1, id) }, "consumer")
	add("share acknowledgement", kmsg.ShareAcknowledge, func(v int16) kmsg.Request { return shareAck(v, name, member, 1, id, 0, 0, 1) }, "consumer")
	add("offsets of share groups", kmsg.DescribeShareGroupOffsets, func(int16) kmsg.Request {
		req := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
		req.Groups = []kmsg.DescribeShareGroupOffsetsRequestGroup{{GroupID: name, Topics: []kmsg.DescribeShareGroupOffsetsRequestGroupTopic{{Topic: name, Partitions: []int32{0}}}}, {GroupID: "rights-other"}}
		return req
	}, "consumer", "group-describe")
	add("set offsets of a share group", kmsg.AlterShareGroupOffsets, func(int16) kmsg.Request {
		return &kmsg.AlterShareGroupOffsetsRequest{GroupID: name, Topics: []kmsg.AlterShareGroupOffsetsRequestTopic{
			{Topic: name, Partitions: []kmsg.AlterShareGroupOffsetsRequestTopicPartition{{}}}, {Topic: "rights-ghost", Partitions: []kmsg.AlterShareGroupOffsetsRequestTopicPartition{{}}},
		}}
	})
	add("forget offsets of a share group", kmsg.DeleteShareGroupOffsets, func(int16) kmsg.Request {
		return &kmsg.DeleteShareGroupOffsetsRequest{GroupID: name, Topics: []kmsg.DeleteShareGroupOffsetsRequestTopic{{Topic: name}, {Topic: "rights-ghost"}}}
	})
	add("share coordinator", kmsg.FindCoordinator, func(v int16) kmsg.Request {
		if v < 6 {
			return findCoordinator(0, name)
		}
		return findCoordinator(2, "rights:AAAAAAAAAAAAAAAAAAAAAQ:0")
	}, "cluster-action")
	for _, key := range []kmsg.Key{
		kmsg.InitializeShareGroupState, kmsg.ReadShareGroupState, kmsg.WriteShareGroupState, kmsg.DeleteShareGroupState, kmsg.ReadShareGroupStateSummary,
		kmsg.StreamsGroupHeartbeat, kmsg.StreamsGroupDescribe, kmsg.AddRaftVoter, kmsg.RemoveRaftVoter,
	} {
		add("empty "+kmsg.NameForKey(key.Int16()), key, func(int16) kmsg.Request { return kmsg.RequestForKey(key.Int16()) }, "cluster-action", "cluster-alter")
	}
}
