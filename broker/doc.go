// Package broker is an Apache Kafka cluster in process, for tests, examples and laptops. It speaks Kafka's wire protocol to unmodified clients of
// every language, over TCP or over an in-memory [Network] that works inside testing/synctest; it can be asked what it holds, and told to fail.
//
//	cluster, err := broker.Start(broker.Config{Topics: []broker.Topic{{Name: "orders", Partitions: 12}}})
//	if err != nil { … }
//	defer cluster.Close()
//	client := newClient(cluster.Addrs()) // any Kafka client
//
// Tests of Go code use package brokertest, which closes the cluster and shows its log and contents when a test fails.
//
// # What it is
//
// An executable description of how Kafka 4.3 behaves: versions of each API, error codes, the order of checks. It imports nothing of the SDK, so that
// it is able to disagree with it. Everything is held in memory and gone when the process ends, unless [Config.DataDir] says where to keep it. The
// production engine is a real cluster: that is what carries a service past one machine.
//
// # Ownership
//
// One goroutine serves each connection and handles its requests one after another, as Kafka does: while a request waits (a fetch for records, a join
// for its group) nothing else of that connection is read. So a handler may simply block, and there is no purgatory to look after. State has three
// kinds of owners: one lock for the cluster's metadata (which topics there are, which brokers live), one per partition for its leadership and its
// log together, because an append has to see both at one moment, and one per group inside the coordinator. A lock of the metadata is taken before a
// partition's, never after. Locks instead of one loop, because partitions have nothing in common: a loop would put all produce and fetch requests
// behind one another, and hand every batch from one goroutine to the next.
//
// A batch is never copied: it stays in the frame in which it was received, its offset and epoch are written in place, and a fetch sends it from there.
//
// # Questions
//
// A cluster is asked by its methods, which answer with Go values: [Cluster.Records] and [Cluster.CommittedRecords], [Cluster.Partition],
// [Cluster.Group], [Cluster.Commits], [Cluster.Lag], [Cluster.Transactions], [Cluster.Faults]. The Wait methods end when what they wait for is so. Whoever
// changes something wakes them; nothing looks by the clock, so in a bubble of testing/synctest a wait in vain is seen as the deadlock that it is. Their
// errors say what was there instead. [Cluster.Dump] tells everything, for a person to read.
//
// # Logs
//
// Each replica has a log of its own, which shares the batches of the leader's. It is rolled, retained and compacted by segments, by the clock of its
// broker ([Cluster.SkewClock]), and each replica does it for itself, as in Kafka. Compaction keeps offsets, the last batch of each producer, tombstones
// and markers until their delete horizon (KIP-534); it works beside readers and writers. Every batch that is produced is opened and checked, and
// compressed anew where the topic's compression.type asks for it.
//
// # Data directory
//
// With [Config.DataDir] each broker has a directory in Kafka's format, and everything survives the end of the process, however it ends. What survives a
// loss of power says [Config.Fsync]. By default the high watermark does not pass what is synced on every in-sync replica, so that nobody is told of a
// record, by an acknowledgement or by reading it, that could be lost; and no answer leaves before what it depends on is synced: offsets, transactions,
// metadata. One goroutine syncs for all, so that many promises share a sync. A disk that is full refuses (KAFKA_STORAGE_ERROR) until it is not. Everything
// is in memory, too: reading takes nothing from the disk, and Start reads all of it. docs/broker.md says more.
//
// # Transactions
//
// Coordinators know clients of both kinds (KIP-890): those that announce what they will write to and keep their epoch, and those for which brokers add
// partitions and the epoch grows with each transaction. EndTxn is answered when it is decided; markers follow, and wait for a leader that is down, for
// min.insync.replicas and for the replicas. Meanwhile a transaction is in PrepareCommit or PrepareAbort, and consumers of committed records wait, as in
// Kafka: [Cluster.WaitTransaction] waits until it is through. testdata/transactions has what Apache Kafka 4.3.1 answered to some 290 requests, and a test
// compares.
//
// # Share groups
//
// Members of a share group (KIP-932) have records rather than partitions: they acquire them for a while, give each back as accepted, released, rejected or
// renewed, and a record that was delivered as often as the group's limit says ends. The leader of a partition knows who has what; what has ended and how
// often the rest was delivered is written down in __share_group_state, and another leader goes on from there. All settings of share groups act, their
// offsets are described, set and deleted, and a group's assignment is the simple assignor's. As in Kafka a new group reads from the end
// (share.auto.offset.reset) and has its first partitions with its second heartbeat (group.share.heartbeat.interval.ms).
//
// # Faults
//
// [Cluster.Inject] makes requests go wrong: failed with a code, delayed, slowed, stalled, dropped before they are carried out or after, answered in part,
// connections refused; for some APIs, topics, partitions, groups, transactional ids, clients or brokers, so many times, or by chance from a seed. A
// fault that can not happen is refused; those in force are in the dump. Brokers can be killed, started with or without what was not replicated, paused
// and resumed ([Cluster.KillBroker] …), leaders and coordinators moved, replication held and in-sync replicas shrunk, disks filled, clocks skewed, members
// expired. A group is coordinated by the broker that leads its partition of __consumer_offsets; who takes it over keeps it, and knows what was written
// down: offsets, and the members of the last rebalance that ended. What a test has to wait for it waits for: [Injected.Wait], [Cluster.WaitRecords].
//
// # Security
//
// [Config.TLS] has listeners speak TLS, and ask for certificates; [Config.SASL] has clients authenticate by PLAIN, SCRAM or OAUTHBEARER, and again when
// their session ends (KIP-368); [Config.Authorizer] decides by ACLs who may do what, as StandardAuthorizer does, at the place in each request where Kafka
// asks it. testdata/authorization.txt has what Apache Kafka 4.3.1 answered to some 80 requests under 40 lists of ACLs, and a test compares. A client
// that has not authenticated has 30 s, frames of half a megabyte and three requests. No log line, dump or printed setting shows a secret (G14).
//
// # Replication
//
// Each replica has a log of its own that shares the leader's batches. The high watermark is what all in-sync replicas are known to hold; consumers read
// to it, and acks=all waits for it. A follower that lags for replica.lag.time.max.ms is out of sync, one that has caught up is in sync again; one that
// follows a new leader is cut back to where their epochs part. Leaders are elected as Kafka's controller elects them: in-sync replicas, eligible ones
// where none is in sync (KIP-966), others by an unclean election only. [Cluster.HoldReplication], [Cluster.ShrinkISR], [Cluster.ElectLeader] and the
// options of [Cluster.KillBroker] and [Cluster.StartBroker] make a test choose what is lost.
//
// # What it does not do
//
//   - Replication is a step of the append: with acks=all a follower that can fetch has it at once, otherwise after [Config.ReplicationDelay]. A broker
//     that is killed is replaced at once, or after its session where [AfterSession] asks for it. What the controller decides every broker knows at once.
//   - A broker has one log directory, which may be full ([Cluster.FillDisk]). Without [Config.DataDir] it does not exist, and nothing outlives the process.
//   - A fetch may cross the end of a segment, which one of Kafka's does not, and ends with a whole batch, where Kafka's may end in the middle of one at a byte
//     limit.
//   - Strings that are not valid UTF-8 are kept byte by byte; Kafka replaces what is invalid.
//   - All listeners ask the same of clients (TLS, SASL); SASL GSSAPI is not served, as in a Kafka where it is off. Delegation tokens are
//     kept by the cluster as a whole and end with it.
//   - Every request that Kafka 4.3 lists is answered. As in a cluster that has them off, Streams' own groups (streams.version 0) are refused, and the voters
//     of the metadata quorum do not change (kraft.version 0).
//   - Kafka's own topics (__consumer_offsets, __transaction_state, __share_group_state) are created when the first coordinator is asked for, with a
//     replica on every broker, and led by the coordinators. They hold offsets, members of classic groups, transactional ids and the state of share
//     partitions in Kafka's own encoding, but no members of consumer groups and share groups, and what somebody else writes there nobody reads: a
//     coordinator that takes over knows already.
//   - All settings of Kafka 4.3 are listed and checked; those that the broker does not act upon say so in their documentation (DescribeConfigs). A
//     topic's default that is altered for one broker alone is shown and not applied.
//
// Where Kafka has a defect of its own (a produce request without any records is never answered, a negative fetch size is an unknown error), the
// broker answers what the defect stands in the way of.
package broker
