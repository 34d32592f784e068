package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

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
