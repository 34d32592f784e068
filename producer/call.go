package producer

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
)

// call is one record on its way, from acceptance to its answer.
//
//	topic.pending ── the topic is known ──▶ partition.waiting ◀── taken back ──┐
//	                                              │                            │
//	                                              └──▶ partition.given ────────┴──▶ gone
//
// While it is in one of the first two it is ours alone: giving it up then means that it is not written. Given, it is franz-go's: giving it up then
// answers the caller, and the record goes on without one.
type call struct {
	out  *sordini.Record
	rec  kgo.Record
	wait *wait // of the caller that waits for it; it may outlive the call, which is not for the pool then
	done func(*sordini.Record, error)
	tx   *Tx   // nil outside of transactions
	size int64 // bytes of room

	began time.Time

	// Guarded by the topic's mutex until part is set, and by part's from then on.
	part       *partition
	list       *calls // the one it is in
	prev, next *call
	answered   bool
	given      time.Duration // after began, when franz-go got it
	lost       int64         // Producer.lost at that time
}

// overdue is when one begins to wonder why a call takes so long.
func (p *Producer) overdue(c *call) time.Time { return c.began.Add(p.cfg.deliveryTimeout / 2) }

// takeBack is when taking it back from franz-go begins: early enough for franz-go to look at it.
func (p *Producer) takeBack(c *call) time.Time {
	return c.began.Add(p.cfg.deliveryTimeout - min(p.cfg.deliveryTimeout/10, 5*time.Second))
}

// deadline is when it is answered at the latest.
func (p *Producer) deadline(c *call) time.Time { return c.began.Add(p.cfg.deliveryTimeout) }

// pool keeps calls that are over, for others.
var pool = sync.Pool{New: func() any { return new(call) }}

// recycle gives a call back that nobody has any more.
func (c *call) recycle() {
	if c.wait != nil {
		return
	}
	*c = call{}
	pool.Put(c)
}

// hurries reports whether somebody waits for the call.
func (c *call) hurries() bool { return c.wait != nil }

// corked reports whether others that the same caller waits for are still to come.
func (c *call) corked() bool { return c.wait != nil && c.wait.corked.Load() }

// calls is a list of calls in the order of their acceptance.
type calls struct {
	head, tail *call
	n          int
	bytes      int64
}

func (l *calls) push(c *call) {
	c.list, c.prev, c.next = l, l.tail, nil
	if l.tail == nil {
		l.head = c
	} else {
		l.tail.next = c
	}
	l.tail = c
	l.n++
	l.bytes += c.size
}

func (l *calls) remove(c *call) {
	if c.prev == nil {
		l.head = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		l.tail = c.prev
	} else {
		c.next.prev = c.prev
	}
	c.list, c.prev, c.next = nil, nil, nil
	l.n--
	l.bytes -= c.size
}

func (l *calls) pop() *call {
	c := l.head
	if c != nil {
		l.remove(c)
	}
	return c
}

// answer is a call whose caller is to be told err, once no lock is held.
type answer struct {
	c   *call
	err error
}

type answers []answer

func (a *answers) add(c *call, err error) {
	c.answered = true
	*a = append(*a, answer{c, err})
}

// tell calls back. No lock may be held: middleware and users' code run here.
func (a answers) tell() {
	for _, x := range a {
		x.c.done(x.c.out, x.err)
	}
}
