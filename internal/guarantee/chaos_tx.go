package guarantee

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/producer"
)

// txWork copies each record to another topic in a transaction with its offset.
var txWork = kind{
	name: "tx", fate: ordinaryFate,
	prepare: func(l *load) {
		l.out = l.chaos.topic(chaosPartitions)
		p, err := producer.New((&network{}).over(l.target.Cluster, l.group))
		if err != nil {
			l.t.Fatal(err)
		}
		l.repair(func() { _ = p.Close() })
		if l.copies, err = producer.To(p, l.out.Topic); err != nil {
			l.t.Fatal(err)
		}
	},
	options: func(l *load) []consumer.Option {
		if l.rng.IntN(2) == 0 {
			return nil
		}
		l.lives++
		return []consumer.Option{consumer.TransactionalInstance(fmt.Sprintf("i%d", l.lives))}
	},
	register: func(l *load, m *member) error {
		h := l.handler(m)
		return consumer.HandleTx(m.g, l.topic.Topic, func(ctx context.Context, tx *producer.Tx, msg *consumer.Message[Item]) error {
			return m.alive(func(ctx context.Context, msg *consumer.Message[Item]) error {
				if err := l.copies.In(tx).Send(ctx, Item{ID: "copy of " + msg.Value.ID, Key: msg.Value.Key}); err != nil {
					return err
				}
				return h(ctx, msg)
			})(ctx, msg)
		})
	},
	faults: func(l *load, verbs map[string]func()) {
		out := l.out.Name
		verbs["a transaction's end is dropped"] = l.some(Fault{API: kmsg.EndTxn, Do: DropRequest})
		verbs["a transaction's end has no answer"] = l.some(Fault{API: kmsg.EndTxn, Do: DropResponse})
		verbs["a transaction's end is late"] = l.whilst(Fault{API: kmsg.EndTxn, Do: Stall, Count: 2}, l.upTo(3))
		verbs["a transaction's offsets are dropped"] = l.some(Fault{API: kmsg.TxnOffsetCommit, Do: DropRequest})
		verbs["a transaction's offsets have no answer"] = l.some(Fault{API: kmsg.TxnOffsetCommit, Do: DropResponse})
		verbs["an output has no answer"] = l.some(Fault{API: kmsg.Produce, Topic: out, Do: DropResponse})
		verbs["an output is dropped"] = l.some(Fault{API: kmsg.Produce, Topic: out, Do: DropRequest})
		verbs["an output is refused"] = l.some(Fault{API: kmsg.Produce, Topic: out, Do: Refuse, Code: kerr.InvalidRecord.Code})
		verbs["an output's producer is fenced"] = l.some(Fault{API: kmsg.Produce, Topic: out, Do: Refuse, Code: kerr.InvalidProducerEpoch.Code})
		if l.down != nil {
			return
		}
		verbs["a transaction's coordinator moves"] = func() {
			id := fmt.Sprintf("sordini-%s-i%d", l.group, 1+l.rng.IntN(max(1, l.lives)))
			l.do("move a transaction coordinator", func(ctx context.Context) error {
				from, err := l.target.Faults.TxnCoordinator(ctx, id)
				if err != nil {
					return err
				}
				return l.target.Faults.MoveTxnCoordinator(ctx, id, l.other(from))
			})
		}
	},
	transactional: true,
}
