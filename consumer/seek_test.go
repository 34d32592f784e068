package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/consumer"
)

func TestSeekMovesThePositionOfARunningGroup(t *testing.T) {
	for name, c := range map[string]struct {
		to   func(begin time.Time) consumer.Start
		want []string
	}{
		"to the start":   {func(time.Time) consumer.Start { return consumer.Earliest() }, []string{"1", "2", "3", "4", "5"}},
		"to an offset":   {func(time.Time) consumer.Start { return consumer.Offset(2) }, []string{"3", "4", "5"}},
		"to the end":     {func(time.Time) consumer.Start { return consumer.Latest() }, []string{"5"}},
		"to a time":      {func(t time.Time) consumer.Start { return consumer.Time(t.Add(2500 * time.Millisecond)) }, []string{"4", "5"}},
		"behind all":     {func(t time.Time) consumer.Start { return consumer.Time(t.Add(time.Hour)) }, []string{"5"}},
		"to a time long": {func(time.Time) consumer.Start { return consumer.Time(time.UnixMilli(1)) }, []string{"1", "2", "3", "4", "5"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				begin := time.Now()
				for i := range 4 {
					r := record(fmt.Sprintf("a=%d", i+1))
					r.Timestamp = begin.Add(time.Duration(i) * time.Second)
					w.produce(r)
				}
				var mu sync.Mutex
				fences := map[int64]bool{}
				got := newSeen(t)
				g := w.group(func(_ context.Context, m *consumer.Message[string]) error {
					mu.Lock()
					fences[m.Fence] = true
					mu.Unlock()
					got.add(m.Value)
					return nil
				})
				r := start(t, g)
				got.wait(4)
				waitFor(t, "everything is committed", func() bool { return w.committed() == 4 })
				if err := g.Seek(t.Context(), "orders", 0, c.to(begin)); err != nil {
					t.Fatal(err)
				}
				if _, meta, _ := w.Committed("g", "orders", 0); w.committed() != int64(5-len(c.want)) || meta == "" {
					t.Errorf("committed %d when Seek returned", w.committed())
				}
				w.put("a=5")
				if all := got.wait(4 + len(c.want)); !slices.Equal(all[4:], c.want) {
					t.Errorf("handled %v after the seek, want %v", all[4:], c.want)
				}
				waitFor(t, "everything is committed", func() bool { return w.committed() == 5 })
				if len(fences) != 2 {
					t.Errorf("fences %v, want another one after the seek", fences)
				}
				if h := g.Health(); !h.OK {
					t.Errorf("health %+v", h)
				}
				r.cleanly()
			})
		})
	}
}

func TestSeekDropsWhatIsInFlightAndFencesWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=1", "b=2", "c=3", "d=4", "a=5")
		var mu sync.Mutex
		var causes []error
		attempts := map[string][]int{}
		old := true
		g := w.group(func(ctx context.Context, m *consumer.Message[string]) error {
			mu.Lock()
			attempts[m.Value] = append(attempts[m.Value], m.Attempt)
			first := old
			mu.Unlock()
			switch {
			case first && m.Value == "1": // runs, and heeds its context
				<-ctx.Done()
				mu.Lock()
				causes = append(causes, context.Cause(ctx))
				mu.Unlock()
				return ctx.Err()
			case first && m.Value == "2": // runs, and does not
				time.Sleep(10 * time.Second)
				return nil
			case first && m.Value == "3": // waits for its retry
				return consumer.RetryAfter(time.Hour, errBoom)
			}
			return nil
		}, consumer.MaxInFlight(100, 1<<20))
		r := start(t, g)
		waitFor(t, "the fourth was handled", func() bool { return g.Counts().Handled == 1 })
		time.Sleep(time.Second)
		mu.Lock()
		old = false
		mu.Unlock()
		begin := time.Now()
		if err := g.Seek(t.Context(), "orders", 0, consumer.Offset(1)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took > 1500*time.Millisecond {
			t.Errorf("Seek took %v", took)
		}
		waitFor(t, "everything is committed", func() bool { return w.committed() == 5 })
		if n := g.InFlight(); n != 0 {
			t.Errorf("%d records are in flight at the end", n)
		}
		time.Sleep(time.Minute)
		if len(causes) != 1 || !errors.Is(causes[0], consumer.ErrSought) || !errors.Is(causes[0], consumer.ErrRevoked) {
			t.Errorf("causes %v", causes)
		}
		for v, want := range map[string]string{"1": "[1]", "2": "[1 1]", "3": "[1 1]", "4": "[1 1]", "5": "[1]"} {
			if got := fmt.Sprint(attempts[v]); got != want {
				t.Errorf("attempts of %s are %s, want %s", v, got, want)
			}
		}
		if n := g.Counts().Fenced; n != 1 {
			t.Errorf("%d results were fenced, want that of the handler that went on", n)
		}
		r.cleanly()
	})
}

