package consumer

import "sync"

// outlived holds the attempts whose partition is gone while their handlers go on: they are fenced and counted no more, but Run neither forgets them nor returns
// nil while one runs (guarantees G5, G12).
type outlived struct {
	mu       sync.Mutex
	attempts map[*attempt]struct{}
	empty    chan struct{} // closed when the last one returned; nil while nobody waits
}

func (o *outlived) add(a *attempt) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.attempts == nil {
		o.attempts = map[*attempt]struct{}{}
	}
	o.attempts[a] = struct{}{}
}

func (o *outlived) remove(a *attempt) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.attempts, a)
	if len(o.attempts) == 0 && o.empty != nil {
		close(o.empty)
		o.empty = nil
	}
}

// wait returns a channel that is closed once none is left.
func (o *outlived) wait() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.attempts) == 0 {
		done := make(chan struct{})
		close(done)
		return done
	}
	if o.empty == nil {
		o.empty = make(chan struct{})
	}
	return o.empty
}

func (o *outlived) all() []*attempt {
	o.mu.Lock()
	defer o.mu.Unlock()
	as := make([]*attempt, 0, len(o.attempts))
	for a := range o.attempts {
		as = append(as, a)
	}
	return as
}
