package producer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// stallAfter is how long a partition may go without an acknowledgement until further records are held back: what franz-go does not have can be given up
// with certainty, and what it has it can only be asked to give back all at once.
const stallAfter = time.Second

// companyBytes is how much of a partition waits for company: no more than Java's batch.size, which several requests are worth.
const companyBytes = 16 << 10

// partition is the queue before franz-go's own for one partition.
//
// In good times a record passes straight through where nothing of its partition is unanswered. Otherwise it waits for company, until all of that is answered, there is
// a batch's worth of it, or somebody waits for one of them: franz-go without linger sends whatever it has, and requests of a few records cost several times the CPU.
// So nothing waits longer than a round trip, and a record that is alone does not wait at all (Nagle's rule).
//
// franz-go gives a single record back under no circumstances, and a whole partition's records only while the first of them was never sent or was refused with
// certainty; the broker appends a later one only after the first (sequence numbers), so then none of them is on the log. That is used as a whole: when a
// record's time is up, the partition's records are taken back (the context they share ends), nothing new is given meanwhile, those whose time is not up are
// given again in their order, and only the others fail, with certainty. Where franz-go can not give them back they stay there, and the caller is told that
// the outcome is unknown.
type partition struct {
	t       *topic
	id      int32
	promise func(*kgo.Record, error)

	giving sync.Mutex // held while records are given, so that they are given in their order; guards next
	next   []*call

	mu      sync.Mutex  // guards what follows, and the calls in the lists
	waiting calls       // ours
	given   calls       // franz-go's
	back    calls       // taken back by franz-go's word, while others are still given
	gen     *generation // the context of what is given
	taking  bool        // what is given is being taken back: nothing is given
	stuck   bool        // what waits was held back because no acknowledgements came
	acked   int64       // acknowledgements so far
	seen    int64       // acked when a send last looked
	seenAt  time.Time   // when that changed, or the first record was given
}

func newPartition(t *topic, id int32) *partition {
	p := &partition{t: t, id: id, gen: newGeneration()}
	p.promise = p.promised
	return p
}

// add takes a call over. The topic is known and the record fits.
func (p *partition) add(c *call) {
	now := c.began // c may be over once it is in the list
	p.mu.Lock()
	c.part = p
	p.waiting.push(c)
	var give bool
	switch {
	case p.taking || p.stuck || p.stalledLocked(now):
		p.stuck = true
	case p.waiting.bytes >= companyBytes:
		give = true
	case !c.corked():
		give = c.hurries() || p.waiting.n == 1 && p.given.n == 0
	}
	p.mu.Unlock()
	if give {
		p.give(now)
	}
}

// uncork gives what waited for the others of its batch.
func (p *partition) uncork() { p.give(time.Now()) }

// give gives franz-go all that is ours, unless that is held back. Whoever finds that something is to be given calls it afterwards, without the lock: franz-go's
// answers need that, and giving takes long.
func (p *partition) give(now time.Time) {
	p.giving.Lock()
	defer p.giving.Unlock()
	p.mu.Lock()
	if !p.taking && !p.stuck {
		for _, l := range []*calls{&p.back, &p.waiting} {
			for c := l.pop(); c != nil; c = l.pop() {
				c.given, c.lost = now.Sub(c.began), p.t.p.lost.Load()
				c.rec.Topic, c.rec.Partition, c.rec.Context = p.t.name, p.id, p.gen
				p.given.push(c)
				p.next = append(p.next, c)
			}
		}
	}
	p.mu.Unlock()
	for i, c := range p.next {
		p.next[i] = nil
		// Produce does not block: franz-go's buffer is larger than our room. The record's own context is the generation; a caller's would fail its neighbours.
		p.t.p.cl.Produce(context.Background(), &c.rec, p.promise)
	}
	p.next = p.next[:0]
}

func (p *partition) stalledLocked(now time.Time) bool {
	if p.given.n == 0 || p.acked != p.seen {
		p.seen, p.seenAt = p.acked, now
		return false
	}
	return now.Sub(p.seenAt) > stallAfter
}

// busy reports whether a record without a key should rather go elsewhere.
func (p *partition) busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taking || p.stuck
}

