package main

// tools are the classes behind Kafka's scripts.
var tools = map[string]string{
	"kafka-topics":              "org.apache.kafka.tools.TopicCommand",
	"kafka-configs":             "kafka.admin.ConfigCommand",
	"kafka-consumer-groups":     "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
	"kafka-groups":              "org.apache.kafka.tools.GroupsCommand",
	"kafka-acls":                "org.apache.kafka.tools.AclCommand",
	"kafka-transactions":        "org.apache.kafka.tools.TransactionsCommand",
	"kafka-metadata-quorum":     "org.apache.kafka.tools.MetadataQuorumCommand",
	"kafka-console-producer":    "org.apache.kafka.tools.ConsoleProducer",
	"kafka-console-consumer":    "org.apache.kafka.tools.consumer.ConsoleConsumer",
	"kafka-verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
	"kafka-verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
	"kafka-producer-perf-test":  "org.apache.kafka.tools.ProducerPerformance",
	"kafka-leader-election":     "org.apache.kafka.tools.LeaderElectionCommand",
	"kafka-reassign-partitions": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
	"kafka-log-dirs":            "org.apache.kafka.tools.LogDirsCommand",
	"kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
	"kafka-features":            "org.apache.kafka.tools.FeatureCommand",
	"kafka-get-offsets":         "org.apache.kafka.tools.GetOffsetShell",
	"kafka-delete-records":      "org.apache.kafka.tools.DeleteRecordsCommand",
	"kafka-cluster":             "org.apache.kafka.tools.ClusterTool",
	"kafka-client-metrics":      "org.apache.kafka.tools.ClientMetricsCommand",
	"kafka-consumer-perf-test":  "org.apache.kafka.tools.ConsumerPerformance",
}

// command is one run of a tool. What it prints must match every regular expression in says and none in never.
type command struct {
	tool   string
	args   []string
	stdin  string
	status int
	says   []string
	never  []string
	alone  bool // in a process of its own, when the others are through
	secure bool // only where there are ACLs and users
}

