package consumer_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/consumer"
)

// TestGroupThatItsCoordinatorForgotToRebalanceGoesOn: a group becomes a classic one again when its last member of the consumer protocol leaves, and its coordinator moves
// before it has told the others to join again. The next one knows the group as one that is stable, and of a member that was given half of the partitions.
func TestGroupThatItsCoordinatorForgotToRebalanceGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, brokertest.Brokers(2))
		w.whole = true
		got := newSeen(t)
		handle := func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }
		first := start(t, w.group(handle, consumer.Protocol(consumer.ConsumerProtocol)))
		waitFor(t, "it is a member", func() bool { return len(w.Members("g")) == 1 })
		time.Sleep(10 * time.Second)
		second := start(t, w.group(handle))
		waitFor(t, "both are members", func() bool { return len(w.Members("g")) == 2 })
		first.cleanly()
		if err := w.MoveCoordinator("g", w.Coordinator("g")%2+1); err != nil {
			t.Fatal(err)
		}
		for i := range int32(4) {
			x := record(fmt.Sprintf("k=%d", i))
			x.Partition = i
			w.produce(x)
		}
		waitFor(t, "health says it", func() bool { return unread(second.g) })
		got.wait(4)
		time.Sleep(10 * time.Minute)
		if h := second.g.Health(); !h.OK {
			t.Errorf("health %+v", h)
		}
		second.cleanly()
	})
}

// unread says whether health complains of partitions that nobody reads.
func unread(g *consumer.Group) bool {
	return slices.ContainsFunc(g.Health().Reasons, func(r consumer.Reason) bool { return r.Code == "partitions-unread" })
}

// TestGroupWhosePartitionsAreReadIsLeftAlone: what others read, and what waits for a member that may come back, is read.
func TestGroupWhosePartitionsAreReadIsLeftAlone(t *testing.T) {
	eachProtocol(t, func(t *testing.T, p consumer.Option) {
		w := newWorld(t, 5)
		var runs []*run
		for i := range 3 {
			opts := []consumer.Option{p}
			if i == 0 {
				opts = append(opts, consumer.StaticMember("a"))
			}
			runs = append(runs, start(t, w.group(func(context.Context, *consumer.Message[string]) error { return nil }, opts...)))
			waitFor(t, "it is a member", func() bool { return len(w.Members("g")) == i+1 })
		}
		time.Sleep(time.Minute)
		before, _ := w.Group("g")
		for range 60 {
			time.Sleep(time.Minute)
			for _, r := range runs {
				if unread(r.g) {
					t.Fatalf("health %+v", r.g.Health())
				}
			}
		}
		if after, _ := w.Group("g"); after.Generation != before.Generation {
			t.Errorf("the group went from generation %d to %d", before.Generation, after.Generation)
		}
		for _, r := range runs {
			r.cleanly()
		}
	})
}
