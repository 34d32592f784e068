package proxy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Action is what a Fault does to the requests that it matches.
type Action int

// The actions.
const (
	// Refuse answers with Fault.Code and does not forward. Of a Produce only the partitions that match are refused; the others are forwarded.
	Refuse Action = iota + 1
	// DropResponse forwards, waits for the broker's answer and ends the connection in its place: the client can not know whether it was applied.
	DropResponse
	// SwallowResponse forwards, waits for the broker's answer and keeps it: nothing comes back on this connection from then on.
	SwallowResponse
	// CutResponse forwards and ends the connection in the middle of the broker's answer.
	CutResponse
	// CutRequest sends the broker half of the request and ends the connection: it is not applied.
	CutRequest
	// Delay forwards after Fault.Delay; what the same connection sends behind it waits as well.
	Delay
	// Slow lets request and answer through at Fault.BytesPerSecond; what the same connection says behind them waits as well.
	Slow
	// Stall neither forwards nor answers, this and whatever the same connection sends behind it, until the connection ends.
	Stall
	// RefuseConnections resets connections as soon as they are made, and leaves requests alone. It is scoped by Broker, Count and Probability only.
	RefuseConnections
)

var actionNames = [...]string{
	"", "refuse", "drop response", "swallow response", "cut response", "cut request", "delay", "slow", "stall", "refuse connections",
}

func (a Action) String() string {
	if a < 1 || int(a) >= len(actionNames) {
		return fmt.Sprintf("action %d", int(a))
	}
	return actionNames[a]
}

// Any matches every API or partition.
const Any = -1

// Fault says which requests go wrong, and how. It matches when all that it names match.
type Fault struct {
	API       kmsg.Key // the request's kind; Any for all
	Topic     string   // requests that name it (Produce, Fetch, OffsetCommit, ListOffsets); "" for all
	Partition int32    // of Topic; Any for all
	Group     string   // requests of that group; "" for all
	Client    string   // the client id; a trailing * stands for any rest; "" for all
	Broker    int32    // requests to that broker; 0 for all

	Count       int     // how many requests; 0 for all until it is removed
	Probability float64 // that it happens to a request that matches; 0 is always
	Seed        uint64  // decides which requests those are, and how long Jitter is

	Do             Action
	Code           int16         // of Refuse: Kafka's error code
	Delay          time.Duration // of Delay
	Jitter         time.Duration // of Delay: for up to so much longer
	BytesPerSecond int           // of Slow
	CutAfter       int           // of CutResponse: how many bytes of the answer get through, its size included; half of it when 0
}

// Injected is a fault at work.
type Injected struct {
	fault Fault
	proxy *Proxy

	mu      sync.Mutex
	dice    *rand.Rand // of Probability and Jitter
	left    int        // requests that it may still match; -1 for all
	hits    int
	changed chan struct{} // closed at the next hit
}

// Inject starts a fault. The first fault in the order of injection that matches a request decides. It returns an error when the fault can not be served:
// an unknown action, a refusal for a kind of request whose answer it can not make, a topic for one that names none.
func (p *Proxy) Inject(f Fault) (*Injected, error) {
	if f.Do < Refuse || f.Do > RefuseConnections {
		return nil, fmt.Errorf("proxy: fault: %s is not known", f.Do)
	}
	if f.Do == Slow && f.BytesPerSecond <= 0 {
		return nil, fmt.Errorf("proxy: fault: a slow link needs its bytes per second")
	}
	if f.Topic != "" && f.API != Any && !namesTopics(int16(f.API)) {
		return nil, fmt.Errorf("proxy: fault: requests of kind %s are not matched by topic; leave Topic empty", kmsg.NameForKey(int16(f.API)))
	}
	if f.Do == Refuse {
		if f.API == Any {
			return nil, fmt.Errorf("proxy: fault: a refusal needs an API")
		}
		if err := canRefuse(int16(f.API)); err != nil {
			return nil, fmt.Errorf("proxy: fault: %w", err)
		}
	}
	in := &Injected{fault: f, proxy: p, left: f.Count, changed: make(chan struct{}), dice: rand.New(rand.NewPCG(f.Seed, 0x9e0c5))}
	if f.Count == 0 {
		in.left = -1
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, in)
	return in, nil
}

// Remove ends the fault. What it has already decided about stays decided.
func (in *Injected) Remove() {
	in.mu.Lock()
	in.left = 0
	in.mu.Unlock()
	in.proxy.forget(in)
}

// Hits returns how many requests the fault has met: for those that drop or cut a response, how many responses.
func (in *Injected) Hits() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.hits
}

// Wait returns nil once the fault has met n requests.
func (in *Injected) Wait(ctx context.Context, n int) error {
	for {
		in.mu.Lock()
		hits, changed := in.hits, in.changed
		in.mu.Unlock()
		if hits >= n {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("proxy: %s met %d of %d requests: %w", in.fault.Do, hits, n, ctx.Err())
		case <-changed:
		}
	}
}

func (in *Injected) hit() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.hits++
	close(in.changed)
	in.changed = make(chan struct{})
}

// take uses one of the requests that the fault may match.
func (in *Injected) take() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.left == 0 || in.fault.Probability > 0 && in.dice.Float64() >= in.fault.Probability {
		return false
	}
	if in.left > 0 {
		in.left--
	}
	return true
}

// giveBack undoes a take.
func (in *Injected) giveBack() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.fault.Count > 0 {
		in.left++
	}
}

// pause is how long the fault delays a request.
func (in *Injected) pause() time.Duration {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.fault.Jitter <= 0 {
		return in.fault.Delay
	}
	return in.fault.Delay + time.Duration(in.dice.Int64N(int64(in.fault.Jitter)+1))
}

// refuses reports whether a connection to the broker is to end at once.
func (p *Proxy) refuses(broker int32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, in := range p.faults {
		if f := in.fault; f.Do == RefuseConnections && (f.Broker == 0 || f.Broker == broker) && in.take() {
			in.hit()
			return true
		}
	}
	return false
}

// match returns the first fault that matches, nil where none does. names tells which name a topic id stands for.
func (p *Proxy) match(h header, req kmsg.Request, broker int32) *Injected {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, in := range p.faults {
		if in.fault.matches(h, req, broker, p.topics) && in.take() {
			return in
		}
	}
	return nil
}

func (p *Proxy) forget(in *Injected) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.faults {
		if other == in {
			p.faults = append(p.faults[:i:i], p.faults[i+1:]...)
			return
		}
	}
}

func (f Fault) matches(h header, req kmsg.Request, broker int32, names map[[16]byte]string) bool {
	switch {
	case f.Do == RefuseConnections:
		return false
	case f.API != Any && h.api != int16(f.API), f.Broker != 0 && broker != f.Broker, f.Client != "" && !matchesName(f.Client, h.client):
		return false
	case f.Group != "" && (req == nil || groupOf(req) != f.Group):
		return false
	case f.Topic == "":
		return true
	case req == nil:
		return false
	}
	found := false
	eachPartition(req, names, func(topic string, partition int32) {
		found = found || f.matchesPartition(topic, partition)
	})
	return found
}

func (f Fault) matchesPartition(topic string, partition int32) bool {
	return (f.Topic == "" || f.Topic == topic) && (f.Topic == "" || f.Partition == Any || f.Partition == partition)
}

func matchesName(pattern, name string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, prefix)
	}
	return pattern == name
}
