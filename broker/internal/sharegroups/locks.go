package sharegroups

import "time"

func (p *Partition) lockUntil() time.Time { return time.Now().Add(p.cfg.Settings().Lock) }

// earliest is when the first lock runs out, zero where nothing is locked.
func (p *Partition) earliest() (first time.Time) {
	see := func(d *delivery) {
		if d.state == Acquired && (first.IsZero() || d.until.Before(first)) {
			first = d.until
		}
	}
	for _, f := range p.flights {
		if f.each == nil {
			see(&f.one)
			continue
		}
		for i := range f.each {
			see(&f.each[i])
		}
	}
	return first
}

// wind sets the clock to the first lock that runs out. One that goes off too early is set again then, so that most requests set none.
func (p *Partition) wind() {
	if p.fenced {
		return
	}
	if p.timer != nil {
		if now := time.Now(); p.goesOff.After(now) && p.goesOff.Sub(now) <= p.cfg.Settings().Lock {
			return
		}
	}
	first := p.earliest()
	if first.IsZero() {
		p.stopTimer()
		return
	}
	if p.timer != nil && !p.goesOff.After(first) {
		return
	}
	p.stopTimer()
	p.goesOff = first
	p.clock.Add(1)
	var t *time.Timer
	t = time.AfterFunc(time.Until(first), func() {
		defer p.clock.Done()
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.timer != t {
			return
		}
		p.timer = nil
		p.expire()
	})
	p.timer = t
}

func (p *Partition) stopTimer() {
	if p.timer != nil && p.timer.Stop() {
		p.clock.Done()
	}
	p.timer = nil
}

// expire gives back what was acquired for too long. What can not be written down is given back all the same: nobody holds it any more.
func (p *Partition) expire() {
	now := time.Now()
	overdue := func(d *delivery) bool { return !d.until.After(now) }
	if err := p.release(overdue); err != nil {
		unwritten := p.cfg.Write
		p.cfg.Write = func(Update) error { return nil }
		_ = p.release(overdue)
		p.cfg.Write = unwritten
	}
}