func TestSeekGoesOnWhereItWasWhenTheCommitFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		fill(w, 10)
		var mu sync.Mutex
		handled := map[int64]int{}
		held := newGate()
		g := w.group(func(ctx context.Context, m *consumer.Message[string]) error {
			mu.Lock()
			handled[m.Record.Offset]++
			mu.Unlock()
			if m.Record.Offset == 3 {
				return held.wait(ctx)
			}
			return nil
		})
		r := start(t, g)
		waitFor(t, "offset 3 is committed", func() bool { return w.committed() == 3 })
		refuse := w.Inject(broker.Fault{API: broker.APIOffsetCommit, Fail: kerr.GroupAuthorizationFailed.Code})
		if err := g.Seek(t.Context(), "orders", 0, consumer.Earliest()); !errors.Is(err, consumer.ErrCommit) {
			t.Errorf("seek: %v", err)
		}
		refuse.Remove()
		held.pass()
		waitFor(t, "everything is committed", func() bool { return w.committed() == 10 })
		for o, n := range handled {
			if n != 1 {
				t.Errorf("offset %d was handled %d times", o, n)
			}
		}
		r.cleanly()
	})
}

func TestNothingStartsWhileThePositionIsMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		fill(w, 10)
		got := newSeen(t)
		g := w.group(func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil })
		r := start(t, g)
		got.wait(10)
		waitFor(t, "everything is committed", func() bool { return w.committed() == 10 })
		slow := w.Inject(broker.Fault{API: broker.APIOffsetCommit, Delay: 5 * time.Second})
		done := make(chan error)
		go func() { done <- g.Seek(t.Context(), "orders", 0, consumer.Offset(8)) }()
		time.Sleep(time.Second)
		w.put("late=10")
		time.Sleep(time.Second)
		if n := len(got.all()); n != 10 {
			t.Errorf("%d handled before the new position was committed", n)
		}
		slow.Remove()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		after := got.wait(13)[10:]
		if slices.Sort(after); !slices.Equal(after, []string{"10", "8", "9"}) {
			t.Errorf("handled %v after the seek", after)
		}
		r.cleanly()
	})
}

func TestSeekWhileFetchingIsHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		fill(w, 200)
		var mu sync.Mutex
		first := true
		n := 0
		g := w.group(func(ctx context.Context, _ *consumer.Message[string]) error {
			mu.Lock()
			wait := first
			n++
			mu.Unlock()
			if wait {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}, consumer.Concurrency(10), consumer.MaxInFlight(10, 1<<20))
		r := start(t, g)
		waitFor(t, "all that may run", func() bool { return g.InFlight() == 10 })
		mu.Lock()
		first = false
		mu.Unlock()
		if err := g.Seek(t.Context(), "orders", 0, consumer.Offset(150)); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "everything is committed", func() bool { return w.committed() == 200 })
		if n != 60 {
			t.Errorf("%d attempts, want 10 before and 50 after", n)
		}
		r.cleanly()
	})
}

func TestReplayNeedsAllPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		fill(w, 20)
		got := newSeen(t)
		h := func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }
		a := w.group(h)
		if err := a.Replay(t.Context(), consumer.Earliest()); !errors.Is(err, consumer.ErrNotOwned) {
			t.Errorf("before Run: %v", err)
		}
		ra := start(t, a)
		got.wait(20)
		waitFor(t, "everything is committed", func() bool { return w.committed() == 20 })
		if err := a.Replay(t.Context(), consumer.Earliest()); err != nil {
			t.Fatal(err)
		}
		if all := got.wait(40); len(all) != 40 {
			t.Errorf("%d handled", len(all))
		}
		b := w.group(h)
		rb := start(t, b)
		time.Sleep(20 * time.Second)
		for _, g := range []*consumer.Group{a, b} {
			if err := g.Replay(t.Context(), consumer.Earliest(), "orders"); !errors.Is(err, consumer.ErrNotOwned) || !strings.Contains(err.Error(), "Reset") {
				t.Errorf("with two members: %v", err)
			}
		}
		rb.cleanly()
		ra.cleanly()
		if n := len(got.all()); n != 40 {
			t.Errorf("%d handled in the end", n)
		}
	})
}

func TestSeekOutlivesARebalanceAndARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		fill(w, 20)
		got := newSeen(t)
		h := func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }
		a := w.group(h)
		ra := start(t, a)
		got.wait(20)
		if err := a.Pause(consumer.Everything()); err != nil {
			t.Fatal(err)
		}
		if err := a.Seek(t.Context(), "orders", 0, consumer.Offset(5)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if n := len(got.all()); n != 20 {
			t.Errorf("%d handled in a pause", n)
		}
		ra.cleanly()
		if w.committed() != 5 {
			t.Errorf("committed %d, want 5", w.committed())
		}
		rb := start(t, w.group(h))
		got.wait(35)
		rb.cleanly()
		if n := len(got.all()); n != 35 {
			t.Errorf("%d handled, want 20 and 15 again", n)
		}
	})
}

func TestImpossibleSeeksAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		fill(w, 3)
		got := newSeen(t)
		g := w.group(func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil })
		r := start(t, g)
		got.wait(3)
		waitFor(t, "everything is committed", func() bool { return w.committed() == 3 })
		for name, c := range map[string]struct{ err, want error }{
			"behind the end":         {g.Seek(t.Context(), "orders", 0, consumer.Offset(4)), consumer.ErrConfig},
			"before the start":       {g.Seek(t.Context(), "orders", 0, consumer.Offset(-1)), consumer.ErrConfig},
			"a partition of nobody":  {g.Seek(t.Context(), "orders", 7, consumer.Earliest()), consumer.ErrNotOwned},
			"an offset for a replay": {g.Replay(t.Context(), consumer.Offset(1)), consumer.ErrConfig},
			"a start at an offset":   {second(consumer.New(w.sdk(), "h", consumer.StartAt(consumer.Offset(3)))), consumer.ErrConfig},
			"a running group":        {consumer.Reset(t.Context(), w.sdk(), "g", consumer.Earliest()), consumer.ErrMembers},
			"a group that is not":    {consumer.Reset(t.Context(), w.sdk(), "nobody", consumer.Earliest()), consumer.ErrConfig},
		} {
			if !errors.Is(c.err, c.want) {
				t.Errorf("%s: %v, want %v", name, c.err, c.want)
			}
		}
		r.cleanly()
		if err := g.Seek(t.Context(), "orders", 0, consumer.Earliest()); !errors.Is(err, consumer.ErrNotOwned) {
			t.Errorf("after Run: %v", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestResetMovesAStoppedGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.history = nil // the checker does not hear of the reset
		for i := range 10 {
			if err := w.raw.ProduceSync(t.Context(), record(fmt.Sprintf("k%d=%d", i, i))).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		var mu sync.Mutex
		var fences []int64
		got := newSeen(t)
		run := func(n int) {
			g, err := consumer.New(w.sdk(), "g")
			if err == nil {
				err = consumer.Handle(g, orders, func(_ context.Context, m *consumer.Message[string]) error {
					mu.Lock()
					defer mu.Unlock()
					if len(fences) == 0 || fences[len(fences)-1] != m.Fence {
						fences = append(fences, m.Fence)
					}
					got.add(m.Value)
					return nil
				})
			}
			if err != nil {
				t.Fatal(err)
			}
			r := start(t, g)
			got.wait(n)
			r.cleanly()
		}
		run(10)
		for i, c := range []struct {
			to   consumer.Start
			n    int
			tops []string
		}{{consumer.Earliest(), 20, nil}, {consumer.Offset(7), 23, []string{"orders"}}} {
			if err := consumer.Reset(t.Context(), w.sdk(), "g", c.to, c.tops...); err != nil {
				t.Fatal(err)
			}
			run(c.n)
			if n := len(got.all()); n != c.n {
				t.Errorf("reset %d: %d handled, want %d", i, n, c.n)
			}
		}
		if len(fences) != 3 || !slices.IsSorted(fences) {
			t.Errorf("fences %v do not grow", fences)
		}
		for i, f := range fences[1:] {
			if f>>21 <= fences[i]>>21 {
				t.Errorf("fence %d has the incarnation of %d: a group that is made anew could repeat it", f, fences[i])
			}
		}
	})
}

func TestSeekKeepsWhatWaitsInTheInbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=1", "b=2", "c=3")
		var mu sync.Mutex
		calls := map[string]int{}
		g := w.group(func(_ context.Context, m *consumer.Message[string]) error {
			mu.Lock()
			defer mu.Unlock()
			calls[m.Value]++
			if m.Value == "2" && calls["2"] == 1 {
				return errBoom
			}
			return nil
		}, consumer.Retry(consumer.RetryPolicy{Retries: -1}), consumer.RetryLater(10*time.Minute))
		r := start(t, g)
		waitFor(t, "all were handled or handed to the inbox", func() bool { return w.committed() == 3 })
		if err := g.Seek(t.Context(), "orders", 0, consumer.Offset(2)); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the last one was handled again", func() bool { return w.committed() == 3 })
		time.Sleep(5 * time.Minute)
		mu.Lock()
		if calls["2"] != 1 {
			t.Errorf("%d attempts before the record in the inbox is due", calls["2"])
		}
		mu.Unlock()
		if err := g.Seek(t.Context(), "orders", 0, consumer.Earliest()); err != nil { // it waits on: the record is found in the inbox
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if h := g.Health(); !h.OK {
			t.Errorf("health %+v", h)
		}
		r.cleanly()
		for v, want := range map[string]int{"1": 2, "2": 2, "3": 3} {
			if calls[v] != want {
				t.Errorf("%d attempts of %s, want %d", calls[v], v, want)
			}
		}
	})
}
