// Package groups is the reference broker's group coordinator: membership of
// classic groups and of consumer groups (KIP-848), and committed offsets, as
// Apache Kafka 4.3 answers them.
//
// It is a state machine and nothing else. It opens no connection, reads no
// file and knows no log: a request goes in, a response comes out through the
// callback it came with, at once or when a timer or another member's request
// decides it. Time is only ever asked of package time, so that inside
// testing/synctest a session that expires after half an hour expires at once.
//
//	m := groups.New(groups.Config{})
//	defer m.Close()
//	m.Handle(groups.Client{ID: "app", Host: "/127.0.0.1"}, req, func(resp kmsg.Response) { … })
//
// # Rules
//
// The rules are those of Kafka's group coordinator. In classic groups: member
// ids that the coordinator hands out (KIP-394), static members (KIP-345) that
// take their place over without a rebalance and keep the leader's assignment
// (KIP-814), protocol types in answers (KIP-559), batched leaves (KIP-345). In
// consumer groups (KIP-848): the uniform and the range assignor, member epochs,
// revocation before assignment, static members, regular expressions, and groups
// that change their protocol while they have members, in both directions. For
// both: batched offset fetches (KIP-709), topic ids in commits and fetches,
// state and type filters (KIP-518).
//
// They are tested against transcripts of a real broker, in testdata.
//
// # Where it differs on purpose
//
// Kafka can forget a parked request: a second JoinGroup or SyncGroup of the
// same member replaces the first, and a member that leaves while its SyncGroup
// waits is dropped with it; the client finds out by its own time-out. Here
// every request is answered exactly once: the replaced one with
// REBALANCE_IN_PROGRESS, the dropped one with UNKNOWN_MEMBER_ID.
//
// Members of a classic group are listed in the order in which they joined;
// Kafka lists them in the order of a hash table. The uniform assignor gives the
// same as Kafka's where all members read the same topics; where they do not it
// is as even and moves as little, but another member may get the odd partition.
package groups
