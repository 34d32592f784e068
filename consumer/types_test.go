package consumer_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer"
)

func typed(typ string) sordini.Topic[string] {
	t := orders
	t.Type = typ
	return t
}

// of is a record of a type, "" for one without the header.
func of(typ, s string) *kgo.Record {
	r := record(s)
	if typ != "" {
		r.Headers = []kgo.RecordHeader{{Key: sordini.HeaderType, Value: []byte(typ)}}
	}
	return r
}

func TestEachTypeHasItsHandler(t *testing.T) {
	for _, policy := range []consumer.OtherTypesPolicy{consumer.SkipOthers, consumer.DeadOthers} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1)
			w.whole = true
			for _, r := range []*kgo.Record{
				of("placed", "a=1"), of("shipped", "a=2"), of("cancelled", "a=3"), of("", "a=4"), of("placed", "a=5"),
			} {
				w.produce(r)
			}
			g, err := consumer.New(w.sdk(), "g", consumer.Observe(w.history), consumer.OtherTypes(policy))
			if err != nil {
				t.Fatal(err)
			}
			placed, shipped := newSeen(t), newSeen(t)
			err = errors.Join(
				consumer.Handle(g, typed("placed"), func(_ context.Context, m *consumer.Message[string]) error { placed.add(m.Value); return nil }),
				consumer.Handle(g, typed("shipped"), func(_ context.Context, m *consumer.Message[string]) error { shipped.add(m.Value); return nil }),
			)
			if err != nil {
				t.Fatal(err)
			}
			r := start(t, g)
			waitFor(t, "everything is committed", func() bool { return w.committed() == 5 })
			r.cleanly()
			if p, s := placed.all(), shipped.all(); len(p) != 2 || p[0] != "1" || p[1] != "5" || len(s) != 1 || s[0] != "2" {
				t.Errorf("placed %v, shipped %v", p, s)
			}
			want := map[consumer.OtherTypesPolicy]int{consumer.SkipOthers: 0, consumer.DeadOthers: 2}[policy]
			if d := w.dead(); len(d) != want {
				t.Errorf("%d dead letters, want %d", len(d), want)
			}
		})
	}
}
