package history

import "time"

// Options say what the events cannot: which groups owe an end to which records, and what the test knows about its own set-up. The zero Options judge
// every group that the history names, on the topics it was assigned.
type Options struct {
	// Groups whose debts (G1) are judged although the history may not even mention them, and how they handle. A group that is not here owes an end
	// to every accepted record of every topic that it was assigned, in key order.
	Groups []Group

	// Open says that the history was cut while things went on: what has not ended is counted as pending and is no loss.
	Open bool

	// MarksPoison says that every value that cannot be decoded is marked Undecodable: a dead letter of class decode for any other record is then a
	// violation of G9 (a registry that cannot be reached is not poison).
	MarksPoison bool

	// DrainTimeout, if not 0, is the time that handlers are given after DrainStart: an attempt that is cut earlier violates G6.
	DrainTimeout time.Duration

	// Limit is how many violations of each guarantee are kept in the report; all are counted. Default 100.
	Limit int
}

// Group is what a history does not say about a consumer group.
type Group struct {
	Name string
	// Topics whose accepted records the group owes an end. Default: those it was assigned.
	Topics []string
	// Order in which it handles. Default KeyOrder.
	Order Order
	// StartLatest: a new group starts where the log ends. What lies before the position of the first Assigned of a partition is not owed.
	StartLatest bool
}

// Order is what a group's handlers keep in order.
type Order uint8

// Orders of a group: by key (null keys are unordered among themselves), by partition, or none.
const (
	KeyOrder Order = iota
	PartitionOrder
	Unordered
)
