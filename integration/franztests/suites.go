package main

// Reasons why tests are not run.
const (
	controls    = "uses kfake's own faults and hooks"
	persistence = "is about kfake's data directory"
	shareGroups = "is about share groups, whose tests of kgo and of the differential suite are run"
	placement   = "moves kfake's nodes and partitions by its own functions"
	internals   = "looks into kfake's own structures"
	options     = "starts kfake with an option of its own"
	noCluster   = "is about kfake's own code and starts no cluster"
)

// needs are what testdata/aim.go does not serve: a test of kfake that reaches one of them is not run.
var needs = map[string]string{
	"Fault": controls, "Faults": controls, "Control": controls, "ControlKey": controls, "KeepControl": controls, "SleepControl": controls,
	"DropControl": controls, "CurrentNode": controls, "SleepOutOfOrder": controls, "BlackholeProduce": controls, "SyntheticFetch": controls,

	"DataDir": persistence, "SyncWrites": persistence, "newTestMemFS": persistence, "newMemFS": persistence, "withFS": persistence,

	"SetGroupConfigs": shareGroups, "kgo.ShareGroup": shareGroups, "kmsg.NewPtrShareGroupHeartbeatRequest": shareGroups,
	"kmsg.NewPtrShareFetchRequest": shareGroups, "kmsg.NewPtrShareAcknowledgeRequest": shareGroups,
	"kmsg.NewPtrDescribeShareGroupOffsetsRequest": shareGroups, "kmsg.NewPtrAlterShareGroupOffsetsRequest": shareGroups,
	"kmsg.NewPtrShareGroupDescribeRequest": shareGroups,

	"MoveTopicPartition": placement, "SetFollowers": placement, "AddNode": placement, "RemoveNode": placement, "ShufflePartitionLeaders": placement,
	"CoordinatorFor": placement, "RehashCoordinators": placement, "Compact": placement, "ApplyRetention": placement,

	"pushBatch": internals, "admin": internals, "trimLeft": internals, "getp": internals, "searchOffset": internals,

	"MaxVersions": options, "Ports": options, "TLS": options, "ListenFn": options,
	"ClusterID": options,
}

// Reasons why tests of kfake fail on the reference broker.
const (
	nodeZero  = "speaks to node 0, and the reference broker's nodes count from 1"
	smallLogs = "sets log.segment.bytes=1, below Kafka's least of 1 MiB"
	ownName   = "sets offset.retention.ms, which Kafka does not have"
	emptyID   = "joins by ConsumerGroupHeartbeat 1 without a member id, which Kafka refuses (KIP-1082)"
)

// kfakeFails lists the tests of kfake that fail on the reference broker.
var kfakeFails = map[string]string{
	"TestAlterPartitionAssignments":              nodeZero,
	"TestCreatePartitionsWithExplicitAssignment": nodeZero,
	"TestCreateTopicsEdgeCases":                  nodeZero,
	"TestDeleteTopicDropsGroupCommits":           nodeZero,
	"TestDescribeTopicPartitionsCursor":          nodeZero,
	"TestIssue1281":                              nodeZero,
	"TestKIP447RequireStable":                    nodeZero,

	"TestListOffsetsV0": smallLogs,

	"TestOffsetExpiration":            ownName,
	"TestOffsetExpirationActiveGroup": ownName,

	"TestDescribeProducersShowsActiveTransaction": "expects no producer once its transaction has ended; Kafka goes on listing it",
	"TestTxnDescribeTransactions":                 "expects Empty after a commit; Kafka says CompleteCommit",
	"TestTxnInitProducerIDAbortOngoing":           "expects InitProducerID to wait for the abort; Kafka answers CONCURRENT_TRANSACTIONS",
	"TestTxnInitProducerIDStaleEpochRecovery":     "expects a second bump for the epoch before; Kafka takes it for a retry and answers the current one (KIP-360)",
	"TestTxnNonTransactionalProduceDuringTx":      "expects the leader to know of a transaction that has written nothing to it; in Kafka it does not",

	"Test848RebalanceTimeout":    emptyID,
	"Test848UnsupportedAssignor": emptyID,

	"TestAlterConfigsAppliesAndReadsBack":      "replaces the settings of all brokers without min.insync.replicas, which Kafka refuses with eligible leader replicas (KIP-966)",
	"TestAlterReplicaLogDirsMovesPartition":    "moves to a directory that does not exist; Kafka answers LOG_DIR_NOT_FOUND",
	"TestApiVersionsLiteralRequest":            "wants ApiVersions 5, which Kafka 4.3 does not have",
	"TestClientMetricsSubscriptions":           "expects INVALID_CONFIG for a null value; Kafka answers INVALID_REQUEST",
	"TestElectLeaders":                         "expects another leader of an election that is not needed",
	"TestFetchSessionEviction":                 "expects a full cache to give up the oldest session at once; Kafka keeps it for min.incremental.fetch.session.eviction.ms",
	"TestIncrementalAlterConfigAppendSubtract": "expects INVALID_REQUEST for APPEND on what is no list; Kafka answers INVALID_CONFIG",
	"TestKadmACLDefaultPatternRoundTrip":       "is about a newer kadm, which takes an ACL without a pattern for a literal one",
	"TestProduceControlBatchRejected":          "sends a transactional batch without a transactional id, which Kafka refuses before it looks at it",
	"TestSCRAMValidationErrors":                "alters a user twice that does not exist; Kafka says that first",
	"TestStreamingCompressionRandom":           "writes records of the days to come, which message.timestamp.after.max.ms refuses",
	"TestTopicLifecycle":                       "asks kfake for a topic's settings, which testdata/aim.go does not",
}

// kfakeSkips lists the tests of kfake whose outcome is a matter of time.
var kfakeSkips = map[string]string{
	"TestListOffsetsReadCommittedDuringTxn": "expects the markers of a transaction by the answer to EndTxn; Kafka writes them after it",
	"TestTxnEndTxnRetry":                    "ends a transaction again without waiting for its markers; Kafka answers CONCURRENT_TRANSACTIONS until they are written",
}

// kgoSkips lists the tests of kgo that are not run.
var kgoSkips = map[string]string{
	"TestShareGroupETL":                        "expects that records are delivered again, which is a matter of time when there are few",
	"TestSCRAMAuth":                            "wants a listener with SASL beside the one without, which the reference broker does not have",
	"TestSCRAMAuthBadCredentials":              "wants a listener with SASL beside the one without, which the reference broker does not have",
	"TestIssueProduceBrokerTooOldFailsRecords": "is about brokers older than Kafka 2.1",
}
