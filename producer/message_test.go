package producer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/producer"
)

func twoTopics() []brokertest.Option {
	return []brokertest.Option{brokertest.Topic("orders", 1), brokertest.Topic("payments", 1)}
}

func (f *fixture) values(topic string) (values []string) {
	for _, r := range f.all(topic) {
		values = append(values, string(r.Value))
	}
	return values
}

func TestSendAllSendsToSeveralTopicsAndAnswersForEach(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, twoTopics())
		payments := publisher(t, f.p, text("payments"))
		err := f.p.SendAll(t.Context(),
			f.pub.Message(order{ID: "1"}),
			payments.Message("paid", producer.Header("for", []byte("1"))),
			payments.Message(strings.Repeat("x", 2<<20)),
			f.pub.Tombstone(order{ID: "0"}),
			payments.Message("paid again"),
		)
		if !errors.Is(err, producer.ErrTooLarge) || !errors.Is(err, producer.ErrNotWritten) || !strings.Contains(err.Error(), "message 2 to payments: ") || strings.Contains(err.Error(), "message 1") {
			t.Errorf("error: %v", err)
		}
		if got, want := f.values("orders"), []string{`{"ID":"1","Text":""}`, ""}; !slices.Equal(got, want) {
			t.Errorf("orders: %q", got)
		}
		if got, want := f.values("payments"), []string{"paid", "paid again"}; !slices.Equal(got, want) {
			t.Errorf("payments: %q", got)
		}
		if rs := f.all("orders"); rs[1].Value != nil {
			t.Error("the tombstone has a value")
		}
		if err := f.p.SendAll(t.Context()); err != nil {
			t.Errorf("nothing: %v", err)
		}
	})
}

func TestSendAllInATransactionIsVisibleAllAtOnceOrNotAtAll(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, twoTopics(), producer.TransactionalID("shop-1"))
		payments := publisher(t, f.p, text("payments"))
		for _, commit := range []bool{false, true} {
			tx, err := producer.Begin(t.Context(), f.p)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.p.SendAll(t.Context(), f.pub.In(tx).Message(order{ID: "1"}), payments.In(tx).Message("paid")); err != nil {
				t.Fatal(err)
			}
			if n := len(f.all("orders")) + len(f.all("payments")); n != 0 {
				t.Fatalf("%d records before the commit", n)
			}
			if commit {
				err = tx.Commit(t.Context())
			} else {
				err = tx.Abort()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if orders, payments := f.values("orders"), f.values("payments"); len(orders) != 1 || !slices.Equal(payments, []string{"paid"}) {
			t.Errorf("%q, %q", orders, payments)
		}
	})
}

func TestMessagesThatDoNotBelongTogetherAreRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil, producer.TransactionalID("shop-1"))
		other, err := producer.New(f.SDK())
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		theirs := publisher(t, other, orders("orders"))
		tx, err := producer.Begin(t.Context(), f.p)
		if err != nil {
			t.Fatal(err)
		}
		mine := f.pub.Message(order{ID: "1"})
		for want, messages := range map[string][]producer.Message{
			"number 1: not written: it is of a publisher to orders of another producer": {mine, theirs.Message(order{ID: "2"})},
			"number 1: not written: some messages are in a transaction":                 {mine, f.pub.In(tx).Message(order{ID: "2"})},
			"number 1: not written: the message is empty":                               {mine, {}},
			"number 0: not written: not a transaction":                                  {f.pub.In(new(producer.Tx)).Message(order{ID: "2"})},
		} {
			if err := f.p.SendAll(t.Context(), messages...); !errors.Is(err, producer.ErrNotWritten) || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
		if n := len(f.ids()); n != 0 {
			t.Errorf("%d records were sent", n)
		}
	})
}

func TestSendAllEndsWithItsContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := f.p.SendAll(ctx, f.pub.Message(order{ID: "1"})); !errors.Is(err, producer.ErrNotWritten) || !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
