package producer

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/recordsize"
)

const (
	// defaultLimit is Kafka's default of max.message.bytes, for topics whose settings the principal may not see.
	defaultLimit = 1048588

	// framing is by how much franz-go's count of a batch, which has its length prefix, exceeds the broker's.
	framing = 4

	// stickyBytes is how much goes to one partition before another one's turn, for records without a key: as Java's batch.size.
	stickyBytes = 64 << 10

	// unknownFor is how long brokers have to say that they do not know a topic before they are believed: one that was just created takes a moment to be
	// known everywhere, and longer where a broker dies meanwhile.
	unknownFor = 3 * time.Second

	// configTries is how often the topic's settings are asked for before sending goes on without them.
	configTries = 3
)

// topic is what the producer knows of one topic, and the calls that wait for it to be known.
type topic struct {
	p     *Producer
	name  string
	limit atomic.Int32 // of a batch, in bytes; what franz-go was told
	count atomic.Int32 // partitions, as franz-go last saw them
	parts atomic.Pointer[[]*partition]

	compacted atomic.Bool
	trouble   atomic.Pointer[error] // why it can not be reached, or sent to, for the text of a timeout
	asking    atomic.Bool           // that is being found out

	stickyMu    sync.Mutex // guards sticky and stickyBytes
	sticky      *partition
	stickyBytes int64

	mu        sync.Mutex // guards what follows, and the calls in pending
	pending   calls
	resolving bool
	old       []*partition // of a topic that was deleted and made again: they may still have calls
}

func newTopic(p *Producer, name string) *topic {
	t := &topic{p: p, name: name}
	t.limit.Store(defaultLimit)
	return t
}

// add takes a call over, and answers it at once where it can not be sent.
func (t *topic) add(c *call) {
	if t.parts.Load() == nil && t.hold(c) {
		return
	}
	if given, err := t.routeTo(t.all(), c); !given {
		var told answers
		told.add(c, err)
		t.p.finish(told, []*call{c})
	}
}

// hold keeps a call until the topic is known. It returns false when it is.
func (t *topic) hold(c *call) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.parts.Load() != nil {
		return false
	}
	t.pending.push(c)
	if !t.resolving {
		t.resolving = t.p.background(t.resolve)
	}
	return true
}

// routeTo hands a call to its partition, or to its transaction. The topic is known. Where the call goes no further, given is false and err is its answer.
func (t *topic) routeTo(parts []*partition, c *call) (given bool, err error) {
	if err := t.check(c); err != nil {
		return false, notWritten(t.name, err)
	}
	var part *partition
	if id := c.out.Partition; id != -1 && c.out.Offset == -1 {
		if id < 0 || int(id) >= len(parts) {
			return false, notWritten(t.name, fmt.Errorf("%w: %s has partitions 0 to %d, and %s was chosen", ErrPartition, t.name, len(parts)-1, choice(id)))
		}
		part = parts[id]
	} else if c.rec.Key != nil {
		part = parts[partitionOf(c.rec.Key, len(parts))]
	} else {
		part = t.next(parts, c.size)
	}
	if c.tx == nil {
		part.add(c)
		return true, nil
	}
	if err := c.tx.add(c, part.id, t.limit.Load(), &t.p.cfg); err != nil {
		return false, notWritten(t.name, err)
	}
	staged(c.out, part.id)
	return false, nil
}

// choice is a chosen partition in words.
func choice(id int32) string {
	if id == negative {
		return "a negative one"
	}
	return strconv.Itoa(int(id))
}

// all returns the partitions, after growing to what franz-go has seen.
func (t *topic) all() []*partition {
	parts := t.parts.Load()
	if parts == nil {
		return nil
	}
	if int(t.count.Load()) <= len(*parts) {
		return *parts
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if parts = t.parts.Load(); parts == nil {
		return nil
	}
	grown := slices.Clone(*parts)
	for id := len(grown); id < int(t.count.Load()); id++ {
		grown = append(grown, newPartition(t, int32(id)))
	}
	t.parts.Store(&grown)
	return grown
}

// every returns the partitions that may have calls: all of them, and those of the topic before it was made again.
func (t *topic) every() []*partition {
	parts := t.all()
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.old) == 0 {
		return parts
	}
	return slices.Concat(parts, t.old)
}

// next is the partition for a record without a key: the same one for a while, so that batches fill, then any other, those in trouble last.
func (t *topic) next(parts []*partition, size int64) *partition {
	t.stickyMu.Lock()
	defer t.stickyMu.Unlock()
	t.stickyBytes += size
	if t.sticky == nil || t.stickyBytes > stickyBytes || t.sticky.busy() {
		old, from := t.sticky, rand.IntN(len(parts))
		t.sticky = parts[from]
		for i := range parts {
			if p := parts[(from+i)%len(parts)]; p != old && !p.busy() {
				t.sticky = p
				break
			}
		}
		t.stickyBytes = size
	}
	return t.sticky
}

