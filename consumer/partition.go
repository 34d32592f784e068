package consumer

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer/internal/breaker"
	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
	"github.com/sordini-go/sordini/consumer/internal/window"
)

// partition is one ownership of one partition: from its assignment to its revocation, loss or the end of the group. A later ownership is another one, so
// that what arrives late from an earlier one finds it closed and changes nothing (guarantee G5).
type partition struct {
	e           *engine
	topic       *topicPlan
	id          int32
	fence       int64
	incarnation int64
	generation  int32

	// Guarded by the pool's mutex.
	queued bool
	next   *partition

	end  atomic.Int64 // the last stable offset that a fetch told, for lag
	mark atomic.Int64 // the first offset that is not over, for lag

	dropped bool // what it has staged is forgotten. Guarded by the transactions' mutex

	mu         sync.Mutex
	win        *window.Window
	done       commitmeta.Completed // what the last owner's completion map said
	inbox      *inboxLog            // nil where dead letters are off
	logs       []*inboxLog          // its inbox, and those of the topic's old name
	bodies     int                  // records from inboxes in its lanes
	guests     int                  // lanes beside the order of their keys
	blocked    []*lane              // they and their keys' own lanes, waiting for each other's attempts
	table      laneTable
	only       *lane                        // the lane of a partition that is handled in its own order
	failing    *lane                        // lanes whose head failed
	past       map[int64]commitmeta.Attempt // what earlier ownerships know of records that are not at the head of a lane yet
	ready      laneQueue
	gathers    []*gather           // of the batch handlers
	batched    bool                // a batch was taken last
	picks      []pick              // used again
	aside      laneQueue           // lanes whose key is paused
	pausedKeys map[string]struct{} // of its topic
	running    []*attempt
	parked     int // dead letters being written
	records    int // in flight
	size       int64
	stopping   bool    // nothing is dispatched any more
	lost       bool    // nor committed: another member may own it already
	target     *target // where its position is being moved, nil for nowhere
	crash      crashWatch
	hold       hold // nothing is dispatched while there is a reason
	closed     bool // fenced: no result counts any more
	quiet      chan struct{}
	base       int64         // where the ownership began to fetch
	seen       int64         // the offset after the last one that was fetched
	backlog    []*kgo.Record // fetched, and kept behind until a worker has use for them and there is room: not in the window
	lastEnd    time.Time     // of a record
	paused     bool          // it is not fetched
	pausedAt   time.Time
	markMoved  time.Time
	version    uint64 // counts changes of what a commit would say
	acked      uint64 // the version that was committed last
	told       bool   // the commit loop knows that there is something new
	commits    commitState
	pace       pace
	free       *lane // spare lanes, linked through lane.next
	spare      *task
	spent      *attempt  // that is over and serves again
	unused     []attempt // made, and not used yet
}

// reach lets records of the inbox come whose place at the source has been read: nothing before them is handled again. p.mu is held.
func (p *partition) reach() {
	if p.inbox != nil && p.inbox.ix != nil && p.inbox.ix.Reach(p.readSoFar()) {
		p.e.loadSoon()
	}
}

// readSoFar is up to where the source has been read: everywhere, once its end has been seen, since an inbox may know records that a log has lost. p.mu is held.
func (p *partition) readSoFar() int64 {
	if next := p.win.Next(); next < p.end.Load() {
		return next
	}
	return math.MaxInt64
}

// release returns one record's share of the bounds. p.mu is held.
func (p *partition) release(size int64) {
	p.records--
	p.size -= size
	p.e.budget.give(1, size)
}

// moved notes that the mark may have moved, and that a commit would say something new. p.mu is held.
func (p *partition) moved(now time.Time) {
	if offset, _ := p.win.Mark(); offset != p.mark.Load() {
		p.mark.Store(offset)
		p.markMoved = now
	}
	p.changed()
}

// enqueue puts a task into its lane. p.mu is held.
func (p *partition) enqueue(t *task, now time.Time) {
	l, hash := p.lane(t.rec.Key)
	if p.inbox != nil && hash != 0 && p.inbox.crowded(l, t, hash) {
		p.spill(t, hash)
		return
	}
	if l != nil {
		if l.idles(now) {
			t.rec = detach(t.rec)
		}
		if l.n++; l.head == nil { // what is before it is staged
			l.head, l.tail = t, t
			p.present(l, now)
			return
		}
		l.tail.next = t
		l.tail = t
		if l.state == laneGathering {
			p.gatherMore(l, t, now)
		}
		return
	}
	l = p.newLane()
	l.head, l.tail, l.n = t, t, 1
	p.join(l, hash)
	p.present(l, now)
}

// wholePartition is the hash of the only lane of a partition that is handled in its own order.
const wholePartition = 1

