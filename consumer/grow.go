package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sordini-go/sordini/internal/admin"
)

// growLoop sees to it that companions follow their source when that gets more partitions. Until they have, the new partitions are not dispatched: a dead letter
// keeps its partition, and one that has none could not be written.
func (e *engine) growLoop(stop <-chan struct{}) {
	ctx, cancel := until(stop)
	defer cancel()
	for {
		select {
		case <-stop:
			return
		case <-e.growth:
		}
		again := false
		for _, t := range e.topics {
			held := e.heldOf(t)
			if len(held) == 0 {
				continue
			}
			if err := e.grow(ctx, t); err != nil && ctx.Err() == nil {
				again = true
				e.log.Error("companion topics have not grown with their source: its new partitions wait", "topic", t.name, "error", err)
			}
			for _, p := range held {
				p.unhold()
			}
		}
		if again {
			select {
			case <-stop:
				return
			case <-time.After(growInterval):
			}
			e.growSoon()
		}
	}
}

// growInterval is how long to wait before companions that could not grow are tried again.
const growInterval = 15 * time.Second

// growSoon tells the grow loop that a partition is held.
func (e *engine) growSoon() {
	select {
	case e.growth <- struct{}{}:
	default:
	}
}

// heldOf returns the partitions of a topic that wait for their companions.
func (e *engine) heldOf(t *topicPlan) (held []*partition) {
	for _, p := range e.partitions() {
		p.mu.Lock()
		if p.topic == t && p.hold&holdCompanions != 0 {
			held = append(held, p)
		}
		p.mu.Unlock()
	}
	return held
}

// grow gives a topic's companions as many partitions as it has.
func (e *engine) grow(ctx context.Context, t *topicPlan) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	meta, err := admin.Metadata(ctx, e.side, append(t.companions(), t.name)...)
	if err != nil {
		return err
	}
	want := len(meta.Topic(t.name).Partitions)
	for _, name := range t.companions() {
		if len(meta.Topic(name).Partitions) >= want {
			continue
		}
		if err := admin.CreatePartitions(ctx, e.side, name, want); err != nil {
			return fmt.Errorf("%w, run: kafka-topics --bootstrap-server %s --alter --topic %s --partitions %d", err, e.g.cluster.Brokers[0], name, want)
		}
		e.log.Info("companion topic has grown with its source", "topic", name, "partitions", want)
	}
	if want == 0 {
		return errors.New("the source topic has no partitions")
	}
	if _, err := admin.WaitLeaders(ctx, e.side, t.companions()...); err != nil {
		return err
	}
	t.grown.Store(int32(want))
	return nil
}

// unhold dispatches a partition whose companions are there.
func (p *partition) unhold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hold&holdCompanions != 0 && p.id < p.topic.grown.Load() {
		p.hold &^= holdCompanions
		p.dispatch()
	}
}
