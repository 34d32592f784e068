package broker

import (
	"math"
	"sync/atomic"
	"time"
)

// schedule says when a look at the logs is due. It wakes at multiples of an interval, as Kafka's own do, but only at those at which something is due:
// a timer that never rests would keep a testing/synctest bubble from noticing that everything in it waits for nothing.
type schedule struct {
	every time.Duration
	begin time.Time
	poke  chan struct{}
	next  atomic.Int64 // when it will wake, milliseconds; math.MaxInt64: not at all
}

func (s *schedule) init(every time.Duration) {
	s.every, s.begin, s.poke = every, time.Now(), make(chan struct{}, 1)
	s.next.Store(math.MaxInt64)
}

// due asks for a look at the first multiple of the interval after a moment, in milliseconds.
func (s *schedule) due(ms int64) {
	next := s.next.Load()
	if ms >= next {
		return // it looks no later than that
	}
	begin, every := s.begin.UnixMilli(), s.every.Milliseconds()
	ms = max(ms, time.Now().UnixMilli())
	if ms > math.MaxInt64-every {
		return
	}
	at := begin + (ms-begin)/every*every + every
	for at < next {
		if s.next.CompareAndSwap(next, at) {
			select {
			case s.poke <- struct{}{}:
			default:
			}
			return
		}
		next = s.next.Load()
	}
}

// run looks whenever something is due, until done is closed. look returns when something will be next.
func (s *schedule) run(done <-chan struct{}, look func() (next int64)) {
	timer := time.NewTimer(math.MaxInt64)
	defer timer.Stop()
	for {
		select {
		case <-s.poke:
			timer.Reset(time.Until(time.UnixMilli(s.next.Load())))
		case <-timer.C:
			s.next.Store(math.MaxInt64) // before it looks, so that what is appended meanwhile asks anew
			s.due(look())
		case <-done:
			return
		}
	}
}