// promised is franz-go's answer for one record. It runs on franz-go's one goroutine for answers.
func (p *partition) promised(r *kgo.Record, err error) {
	var gone *call
	p.mu.Lock()
	c := p.given.head
	for c != nil && &c.rec != r {
		c = c.next // a record that fails before it is buffered overtakes
	}
	p.given.remove(c)
	mine, tell := !c.answered, error(nil) // where it is answered, somebody else may be about to tell
	switch {
	case err == nil:
		p.acked++
		gone = c
		if !c.answered {
			c.out.Partition, c.out.Offset, c.out.LeaderEpoch, c.out.Timestamp = r.Partition, r.Offset, -1, r.Timestamp
		}
	case p.taking && !c.answered && !p.t.p.closing.Load() && p.certain(c, err) && givenBack(err) && time.Now().Before(p.t.p.takeBack(c)):
		p.back.push(c)
	default:
		gone = c
		if !c.answered {
			tell = p.failure(c, err)
		}
	}
	c.answered = c.answered || gone != nil
	give := p.resumeLocked()
	last := p.given.n == 0 && !give
	p.mu.Unlock()
	if give {
		p.give(time.Now())
	}
	if gone != nil {
		if err != nil && p.t.p.closing.Load() && p.certain(c, err) {
			p.t.p.notSent.Add(1)
		}
		size := c.size
		if mine {
			c.finish(tell)
		}
		p.t.p.passed(size, last)
	} else if last {
		p.t.p.countOut()
	}
	if errors.Is(err, kerr.UnknownTopicID) {
		p.t.reopen()
	}
}

// resumeLocked reports whether what waits is to be given now.
func (p *partition) resumeLocked() bool {
	if p.taking {
		if p.given.n > 0 {
			return false
		}
		p.taking, p.gen = false, newGeneration()
		p.t.p.takingBack.Add(-1)
	}
	if p.back.n == 0 && !p.stuck && (p.waiting.n == 0 || p.given.n > 0) {
		return false
	}
	p.stuck = false
	p.seen, p.seenAt = p.acked, time.Now()
	return p.back.n+p.waiting.n > 0
}

// takeLocked asks franz-go to give back what it has and reports whether it is asked for the first time. It is not asked where an answer was lost since:
// franz-go forgets that when a later attempt is refused, and would give back a record that is on the log.
func (p *partition) takeLocked() bool {
	if p.taking || p.given.n == 0 || p.given.head.lost != p.t.p.lost.Load() {
		return false
	}
	p.taking = true
	p.gen.end()
	p.t.p.takingBack.Add(1)
	return true
}

// sweep answers the calls whose time is up and begins to take back those whose time nearly is. It returns when it must be called again, zero for never,
// and whether franz-go was asked to give something back.
func (p *partition) sweep(now time.Time, told *answers, gone *[]*call) (next time.Time, asked bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	soonest := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	all := p.t.p
	for _, l := range []*calls{&p.back, &p.waiting} {
		for c := l.head; c != nil; c = l.head {
			if deadline := all.deadline(c); deadline.After(now) {
				soonest(deadline)
				if !all.overdue(c).After(now) {
					p.t.inquire()
				}
				break
			}
			l.remove(c)
			told.add(c, notWritten(p.t.name, p.t.timeout()))
			*gone = append(*gone, c)
		}
	}
	for c := p.given.head; c != nil; c = c.next {
		if c.answered {
			continue
		}
		overdue, takeBack, deadline := all.overdue(c), all.takeBack(c), all.deadline(c)
		switch {
		case overdue.After(now):
			soonest(overdue)
			return next, asked
		case takeBack.After(now):
			p.t.inquire()
			soonest(takeBack)
			return next, asked
		case deadline.After(now):
			asked = p.takeLocked() || asked
			soonest(deadline)
		default:
			asked = p.takeLocked() || asked
			told.add(c, unknown(p.t.name, p.t.timeout()))
		}
	}
	return next, asked
}

// overdue reports whether the oldest call has taken more than half of its time.
func (p *partition) overdue(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range []*calls{&p.given, &p.back, &p.waiting} {
		if l.head != nil && !p.t.p.overdue(l.head).After(now) {
			return true
		}
	}
	return false
}