// commands in their order; FILES in an argument is the folder with the files that are written for the tools.
var commands = []command{
	{tool: "kafka-topics", args: []string{"--create", "--topic", "orders", "--partitions", "3", "--replication-factor", "3", "--config", "retention.ms=86400000"}, says: []string{`Created topic orders\.`}},
	{tool: "kafka-topics", args: []string{"--create", "--topic", "orders"}, status: 1, says: []string{`Topic 'orders' already exists`}},
	{tool: "kafka-topics", args: []string{"--create", "--topic", "too-many", "--replication-factor", "9"}, status: 1, says: []string{`replication factor`, `only 3 broker`}},
	{tool: "kafka-topics", args: []string{"--list"}, says: []string{`(?m)^orders$`}},
	{tool: "kafka-topics", args: []string{"--describe", "--topic", "orders"}, says: []string{`PartitionCount: 3\s+ReplicationFactor: 3`, `retention\.ms=86400000`, `Partition: 2\s+Leader: \d\s+Replicas: \d,\d,\d\s+Isr: \d,\d,\d`}},
	{tool: "kafka-topics", args: []string{"--alter", "--topic", "orders", "--partitions", "4"}},
	{tool: "kafka-topics", args: []string{"--describe", "--under-replicated-partitions"}, never: []string{`orders`}},
	{tool: "kafka-topics", args: []string{"--describe", "--topic", "nowhere"}, status: 1, says: []string{`does not exist as expected`}},
	{tool: "kafka-configs", args: []string{"--alter", "--entity-type", "topics", "--entity-name", "orders", "--add-config", "max.message.bytes=20000"}, says: []string{`Completed updating config for topic orders`}},
	{tool: "kafka-configs", args: []string{"--describe", "--entity-type", "topics", "--entity-name", "orders"}, says: []string{`max\.message\.bytes=20000`, `retention\.ms=86400000`}},
	{tool: "kafka-configs", args: []string{"--alter", "--entity-type", "topics", "--entity-name", "orders", "--delete-config", "max.message.bytes"}, says: []string{`Completed updating`}},
	{tool: "kafka-configs", args: []string{"--alter", "--entity-type", "topics", "--entity-name", "orders", "--add-config", "no.such=1"}, status: 1, says: []string{`Unknown topic config name: no\.such`}},
	{tool: "kafka-configs", args: []string{"--alter", "--entity-type", "brokers", "--entity-default", "--add-config", "message.max.bytes=2000000"}, says: []string{`Completed updating default config for brokers`}},
	{tool: "kafka-configs", args: []string{"--alter", "--entity-type", "users", "--entity-name", "carol", "--add-config", "producer_byte_rate=1048576"}, says: []string{`Completed updating config for user carol`}},
	{tool: "kafka-configs", args: []string{"--describe", "--entity-type", "users", "--entity-name", "carol"}, says: []string{`producer_byte_rate=1048576`}},
	{tool: "kafka-configs", args: []string{"--alter", "--entity-type", "users", "--entity-name", "carol", "--add-config", "SCRAM-SHA-256=[iterations=8192,password=carol-secret]"}, says: []string{`Completed updating config for user carol`}},
	{tool: "kafka-configs", args: []string{"--describe", "--entity-type", "users", "--entity-name", "carol"}, says: []string{`SCRAM-SHA-256=iterations=8192`}},
	{tool: "kafka-console-producer", args: []string{"--topic", "orders", "--reader-property", "parse.key=true", "--reader-property", "key.separator=:"}, stdin: "a:first\nb:second\nc:third\n"},
	{tool: "kafka-console-consumer", args: []string{"--topic", "orders", "--from-beginning", "--max-messages", "3", "--timeout-ms", "15000", "--group", "readers", "--formatter-property", "print.key=true"}, says: []string{`a\tfirst`, `b\tsecond`, `c\tthird`, `Processed a total of 3 messages`}},
	{tool: "kafka-console-consumer", args: []string{"--topic", "orders", "--from-beginning", "--max-messages", "3", "--timeout-ms", "15000", "--group", "readers-848", "--consumer-property", "group.protocol=consumer"}, says: []string{`first`, `second`, `third`}},
	{tool: "kafka-console-consumer", args: []string{"--topic", "__consumer_offsets", "--from-beginning", "--timeout-ms", "3000", "--formatter", "org.apache.kafka.tools.consumer.OffsetsMessageFormatter"}, says: []string{`"group":"readers","topic":"orders"`}},
	{tool: "kafka-consumer-groups", args: []string{"--list"}, says: []string{`(?m)^readers$`, `(?m)^readers-848$`}},
	{tool: "kafka-consumer-groups", args: []string{"--list", "--state"}, says: []string{`readers\s+Empty`, `readers-848\s+Empty`}},
	{tool: "kafka-groups", args: []string{"--list"}, says: []string{`readers\s+Classic\s+consumer`, `readers-848\s+Consumer\s+consumer`}},
	{tool: "kafka-consumer-groups", args: []string{"--describe", "--group", "readers"}, says: []string{`Consumer group 'readers' has no active members`, `readers\s+orders\s+\d\s+\d+\s+\d+\s+0`}},
	{tool: "kafka-consumer-groups", args: []string{"--describe", "--group", "readers-848", "--state"}, says: []string{`readers-848`, `Empty`}},
	{tool: "kafka-consumer-groups", args: []string{"--describe", "--group", "nobody"}, says: []string{`nobody`}},
	{tool: "kafka-consumer-groups", args: []string{"--reset-offsets", "--group", "readers", "--topic", "orders", "--to-earliest", "--execute"}, says: []string{`readers\s+orders\s+\d\s+0`}},
	{tool: "kafka-consumer-groups", args: []string{"--delete-offsets", "--group", "readers-848", "--topic", "orders"}, says: []string{`orders\s+\d\s+Successful`}},
	{tool: "kafka-consumer-groups", args: []string{"--delete", "--group", "readers"}, says: []string{`Deletion of requested consumer groups \('readers'\) was successful`}},
	{tool: "kafka-get-offsets", args: []string{"--topic", "orders", "--time", "-1"}, says: []string{`orders:0:\d+`, `orders:3:\d+`}},
	{tool: "kafka-get-offsets", args: []string{"--topic", "orders", "--time", "max-timestamp"}, says: []string{`orders:\d:\d+`}},
	{tool: "kafka-producer-perf-test", args: []string{"--topic", "orders", "--num-records", "2000", "--record-size", "100", "--throughput", "-1", "--command-property", "acks=all"}, says: []string{`2000 records sent`}},
	{tool: "kafka-producer-perf-test", args: []string{"--topic", "orders", "--num-records", "500", "--record-size", "100", "--throughput", "-1", "--transactional-id", "perf", "--transaction-duration-ms", "100"}, says: []string{`500 records sent`}},
	{tool: "kafka-consumer-perf-test", args: []string{"--topic", "orders", "--num-records", "2000", "--timeout", "20000"}, says: []string{`start\.time, end\.time`}},
	{tool: "kafka-verifiable-consumer", args: []string{"--topic", "orders", "--group-id", "verifiable", "--max-messages", "20", "--reset-policy", "earliest"}, says: []string{`"name":"partitions_assigned"`, `"name":"records_consumed"`, `"name":"offsets_committed"`}},
	{tool: "kafka-transactions", args: []string{"list"}, says: []string{`perf\s+\d+\s+\d+\s+CompleteCommit`}},
	{tool: "kafka-transactions", args: []string{"describe", "--transactional-id", "perf"}, says: []string{`CompleteCommit`}},
	{tool: "kafka-transactions", args: []string{"describe-producers", "--topic", "orders", "--partition", "0"}, says: []string{`ProducerId\s+ProducerEpoch`}},
	{tool: "kafka-transactions", args: []string{"find-hanging", "--topic", "orders"}, says: []string{`Topic\s+Partition\s+ProducerId`}},
	{tool: "kafka-transactions", args: []string{"describe-producers", "--topic", "hanging", "--partition", "0"}, says: []string{`(?m)^\d+\s+\d+\s+-?\d+\s+\d+\s+\d+\s+0\s*$`}},
	{tool: "kafka-transactions", args: []string{"abort", "--topic", "hanging", "--partition", "0", "--start-offset", "0"}},
	{tool: "kafka-transactions", args: []string{"describe-producers", "--topic", "hanging", "--partition", "0"}, says: []string{`\sNone\s*$`}},
	{tool: "kafka-metadata-quorum", args: []string{"describe", "--status"}, says: []string{`ClusterId:`, `LeaderId:\s+\d`, `CurrentVoters:`}},
	{tool: "kafka-metadata-quorum", args: []string{"describe", "--replication"}, says: []string{`Leader`}},
	{tool: "kafka-broker-api-versions", says: []string{`Produce\(0\): 0 to 13`, `ConsumerGroupHeartbeat\(68\): 0 to 1`, `id: 3`}},
	{tool: "kafka-features", args: []string{"describe"}, says: []string{`group\.version\s+SupportedMinVersion: 0\s+SupportedMaxVersion: 1\s+FinalizedVersionLevel: 1`, `transaction\.version.*FinalizedVersionLevel: 2`}},
	{tool: "kafka-log-dirs", args: []string{"--describe", "--topic-list", "orders"}, says: []string{`"partition":"orders-0"`, `"size":\d+`}},
	{tool: "kafka-delete-records", args: []string{"--offset-json-file", "FILES/delete.json"}, says: []string{`partition: orders-0\s+low_watermark: 0`}},
	{tool: "kafka-leader-election", args: []string{"--election-type", "preferred", "--all-topic-partitions"}},
	{tool: "kafka-reassign-partitions", args: []string{"--reassignment-json-file", "FILES/reassign.json", "--execute"}, says: []string{`Successfully started partition reassignment for orders-0`}},
	{tool: "kafka-reassign-partitions", args: []string{"--list"}, says: []string{`(?i)partition reassignments`}},
	{tool: "kafka-cluster", args: []string{"cluster-id"}, says: []string{`Cluster ID: \S{22}`}},
	{tool: "kafka-acls", args: []string{"--add", "--allow-principal", "User:alice", "--operation", "Read", "--topic", "orders"}, secure: true, says: []string{`principal=User:alice`, `operation=READ`}},
	{tool: "kafka-acls", args: []string{"--add", "--deny-principal", "User:bob", "--operation", "All", "--topic", "ord", "--resource-pattern-type", "prefixed"}, secure: true, says: []string{`permissionType=DENY`}},
	{tool: "kafka-acls", args: []string{"--list"}, secure: true, says: []string{`User:alice`, `patternType=PREFIXED`}},
	{tool: "kafka-acls", args: []string{"--remove", "--force", "--topic", "orders"}, secure: true},
	{tool: "kafka-topics", args: []string{"--delete", "--topic", "orders"}},
	{tool: "kafka-topics", args: []string{"--list"}, never: []string{`(?m)^orders$`}},
	{tool: "kafka-topics", args: []string{"--create", "--topic", "alone"}, says: []string{`Created topic alone`}, alone: true},
	{tool: "kafka-verifiable-producer", args: []string{"--topic", "alone", "--max-messages", "20", "--throughput", "1000"}, says: []string{`"name":"producer_send_success"`, `"acked":20`}, alone: true},
}
