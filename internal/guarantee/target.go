package guarantee

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini"
)

// Kind is what a target is.
type Kind uint8

// The kinds; a scenario's Targets is a set of them.
const (
	Reference Kind = 1 << iota // package broker
	Kafka                      // Apache Kafka
)

func (k Kind) String() string {
	switch k {
	case Reference:
		return "reference"
	case Kafka:
		return "kafka"
	case Reference | Kafka:
		return "reference and kafka"
	}
	return "nothing"
}

// Target is a cluster of at least three brokers that a scenario runs on, with the means to break it.
type Target struct {
	Kind    Kind
	Brokers int             // node ids are 1 to Brokers
	Cluster sordini.Cluster // how services reach it: where faults happen
	Direct  sordini.Cluster // how the independent reader and the suite's own requests reach it: where none do
	Faults  Faults

	// Foreign says that its processes are not ours: no broker can be killed, stopped or paused.
	Foreign bool

	// Patience bounds each wait for something that must happen; it is generous, since the clock is no witness.
	Patience time.Duration
}

// pause is how long a hung broker hangs: long enough that its leaderships move.
func (t *Target) pause() time.Duration { return t.Patience / 6 }

// outage is how long a dependency is away: a minute in virtual time, long enough for all retries in real time.
func (t *Target) outage() time.Duration {
	if t.Kind == Kafka {
		return 12 * time.Second
	}
	return time.Minute
}

// Faults is what a target can do to itself. Every method must work: an error fails the scenario.
type Faults interface {
	// Inject lets requests go wrong until it is removed, or has met its count.
	Inject(f Fault) (Injected, error)

	// Kill ends a broker as a crash does, Stop in order; Start brings it back and returns when it serves.
	Kill(ctx context.Context, broker int32) error
	Stop(ctx context.Context, broker int32) error
	Start(ctx context.Context, broker int32) error
	// Pause freezes a broker with its connections open, Resume lets it go on.
	Pause(ctx context.Context, broker int32) error
	Resume(ctx context.Context, broker int32) error

	// Leader, Coordinator and TxnCoordinator say which broker it is now: of a partition, of a group, of a transactional id.
	Leader(ctx context.Context, topic string, partition int32) (int32, error)
	Coordinator(ctx context.Context, group string) (int32, error)
	TxnCoordinator(ctx context.Context, transactionalID string) (int32, error)
	// MoveLeader, MoveCoordinator and MoveTxnCoordinator return when it is the one named.
	MoveLeader(ctx context.Context, topic string, partition, to int32) error
	MoveCoordinator(ctx context.Context, group string, to int32) error
	MoveTxnCoordinator(ctx context.Context, transactionalID string, to int32) error

	// ExpireMember takes the members with this client id out of the group, as if their sessions had timed out: they learn of it by their next request.
	ExpireMember(ctx context.Context, group, client string) error
}

// ReplicaFaults is what only a cluster that is asked from inside can do to its replicas: the reference broker's Faults are ReplicaFaults, too. Why Apache
// Kafka serves none of them is said in [Unserved].
type ReplicaFaults interface {
	// ShrinkISR leaves the leader of a partition alone in sync, RestoreISR lets the others catch up.
	ShrinkISR(ctx context.Context, topic string, partition int32) error
	RestoreISR(ctx context.Context, topic string, partition int32) error
	// HoldReplication stops the followers on a broker from fetching, ReleaseReplication lets them go on.
	HoldReplication(ctx context.Context, broker int32) error
	ReleaseReplication(ctx context.Context, broker int32) error
	// StartLosing is Start of a broker that has lost what had not been replicated to it when it died.
	StartLosing(ctx context.Context, broker int32) error
	// FillDisk lets a broker's next write fail. FreeDisk gives it room again, and the broker has to be killed and started to use it.
	FillDisk(ctx context.Context, broker int32) error
	FreeDisk(ctx context.Context, broker int32) error
	// SkewClock makes a broker's clock wrong by so much.
	SkewClock(ctx context.Context, broker int32, by time.Duration) error
}

// Action is what a Fault does to a request.
type Action uint8

// The actions.
const (
	Refuse            Action = iota + 1 // answer with Fault.Code, and do not apply
	DropRequest                         // end the connection, and do not apply
	DropResponse                        // apply, then end the connection in place of answering
	CutResponse                         // apply, then end the connection in the middle of the answer, or after Fault.CutAfter bytes of it
	Delay                               // wait for Fault.Delay first, and for up to Fault.Jitter longer
	Slow                                // let request and answer through at Fault.BytesPerSecond
	Stall                               // neither apply nor answer, until the client gives up
	RefuseConnections                   // end connections as soon as they are made; scoped by Broker, Count and Probability alone
)

// Any is every partition.
const Any int32 = -1

// AnyAPI is every kind of request.
const AnyAPI kmsg.Key = -1

// Fault says which requests go wrong and how. Empty fields match everything.
type Fault struct {
	API       kmsg.Key // Produce, Fetch, OffsetCommit, JoinGroup …; AnyAPI for all
	Topic     string   // of Produce, Fetch, OffsetCommit
	Partition int32    // of Topic; Any for all
	Client    string   // the client id
	Broker    int32    // that the request is for

	Count       int     // how many requests; 0 until it is removed
	Probability float64 // that it happens to a request that matches; 0 is always
	Seed        uint64  // of Probability and Jitter; the suite chooses and prints one when it is 0

	Do             Action
	Code           int16         // of Refuse
	Delay          time.Duration // of Delay
	Jitter         time.Duration // of Delay
	BytesPerSecond int           // of Slow
	CutAfter       int           // of CutResponse: half of the answer when 0
}

// Injected is a fault at work.
type Injected interface {
	Hits() int
	Wait(ctx context.Context, n int) error
	Remove()
}