// check refuses what the broker would refuse. The rule for the size: the record alone, in a batch without compression, may not exceed the topic's
// max.message.bytes, less franz-go's prefix of 4 bytes. So what is accepted does not depend on how well its neighbours compress.
func (t *topic) check(c *call) error {
	limit := int(t.limit.Load()) - framing
	if n := recordsize.Batch(c.rec.Key, c.rec.Value, c.rec.Headers); n > limit {
		err := fmt.Errorf("%w: %d bytes, and %d are allowed in a batch of its own without compression", ErrTooLarge, n, limit)
		return sordini.ExplainAs(err, sordini.CodeRecordTooLarge, sordini.About{Operation: "produce", Topic: t.name, Limit: limit + framing, Size: n})
	}
	if c.rec.Key == nil && t.compacted.Load() {
		return fmt.Errorf("topic %s is compacted (cleanup.policy=compact) and a record without a key can not be kept there; give the contract a key: %w", t.name, sordini.ErrContract)
	}
	return nil
}

// refusedTooLarge is the cause of a record whose batch the broker found too large although it was within the limit that the topic had at first.
func (t *topic) refusedTooLarge(c *call, err error) error {
	n := recordsize.Batch(c.rec.Key, c.rec.Value, c.rec.Headers)
	err = fmt.Errorf("%w: %d bytes in a batch within the topic's limit of %d, which was lowered since this producer asked for it: %w", ErrTooLarge, n, t.limit.Load(), err)
	return sordini.ExplainAs(err, sordini.CodeRecordTooLarge, sordini.About{Operation: "produce", Topic: t.name, Size: n})
}

// open makes the topic known and sends what waited, in its order, before anything that comes later.
func (t *topic) open(k known) {
	var told answers
	var gone []*call
	t.mu.Lock()
	t.limit.Store(max(k.limit, 1024)) // franz-go takes no less than 512
	t.compacted.Store(k.compacted)
	t.resolving = false
	t.trouble.Store(nil)
	var parts []*partition
	for id := range k.partitions {
		parts = append(parts, newPartition(t, int32(id)))
	}
	for c := t.pending.pop(); c != nil; c = t.pending.pop() {
		if given, err := t.routeTo(parts, c); !given {
			told.add(c, err)
			gone = append(gone, c)
		}
	}
	t.parts.Store(&parts) // whoever finds the topic open comes after those that waited
	t.mu.Unlock()
	t.p.finish(told, gone)
}

// fail answers what waits: the topic can not be sent to.
func (t *topic) fail(err error) {
	var told answers
	var gone []*call
	t.mu.Lock()
	t.resolving = false
	for c := t.pending.pop(); c != nil; c = t.pending.pop() {
		told.add(c, notWritten(t.name, err))
		gone = append(gone, c)
	}
	t.mu.Unlock()
	t.p.finish(told, gone)
}

// sweep is partition.sweep for the whole topic.
func (t *topic) sweep(now time.Time, told *answers, gone *[]*call) (next time.Time, asked bool) {
	timeout := t.timeout()
	t.mu.Lock()
	for c := t.pending.head; c != nil; c = t.pending.head {
		if deadline := t.p.deadline(c); deadline.After(now) {
			next = deadline
			break
		}
		t.pending.remove(c)
		told.add(c, notWritten(t.name, timeout))
		*gone = append(*gone, c)
	}
	t.mu.Unlock()
	for _, part := range t.every() {
		at, a := part.sweep(now, told, gone)
		asked = asked || a
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next, asked
}

// drop gives up what is ours and asks franz-go for what it has.
func (t *topic) drop(told *answers, gone *[]*call) {
	t.mu.Lock()
	for c := t.pending.pop(); c != nil; c = t.pending.pop() {
		told.add(c, notWritten(t.name, ErrClosed))
		*gone = append(*gone, c)
	}
	t.mu.Unlock()
	for _, part := range t.every() {
		part.drop(told, gone)
	}
}

// partOf is the partition that a call was handed to, nil for none yet.
func (t *topic) partOf(c *call) *partition {
	t.mu.Lock()
	defer t.mu.Unlock()
	return c.part
}

// uncork has a call sent that may wait for the others of its batch.
func (t *topic) uncork(c *call) {
	if p := t.partOf(c); p != nil {
		p.uncork()
	}
}

// abandon answers a call whose caller waits no longer. Where the record is still ours it goes no further; where it is franz-go's it goes on, because it can not be
// called back alone.
func (t *topic) abandon(c *call, cause error) {
	var told answers
	var gone []*call
	t.mu.Lock()
	part := c.part
	if part == nil && !c.answered && c.list == &t.pending {
		t.pending.remove(c)
		told.add(c, notWritten(t.name, cause))
		gone = append(gone, c)
	}
	t.mu.Unlock()
	if part != nil {
		part.abandon(c, cause, &told, &gone)
	}
	t.p.finish(told, gone)
}

// timeout is the cause of what is given up for its time.
func (t *topic) timeout() error {
	err := fmt.Errorf("%w of %s", ErrDeliveryTimeout, t.p.cfg.deliveryTimeout)
	if trouble := t.trouble.Load(); trouble != nil {
		return fmt.Errorf("%w: %w", err, *trouble)
	}
	return sordini.ExplainAs(err, sordini.CodeProducerTimeout, sordini.About{Operation: "produce", Topic: t.name})
}
