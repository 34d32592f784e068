package guarantee

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/sordini-go/sordini/consumer"
)

// The size of a run.
const (
	chaosPartitions = 6  // of each topic
	chaosMembers    = 4  // of each group, at most
	chaosSources    = 2  // of each topic
	chaosKeys       = 70 // of each source, at least
	chaosPerKey     = 25 // records of a key in a long round, about: many records of few keys wait more than they meet faults
	chaosBatch      = 50 // records that a source sends before it looks up
)

// chaos is one round. Its own goroutine decides everything; sources send and handlers work in theirs.
type chaos struct {
	*scene
	Chaos
	number int // of the round
	rng    *rand.Rand
	loads  []*load
	pace   *pace
	died   chan *member // members that a record has killed
	down   func()       // brings the broker that is down up again; nil while all are up
	counts map[string]int
	work   map[string]int64
}

// kinds are the kinds of work that share the run.
func (x *chaos) kinds() []kind {
	return slices.DeleteFunc(slices.Clone(kinds), func(k kind) bool { return len(x.Work) > 0 && !slices.Contains(x.Work, k.name) })
}

func (x *chaos) run() {
	for i, k := range x.kinds() {
		l := &load{
			chaos: x, kind: k, topic: x.topic(chaosPartitions), group: x.group(k.name), index: i, crashes: map[string]int{}, forgiven: map[string]bool{},
		}
		if (i+x.number+int(x.Seed%2))%2 == 1 {
			l.protocol = consumer.ConsumerProtocol
		}
		l.static = (i/2+x.number+int(x.Seed/2%2))%2 == 1 // of each protocol one at least, and one at least not
		x.loads = append(x.loads, l)
		x.expect(l.group, k.order, l.topic)
		if k.prepare != nil {
			k.prepare(l)
		}
	}
	x.stream()
	each := x.Records / max(1, x.Faults)
	x.pace = newPace(each + x.Records/50)
	stop, cancel := context.WithCancel(x.ctx)
	defer cancel()
	var sending sync.WaitGroup
	defer sending.Wait()
	defer cancel()
	for i, l := range x.loads {
		for range 2 {
			l.join()
		}
		records := x.Records*(i+1)/len(x.loads) - x.Records*i/len(x.loads)
		for s := range chaosSources {
			n, seed := records*(s+1)/chaosSources-records*s/chaosSources, x.rng.Uint64()
			s := l.addSource(s)
			sending.Go(func() { s.run(stop, n, rand.New(rand.NewPCG(seed, 0))) })
		}
	}
	kill := 0 // every so many faults
	if x.Kills > 0 {
		kill = max(1, x.Faults/x.Kills)
	}
	for n := range x.Faults { // one fault for each share of the records
		x.pace.allow(each)
		x.during(x.pace.reached((n+1)*each - each/2))
		x.keepUp(n * each)
		x.fault(n, kill > 0 && n%kill == 0)
		x.pass(time.Duration(x.rng.Int64N(int64(x.Calm))))
	}
	x.pace.allow(x.Records)
	x.during(x.pace.reached(x.Records))
	x.settle()
}

// keepUp lets members handle n records, so that faults meet work and not only what is sent; not for long, since none may be able to.
func (x *chaos) keepUp(n int) {
	for end := time.Now().Add(2 * x.Calm); x.ended() < n && time.Now().Before(end); x.pass(10 * time.Millisecond) {
		continue
	}
}

// ended is how many records have ended, of all kinds of work.
func (x *chaos) ended() (n int) {
	x.look(func(t *tally) {
		for _, l := range x.loads {
			n += t.group(l.group).ended
		}
	})
	return n
}

// settle ends all faults and waits until everything has ended.
func (x *chaos) settle() {
	if x.down != nil {
		x.down()
	}
	for _, in := range x.injected {
		in.Remove()
	}
	x.replaceDead()
	for _, l := range x.loads {
		if len(l.live) == 0 {
			l.join()
		}
		l.wait("every accepted record to end and to be committed", l.over)
		l.forgiveAll() // or nothing would ever work again, and an open flood breaker let none of them die
		l.tellRedriven()
		l.wait("every redriven dead letter to end and to be committed", l.redrivenOver)
		x.look(func(t *tally) { x.work[l.kind.name] += int64(t.group(l.group).ended) })
	}
}

