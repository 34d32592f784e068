package guarantee

import (
	"slices"
	"testing"
)

// Scenario shows one claim of one guarantee.
type Scenario struct {
	Guarantee string // "G1"
	Name      string // the claim
	Targets   Kind   // where it runs
	Verbs     []Verb // what it does to the cluster or to a member

	// Why says why it does not run on Apache Kafka, where it does not: which verb it has that nobody can do to a real cluster from outside.
	Why string

	// Alone says that it harms the whole cluster, so that nothing else may run on it at the same time.
	Alone bool

	body func(*scene)
}

// Verb is something that a scenario does to the cluster or to a member, for the table of what was served where.
type Verb string

// The verbs.
const (
	KillBroker      Verb = "kill a broker"
	StopBroker      Verb = "stop a broker"
	PauseBroker     Verb = "pause a broker"
	MoveLeader      Verb = "move a leader"
	MoveCoordinator Verb = "move a coordinator"
	KillMember      Verb = "kill a member"
	CutMember       Verb = "cut a member off"
	RefuseProduce   Verb = "refuse a produce"
	RefuseCommit    Verb = "refuse a commit"
	DropAfterApply  Verb = "drop a response after applying"
	CutFrame        Verb = "cut in mid-frame"
	DelayRequest    Verb = "delay a request"
	StallRequest    Verb = "stall a request"
	ShrinkISR       Verb = "shrink the in-sync replicas"
	LoseTail        Verb = "lose what was not replicated"
	FillDisk        Verb = "fill a disk"
	SkewClock       Verb = "skew a clock"
)

// Required are the verbs that Apache Kafka must serve (the design's section on evidence); the reference broker serves all.
var Required = []Verb{KillBroker, StopBroker, PauseBroker, MoveLeader, MoveCoordinator, KillMember, RefuseProduce, DropAfterApply, CutFrame}

// Guarantees are those that the suite covers, in order.
var Guarantees = []string{"G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8", "G9", "G10", "G11", "G12", "G13", "G14"}

// Scenarios returns the scenarios of a guarantee that have the kind among their targets; "" for all guarantees.
func Scenarios(guarantee string, kind Kind) []Scenario {
	var found []Scenario
	for _, s := range slices.Concat(loss, floods, commits, order, isolation, ownership, drain, restart, bounds, poison, producing, exactlyOnce, stopping, truth, secrecy, peers, replicas) {
		if s.Targets&kind != 0 && (guarantee == "" || s.Guarantee == guarantee) {
			found = append(found, s)
		}
	}
	return found
}

// BrokersFail reports whether brokers go away or hang in it.
func (s Scenario) BrokersFail() bool {
	return slices.ContainsFunc(s.Verbs, func(v Verb) bool {
		return v == KillBroker || v == StopBroker || v == PauseBroker || v == LoseTail || v == FillDisk
	})
}

// Run runs the scenario on the target and fails t when the claim, or any guarantee that the history can show, does not hold.
func (s Scenario) Run(t *testing.T, target *Target) {
	if s.Targets&target.Kind == 0 {
		t.Fatalf("scenario %s/%s does not run on %s", s.Guarantee, s.Name, target.Kind)
	}
	sc := newScene(t, target)
	defer sc.close()
	s.body(sc)
	sc.judge()
}
