package consumer

import (
	"sync/atomic"
	"time"
)

// pace is how long handlers of a partition take, as a moving mean. Where they are quick, a second worker in the same partition costs more in waiting for the
// first than it does; so only one works there, and another comes when that one is held up for patience. The partition's mutex guards it.
type pace struct {
	mean time.Duration
	n    int // attempts that it knows of, up to paceSample
}

const (
	paceSample = 64                    // attempts before a handler counts as quick
	paceQuick  = 20 * time.Microsecond // what is quick: some times what handing over to another worker costs
	patience   = time.Millisecond      // how long a quick partition may stand still before another worker comes (guarantee G4)
)

func (x *pace) add(took time.Duration) {
	if x.n < paceSample {
		x.n++
	}
	x.mean += (took - x.mean) / 16
}

func (x *pace) quick() bool { return x.n == paceSample && x.mean < paceQuick }

// paces is what tells the pace loop to look.
type paces struct {
	awake atomic.Bool
	wake  chan struct{}
}

// watchPace sees to it that a partition with one worker is looked at within patience.
func (e *engine) watchPace() {
	if e.paces.awake.Load() || e.paces.awake.Swap(true) {
		return
	}
	select {
	case e.paces.wake <- struct{}{}:
	default:
	}
}

// paceLoop brings another worker to each partition whose one worker is held up while lanes wait. It sleeps while no partition has one worker.
func (e *engine) paceLoop(stop <-chan struct{}) {
	timer := time.NewTimer(patience)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-stop:
			return
		case <-e.paces.wake:
		}
		for again := true; again; {
			timer.Reset(patience)
			select {
			case <-stop:
				return
			case <-timer.C:
			}
			e.paces.awake.Store(false) // whoever skips an offer from here on wakes the loop again
			again = false
			now := time.Now()
			for _, p := range e.partitions() {
				again = p.relieve(now) || again
			}
			again = again && !e.paces.awake.Swap(true)
		}
	}
}

// relieve offers the partition to another worker when those that are there have not moved for patience. It reports whether to look again.
func (p *partition) relieve(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.idle() || p.stopping || p.hold != 0 || len(p.running) == 0 {
		return false
	}
	for _, a := range p.running {
		if now.Sub(a.started) < patience {
			return true
		}
	}
	p.pace = pace{} // not quick any more
	p.e.pool.offer(p)
	return false
}
