package producer

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/middleware"
)

// What franz-go is told beside what every client of Sordini is.
const (
	backoffMin     = 100 * time.Millisecond
	backoffMax     = 30 * time.Second
	produceTimeout = 4 * time.Second // how long a leader waits for its in-sync replicas before it answers that it does not know
)

// Producer sends records: idempotent, acknowledged by every in-sync replica, in order per key. Make one for a service with [New], bind contracts to it with
// [To], close it at the end. It is safe for concurrent use.
type Producer struct {
	cluster sordini.Cluster
	cfg     config
	log     *slog.Logger
	cl      *kgo.Client
	sender  sordini.Sender // the chain, ending in accept
	source  []byte         // every record shares it
	room    room
	wrapped bool // with middleware of users
	stock   stock
	calls   callbacks
	loop    loop
	tx      *transactor // nil without a TransactionalID

	topics      sync.Map              // name → *topic
	first       atomic.Pointer[topic] // that was asked for: most services have one
	outstanding atomic.Int64          // calls that were accepted and have not left
	over        tally                 // calls that have left and are not counted out yet
	lost        atomic.Int64          // produce requests whose answer was lost
	takingBack  atomic.Int64          // partitions that are taking records back
	shut        chan struct{}         // closed when Close begins: nothing is accepted any more
	shutting    atomic.Bool           // set before that
	drained     chan struct{}         // closed when that is so and nothing is outstanding
	drainedOnce sync.Once
	closing     atomic.Bool  // Close gives up what is left
	notSent     atomic.Int64 // what it gave up with certainty
	closeOnce   sync.Once
	closeErr    error

	ctx    context.Context // ends with Close; of what runs in the background
	cancel context.CancelFunc
	alarm  alarm

	contractsMu sync.Mutex // guards contracts
	contracts   map[string]sordini.Spec

	backgroundMu sync.Mutex // guards ended
	ended        bool
	wg           sync.WaitGroup
}

