package consumer

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

const manyWaiting = 10_000

// appointments lets n lanes wait for times at random within spread, and returns by how much each was woken late, in order.
func appointments(n int, spread time.Duration) []time.Duration {
	r := rand.New(rand.NewPCG(1, 2))
	late := make([]time.Duration, 0, n)
	all, stop, stopped := make(chan struct{}), make(chan struct{}), make(chan struct{})
	q := newDueQueue(func(l *lane) {
		if late = append(late, time.Since(l.due)); len(late) == n {
			close(all)
		}
	})
	go func() { q.run(stop); close(stopped) }()
	for range n {
		q.add(&lane{}, time.Now().Add(time.Duration(r.Int64N(int64(spread)))))
	}
	<-all
	close(stop)
	<-stopped
	slices.Sort(late)
	return late
}

// No retry is early, whatever else waits, and none is late where nothing takes time.
func TestDueTimesAreKeptWithTenThousandWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := appointments(manyWaiting, time.Hour)
		if late[0] < 0 || late[len(late)-1] > 0 {
			t.Errorf("lanes were woken %v to %v after their time", late[0], late[len(late)-1])
		}
	})
}

// A lane that is hastened moves to the front, and one that was added last may be due first.
func TestLaterAppointmentMayBeEarlier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var order []*lane
		stop, stopped, all := make(chan struct{}), make(chan struct{}), make(chan struct{})
		q := newDueQueue(func(l *lane) {
			if order = append(order, l); len(order) == 3 {
				close(all)
			}
		})
		go func() { q.run(stop); close(stopped) }()
		a, b, c := &lane{}, &lane{}, &lane{}
		q.add(a, began.Add(time.Hour))
		synctest.Wait() // it sleeps for an hour
		q.add(b, began.Add(time.Minute))
		q.add(c, began.Add(2*time.Hour))
		q.hasten(c, began.Add(time.Second))
		<-all
		close(stop)
		<-stopped
		if !slices.Equal(order, []*lane{c, b, a}) || time.Since(began) != time.Hour {
			t.Errorf("woken in another order, or after %v", time.Since(began))
		}
	})
}

// Due times of 10,000 waiting retries in real time: how late the 99th of 100 and the last are.
func BenchmarkDueTimes(b *testing.B) {
	for b.Loop() {
		late := appointments(manyWaiting, 2*time.Second)
		if late[0] < 0 {
			b.Fatalf("a lane was woken %v early", -late[0])
		}
		b.ReportMetric(float64(late[len(late)*99/100].Microseconds()), "p99-µs-late")
		b.ReportMetric(float64(late[len(late)-1].Microseconds()), "max-µs-late")
	}
}
