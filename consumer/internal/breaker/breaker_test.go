package breaker

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
func rec(n int64) ID         { return ID{Topic: "orders", Offset: n} }

func TestFifthRecordOfAnOutageWaitsInsteadOfDying(t *testing.T) {
	b := New(Config{})
	b.Succeeded(rec(0), at(0))
	for i := int64(1); i <= 4; i++ {
		if d := b.Exhausted(rec(i), "db down", at(1), at(4)); !d.Die {
			t.Fatalf("record %d waits; the rule lets four die", i)
		}
	}
	d := b.Exhausted(rec(5), "db down", at(1.5), at(4.5))
	if d.Die || d.Wait != time.Second {
		t.Fatalf("fifth record: %+v, want a wait of 1s", d)
	}
	if s := b.State(); !s.Open || s.Fingerprint != "db down" || s.Waiting != 1 || !s.Since.Equal(at(4.5)) {
		t.Fatalf("state %+v", s)
	}
	if d := b.Exhausted(rec(6), "another cause", at(2), at(5)); d.Die {
		t.Fatal("a record died while the breaker was open")
	}
}

func TestASuccessBetweenFailuresKeepsTheBreakerClosed(t *testing.T) {
	b := New(Config{})
	for i := range int64(100) {
		if d := b.Exhausted(rec(i), "bad record", at(float64(i)), at(float64(i)+0.5)); !d.Die {
			t.Fatalf("poison record %d waits beside healthy ones", i)
		}
		b.Succeeded(rec(1000+i), at(float64(i)+0.6))
	}
}

func TestFailuresOlderThanTheLastSuccessDoNotCount(t *testing.T) {
	b := New(Config{})
	b.Succeeded(rec(100), at(10))
	for i := range int64(8) { // first failed before the success, ended after it
		if d := b.Exhausted(rec(i), "x", at(9), at(11)); !d.Die {
			t.Fatalf("record %d, which was failing before the last success, waits", i)
		}
	}
}

func TestDifferentCausesAreCountedApart(t *testing.T) {
	b := New(Config{})
	for i := range int64(12) {
		if d := b.Exhausted(rec(i), fmt.Sprint("cause ", i%3), at(1), at(2)); !d.Die {
			t.Fatalf("record %d waits, but no cause has four casualties yet", i)
		}
	}
	if d := b.Exhausted(rec(12), "cause 0", at(1), at(2)); d.Die {
		t.Fatal("fifth record of one cause died")
	}
}

func TestWaitGrowsToAMinuteAndStays(t *testing.T) {
	b := opened()
	var got []time.Duration
	for range 9 {
		got = append(got, b.Exhausted(rec(50), "x", at(1), at(9)).Wait)
	}
	want := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60}
	for i := range want {
		if got[i] != want[i]*time.Second {
			t.Fatalf("waits %v", got)
		}
	}
}

func TestFirstSuccessClosesAndGivesEachWaitingRecordOneAttemptMore(t *testing.T) {
	b := opened()
	for i := int64(50); i < 53; i++ {
		b.Exhausted(rec(i), "x", at(1), at(9))
	}
	if released := b.Succeeded(rec(51), at(20)); len(released) != 3 { // 5, 50, 52; 51 succeeded itself
		t.Fatalf("released %v", released)
	}
	if s := b.State(); s.Open {
		t.Fatal("still open after a success")
	}
	b.Succeeded(rec(52), at(20.2))
	if d := b.Exhausted(rec(50), "x", at(1), at(20.5)); !d.Die {
		t.Fatal("a record that failed its last attempt does not die")
	}
	b.Succeeded(rec(5), at(21))
	if s := b.State(); s.Waiting != 0 {
		t.Fatalf("%d records still wait", s.Waiting)
	}
}

func TestAFlappingDependencyCostsFourRecordsForEachTimeItCameBack(t *testing.T) {
	b := New(Config{})
	waiting := map[int64]bool{}
	died, now := 0, 1.0
	fail := func(id int64) {
		now += 0.001
		if b.Exhausted(rec(id), "x", at(1), at(now)).Die {
			died++
			delete(waiting, id)
		} else {
			waiting[id] = true
		}
	}
	for id := range int64(1000) {
		fail(id)
	}
	for flap := 1; flap <= 5; flap++ {
		for id := range waiting { // one of them succeeds, the dependency goes away again, the others fail
			now += 0.001
			released := b.Succeeded(rec(id), at(now))
			delete(waiting, id)
			for _, r := range released {
				fail(r.Offset)
			}
			break
		}
		if died != 4+4*flap {
			t.Fatalf("after %d flaps %d died, want %d", flap, died, 4+4*flap)
		}
	}
}

func TestForgottenRecordIsNotReleased(t *testing.T) {
	b := opened()
	b.Forget(rec(5))
	if released := b.Succeeded(rec(99), at(10)); len(released) != 0 {
		t.Fatalf("released %v", released)
	}
}

func TestBreakerTurnedOffLetsEveryRecordDie(t *testing.T) {
	b := New(Config{Casualties: -1})
	for i := range int64(20) {
		if !b.Exhausted(rec(i), "x", at(1), at(2)).Die {
			t.Fatal("a record waits although the breaker is off")
		}
	}
}

// TestNoMoreThanFourDieBetweenSuccesses drives random failures of one cause and checks the promise itself.
func TestNoMoreThanFourDieBetweenSuccesses(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		b := New(Config{})
		var sinceSuccess, now float64
		live := map[int64]bool{}
		died, next := 0, int64(0)
		for range 500 {
			now++
			if r.IntN(20) == 0 {
				b.Succeeded(rec(-1), at(now))
				sinceSuccess, died = now, 0
				continue
			}
			id := next
			if len(live) > 0 && r.IntN(2) == 0 {
				for id = range live {
					break
				}
			} else {
				next++
			}
			live[id] = true
			if b.Exhausted(rec(id), "x", at(sinceSuccess+0.5), at(now)).Die {
				delete(live, id)
				died++
			}
			if died > 4 {
				t.Fatalf("seed %d: %d records died since the last success", seed, died)
			}
		}
	}
}

func BenchmarkSucceededWhileNothingFails(b *testing.B) {
	br := New(Config{})
	now := at(1)
	b.ReportAllocs()
	for b.Loop() {
		br.Succeeded(rec(1), now)
	}
}

func opened() *Breaker {
	b := New(Config{})
	for i := int64(1); i <= 5; i++ {
		b.Exhausted(rec(i), "x", at(1), at(4))
	}
	return b
}
