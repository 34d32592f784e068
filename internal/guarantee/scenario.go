package guarantee

import (
	"context"
	"slices"
)

// T is what a run reports to: a *testing.T, or a program's own.
type T interface {
	Helper()
	Context() context.Context // ends with the run
	Logf(format string, args ...any)
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any) // ends the goroutine that runs the scenario
	Fatalf(format string, args ...any)
	Failed() bool
}

// Scenario shows one claim of one guarantee.
type Scenario struct {
	Guarantee string // "G1"
	Name      string // the claim
	Targets   Kind   // where it runs
	Verbs     []Verb // what it does to the cluster or to a member

	// Why says why it does not run on Apache Kafka, where that is for another reason than a verb that is Unserved.
	Why string

	// Alone says that it harms the whole cluster, so that nothing else may run on it at the same time.
	Alone bool

	body func(*scene)
}

// Verb is something that a scenario does to the cluster or to a member, for the table of what was served where.
type Verb string

// The verbs.
const (
	KillBroker         Verb = "kill a broker"
	StopBroker         Verb = "stop a broker"
	PauseBroker        Verb = "pause a broker"
	MoveLeader         Verb = "move a leader"
	MoveCoordinator    Verb = "move a coordinator"
	MoveTxnCoordinator Verb = "move a transaction coordinator"
	KillMember         Verb = "kill a member"
	CutMember          Verb = "cut a member off"
	ExpireMember       Verb = "expire a member"
	RefuseProduce      Verb = "refuse a produce"
	RefuseCommit       Verb = "refuse a commit"
	RefuseConnection   Verb = "refuse connections"
	DropBeforeApply    Verb = "drop a request before applying"
	DropAfterApply     Verb = "drop a response after applying"
	CutFrame           Verb = "cut in mid-frame"
	CutAtByte          Verb = "cut at a byte"
	DelayRequest       Verb = "delay a request"
	JitterRequest      Verb = "jitter requests"
	WithProbability    Verb = "fail with a probability"
	SlowLink           Verb = "slow a link"
	StallRequest       Verb = "stall a request"
	ShrinkISR          Verb = "shrink the in-sync replicas"
	HoldReplication    Verb = "hold replication"
	LoseTail           Verb = "lose what was not replicated"
	FillDisk           Verb = "fill a disk"
	SkewClock          Verb = "skew a clock"
)

// Verbs are all of them. The reference broker serves every one, Apache Kafka those that are not in Unserved.
var Verbs = []Verb{
	KillBroker, StopBroker, PauseBroker, MoveLeader, MoveCoordinator, MoveTxnCoordinator, KillMember, CutMember, ExpireMember, RefuseProduce, RefuseCommit,
	RefuseConnection, DropBeforeApply, DropAfterApply, CutFrame, CutAtByte, DelayRequest, JitterRequest, WithProbability, SlowLink, StallRequest,
	ShrinkISR, HoldReplication, LoseTail, FillDisk, SkewClock,
}

// Unserved says why nobody can do it to Apache Kafka from outside.
var Unserved = map[Verb]string{
	ShrinkISR:       "two hung brokers of three take the quorum of controllers with them that would shrink the ISR",
	HoldReplication: "Kafka throttles only followers that are not in sync, and a hung broker is no follower that lags: it is fenced",
	LoseTail:        "what a machine's disk has lost is not Kafka's to say",
	FillDisk:        "Kafka's data is in a directory of the machine's one disk",
	SkewClock:       "Kafka's brokers have the machine's clock",
}

// Guarantees are those that the suite covers, in order.
var Guarantees = []string{"G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8", "G9", "G10", "G11", "G12", "G13", "G14"}

// Scenarios returns the scenarios of a guarantee that have the kind among their targets; "" for all guarantees.
func Scenarios(guarantee string, kind Kind) []Scenario {
	var found []Scenario
	for _, s := range slices.Concat(loss, floods, commits, order, isolation, ownership, drain, restart, bounds, poison, producing, exactlyOnce, stopping, truth, secrecy, peers, replicas, links) {
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
func (s Scenario) Run(t T, target *Target) {
	if s.Targets&target.Kind == 0 {
		t.Fatalf("scenario %s/%s does not run on %s", s.Guarantee, s.Name, target.Kind)
	}
	sc := newScene(t, target)
	var cancel context.CancelFunc
	sc.ctx, cancel = context.WithTimeout(sc.ctx, 4*target.Patience) // no single wait need be too long in a scenario that goes on and on
	defer cancel()
	defer sc.close()
	s.body(sc)
	if sc.ctx.Err() != nil {
		t.Fatalf("scenario %s/%s has gone on for %s", s.Guarantee, s.Name, 4*target.Patience)
	}
	sc.judge()
}