// lane returns the lane of a key, nil where there is none, and its hash: 0 where records of that key are in no order. p.mu is held.
func (p *partition) lane(key []byte) (*lane, uint64) {
	switch {
	case p.topic.ordering == ByPartition:
		return p.only, wholePartition
	case p.topic.ordering == ByKey && key != nil:
		return p.table.find(key)
	}
	return nil, 0
}

// join makes a new lane the one of its key. p.mu is held.
func (p *partition) join(l *lane, hash uint64) {
	switch {
	case hash == 0:
	case p.topic.ordering == ByPartition:
		p.only, l.hash = l, hash
	default:
		p.table.add(l, hash)
	}
}

// makeReady queues a lane whose head may run. p.mu is held; dispatch tells the pool.
func (p *partition) makeReady(l *lane) {
	if p.batches(l) && p.gather(l) {
		return
	}
	l.state = laneReady
	p.ready.push(l)
}

// dispatch tells the pool that there is work. p.mu is held.
func (p *partition) dispatch() {
	if p.stopping {
		return
	}
	if p.refill(); p.idle() {
		return
	}
	if p.hold != 0 {
		if p.hold&^holdFence == holdStart {
			p.countStart()
		}
		return
	}
	if p.crash.alone && !p.mayChoose() {
		return
	}
	if len(p.running) > 0 && p.pace.quick() { // the worker that is there is faster than a second one would be beside it
		p.e.watchPace()
		return
	}
	p.e.pool.offer(p)
}

// take gives a worker the next head to run, nil when there is none. It makes the attempt under the mutex, so that whoever stops the partition sees it.
// p.mu is held.
func (p *partition) take(now time.Time) *attempt {
	for {
		if p.stopping || p.hold != 0 || p.crash.alone && !p.mayChoose() {
			return nil
		}
		if g := p.ripe(); g != nil && (p.ready.empty() || !p.batched) { // in turns
			p.batched = true
			if a := p.takeBatch(g, now); a != nil {
				p.begin(a)
				return a
			}
			continue
		}
		if p.refill(); p.ready.empty() {
			return nil
		}
		p.batched = false
		l := p.ready.pop()
		if !p.passable(l, now) {
			continue
		}
		if p.crash.alone && !p.runsAlone(l) {
			return nil
		}
		if h := l.head.handler; h != nil && h.batch != nil && !p.crash.convicted(l) {
			l.run = p.batchOf(l, now)
		} else {
			l.state = laneRunning
			l.run = newAttempt(p, l, now)
			l.run.doomed = p.doom(l)
		}
		p.begin(l.run)
		return l.run
	}
}

// begin lists an attempt that is about to run. p.mu is held.
func (p *partition) begin(a *attempt) {
	if a.h != nil && a.h.circuit != nil {
		a.h.circuit.begin(a)
	}
	a.index = len(p.running)
	p.running = append(p.running, a)
	if p.e.observed {
		a.observeStart()
	}
	p.dispatch()
}

// passable says whether the head of a lane may run. Where not, the lane is where it belongs. p.mu is held.
func (p *partition) passable(l *lane, now time.Time) bool {
	for l.head != nil && l.head.wait == nil && !p.win.Has(l.head.slot) { // truncated after it was fetched: the log has another record there
		p.pop(l)
	}
	if l.head == nil {
		p.discard(l)
		return false
	}
	if p.setAside(l) || p.past != nil && p.recall(l, now) {
		return false
	}
	if p.guests > 0 && p.busy(l) {
		p.blocked = append(p.blocked, l)
		return false
	}
	h := l.head.handler
	return h == nil || !h.gates() || p.pass(l, now)
}

// leave takes an attempt whose handler has returned out of what runs. p.mu is held.
func (p *partition) leave(a *attempt) {
	last := len(p.running) - 1
	p.running[a.index] = p.running[last]
	p.running[a.index].index = a.index
	p.running[last] = nil
	p.running = p.running[:last]
	p.unblock()
	if p.crash.alone {
		p.ranAlone(a)
	}
	p.settle()
}

// settle tells who waits for the partition that nothing of it is on its way any more. p.mu is held.
func (p *partition) settle() {
	if p.quiet != nil && len(p.running) == 0 && p.parked == 0 {
		close(p.quiet)
		p.quiet = nil
	}
}

// complete ends the head of a lane and moves on to the next record of it. It reports whether fetching the partition should go on. p.mu is held.
func (p *partition) complete(l *lane, now time.Time) (resume bool) {
	p.over(l.head)
	p.lastEnd = now
	p.moved(now)
	p.pop(l)
	if l.run != nil { // what is behind it in its batch is next
		return false
	}
	p.present(l, now)
	return p.goOn()
}

// goOn admits what was kept behind for want of room, after something ended. It reports whether fetching the partition should go on. p.mu is held.
func (p *partition) goOn() (resume bool) {
	p.refill()
	if p.paused && !p.closed && p.drained() {
		p.paused = false
		return true
	}
	return false
}

