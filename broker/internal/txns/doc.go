// Package txns is the transaction coordinator: what Kafka keeps in __transaction_state, as a table over transactional ids.
//
// A [Manager] decides who may write in a transaction, which partitions a transaction has, and how it ends. It writes nothing itself: when a
// transaction ends it hands an [Ending] to Config.Write, which puts markers into the partitions' logs and says so, partition by partition, with
// [Manager.Written]. Until the last marker is written the transaction is in PrepareCommit or PrepareAbort, and requests for it are answered
// CONCURRENT_TRANSACTIONS, as in Kafka.
//
// The rules are those of Apache Kafka 4.3 with transaction.version 2 (KIP-890): a client of the older kind keeps its epoch from transaction to
// transaction and announces the partitions that it writes to; for one of the newer kind the epoch grows with every end of a transaction, and
// partitions are added by what it produces. Both kinds are fenced by InitProducerId (KIP-360, KIP-588).
//
// All of it is one table under one mutex. No lock is held while a function of [Config] is called.
package txns
