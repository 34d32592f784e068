package consumer

import "time"

// What stands between a lane that is ready and its attempt: rate limits, then the circuit breaker. A lane that may not pass waits there, without a worker and
// without a goroutine, and is woken when it may; its partition's mutex guards its state, and that of the limit or breaker the queue it is in.

// gates says whether anything can hold the handler's records up.
func (h *handler) gates() bool { return len(h.cfg.limits) > 0 || h.circuit != nil }

// pass says whether the head of a lane may be tried now. Where not, the lane waits at the gate that holds it up. p.mu is held.
func (p *partition) pass(l *lane, now time.Time) bool {
	h := l.head.handler
	l.state = laneGated
	for l.passed < len(h.cfg.limits) {
		if !h.cfg.limits[l.passed].pass(l, now) {
			return false
		}
		l.passed++
	}
	if h.circuit != nil && !h.circuit.pass(l, now) {
		return false // what it paid at the limits stays paid
	}
	l.passed = 0
	return true
}

// open lets a lane go on that waited at a gate; paid says that the gate needs not be asked again.
func (p *partition) open(l *lane, paid bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || l.state != laneGated {
		return
	}
	if p.stopping {
		l.state = laneHeld
		return
	}
	if paid {
		l.passed++
	}
	p.makeReady(l)
	p.dispatch()
}

// leaveGates takes the lanes of a partition that is given up out of the gates they wait at. p.mu is held.
func (p *partition) leaveGates() {
	for _, h := range handlersOf(p.topic) {
		for _, l := range h.cfg.limits {
			l.drop(p)
		}
		if h.circuit != nil {
			h.circuit.drop(p)
		}
	}
}

// drop takes the lanes of a partition out of the queue.
func (q *laneQueue) drop(p *partition) {
	lanes := *q
	*q = laneQueue{}
	for l := lanes.pop(); l != nil; l = lanes.pop() {
		if l.p != p {
			q.push(l)
		}
	}
}