// drop is what Close does when its time is nearly up: what waits is given up, what is given is asked back for good.
func (p *partition) drop(told *answers, gone *[]*call) (asked bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range []*calls{&p.back, &p.waiting} {
		for c := l.pop(); c != nil; c = l.pop() {
			told.add(c, notWritten(p.t.name, ErrClosed))
			*gone = append(*gone, c)
		}
	}
	return p.takeLocked()
}

// abandon answers a call whose caller waits no longer; see topic.abandon.
func (p *partition) abandon(c *call, cause error, told *answers, gone *[]*call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case c.answered:
	case c.list == &p.waiting || c.list == &p.back:
		c.list.remove(c)
		told.add(c, notWritten(p.t.name, cause))
		*gone = append(*gone, c)
	default:
		told.add(c, unknown(p.t.name, cause))
	}
}

// abandonGiven answers every call that franz-go still has, and returns how many records those are, the ones that were answered before included.
func (p *partition) abandonGiven(told *answers) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := p.given.head; c != nil; c = c.next {
		if !c.answered {
			told.add(c, unknown(p.t.name, ErrClosed))
		}
	}
	return p.given.n
}

// givenBack reports whether franz-go failed a record because it was asked to, and not because something is wrong with it: by the context that ended, or,
// where it looked at that on its way out of another failure, with the network's or the metadata's error.
func givenBack(err error) bool {
	var k *kerr.Error
	return !errors.As(err, &k) || k.Retriable
}

// certain reports whether franz-go's error means that the record is not on the log. Of an attempt whose answer was lost no later one says anything,
// whatever franz-go makes of it.
func (p *partition) certain(c *call, err error) bool {
	unanswered := c.lost != p.t.p.lost.Load()
	var k *kerr.Error
	switch {
	case errors.Is(err, errTakenBack), errors.Is(err, context.Canceled):
		return !unanswered // looked at only where the batch was never sent, or was refused
	case errors.Is(err, kgo.ErrClientClosed):
		return false
	case errors.As(err, &k):
		switch k {
		case kerr.MessageTooLarge, kerr.InvalidRecord, kerr.InvalidTimestamp, kerr.CorruptMessage, kerr.UnsupportedCompressionType, kerr.InvalidTopicException:
			return true // about the bytes: an earlier attempt failed in the same way
		case kerr.UnknownTopicID:
			return false // the topic was deleted and made again
		}
		if !k.Retriable { // a refusal, before which a leader may have said that it does not know
			return !unanswered && time.Since(c.began)-c.given < produceTimeout
		}
	}
	// The reason why franz-go looked at the context, or a failure on the way: it looks at the context of the first record before it fails a partition so, under
	// the same conditions.
	return p.taking && !unanswered
}

// failure is the caller's error for franz-go's.
func (p *partition) failure(c *call, err error) error {
	certain := p.certain(c, err)
	var cause error
	switch {
	case errors.Is(err, kgo.ErrClientClosed), p.t.p.closing.Load() && givenBack(err):
		cause = ErrClosed
	case p.taking && givenBack(err):
		cause = p.t.timeout()
	case errors.Is(err, kerr.MessageTooLarge):
		cause = p.t.refusedTooLarge(c, err)
	default:
		cause = p.t.explain(err)
	}
	if certain {
		return notWritten(p.t.name, cause)
	}
	return unknown(p.t.name, cause)
}

// errTakenBack is the error of the context of records that are taken back. It is a cancellation to franz-go.
var errTakenBack = takenBack{}

type takenBack struct{}

func (takenBack) Error() string        { return "taken back" }
func (takenBack) Is(target error) bool { return target == context.Canceled }

// generation is the context that the records given to franz-go share until they are taken back.
type generation struct{ done chan struct{} }

func newGeneration() *generation { return &generation{make(chan struct{})} }

func (g *generation) end() { close(g.done) }

func (g *generation) Deadline() (time.Time, bool) { return time.Time{}, false }
func (g *generation) Done() <-chan struct{}       { return g.done }
func (g *generation) Value(any) any               { return nil }

func (g *generation) Err() error {
	select {
	case <-g.done:
		return errTakenBack
	default:
		return nil
	}
}