// wait waits until something is so, as long as it is patient with a group of which no record ends and no member dies: a record that kills one process after the
// other costs a session each time. Members that records still kill are replaced meanwhile.
func (l *load) wait(what string, so func() bool) {
	began, moved, steps := time.Now(), time.Now(), 0
	for !so() {
		l.pass(20 * time.Millisecond)
		now, n := time.Now(), l.steps()
		if n != steps {
			moved, steps = now, n
		}
		if now.Sub(moved) > l.target.Patience || now.Sub(began) > mostPatience*l.target.Patience {
			l.t.Fatalf("waited %s for %s for %s, %s since anything happened\n%s%s", now.Sub(began), what, l.group, now.Sub(moved), l.tally, l.healths())
		}
	}
}

// mostPatience is how often the target's patience a wait may last, whatever happens.
const mostPatience = 10

// steps counts what happens to a group: records that end, and members that records kill.
func (l *load) steps() (n int) {
	l.look(func(t *tally) { n = t.group(l.group).ended })
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, times := range l.crashes {
		n += times
	}
	return n
}

// over reports whether every accepted record has ended and its offset is committed.
func (l *load) over() (over bool) {
	l.look(func(t *tally) {
		over = t.allEnded(l.group, l.topic.Name) && (l.kind.transactional || t.allCommitted(l.group, l.topic.Name))
	})
	if !over || !l.kind.transactional {
		return over
	}
	ctx, cancel := l.patience()
	defer cancel()
	ends := l.offsets(ctx, []string{l.topic.Name}, -1, readCommitted)
	for p, offset := range l.committed(l.group, l.topic) {
		if max(0, offset) < ends[place{l.topic.Name, int32(p), 0}] {
			return false
		}
	}
	return true
}

// pass lets time pass.
func (x *chaos) pass(d time.Duration) {
	over := make(chan struct{})
	t := time.AfterFunc(d, func() { close(over) })
	defer t.Stop()
	x.during(over)
}

// during waits for done, or for the end of the test, and replaces members that die meanwhile.
func (x *chaos) during(done <-chan struct{}) {
	for {
		select {
		case m := <-x.died:
			x.bury(m)
		case <-done:
			return
		case <-x.ctx.Done():
			x.t.Fatalf("chaos: ended with its context")
		}
	}
}

func (x *chaos) replaceDead() {
	for _, l := range x.loads {
		for _, m := range slices.Clone(l.live) {
			if !m.running() { // its network was cut while it started
				x.bury(m)
			}
		}
	}
	for {
		select {
		case m := <-x.died:
			x.bury(m)
		default:
			return
		}
	}
}

// bury takes a member that has died out of its group and starts another one in its place.
func (x *chaos) bury(m *member) {
	for _, l := range x.loads {
		if i := slices.Index(l.live, m); i >= 0 {
			l.live = slices.Delete(l.live, i, i+1)
			x.expireSoon(l, m)
			l.join()
		}
	}
}

// expireSoon lets the coordinator know of every other death before the session is over.
func (x *chaos) expireSoon(l *load, m *member) {
	if x.rng.IntN(2) == 0 {
		ctx, cancel := context.WithTimeout(x.ctx, time.Second)
		defer cancel()
		_ = x.target.Faults.ExpireMember(ctx, l.group, m.client) // it may not have joined yet, and the coordinator may be away
	}
}

// pace holds sources to a number of records, and says how many there were.
type pace struct {
	mu      sync.Mutex
	changed *sync.Cond
	allowed int
	sent    int
	waits   map[int]chan struct{}
}

func newPace(ahead int) *pace {
	p := &pace{allowed: ahead, waits: map[int]chan struct{}{}}
	p.changed = sync.NewCond(&p.mu)
	return p
}

// allow lets n more records be sent.
func (p *pace) allow(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allowed += n
	p.changed.Broadcast()
}

// take waits until n records may be sent; it reports false when ctx has ended.
func (p *pace) take(ctx context.Context, n int) bool {
	stop := context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.changed.Broadcast()
	})
	defer stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.allowed < n && ctx.Err() == nil {
		p.changed.Wait()
	}
	p.allowed -= n
	return ctx.Err() == nil
}

// done counts n records as sent, whatever became of them.
func (p *pace) done(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent += n
	for at, reached := range p.waits {
		if p.sent >= at {
			close(reached)
			delete(p.waits, at)
		}
	}
}

// reached is closed when so many records were sent.
func (p *pace) reached(n int) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	reached := p.waits[n]
	if reached == nil {
		reached = make(chan struct{})
		if p.sent >= n {
			close(reached)
		} else {
			p.waits[n] = reached
		}
	}
	return reached
}

// String is for logs.
func (p *pace) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Sprintf("%d sent", p.sent)
}
