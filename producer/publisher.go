package producer

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/correlation"
)

// Publisher sends the records of one contract. Make it with [To]. It is safe for concurrent use and has nothing to close: its producer has.
type Publisher[T any] struct {
	p     *Producer
	bound *sordini.Bound[T]
	typ   []byte        // the type header's value; nil for a contract without one
	hint  *atomic.Int64 // size of a recent key and value, to encode without growing
	tx    *Tx           // nil outside of transactions
}

// Receipt says where a record is.
type Receipt struct {
	Topic     string
	Partition int32
	Offset    int64 // -1 where the broker did not say: it recognised a repetition that is older than what it remembers
	Timestamp time.Time
}

// To binds a contract. It does not talk to a broker; what is wrong with the contract, or between it and another one on the same topic, is its error,
// which wraps [sordini.ErrContract].
func To[T any](p *Producer, t sordini.Topic[T]) (*Publisher[T], error) {
	bound, err := t.Bind(p.cluster)
	if err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	if err := p.agree(t.Spec()); err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	pub := &Publisher[T]{p: p, bound: bound, hint: new(atomic.Int64)}
	if t.Type != "" {
		pub.typ = []byte(t.Type)
	}
	return pub, nil
}

// agree checks a contract against the first one that was bound for the same topic.
func (p *Producer) agree(spec sordini.Spec) error {
	p.contractsMu.Lock()
	defer p.contractsMu.Unlock()
	first, ok := p.contracts[spec.Name]
	if !ok {
		p.contracts[spec.Name] = spec
		return nil
	}
	return sordini.CheckContracts(first, spec)
}

// Send sends v and waits for the answer. It returns nil only when every in-sync replica has the record (guarantee G10); otherwise an error that wraps
// [ErrNotWritten] or [ErrOutcomeUnknown] (see [SendError]).
//
// It waits until ctx ends or the delivery timeout passes. When ctx ends before the record was given to the client it is not sent; when ctx ends later the
// outcome is unknown, the record goes on, and Close waits for it too.
//
// Many records are sent faster by SendBatch, by SendAsync or from several goroutines: a loop of Sends waits out a round trip for each. Order of the records of
// one key is the order of the calls.
func (pub *Publisher[T]) Send(ctx context.Context, v T, opts ...SendOption) error {
	c := pub.p.stock.get(pub.p)
	if err := pub.encode(ctx, c, v, false, opts); err != nil {
		return err
	}
	if pub.tx != nil {
		return pub.stage(ctx, c)
	}
	began := pub.p.loop.enter()
	err := pub.p.send(ctx, c)
	pub.p.loop.leave(began, pub.p.log)
	return err
}

// stage sends a record in the publisher's transaction.
func (pub *Publisher[T]) stage(ctx context.Context, c *call) error {
	ctx, err := pub.in(ctx)
	if err != nil {
		return notWritten(c.record.Topic, err)
	}
	return pub.p.send(ctx, c)
}

// Delete sends a tombstone for v's key and waits, as Send does: on a compacted topic the key's records are removed. Only the key of v is used. A contract
// without a key can not delete.
func (pub *Publisher[T]) Delete(ctx context.Context, v T, opts ...SendOption) error {
	c := pub.p.stock.get(pub.p)
	if err := pub.encode(ctx, c, v, true, opts); err != nil {
		return err
	}
	return pub.stage(ctx, c)
}

// SendAsync sends v and calls done with the answer, exactly once, from another goroutine. It returns as soon as the record is accepted, and blocks only
// while the buffer is full (see [MaxBuffered]), until ctx ends.
//
// Once the record is accepted ctx has no say any more: a service that is told to stop must not lose what it has accepted. The delivery timeout and
// Close bound it. A nil done is allowed and is for records whose loss nobody would want to know about.
//
// Callbacks run one after another, in the order of the answers, on a goroutine that is theirs: one that blocks holds up the callbacks after it and no
// acknowledgement. It may send.
func (pub *Publisher[T]) SendAsync(ctx context.Context, v T, done func(Receipt, error), opts ...SendOption) {
	if done == nil {
		done = func(Receipt, error) {}
	}
	c := pub.p.stock.get(pub.p)
	c.callback, c.record.Topic = done, pub.bound.Topic.Name
	if pub.tx != nil {
		in, err := pub.in(ctx)
		if err == nil {
			c.staged, err = pub.tx.announce()
		}
		if err != nil {
			c.take(&c.record, notWritten(c.record.Topic, err))
			return
		}
		ctx = in
	}
	if err := pub.encode(ctx, c, v, false, opts); err != nil {
		c.take(&c.record, err)
		return
	}
	c.Context = ctx
	pub.p.sender(c, &c.record, c.answer)
}