// pop drops the head of a lane. p.mu is held.
func (p *partition) pop(l *lane) {
	t := l.head
	l.head = t.next
	l.n--
	if l.head == nil {
		l.tail = nil
	}
	p.release(int64(t.size))
	if t.wait != nil {
		p.forgetBody()
	}
	p.freeTask(t)
	p.unlist(l)
	l.fresh()
}

// discard forgets an empty lane, unless it holds what waits for its transaction. p.mu is held.
func (p *partition) discard(l *lane) {
	if p.crash.permit == l {
		p.retract()
	}
	if l.held != nil {
		l.state = laneStaged
		return
	}
	if l.keyed {
		p.table.remove(l)
	}
	if p.only == l {
		p.only = nil
	}
	if l.guest {
		p.guests--
	}
	p.freeLane(l)
}

// wake makes a lane that waited ready again: its head is tried again, or its dead letter is written again.
func (p *partition) wake(l *lane) {
	if l.gathering.in != nil && l.gathering.in.bell == l {
		p.ring(l.gathering.in)
		return
	}
	p.mu.Lock()
	if l.state == laneGathering && l.gathering.in == nil && !p.closed { // it has lingered long enough
		l.state = laneReady
		p.ready.push(l)
		p.dispatch()
		p.mu.Unlock()
		return
	}
	if p.closed || l.state != laneWaiting {
		p.mu.Unlock()
		return
	}
	if p.stopping {
		l.state = laneHeld
		p.mu.Unlock()
		return
	}
	if l.letter != nil {
		l.state = laneParked
		p.parked++
		p.mu.Unlock()
		p.e.post(p, l)
		return
	}
	p.makeReady(l)
	p.dispatch()
	p.mu.Unlock()
}

// stop ends dispatching and returns a channel that is closed when no handler runs and no dead letter is on its way.
func (p *partition) stop() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopping = true
	done := make(chan struct{})
	if len(p.running) == 0 && p.parked == 0 {
		close(done)
		return done
	}
	if p.quiet == nil {
		p.quiet = done
		return done
	}
	return p.quiet
}

// lose ends dispatching, and commits: another member may own the partition already.
func (p *partition) lose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopping, p.lost = true, true
}

// committed says whether a commit that says all that there is to say was acknowledged.
func (p *partition) committed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.version == p.acked
}

func (p *partition) isLost() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

// cancel cancels the contexts of what runs.
func (p *partition) cancel(cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.running {
		a.cancel(cause)
	}
}

// close fences the ownership: from here on nothing of it counts. Handlers that still run lose their claim on a worker, so that a stuck one does not take
// the member's concurrency with it.
func (p *partition) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed, p.stopping = true, true
	p.retract()
	p.e.budget.give(p.records, p.size)
	p.records, p.size = 0, 0
	for _, a := range p.running {
		a.zombie = true
		p.e.late.add(a)
		p.e.pool.disown()
	}
	p.e.due.drop(p)
	p.e.floods.drop(p)
	p.leaveGates()
	p.ready, p.aside, p.gathers = laneQueue{}, laneQueue{}, nil
	p.backlog = nil
	p.table.clear()
	p.blocked = nil
	p.e.bodies.give(p.bodies)
	p.bodies = 0
	for _, x := range p.logs {
		x.closed = true
	}
	p.only, p.failing, p.past = nil, nil, nil
	if p.quiet != nil {
		close(p.quiet)
		p.quiet = nil
	}
}

func (p *partition) newTask() *task {
	if t := p.spare; t != nil {
		p.spare = t.next
		t.next = nil
		return t
	}
	return &task{}
}

func (p *partition) freeTask(t *task) {
	t.rec, t.handler, t.alone, t.over, t.next = nil, nil, false, false, p.spare
	if t.wait != nil {
		t.wait = nil
	}
	p.spare = t
}

func (p *partition) newLane() *lane {
	if l := p.free; l != nil {
		p.free = l.next
		l.next = nil
		return l
	}
	return &lane{p: p}
}

func (p *partition) freeLane(l *lane) {
	l.head, l.tail, l.n, l.guest, l.hash = nil, nil, 0, false, 0
	l.next = p.free
	p.free = l
}

func recordID(r *kgo.Record) breaker.ID {
	return breaker.ID{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
}

// recordSize is what a record counts for in MaxInFlight, and in a batch: its value too where that is kept elsewhere, since its handler will have it.
func recordSize(r *kgo.Record) int64 {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return int64(n) + claimedSize(r)
}

// recordType returns the record's type header, and does not look for it where nothing depends on it.
func recordType(t *topicPlan, r *kgo.Record) string {
	if len(t.byType) == 0 {
		return ""
	}
	return sordini.Headers(r.Headers).Text(sordini.HeaderType)
}