// New returns a producer for the cluster. It does not dial: a cluster that can not be reached is noticed by the first send. An error says which setting of
// the cluster or which option can not work.
func New(cluster sordini.Cluster, opts ...Option) (*Producer, error) {
	cfg := defaults()
	for _, o := range opts {
		o(&cfg)
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	cfg.source = cmp.Or(cfg.source, cluster.Name())
	source := slices.Clip([]byte(cfg.source))
	p := &Producer{cluster: cluster, cfg: cfg, source: source, log: cluster.Log(), shut: make(chan struct{}), drained: make(chan struct{}), contracts: map[string]sordini.Spec{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.room.maxRecords, p.room.maxBytes, p.room.fails, p.room.closed = int64(cfg.maxRecords), int64(cfg.maxBytes), cfg.full == Fail, p.shut
	p.calls.log, p.calls.stock = p.log, &p.stock
	p.alarm.ring = p.sweep

	codec, _ := cfg.codec.kgo()
	cl, err := cluster.NewClient(
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(cfg.linger),
		kgo.ProducerBatchCompression(codec),
		kgo.ProducerBatchMaxBytesFn(func(name string) int32 { return p.topic(name).limit.Load() }),
		kgo.RecordPartitioner(chosen{p}),
		kgo.MaxBufferedRecords(cfg.maxRecords+1024), // more than our room, so that Produce never blocks
		kgo.ProduceRequestTimeout(produceTimeout),
		kgo.RecordRetries(math.MaxInt), // time bounds a send, not a count
		kgo.UnknownTopicRetries(-1),    // we look ourselves
		kgo.RetryBackoffFn(p.backoff),
		kgo.ProducerOnDataLossDetected(func(topic string, partition int32) {
			p.log.Warn("a broker has forgotten records that it had acknowledged: an unclean election, or a log that was cut", "topic", topic, "partition", partition)
		}),
		kgo.WithHooks(hooks{p}),
	)
	if err != nil {
		p.cancel()
		return nil, fmt.Errorf("producer: %w", err)
	}
	p.cl = cl
	if cfg.transactional {
		p.tx = newTransactor(p)
	}

	t := cfg.telemetry
	t.Source, t.ClientID = cfg.source, cmp.Or(t.ClientID, cluster.Name())
	if t.Logger == nil {
		t.Logger = p.log
	}
	if cfg.claims != nil {
		cfg.chain = append(cfg.chain, middleware.SendClaimCheck(cfg.claims, cfg.claimsFrom))
	}
	p.wrapped = len(cfg.chain) > 0
	p.sender = middleware.WrapSend(middleware.WrapSend(p.accept, cfg.chain...), middleware.SendTracing(t), middleware.SendMetrics(t)) // the correlation id is the publisher's: see identify
	return p, nil
}

// accept is the end of the chain: it takes a record over, waiting for room, and returns. From then on the record is answered by done whatever happens.
func (p *Producer) accept(ctx context.Context, r *sordini.Record, done func(*sordini.Record, error)) {
	if ctx.Err() != nil {
		done(r, notWritten(r.Topic, context.Cause(ctx)))
		return
	}
	tx, err := within(ctx)
	if err != nil {
		done(r, notWritten(r.Topic, err))
		return
	}
	from, _ := ctx.Value(callKey{}).(*call)
	c := p.callFor(ctx, from)
	c.out, c.done, c.tx, c.size = r, done, tx, int64(len(r.Key)+len(r.Value))
	c.rec = kgo.Record{Key: r.Key, Value: r.Value, Headers: r.Headers, Timestamp: r.Timestamp}
	for i := range r.Headers {
		c.size += int64(len(r.Headers[i].Key) + len(r.Headers[i].Value))
	}
	if r.Timestamp.IsZero() {
		c.rec.Timestamp = c.began
	}
	w := c.wait
	if err := p.makeRoom(ctx, w, c); err != nil {
		done(r, notWritten(r.Topic, err))
		return
	}
	p.outstanding.Add(1)
	if p.shutting.Load() {
		p.left(c)
		done(r, notWritten(r.Topic, ErrClosed))
		return
	}
	p.alarm.set(p.overdue(c))
	t := p.topic(r.Topic)
	t.add(c)
	if w != nil {
		if r == &from.record { // and not one that middleware sends on its own
			w.attach(t, c)
		}
		if !w.corked.Load() { // it may have been taken off between the two
			t.uncork(c)
		}
	}
}

// callFor returns the call for a record that comes from the one in its context: that one itself, unless there is middleware of users, which may send what it likes
// as often as it likes.
func (p *Producer) callFor(ctx context.Context, from *call) *call {
	c := from
	switch {
	case from == nil:
		c = p.stock.get(p)
	case p.wrapped:
		c = p.stock.get(p)
		c.wait = from.wait
	case ctx == context.Context(from):
		c.plain = true // and it has just begun
		return c
	}
	c.began = time.Now()
	return c
}

// makeRoom takes room for a call. Where it has to wait, nothing may wait for the call's company: the room that is missing may be that of its own batch.
func (p *Producer) makeRoom(ctx context.Context, w *wait, c *call) error {
	if p.room.try(c.size) {
		return nil
	}
	if w != nil && w.corked.Load() {
		w.uncork()
		defer w.corked.Store(true)
	}
	return p.room.take(ctx, c.size, p.deadline(c))
}

// left is called when a call has left for good.
func (p *Producer) left(c *call) { p.leave(1, c.size) }

func (p *Producer) leave(records, bytes int64) {
	p.room.give(records, bytes)
	if p.outstanding.Add(-records) == 0 && p.shutting.Load() {
		p.drainedOnce.Do(func() { close(p.drained) })
	}
}

// tally counts calls that left one after the other on franz-go's goroutine for answers, to count them out together: counting is shared with all senders, and costs
// more than the rest.
type tally struct{ records, bytes int64 }

// tallied is which part of the room may be free and not be counted so.
const tallied = 64

// passed is left for a call of so many bytes whose answer came. last says that no other answer of its partition is sure to come. Only franz-go's goroutine for
// answers calls it.
func (p *Producer) passed(bytes int64, last bool) {
	t := &p.over
	t.records++
	t.bytes += bytes
	if last || t.records >= tallied || t.records >= p.room.maxRecords/tallied || t.bytes >= p.room.maxBytes/tallied || p.shutting.Load() {
		p.countOut()
	}
}

// countOut counts out what has left. It must not be left undone when nothing is sure to come: Close waits for it.
func (p *Producer) countOut() {
	if t := &p.over; t.records > 0 {
		p.leave(t.records, t.bytes)
		*t = tally{}
	}
}

// topic returns the state of a topic.
func (p *Producer) topic(name string) *topic {
	if t := p.first.Load(); t != nil && t.name == name {
		return t
	}
	t := p.find(name)
	p.first.CompareAndSwap(nil, t)
	return t
}

func (p *Producer) find(name string) *topic {
	if t, ok := p.topics.Load(name); ok {
		return t.(*topic)
	}
	t, _ := p.topics.LoadOrStore(name, newTopic(p, name))
	return t.(*topic)
}

func (p *Producer) eachTopic(do func(*topic)) {
	p.topics.Range(func(_, t any) bool {
		do(t.(*topic))
		return true
	})
}

// finish tells the callers of calls, and lets those go that have left.
func (p *Producer) finish(told answers, gone []*call) {
	told.tell()
	for _, c := range gone {
		p.left(c)
	}
}

// sweep answers what is out of time. It returns when the alarm is to ring again.
func (p *Producer) sweep() (next time.Time) {
	var told answers
	var gone []*call
	now, asked := time.Now(), false
	p.eachTopic(func(t *topic) {
		at, a := t.sweep(now, &told, &gone)
		asked = asked || a
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	})
	if asked {
		p.cl.ForceMetadataRefresh() // franz-go looks at what it is to give back whenever metadata is there
	}
	p.finish(told, gone)
	return next
}

// backoff is how long franz-go waits after so many failures: 100 ms doubling to 30 s, 20 % more or less, but not past the moment at which a record's
// time is up: then it must be awake to give the record back.
func (p *Producer) backoff(fails int) time.Duration {
	d := backoffMax
	if fails < 10 {
		d = min(backoffMax, backoffMin<<max(fails-1, 0))
	}
	d = min(backoffMax, time.Duration(float64(d)*(0.8+0.4*rand.Float64())))
	if p.takingBack.Load() > 0 {
		return min(d, backoffMin)
	}
	if next := p.alarm.next.Load(); next != 0 {
		if left := time.Until(time.Unix(0, next)) + backoffMin; left < d {
			d = max(left, backoffMin)
		}
	}
	return d
}

// hooks listens to franz-go.
type hooks struct{ p *Producer }

// OnBrokerE2E counts the produce requests whose answer was lost: such a request may have been applied.
func (h hooks) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	const produce = 0
	if key == produce && (e2e.ReadErr != nil || e2e.WriteErr != nil && e2e.BytesWritten > 0) {
		h.p.lost.Add(1)
	}
}
