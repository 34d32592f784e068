package producer

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/uuid"
)

// call is one record on its way to its answer, and the memory that it takes, in one piece. It is also the context in which the record goes through the middleware:
// so accept finds it again.
//
//	topic.pending ── the topic is known ──▶ partition.waiting ◀── taken back ──┐
//	                                              │                            │
//	                                              └──▶ partition.given ────────┴──▶ gone
//
// While it is in one of the first two it is ours alone: giving it up then means that it is not written. Given, it is franz-go's: giving it up then
// answers the caller, and the record goes on without one.
type call struct {
	state
	p      *Producer
	answer func(*sordini.Record, error) // the method take

	// Set by encode.
	began   time.Time
	record  sordini.Record
	id      [uuid.Len]byte // a correlation id; a longer one has memory of its own, and so have more headers or a larger key and value than these
	headers [4]sordini.Header
	small   [144]byte

	// Set by accept.
	out  *sordini.Record // record, or what middleware sends in its place
	rec  kgo.Record
	done func(*sordini.Record, error)
	tx   *Tx   // nil outside of transactions
	size int64 // bytes of room
}

// state is what is zero in a call that is not used.
type state struct {
	context.Context // the caller's

	wait *wait // who waits for the answer; nil for SendAsync

	// Of SendAsync.
	callback func(Receipt, error)
	staged   func(error) // tells the transaction; nil outside of one
	err      error       // the answer; the rest of it is in record
	behind   *call       // in the queue of callbacks
	plain    bool        // no middleware can have kept anything of it
	over     bool        // nobody needs the call once its callback has run

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

// finish passes on franz-go's answer. The call is no longer in any list, and is not ours any more when finish returns.
func (c *call) finish(err error) {
	again := c.wait == nil && err == nil // what failed may still be on its way out
	if c.over = again && c.plain; c.over {
		clear(c.headers[:])
		c.rec = kgo.Record{}
	}
	middlewares := c.out != &c.record
	c.done(c.out, err)
	if middlewares && again {
		var over returns
		over.add(c, &c.p.stock)
		over.flush(&c.p.stock)
	}
}

type callKey struct{}

// Value makes the call findable through contexts that middleware derives.
func (c *call) Value(key any) any {
	if key == (callKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// take takes the answer of a SendAsync from the middleware, and has it told.
func (c *call) take(r *sordini.Record, err error) {
	if c.staged != nil {
		c.staged(err)
	}
	if r != &c.record {
		c.record.Topic, c.record.Partition, c.record.Offset, c.record.Timestamp = r.Topic, r.Partition, r.Offset, r.Timestamp
	}
	c.err = truthful(r.Topic, err)
	c.p.calls.add(c)
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
