package consumer_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/consumer"
)

func headersOf(r broker.Record) map[string]string {
	m := map[string]string{}
	for _, h := range r.Headers {
		m[h.Key] = string(h.Value)
	}
	return m
}

// noJitter retries five times, a second after the first failure, then 2, 4, 8 and 16.
var noJitter = consumer.Retry(consumer.RetryPolicy{Delay: time.Second, Jitter: -1})

func TestAttemptsAndFirstFailureSurvive(t *testing.T) {
	for name, end := range map[string]func(r *run, l *line){
		"a clean restart": func(r *run, _ *line) { r.cleanly() },
		"a crash":         func(_ *run, l *line) { l.sever() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.whole = true
				w.put("a=1", "b=2")
				first := newSeen(t)
				began := time.Now()
				var failed time.Time
				c, l := w.wire()
				r := start(t, w.groupOn(c, func(_ context.Context, m *consumer.Message[string]) error {
					if m.Value == "1" {
						if failed.IsZero() {
							failed = time.Now()
						}
						first.add(m.Value)
						return errBoom
					}
					return nil
				}, noJitter))
				first.wait(3)
				time.Sleep(time.Second) // the third failure is committed; the fourth attempt is due 4 s after it
				end(r, l)

				var numbers []int
				var at []time.Duration
				got := newSeen(t)
				r2 := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
					if m.Value != "1" {
						return nil
					}
					numbers, at = append(numbers, m.Attempt), append(at, time.Since(began))
					got.add(m.Value)
					return errBoom
				}, noJitter))
				got.wait(3)
				waitFor(t, "it is dead", func() bool { return w.committed() == 2 })
				if numbers[0] != 4 || numbers[2] != 6 {
					t.Errorf("the attempts after the restart are %v, want 4, 5 and 6", numbers)
				}
				if name == "a clean restart" && (at[0] < 7*time.Second || at[0] > 7*time.Second+100*time.Millisecond) {
					t.Errorf("the fourth attempt came after %v, want 7 s: the restart does not hasten it", at[0])
				}
				d := w.dead()
				if len(d) != 1 {
					t.Fatalf("%d dead letters", len(d))
				}
				h := headersOf(d[0])
				when, err := time.Parse(time.RFC3339Nano, h["dlt-first-failed"])
				if h["dlt-attempts"] != "6" || err != nil || when.Sub(failed.Truncate(time.Millisecond)) != 0 {
					t.Errorf("the dead letter has %s attempts and first failed at %s (%v); want 6 and %v", h["dlt-attempts"], h["dlt-first-failed"], err, failed)
				}
				r2.cleanly()
				if name == "a crash" {
					r.stop() // cut off: it cannot commit
				}
			})
		})
	}
}

func TestAttemptsSurviveARebalance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.whole = true
		var last atomic.Int64
		handle := func(_ context.Context, m *consumer.Message[string]) error {
			if n := last.Swap(int64(m.Attempt)); n != int64(m.Attempt)-1 {
				t.Errorf("attempt %d came after %d", m.Attempt, n)
			}
			return errBoom
		}
		policy := consumer.Retry(consumer.RetryPolicy{Retries: 9, Delay: 4 * time.Second, Max: 4 * time.Second})
		w.put("a=1")
		r := start(t, w.group(handle, policy))
		waitFor(t, "it has failed twice", func() bool { return last.Load() == 2 })
		r2 := start(t, w.group(handle, policy))
		time.Sleep(5 * time.Second)
		r.cleanly() // whoever had it, the other has it now
		waitFor(t, "it is dead", func() bool { return w.committed() == 1 })
		r2.cleanly()
		if d := w.dead(); len(d) != 1 || headersOf(d[0])["dlt-attempts"] != "10" {
			t.Errorf("dead letters %v, want one after 10 attempts", d)
		}
	})
}

func TestRestartDoesNotHastenARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.put("a=1", "a=2")
		var failed time.Time
		got := newSeen(t)
		handle := func(_ context.Context, m *consumer.Message[string]) error {
			if m.Value == "1" && m.Attempt == 1 {
				failed = time.Now()
				got.add("failed")
				return consumer.RetryAfter(time.Hour, errBoom)
			}
			if d := time.Since(failed); d < time.Hour || d > time.Hour+time.Second {
				t.Errorf("%s came %v after the failure, want an hour", m.Value, d)
			}
			got.add(m.Value)
			return nil
		}
		for i := range 3 {
			r := start(t, w.group(handle))
			got.wait(1)
			time.Sleep(10 * time.Minute)
			r.cleanly()
			if n := len(got.all()); n != 1 {
				t.Fatalf("%d handled after start %d", n, i+1)
			}
		}
		r := start(t, w.group(handle))
		got.wait(3)
		r.cleanly()
	})
}

func TestAttemptsSurviveAnOwnerThatNeverCameToTheRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.whole = true
		w.put("x=0", "a=1")
		held := newGate()
		var runs []*run
		for i := range 2 { // both die; the second has one worker, and that is busy
			c, l := w.wire()
			failed, busy := newSeen(t), newSeen(t)
			runs = append(runs, start(t, w.groupOn(c, func(_ context.Context, m *consumer.Message[string]) error {
				if m.Value == "0" {
					busy.add(m.Value)
					<-held.open
					return nil
				}
				failed.add(m.Value)
				return errBoom
			}, consumer.Concurrency(2-i), consumer.Retry(consumer.RetryPolicy{Delay: time.Minute}))))
			busy.wait(1)
			if i == 0 {
				failed.wait(2)
			}
			time.Sleep(5 * time.Second)
			l.sever()
		}
		attempt := 0
		got := newSeen(t)
		r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
			if m.Value == "1" {
				attempt = m.Attempt
			}
			got.add(m.Value)
			return nil
		}))
		got.wait(2)
		r.cleanly()
		if attempt != 3 {
			t.Errorf("attempt %d, want 3", attempt)
		}
		held.pass()
		for _, r := range runs {
			r.stop()
		}
	})
}
