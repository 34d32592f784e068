// Package sharegroups is what the reference broker knows of the records of share groups (KIP-932), as Apache Kafka 4.3 has it. Who is a member of such a
// group, and which partitions a member has, is package groups' business.
//
// It has three parts, none of which opens a connection, reads a file or knows a log:
//
//   - [Partition] is one partition as a share group reads it, on the broker that leads it: which records are acquired by whom and until when, how often
//     each was delivered, and where the group's records begin. Records are taken with [Partition.Acquire] and given back with [Partition.Acknowledge].
//   - [Sessions] are the share sessions of one broker: what a member has asked for, and the epoch of its next request.
//   - [States] is the share coordinator: what is written down of each partition, so that another leader goes on where this one ended. What is acquired is
//     not written down; how often a record was delivered is, once it is given back.
//
// Time is only ever asked of package time, so that in a bubble of testing/synctest a lock that is held for half a minute runs out at once.
package sharegroups
