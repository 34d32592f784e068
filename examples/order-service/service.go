package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/producer"
)

// service is the order-service: a publisher of orders and two groups that handle them.
type service struct {
	cluster sordini.Cluster
	ledger  *ledger

	producer *producer.Producer
	placed   *producer.Publisher[Order]
	raw      *producer.Publisher[rawOrder]
	groups   []*consumer.Group
}

// newService creates the topics where they are missing and builds the producer and the groups. Nothing is fetched before run.
func newService(ctx context.Context, cluster sordini.Cluster, l *ledger) (*service, error) {
	if err := sordini.EnsureTopics(ctx, cluster, Placed, Paid, Shipped); err != nil {
		return nil, err
	}
	p, err := producer.New(cluster, producer.Source("order-service"))
	if err != nil {
		return nil, err
	}
	s := &service{cluster: cluster, ledger: l, producer: p}
	if err := s.bind(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return s, nil
}

func (s *service) bind() (err error) {
	if s.placed, err = producer.To(s.producer, Placed); err != nil {
		return err
	}
	if s.raw, err = producer.To(s.producer, rawOrders); err != nil {
		return err
	}
	paid, err := producer.To(s.producer, Paid)
	if err != nil {
		return err
	}
	shipped, err := producer.To(s.producer, Shipped)
	if err != nil {
		return err
	}
	if err := s.handle(paymentGroup, step(charge, paid, "paid")); err != nil {
		return err
	}
	return s.handle(shippingGroup, step(ship, shipped, "shipped"))
}

func (s *service) handle(group string, h func(context.Context, *consumer.Message[Order]) error) error {
	g, err := consumer.New(s.cluster, group)
	if err != nil {
		return err
	}
	s.groups = append(s.groups, g)
	return consumer.Handle(g, Placed, h)
}

// step makes a handler of one step of an order's way: it does the work, then publishes the outcome. An order that was cancelled is skipped, and says so.
func step(work func(context.Context, Order, int) error, to *producer.Publisher[Outcome], done string) func(context.Context, *consumer.Message[Order]) error {
	return func(ctx context.Context, m *consumer.Message[Order]) error {
		out := Outcome{OrderID: m.Value.ID, Status: done, Attempts: m.Attempt}
		if m.Value.Cancelled {
			out.Status = skipped
			if err := to.Send(ctx, out); err != nil {
				return err
			}
			return consumer.Skip(errors.New("order was cancelled"))
		}
		if err := work(ctx, m.Value, m.Attempt); err != nil {
			return err
		}
		return to.Send(ctx, out)
	}
}

// place publishes an order and returns once every in-sync replica has it and the ledger names it.
func (s *service) place(ctx context.Context, o Order) error {
	if err := s.placed.Send(ctx, o); err != nil {
		return err
	}
	return s.ledger.write(entry{ID: o.ID, Kind: accepted})
}

// run handles orders until ctx ends, and returns after a clean drain. The producer stays open for what is still being answered: close it after.
func (s *service) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(s.groups))
	var wg sync.WaitGroup
	for i, g := range s.groups {
		wg.Go(func() {
			if err := g.Run(ctx); err != nil {
				errs[i] = fmt.Errorf("group %s: %w", groups[i].name, err)
				stop() // one group alone is no order-service
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