// SendBatch sends records and waits for all answers. They are sent together, in their order, and each stands for itself: it is not a transaction. The
// error joins one for each record that failed, "record 3: …" counted from 0, and is nil when there is none.
func (pub *Publisher[T]) SendBatch(ctx context.Context, vs []T, opts ...SendOption) error {
	if len(vs) == 0 {
		return nil
	}
	ctx, err := pub.in(ctx)
	if err != nil {
		return notWritten(pub.bound.Topic.Name, err)
	}
	errs := make([]error, len(vs))
	calls := make([]*call, len(vs))
	for i, v := range vs {
		calls[i] = pub.p.stock.get(pub.p)
		errs[i] = pub.encode(ctx, calls[i], v, false, opts)
	}
	pub.p.sendAll(ctx, calls, errs)
	for i, err := range errs {
		if err != nil {
			errs[i] = fmt.Errorf("record %d: %w", i, err)
		}
	}
	return errors.Join(errs...)
}

// encode makes v the call's record.
func (pub *Publisher[T]) encode(ctx context.Context, c *call, v T, tombstone bool, opts []SendOption) error {
	name := pub.bound.Topic.Name
	r := &c.record
	*r = sordini.Record{Topic: name, Partition: -1, Offset: -1, LeaderEpoch: -1, Headers: c.headers[:0]}
	buf := c.small[:0]
	if hint := pub.hint.Load(); hint > int64(len(c.small)) {
		buf = make([]byte, 0, hint+hint/16)
	}
	if pub.bound.Keyed() {
		var err error
		if buf, err = pub.bound.AppendKey(ctx, buf, v, &r.Headers); err != nil {
			return notWritten(name, fmt.Errorf("%w key: %w", ErrEncode, err))
		}
		r.Key = buf[:len(buf):len(buf)]
	}
	n := len(buf)
	switch {
	case !tombstone:
		var err error
		if buf, err = pub.bound.AppendValue(ctx, buf, v, &r.Headers); err != nil {
			return notWritten(name, fmt.Errorf("%w value: %w", ErrEncode, err))
		}
		r.Value = buf[n:]
		if pub.bound.Keyed() {
			r.Key = buf[:n:n] // encoding the value may have moved it
		}
	case !pub.bound.Keyed():
		return notWritten(name, fmt.Errorf("the contract of topic %q is sordini.Unkeyed: without a key there is nothing to delete: %w", name, sordini.ErrContract))
	}
	if n := int64(len(buf)); n != pub.hint.Load() && max(n, pub.hint.Load()) > int64(len(c.small)) {
		pub.hint.Store(n)
	}
	if pub.typ != nil {
		r.Headers.Set(sordini.HeaderType, pub.typ)
	}
	for _, o := range opts {
		o(r)
	}
	pub.p.identify(ctx, c)
	return nil
}

// identify writes the headers that every record has, as middleware.SendCorrelation does, which costs an allocation more: one that is there is left as it is.
func (p *Producer) identify(ctx context.Context, c *call) {
	r := &c.record
	c.began = time.Now()
	if _, ok := r.Headers.Get(sordini.HeaderCorrelationID); !ok {
		id := correlation.AppendHeader(ctx, c.id[:0], c.began)
		r.Headers.Add(sordini.HeaderCorrelationID, id[:len(id):len(id)])
	}
	if len(p.source) > 0 {
		if _, ok := r.Headers.Get(sordini.HeaderSource); !ok {
			r.Headers.Add(sordini.HeaderSource, p.source)
		}
	}
}

func receipt(r *sordini.Record, err error) Receipt {
	if err != nil {
		return Receipt{Topic: r.Topic, Partition: -1, Offset: -1}
	}
	return Receipt{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp}
}
