package broker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Fault says which requests go wrong and how. What is left zero matches every request; all that is given must match. A fault that does nothing only
// counts, which is how a test waits for a request.
type Fault struct {
	API      API
	Broker   int32  // node id of the broker that the request came to
	ClientID string // of the request's header
	Group    string // one that the request names
	// TransactionalID is one that the request names.
	TransactionalID string
	Topic           string  // one that the request names
	Partitions      []int32 // of Topic, or of any topic; matches nothing in a request that names topics only

	// Count is how many requests the fault takes before it is used up. Default: no limit.
	Count int
	// Probability is how likely the fault is to happen to a request that matches, up to 1. Default: it always happens.
	Probability float64
	// Seed decides which requests those are, and how long Jitter is. Default: one that differs each time; [Injected.String] says which it was.
	Seed uint64

	// Delay holds the request before it is handled.
	Delay time.Duration
	// Jitter holds it for up to so much longer.
	Jitter time.Duration
	// BytesPerSecond is how fast request and response come through. Default: no limit.
	BytesPerSecond int
	// Stall holds the request, with its connection open, until the fault is removed or the connection ends. It is handled afterwards.
	Stall bool
	// DropRequest ends the connection in place of handling the request.
	DropRequest bool
	// Fail answers with this error code of Kafka's in place of doing what is asked: for the partitions that match, where the request names
	// partitions, and as a whole otherwise.
	Fail int16
	// DropResponse handles the request and then ends the connection in place of answering.
	DropResponse bool
	// CutResponse handles the request and then ends the connection in the middle of the response.
	CutResponse bool
	// CutAfter is after how many bytes of the response's frame, its size included, CutResponse ends the connection: always before the last. Default:
	// half of it.
	CutAfter int
	// RefuseConnections ends connections as soon as they are made, and leaves requests alone. It is scoped by Broker, Count and Probability only.
	RefuseConnections bool
}

// Injected is a fault that is in force. Its methods are safe for concurrent use.
type Injected struct {
	fault   Fault
	faults  *faults
	removed chan struct{}

	mu      sync.Mutex // guards what follows
	dice    *rand.Rand // of Probability and Jitter
	taken   int        // requests that the fault has taken
	hits    int        // of those, the ones to which it has happened
	gone    bool
	changed chan struct{} // closed, and replaced, at every hit
}

// faults are the faults in force, oldest first.
type faults struct {
	inForce atomic.Int32 // how many; a request looks no further when there is none

	mu   sync.Mutex // guards list
	list []*Injected
}

// Inject puts a fault into force, after those that are in force already: a request meets them in this order. It fails with [ErrFault] when the fault can
// not happen to any request: its parts contradict each other, or the API does not name what it is scoped by.
func (c *Cluster) Inject(f Fault) (*Injected, error) {
	if err := f.check(int32(len(c.nodes))); err != nil {
		return nil, fmt.Errorf("inject %s: %w", f, err)
	}
	f.Partitions = slices.Clone(f.Partitions)
	if f.Seed == 0 && (f.Probability > 0 || f.Jitter > 0) {
		f.Seed = rand.Uint64()
	}
	in := &Injected{
		fault: f, faults: &c.faults, removed: make(chan struct{}), changed: make(chan struct{}), dice: rand.New(rand.NewPCG(f.Seed, 0xfa017)),
	}
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	c.faults.list = append(c.faults.list, in)
	c.faults.inForce.Add(1)
	return in, nil
}

// Hits returns to how many requests the fault has happened: it has held or failed them, or dropped or cut their response.
func (in *Injected) Hits() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.hits
}

// Wait blocks until the fault has happened to n requests. It returns the context's cause when ctx ends first.
func (in *Injected) Wait(ctx context.Context, n int) error {
	for {
		in.mu.Lock()
		hits, changed := in.hits, in.changed
		in.mu.Unlock()
		if hits >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for %d hits of a fault, have %d: %w", n, hits, context.Cause(ctx))
		}
	}
}

// Remove ends the fault. Requests that it stalls go on. Removing again does nothing.
func (in *Injected) Remove() {
	in.mu.Lock()
	gone := in.gone
	in.gone = true
	in.mu.Unlock()
	if gone {
		return
	}
	close(in.removed)
	in.faults.mu.Lock()
	defer in.faults.mu.Unlock()
	in.faults.list = slices.DeleteFunc(in.faults.list, func(o *Injected) bool { return o == in })
	in.faults.inForce.Add(-1)
}

// take reserves one of the fault's requests.
func (in *Injected) take() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.gone || in.fault.Count > 0 && in.taken >= in.fault.Count || in.fault.Probability > 0 && in.dice.Float64() >= in.fault.Probability {
		return false
	}
	in.taken++
	return true
}

func (in *Injected) hit() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.hits++
	close(in.changed)
	in.changed = make(chan struct{})
}

