package main

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/dlt"
)

// remembered is how many orders GET /orders/{id} knows of: the newest. A real service would keep them in its database.
const remembered = 200_000

// progress follows the outcome and dead-letter topics and knows how far each order is. It is a view: handling does not depend on it.
type progress struct {
	mu     sync.Mutex
	orders map[string]map[string]string // id, then group: its status
	order  []string                     // ids, oldest first
	ended  map[string]int               // by group
	open   map[string]int               // orders of this process that have not ended: in how many groups
	change chan struct{}                // closed and replaced when open becomes empty
}

func newProgress() *progress {
	return &progress{orders: map[string]map[string]string{}, ended: map[string]int{}, open: map[string]int{}, change: make(chan struct{})}
}

// follow reads until ctx ends.
func (p *progress) follow(ctx context.Context, cluster sordini.Cluster) error {
	group := map[string]string{} // by topic
	var topics []string
	for _, g := range groups {
		dead, err := dlt.TopicName(Placed.Name, g.name)
		if err != nil {
			return err
		}
		group[g.outcomes], group[dead] = g.name, g.name
		topics = append(topics, g.outcomes, dead)
	}
	return cluster.Follow(ctx, func(r *sordini.Record) error {
		status := "dead"
		var o Outcome
		if r.Topic == Paid.Name || r.Topic == Shipped.Name {
			if err := json.Unmarshal(r.Value, &o); err != nil {
				return err
			}
			status = o.Status
		}
		p.end(group[r.Topic], string(r.Key), status)
		return nil
	}, topics...)
}

// expect notes an order before it is published: it is open until it ended in every group.
func (p *progress) expect(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[id] = len(groups)
	p.know(id)
}

// forget takes an expectation back: the order was not published.
func (p *progress) forget(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.close(id)
	delete(p.orders, id)
}

func (p *progress) end(group, id, status string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	states := p.know(id)
	if states[group] != "" {
		return // a duplicate
	}
	states[group] = status
	p.ended[group]++
	if n, ok := p.open[id]; ok && n > 1 {
		p.open[id] = n - 1
	} else if ok {
		p.close(id)
	}
}

func (p *progress) close(id string) {
	delete(p.open, id)
	if len(p.open) == 0 {
		close(p.change)
		p.change = make(chan struct{})
	}
}

func (p *progress) know(id string) map[string]string {
	if s, ok := p.orders[id]; ok {
		return s
	}
	if len(p.order) == remembered {
		delete(p.orders, p.order[0])
		p.order = p.order[1:]
	}
	s := map[string]string{}
	p.orders[id] = s
	p.order = append(p.order, id)
	return s
}

// of returns an order's status by group; a group that is still at it is "pending".
func (p *progress) of(id string) (map[string]string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	states, ok := p.orders[id]
	if !ok {
		return nil, false
	}
	out := map[string]string{}
	for _, g := range groups {
		out[g.name] = "pending"
		if s := states[g.name]; s != "" {
			out[g.name] = s
		}
	}
	return out, true
}

// settled blocks until every order of this process has ended in every group, or ctx ends; it returns how many have not.
func (p *progress) settled(ctx context.Context) int {
	for {
		p.mu.Lock()
		n, change := len(p.open), p.change
		p.mu.Unlock()
		if n == 0 {
			return 0
		}
		select {
		case <-change:
		case <-ctx.Done():
			return n
		}
	}
}

func (p *progress) counts() (open int, ended map[string]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ended = map[string]int{}
	for _, g := range groups {
		ended[g.name] = p.ended[g.name]
	}
	return len(p.open), ended
}

// followWhenReady follows once the topics are there: the groups create their dead-letter topics when they start.
func followWhenReady(ctx context.Context, p *progress, cluster sordini.Cluster) error {
	for {
		err := p.follow(ctx, cluster)
		d, _ := sordini.Diagnose(err)
		if d.Code != sordini.CodeUnknownTopic {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
