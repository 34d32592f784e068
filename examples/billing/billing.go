// Package billing is a service that is small enough to show how one is tested: docs/testing.md goes up the ladder with it.
package billing

import (
	"context"
	"errors"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/serde"
)

// Order is what is charged.
type Order struct {
	ID    string `json:"id"`
	Cents int64  `json:"cents"`
}

// Placed are the orders.
var Placed = sordini.Topic[Order]{
	Name:   "orders",
	Key:    sordini.KeyString(func(o Order) string { return o.ID }),
	Value:  serde.JSON[Order](),
	Config: sordini.TopicConfig{Partitions: 4},
}

// Group is the group that charges orders.
const Group = "billing"

// ErrDeclined is the bank's last word on a card.
var ErrDeclined = errors.New("card declined")

// Bank charges an order.
type Bank func(context.Context, Order) error

// Charge is the handler. What the bank declines it declines every time; anything else is tried again.
func (b Bank) Charge(ctx context.Context, m *consumer.Message[Order]) error {
	err := b(ctx, m.Value)
	if errors.Is(err, ErrDeclined) {
		return consumer.Permanent(err)
	}
	return err
}

// Run charges orders until ctx ends.
func Run(ctx context.Context, cluster sordini.Cluster, bank Bank) error {
	g, err := consumer.New(cluster, Group)
	if err != nil {
		return err
	}
	if err := consumer.Handle(g, Placed, bank.Charge); err != nil {
		return err
	}
	return g.Run(ctx)
}
