package consumer_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/consumer"
)

// laterDelays are those of the tests in which members come and go.
var laterDelays = []time.Duration{20 * time.Second, 90 * time.Second}

// patient fails a quarter of the records twice, notes when, and complains of what comes before its time.
type patient struct {
	t      *testing.T
	mu     sync.Mutex
	failed map[string]time.Time
	done   map[string]int
}

func (h *patient) handle(_ context.Context, m *consumer.Message[string]) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at, ok := h.failed[m.Value]; ok && m.Attempt > 1 && time.Since(at) < laterDelays[m.Attempt-2] {
		h.t.Errorf("%s: attempt %d came %v after a failure", m.Value, m.Attempt, time.Since(at))
	}
	if m.Record.Offset%4 == 0 && m.Attempt <= len(laterDelays) {
		h.failed[m.Value] = time.Now()
		return errBoom
	}
	h.done[m.Value]++
	return nil
}

func (h *patient) ended() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.done)
}

// nothingWaits reports whether sources and inboxes are committed to their ends.
func (w *world) nothingWaits(partitions int32) bool {
	w.t.Helper()
	for _, topic := range []string{"orders", "orders.g.retry"} {
		for id := range partitions {
			p, err := w.Partition(topic, id)
			if err != nil {
				w.t.Fatal(err)
			}
			if at, _, _ := w.Committed("g", topic, id); at != p.HighWatermark {
				return false
			}
		}
	}
	return true
}

// The inbox is read by who owns the source partition, whichever member that is: one, five and seven of them over twelve partitions, which come and go in the middle
// of the waiting, some in order and some by dying. The history's checker judges loss, order, commits and fences.
func TestInboxFollowsItsSourceOverMembersThatComeAndGo(t *testing.T) {
	const partitions, n = 12, 480
	for name, protocol := range protocols {
		for _, members := range []int{1, 5, 7} {
			t.Run(fmt.Sprintf("%s/%d", name, members), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, partitions)
					w.whole = true
					h := &patient{t: t, failed: map[string]time.Time{}, done: map[string]int{}}
					opts := append(once(laterDelays...), consumer.Protocol(protocol), consumer.FloodBreaker(-1, 0, 0), consumer.Concurrency(4))
					type member struct {
						*run
						*line
					}
					join := func() member {
						c, l := w.wire()
						return member{start(t, w.groupOn(c, h.handle, opts...)), l}
					}
					var all []member
					for range members {
						all = append(all, join())
					}
					for i := range n {
						r := record(fmt.Sprintf("k%d=%d", i%60, i))
						r.Partition = int32(i % 60 % partitions)
						w.produce(r)
						if i%48 == 47 {
							<-time.After(5 * time.Second)
							switch leaver := all[0]; i / 48 % 3 {
							case 0:
								all = append(all[1:], join())
								leaver.cleanly()
							case 1:
								leaver.cleanly()
								all = append(all[1:], join())
							default:
								leaver.sever()
								all = append(all[1:], join())
								leaver.cancel()
								<-leaver.done
							}
						}
					}
					waitFor(t, "everything has ended", func() bool { return h.ended() == n && w.nothingWaits(partitions) })
					for _, m := range all {
						m.cleanly()
					}
				})
			})
		}
	}
}

// A commit of an inbox that is refused in a revocation, because the rebalance has changed the member's epoch under it, is made again before the revocation returns:
// nothing of the inbox is handled twice.
func TestInboxCommitThatARebalanceRefusesIsMadeAgain(t *testing.T) {
	const partitions = 4
	for name, protocol := range protocols {
		for _, refusal := range []*kerr.Error{kerr.StaleMemberEpoch, kerr.RebalanceInProgress, kerr.IllegalGeneration} {
			t.Run(name+"/"+refusal.Message, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, partitions)
					w.whole = true
					h := &patient{t: t, failed: map[string]time.Time{}, done: map[string]int{}}
					opts := append(once(laterDelays...), consumer.Protocol(protocol), consumer.FloodBreaker(-1, 0, 0), consumer.CommitInterval(time.Hour))
					first := start(t, w.group(h.handle, opts...))
					const n = 40
					for i := range n {
						r := record(fmt.Sprintf("k%d=%d", i, i))
						r.Partition = int32(i % partitions)
						w.produce(r)
					}
					waitFor(t, "everything has ended", func() bool { return h.ended() == n })
					refused := w.Inject(broker.Fault{API: broker.APIOffsetCommit, Topic: "orders.g.retry", Count: 2, Fail: refusal.Code})
					second := start(t, w.group(h.handle, opts...))
					waitFor(t, "the members share the partitions", func() bool {
						g, _ := w.Group("g")
						return len(g.Members) == 2 && !slices.ContainsFunc(g.Members, func(m broker.Member) bool { return len(m.Partitions["orders"]) != partitions/2 })
					})
					<-time.After(10 * time.Minute)
					second.cleanly()
					first.cleanly()
					if refused.Hits() != 2 {
						t.Errorf("%d refusals, want 2", refused.Hits())
					}
					if !w.nothingWaits(partitions) {
						t.Error("not everything is committed")
					}
					for v, times := range h.done {
						if times != 1 {
							t.Errorf("%s was handled %d times", v, times)
						}
					}
				})
			})
		}
	}
}

// A group that somebody deletes between two runs has forgotten its offsets, of the inbox too, and its generations start again: what waits still comes, not before its
// time, and fences go on growing.
func TestInboxOutlastsTheDeletionOfItsGroup(t *testing.T) {
	eachProtocol(t, func(t *testing.T, protocol consumer.Option) {
		w := newWorld(t, 1)
		w.whole = true
		h := &patient{t: t, failed: map[string]time.Time{}, done: map[string]int{}}
		var fence int64
		handle := func(ctx context.Context, m *consumer.Message[string]) error {
			if m.Fence < fence {
				t.Errorf("fence %d after %d", m.Fence, fence)
			}
			fence = m.Fence
			return h.handle(ctx, m)
		}
		opts := append(once(laterDelays...), protocol, consumer.FloodBreaker(-1, 0, 0), consumer.Ordering(consumer.ByPartition), consumer.Concurrency(1))
		w.put("a=0", "b=1", "c=2", "d=3")
		for range 3 { // its generation grows
			r := start(t, w.group(handle, opts...))
			waitFor(t, "the source is committed", func() bool { return w.committed() == 4 })
			r.cleanly()
		}
		before := fence
		deleteGroup(w, "g")
		restore(w, "orders", 0, "") // the history is told that everything may come again
		r := start(t, w.group(handle, opts...))
		waitFor(t, "everything has ended", func() bool { return h.ended() == 4 && w.nothingWaits(1) })
		if fence <= before {
			t.Errorf("fence %d, it was %d before the group was deleted", fence, before)
		}
		r.cleanly()
	})
}
