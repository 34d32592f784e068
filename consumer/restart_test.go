package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/internal/history"
)

func TestG7CleanStopHandlesNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		got := newSeen(t)
		handle := func(_ context.Context, m *consumer.Message[string]) error {
			time.Sleep(time.Duration(m.Record.Offset%7) * time.Millisecond)
			got.add(m.Value)
			return nil
		}
		for i := range 300 {
			w.put(fmt.Sprintf("k%d=%d", i%13, i))
		}
		for _, n := range []int{10, 50, 120} {
			r := start(t, w.group(handle))
			got.wait(n)
			r.cleanly()
		}
		r := start(t, w.group(handle))
		got.wait(300)
		r.cleanly()
		all := got.all()
		slices.Sort(all)
		if n := len(slices.Compact(slices.Clone(all))); n != 300 || len(all) != 300 {
			t.Errorf("300 records were handled %d times, %d of them for the first time", len(all), n)
		}
	})
}

func TestG7CrashRepeatsOnlyWhatWasNotCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		for i := range 20 {
			w.put(fmt.Sprintf("k%d=%d", i, i))
		}
		first, held := newSeen(t), newGate()
		c, l := w.wire()
		r := start(t, w.groupOn(c, func(_ context.Context, m *consumer.Message[string]) error {
			if m.Value == "3" || m.Value == "11" {
				<-held.open
				return errBoom
			}
			first.add(m.Value)
			return nil
		}))
		first.wait(18)
		waitFor(t, "offset 3 is committed", func() bool { return w.committed() == 3 })
		time.Sleep(time.Second) // the map of the last ones is committed as well
		l.sever()               // the process dies

		second := newSeen(t)
		r2 := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error { second.add(m.Value); return nil }))
		second.wait(2)
		waitFor(t, "everything is committed", func() bool { return w.committed() == 20 })
		all := second.all()
		slices.Sort(all)
		if want := []string{"11", "3"}; !slices.Equal(all, want) {
			t.Errorf("after the crash %v were handled, want %v", all, want)
		}
		r2.cleanly()
		if err := r.stop(); !errors.Is(err, consumer.ErrUndrained) {
			t.Errorf("run of the member that was cut off: %v, want ErrUndrained: its handlers ignore their contexts", err)
		}
		held.pass()
	})
}

func TestG7RecreatedTopicStartsAtItsBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=1", "b=2", "c=3")
		got := newSeen(t)
		handle := func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }
		r := start(t, w.group(handle))
		got.wait(3)
		r.cleanly()
		_, meta, _ := w.Committed("g", "orders", 0)

		recreate(w, "orders", 1)
		w.history = &history.Log{} // what follows is another topic's history
		w.put("d=4", "e=5", "f=6", "g=7")
		restore(w, "orders", 3, meta) // as a backup of offsets would: the broker forgets them with the topic
		r = start(t, w.group(handle))
		if all := got.wait(7); len(all) != 7 {
			t.Errorf("handled %v: the committed offset of the deleted topic was believed", all)
		}
		r.cleanly()
	})
}

func TestG7OffsetsResetByAToolAreFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=1", "b=2", "c=3")
		got := newSeen(t)
		handle := func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }
		r := start(t, w.group(handle))
		got.wait(3)
		r.cleanly()
		restore(w, "orders", 1, "")
		r = start(t, w.group(handle))
		if all := got.wait(5); !slices.Contains(all[3:], "2") || !slices.Contains(all[3:], "3") {
			t.Errorf("after a reset to offset 1 these were handled: %v", all[3:])
		}
		r.cleanly()
	})
}

func TestG3FenceGrowsWithEveryOwnership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		var last int64
		for i := range 4 {
			got := newSeen(t)
			var fence int64
			r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
				fence = m.Fence
				got.add(m.Value)
				return nil
			}))
			w.put(fmt.Sprintf("a=%d", i))
			got.wait(1)
			r.cleanly()
			if fence <= last {
				t.Errorf("ownership %d has fence %d, the one before had %d", i, fence, last)
			}
			last = fence
			if i == 1 {
				deleteGroup(w, "g") // its generations start again
				time.Sleep(time.Second)
				restore(w, "orders", 2, "")
			}
		}
	})
}

// crossings are the ways from one protocol to the other.
var crossings = map[string][2]consumer.GroupProtocol{
	"consumer to classic": {consumer.ConsumerProtocol, consumer.ClassicProtocol},
	"classic to consumer": {consumer.ClassicProtocol, consumer.ConsumerProtocol},
}

// TestG3FenceGrowsWhereTheGroupChangesItsProtocolWhileItIsEmpty: the coordinator makes a group anew for a member of the other protocol, and its generations start again.
func TestG3FenceGrowsWhereTheGroupChangesItsProtocolWhileItIsEmpty(t *testing.T) {
	for name, pair := range crossings {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.whole = true
				var last int64
				for i, p := range []int{0, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0} {
					got := newSeen(t)
					var fence int64
					r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
						fence = m.Fence
						got.add(m.Value)
						return nil
					}, consumer.Protocol(pair[p])))
					w.put(fmt.Sprintf("a=%d", i))
					got.wait(1)
					r.cleanly()
					if fence <= last {
						t.Errorf("ownership %d has fence %d, the one before had %d", i, fence, last)
					}
					last = fence
				}
			})
		})
	}
}

// TestG3FenceGrowsWhereOnlyTheInboxHasWork: nothing of the source moves any more when the group changes its protocol.
func TestG3FenceGrowsWhereOnlyTheInboxHasWork(t *testing.T) {
	for name, pair := range crossings {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.whole = true
				w.put("a=1")
				got, tried := newSeen(t), newSeen(t)
				var fences []int64
				handle := func(_ context.Context, m *consumer.Message[string]) error {
					fences = append(fences, m.Fence)
					tried.add(m.Value)
					if m.Attempt < 4 {
						return errBoom
					}
					got.add(m.Value)
					return nil
				}
				for i, p := range []int{0, 0, 0, 1} {
					r := start(t, w.group(handle, append(once(time.Hour, time.Hour, time.Hour), consumer.Protocol(pair[p]))...))
					tried.wait(i + 1)
					r.cleanly()
				}
				got.wait(1)
				if !slices.IsSorted(fences) || len(slices.Compact(slices.Clone(fences))) != 4 {
					t.Errorf("fences %v do not grow", fences)
				}
			})
		})
	}
}

// TestG3NewIncarnationIsCommittedBeforeAnythingIsHandled: else whoever follows would not know of it, and continue the one before.
func TestG3NewIncarnationIsCommittedBeforeAnythingIsHandled(t *testing.T) {
	for name, pair := range crossings {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.whole = true
				got := newSeen(t)
				handle := func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }
				for i := range 3 {
					w.put(fmt.Sprintf("a=%d", i))
					r := start(t, w.group(handle, consumer.Protocol(pair[0])))
					got.wait(i + 1)
					r.cleanly()
				}
				refuse := w.Inject(broker.Fault{API: broker.APIOffsetCommit, Fail: kerr.CoordinatorNotAvailable.Code})
				r := start(t, w.group(handle, consumer.Protocol(pair[1])))
				w.put("a=3")
				time.Sleep(time.Minute)
				if n := len(got.all()); n != 3 {
					t.Errorf("%d records were handled, and the fence of the last one could not be committed", n)
				}
				refuse.Remove()
				got.wait(4)
				waitFor(t, "it is committed", func() bool { return w.committed() == 4 })
				r.cleanly()
			})
		})
	}
}
