package consumer

import (
	"container/heap"
	"sync"
	"time"
)

// dueQueue holds the lanes whose heads wait for a time: one heap and one timer for all of them, so that a waiting retry costs an entry. Its methods may be
// called with a partition's mutex held; wake is called with none.
type dueQueue struct {
	wake func(*lane) // called from run's goroutine for every lane whose time has come

	mu    sync.Mutex
	heap  laneHeap
	next  time.Time // when run will look, zero while it sleeps without a limit
	alarm chan struct{}
}

func newDueQueue(wake func(*lane)) *dueQueue {
	return &dueQueue{wake: wake, alarm: make(chan struct{}, 1)}
}

// add lets l wait until t, or moves it there.
func (q *dueQueue) add(l *lane, t time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l.due = t
	if l.index > 0 {
		heap.Fix(&q.heap, l.index-1)
	} else {
		heap.Push(&q.heap, l)
	}
	if q.heap[0] == l && (q.next.IsZero() || t.Before(q.next)) {
		select {
		case q.alarm <- struct{}{}:
		default:
		}
	}
}

// hasten makes l due at t if it waits for a later time; one that does not wait, or was just woken, is left alone.
func (q *dueQueue) hasten(l *lane, t time.Time) {
	q.mu.Lock()
	waits := l.index > 0 && l.due.After(t)
	q.mu.Unlock()
	if waits {
		q.add(l, t)
	}
}

// drop removes the lanes of a partition that is given up.
func (q *dueQueue) drop(p *partition) {
	q.mu.Lock()
	defer q.mu.Unlock()
	kept := q.heap[:0]
	for _, l := range q.heap {
		if l.p == p {
			l.index = 0
			continue
		}
		kept = append(kept, l)
		l.index = len(kept)
	}
	clear(q.heap[len(kept):])
	q.heap = kept
	heap.Init(&q.heap)
}

// run wakes lanes until stop is closed.
func (q *dueQueue) run(stop <-chan struct{}) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var due []*lane
	for {
		q.mu.Lock()
		now := time.Now()
		due = due[:0]
		for len(q.heap) > 0 && !q.heap[0].due.After(now) {
			due = append(due, heap.Pop(&q.heap).(*lane))
		}
		q.next = time.Time{}
		if len(q.heap) > 0 {
			q.next = q.heap[0].due
			timer.Reset(q.next.Sub(now))
		}
		q.mu.Unlock()
		if len(due) > 0 {
			for i, l := range due {
				q.wake(l)
				due[i] = nil
			}
			continue
		}
		select {
		case <-stop:
			return
		case <-q.alarm:
		case <-timer.C:
		}
	}
}

// laneHeap is a heap by due time that tells each lane its place.
type laneHeap []*lane

func (h laneHeap) Len() int           { return len(h) }
func (h laneHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h laneHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}
func (h *laneHeap) Push(x any) {
	l := x.(*lane)
	*h = append(*h, l)
	l.index = len(*h)
}
func (h *laneHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	l.index = 0
	return l
}
