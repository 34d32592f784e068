package txns

import "slices"

// State is the state of a transactional id, under Kafka's name.
type State string

// The states. An id begins Empty; Ongoing begins with the first partition; the Prepare states last until every partition has its marker.
const (
	Empty          State = "Empty"
	Ongoing        State = "Ongoing"
	PrepareCommit  State = "PrepareCommit"
	PrepareAbort   State = "PrepareAbort"
	CompleteCommit State = "CompleteCommit"
	CompleteAbort  State = "CompleteAbort"
	// Dead and PrepareEpochFence are states that Kafka passes through without showing them; ListTransactions knows their names.
	Dead              State = "Dead"
	PrepareEpochFence State = "PrepareEpochFence"
)

// Known says whether s is the name of a state.
func (s State) Known() bool {
	return slices.Contains([]State{Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort, Dead, PrepareEpochFence}, s)
}

// ending says whether markers are still to be written.
func (s State) ending() bool { return s == PrepareCommit || s == PrepareAbort }

// next lists what may follow each state. Empty comes again with every InitProducerId, and PrepareAbort also without a transaction: a client of
// the newer kind may abort what it never began.
var next = map[State][]State{
	Empty:          {Empty, Ongoing, PrepareAbort},
	Ongoing:        {Ongoing, PrepareCommit, PrepareAbort},
	PrepareCommit:  {CompleteCommit},
	PrepareAbort:   {CompleteAbort},
	CompleteCommit: {Empty, Ongoing, PrepareAbort},
	CompleteAbort:  {Empty, Ongoing, PrepareAbort},
}
