package groups

import (
	"fmt"
	"slices"
)

// State is the state of a group, spelled as Kafka spells it in DescribeGroups
// and ListGroups.
type State string

// The states of a classic group.
const (
	// Empty: no members. Offsets may still be there, and may be committed by
	// clients that are no member of anything.
	Empty State = "Empty"
	// PreparingRebalance: members are joining; who has joined waits.
	PreparingRebalance State = "PreparingRebalance"
	// CompletingRebalance: all have joined; the leader is computing the assignment.
	CompletingRebalance State = "CompletingRebalance"
	// Stable: every member has, or can ask for, its assignment.
	Stable State = "Stable"
	// Dead: there is no such group. A group is never kept in this state; it is
	// what is said of one that does not exist.
	Dead State = "Dead"
)

// next lists the states that each state of a classic group may go to. Any
// other step is a defect of this package.
var next = map[State][]State{
	Empty:               {PreparingRebalance, Dead},
	PreparingRebalance:  {CompletingRebalance, Empty, Dead},
	CompletingRebalance: {Stable, PreparingRebalance, Dead},
	Stable:              {PreparingRebalance, Dead},
	Dead:                {},
}

func checkStep(group string, from, to State) {
	if !slices.Contains(next[from], to) {
		panic(fmt.Sprintf("groups: group %q may not go from %s to %s", group, from, to))
	}
}
