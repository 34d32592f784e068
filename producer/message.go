package producer

import (
	"context"
	"errors"
	"fmt"
)

// Message is a value on its way to its topic, for [Producer.SendAll]. Make it with [Publisher.Message] or [Publisher.Tombstone]. It may be sent more than once.
type Message struct {
	p      *Producer
	topic  string
	tx     *Tx
	encode func(context.Context, *call) error
}

// Message is v for [Producer.SendAll]. v is encoded when it is sent.
func (pub *Publisher[T]) Message(v T, opts ...SendOption) Message { return pub.message(v, false, opts) }

// Tombstone is, for [Producer.SendAll], what Delete sends: only the key of v is used.
func (pub *Publisher[T]) Tombstone(v T, opts ...SendOption) Message {
	return pub.message(v, true, opts)
}

func (pub *Publisher[T]) message(v T, tombstone bool, opts []SendOption) Message {
	return Message{p: pub.p, topic: pub.bound.Topic.Name, tx: pub.tx, encode: func(ctx context.Context, c *call) error {
		return pub.encode(ctx, c, v, tombstone, opts)
	}}
}

// SendAll sends messages of any of the producer's publishers, and so to several topics, and waits for all answers:
//
//	err := p.SendAll(ctx, placed.Message(order), reserved.Message(item), carts.Tombstone(cart))
//
// They are sent together, in their order, and each stands for itself: it is not a transaction, unless all of them are of publishers in one ([Publisher.In]). The
// error joins one for each message that failed, "message 3 to orders: …" counted from 0, and is nil when there is none.
func (p *Producer) SendAll(ctx context.Context, messages ...Message) error {
	if len(messages) == 0 {
		return nil
	}
	for i, m := range messages {
		if why := p.stranger(m, messages[0]); why != nil {
			return fmt.Errorf("send %d messages: number %d: %w: %w", len(messages), i, ErrNotWritten, why)
		}
	}
	if tx := messages[0].tx; tx != nil {
		ctx = staging{ctx, tx}
	}
	errs := make([]error, len(messages))
	calls := make([]*call, len(messages))
	for i, m := range messages {
		calls[i] = p.stock.get(p)
		errs[i] = m.encode(ctx, calls[i])
	}
	p.sendAll(ctx, calls, errs)
	for i, err := range errs {
		if err != nil {
			errs[i] = fmt.Errorf("message %d to %s: %w", i, messages[i].topic, err)
		}
	}
	return errors.Join(errs...)
}

// stranger says why a message can not be sent together with the first one.
func (p *Producer) stranger(m, first Message) error {
	switch {
	case m.p == nil:
		return errors.New("the message is empty; use Publisher.Message or Publisher.Tombstone")
	case m.p != p:
		return fmt.Errorf("it is of a publisher to %s of another producer; bind the contract to this one with producer.To", m.topic)
	case m.tx != first.tx:
		return errors.New("some messages are in a transaction and others in none, or in another; use Publisher.In for all of them")
	case m.tx != nil && !m.tx.live:
		return ErrNoTransaction
	}
	return nil
}
