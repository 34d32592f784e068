package groups

import "time"

// An alarm calls a function, under the Manager's lock, when it is due. Its zero
// value is unset. Moving the time later, which every heartbeat does, costs no
// timer: an alarm that goes off early looks at the time it is due and waits for
// the rest.
type alarm struct {
	due    time.Time // when call is wanted
	goesAt time.Time // when timer goes off, never after due
	timer  *time.Timer
	call   func()
}

// set makes a call fn after d, instead of what it was set to before. The
// Manager's lock is held, here and when fn is called.
func (m *Manager) set(a *alarm, d time.Duration, fn func()) {
	if m.closed {
		return
	}
	d = max(d, 0)
	a.due, a.call = time.Now().Add(d), fn
	if a.timer != nil && !a.goesAt.After(a.due) {
		return
	}
	m.unset(a)
	a.call = fn
	m.start(a, d)
}

func (m *Manager) start(a *alarm, d time.Duration) {
	a.goesAt = a.due
	m.timers.Add(1)
	var t *time.Timer
	t = time.AfterFunc(d, func() {
		defer m.timers.Done()
		m.mu.Lock()
		defer m.unlock()
		if a.timer != t {
			return // stopped too late, or set anew
		}
		a.timer = nil
		if rest := time.Until(a.due); rest > 0 {
			m.start(a, rest)
			return
		}
		fn := a.call
		a.call = nil
		fn()
	})
	a.timer = t
}

// unset forgets what a was set to.
func (m *Manager) unset(a *alarm) {
	if a.timer != nil && a.timer.Stop() {
		m.timers.Done()
	}
	a.timer, a.call = nil, nil
}
