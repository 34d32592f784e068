package consumer

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// pool runs attempts: at most max workers, started when there is work that no idle one takes. Partitions with ready lanes queue up and are served in turn.
type pool struct {
	// work runs attempts of a partition until it has none ready or others should have their turn. It is called without locks. It reports false when its
	// worker was disowned meanwhile.
	work func(*partition) bool

	wg sync.WaitGroup // workers

	mu      sync.Mutex
	cond    sync.Cond
	queue   partQueue
	max     int
	workers int // that count against max: a worker whose handler outlived its partition does not
	idle    int
	stopped bool

	excess atomic.Bool // more workers are there than may be
}

func newPool(max int, work func(*partition) bool) *pool {
	s := &pool{work: work, max: max}
	s.cond.L = &s.mu
	return s
}

// offer queues a partition that has ready lanes, unless it is queued, and sees to it that somebody takes it. It may be called with the partition's mutex held.
func (s *pool) offer(p *partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.queued || s.stopped {
		return
	}
	p.queued = true
	s.queue.push(p)
	switch {
	case s.idle > 0:
		s.cond.Signal()
	case s.workers < s.max:
		s.start()
	}
}

// start starts a worker. s.mu is held.
func (s *pool) start() {
	s.workers++
	s.wg.Add(1)
	go s.loop()
}

func (s *pool) loop() {
	for {
		s.mu.Lock()
		for s.queue.empty() && !s.stopped && !s.many() {
			s.idle++
			s.cond.Wait()
			s.idle--
		}
		if s.stopped || s.many() {
			s.workers--
			s.count()
			s.mu.Unlock()
			s.wg.Done()
			return
		}
		p := s.queue.pop()
		p.queued = false
		s.mu.Unlock()
		if !s.work(p) {
			return
		}
		runtime.Gosched() // handlers that never block would keep a preempted one from the processor for long, and its record from the mark
	}
}

// disown takes a worker that is stuck in a handler out of the count: another may start in its place, and nobody waits for it.
func (s *pool) disown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.workers--
	s.count()
	s.wg.Done()
	if !s.stopped && !s.queue.empty() && s.workers < s.max {
		s.start()
	}
}

// resize changes how many workers there may be. Where there are more, each ends after the attempt that it runs.
func (s *pool) resize(max int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.max = max
	s.count()
	for p := s.queue.head; p != nil && s.workers < s.max && !s.stopped; p = p.next { // each that finds more than it can take calls for another
		s.start()
	}
	s.cond.Broadcast()
}

// many says whether there are more workers than there may be. s.mu is held.
func (s *pool) many() bool { return s.workers > s.max }

// count notes whether there are too many workers. s.mu is held.
func (s *pool) count() { s.excess.Store(s.many()) }

// stop lets every worker end after what it does now; wait on wg for them.
func (s *pool) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	s.cond.Broadcast()
}

// partQueue is a first-in first-out queue of partitions, linked through partition.next.
type partQueue struct{ head, tail *partition }

func (q *partQueue) empty() bool { return q.head == nil }

func (q *partQueue) push(p *partition) {
	p.next = nil
	if q.tail == nil {
		q.head = p
	} else {
		q.tail.next = p
	}
	q.tail = p
}

func (q *partQueue) pop() *partition {
	p := q.head
	if p != nil {
		if q.head = p.next; q.head == nil {
			q.tail = nil
		}
		p.next = nil
	}
	return p
}