// meet finds the faults that a request meets.
func (r *request) meet() {
	fs := &r.node.cluster.faults
	if fs.inForce.Load() == 0 {
		return
	}
	fs.mu.Lock()
	list := slices.Clone(fs.list)
	fs.mu.Unlock()
	for _, in := range list {
		if in.fault.matches(r) && in.take() {
			r.met = append(r.met, in)
		}
	}
}

func (f *Fault) matches(r *request) bool {
	if f.RefuseConnections {
		return false
	}
	if f.API != AnyAPI && f.API != apiWithKey(r.key) || f.Broker != 0 && f.Broker != r.node.id || f.ClientID != "" && f.ClientID != r.client {
		return false
	}
	if f.Group != "" && !slices.Contains(r.groups(), f.Group) {
		return false
	}
	if f.TransactionalID != "" && !slices.Contains(r.transactionalIDs(), f.TransactionalID) {
		return false
	}
	if f.Topic == "" && f.Partitions == nil {
		return true
	}
	return slices.ContainsFunc(r.targets(), func(t target) bool { return f.selects(t.topic, t.partition) })
}

// selects says whether the fault concerns one of the partitions that a request names. The partition is -1 where it names the topic only.
func (f *Fault) selects(topic string, partition int32) bool {
	return (f.Topic == "" || f.Topic == topic) && (f.Partitions == nil || slices.Contains(f.Partitions, partition))
}

// after says whether the fault happens once the request has been handled.
func (f *Fault) after() bool { return f.DropResponse || f.CutResponse }

// pause is how long the fault holds a request of so many bytes.
func (in *Injected) pause(size int) time.Duration {
	d := in.fault.Delay
	if in.fault.Jitter > 0 {
		in.mu.Lock()
		d += time.Duration(in.dice.Int64N(int64(in.fault.Jitter) + 1))
		in.mu.Unlock()
	}
	if in.fault.BytesPerSecond > 0 {
		d += transfer(size, in.fault.BytesPerSecond)
	}
	return d
}

// transfer is how long bytes take at a rate.
func transfer(n, bytesPerSecond int) time.Duration {
	return time.Duration(float64(n) / float64(bytesPerSecond) * float64(time.Second))
}

// suffer does what comes before a request is handled. It reports false when the connection ended meanwhile.
func (r *request) suffer() bool {
	for _, in := range r.met {
		f := &in.fault
		if !f.after() {
			in.hit()
		}
		if d := in.pause(r.size); d > 0 && !r.conn.wait(in.removed, d) {
			return false
		}
		if f.Stall {
			select {
			case <-in.removed:
			case <-r.conn.done:
				return false
			}
		}
	}
	return true
}

// dropped says whether the request is not to be handled, and its connection ends.
func (r *request) dropped() bool {
	return slices.ContainsFunc(r.met, func(in *Injected) bool { return in.fault.DropRequest })
}

// refuses says whether a connection to a broker is to end at once.
func (fs *faults) refuses(broker int32) bool {
	if fs.inForce.Load() == 0 {
		return false
	}
	fs.mu.Lock()
	list := slices.Clone(fs.list)
	fs.mu.Unlock()
	for _, in := range list {
		if f := &in.fault; f.RefuseConnections && (f.Broker == 0 || f.Broker == broker) && in.take() {
			in.hit()
			return true
		}
	}
	return false
}

// fault returns the error that a fault puts in place of handling one of the partitions that the request names.
func (r *request) fault(topic string, partition int32) error {
	for _, in := range r.met {
		if in.fault.Fail != 0 && in.fault.selects(topic, partition) {
			return injected(in.fault.Fail)
		}
	}
	return nil
}

// faultWhole returns the code that a fault of any topic puts in place of handling a request, 0 for none.
func (r *request) faultWhole() int16 {
	for _, in := range r.met {
		if in.fault.Fail != 0 && in.fault.Topic == "" && in.fault.Partitions == nil {
			return in.fault.Fail
		}
	}
	return 0
}

func injected(code int16) error {
	if known := kerr.TypedErrorForCode(code); known != nil {
		return codef(known, "fault injected")
	}
	return &codedError{code: &kerr.Error{Message: "INJECTED", Code: code}, message: "fault injected"}
}

// spoiling is what is to be done to a response.
type spoiling struct {
	end  bool // the connection ends, and no response is sent
	cut  bool // but for its beginning
	at   int  // this much of it; 0: half
	rate int  // bytes a second; 0: no limit
}

// spoil says what comes after a request is handled.
func (r *request) spoil() (s spoiling) {
	for _, in := range r.met {
		f := &in.fault
		s.end = s.end || f.after()
		if f.CutResponse {
			s.cut, s.at = true, f.CutAfter
		}
		if f.BytesPerSecond > 0 && (s.rate == 0 || f.BytesPerSecond < s.rate) {
			s.rate = f.BytesPerSecond
		}
	}
	return s
}

// spoiled counts what spoil has said, after it was done.
func (r *request) spoiled() {
	for _, in := range r.met {
		if in.fault.after() {
			in.hit()
		}
	}
}
