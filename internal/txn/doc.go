// Package txn drives Kafka transactions for producer and consumer: what handlers send is staged in memory, and enters a transaction only once it is known that
// it is to be committed.
//
// A [Stage] collects the outputs of one attempt or of one transaction of a user. A [Client] owns one transactional id and carries out one transaction at a
// time: produce, the offsets of a group, the end. After any error it begins with a new producer epoch, by which the coordinator finishes or aborts what was
// left behind; nothing is ever tried again inside a transaction that went wrong.
//
// Transactions are of KIP-98; KIP-447 ties offsets to the group's generation; with KIP-890 (transaction.version=2) every transaction has an epoch of its own.
package txn
