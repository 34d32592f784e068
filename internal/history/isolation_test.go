package history

import (
	"strings"
	"testing"
	"time"
)

func TestIsolationMeasuresWhatOtherKeysWaitedFor(t *testing.T) {
	for _, c := range []struct {
		name        string
		history     string
		ended, left int64
		delay       time.Duration
		delayed     int64
		broken      bool
	}{
		{name: "others go on", history: `accepted 0 stuck
			accepted 1 a
			assigned m1 1
			start m1 0
			accepted 2 b
			+1s
			` + handle("m1", 1, 2) + `+9s
			ok m1 0
			handled m1 0
			` + handle("m1", 2), ended: 2, delay: 1004 * time.Millisecond, delayed: 2},
		{name: "one is left", history: `accepted 0 stuck
			accepted 1 a
			assigned m1 1
			start m1 0
			accepted 2 b
			` + handle("m1", 1) + `+60s
			ok m1 0
			handled m1 0
			` + handle("m1", 2), ended: 1, left: 1, delay: 60005 * time.Millisecond, delayed: 2, broken: true},
		{name: "one runs slowly", history: `accepted 0 stuck
			accepted 1 a
			assigned m1 1
			start m1 0
			start m1 1
			+60s
			ok m1 0
			handled m1 0
			ok m1 1
			handled m1 1`, left: 1, delay: time.Millisecond, delayed: 1, broken: true},
		{name: "stuck to the end, others late but in time", history: `accepted 0 stuck
			assigned m1 1
			start m1 0
			error m1 0
			+5s
			accepted 1 a
			+4s
			` + handle("m1", 1) + "accepted 2 a", ended: 1, delay: 4001 * time.Millisecond, delayed: 1},
		{name: "started before its producer was told", history: `accepted 0 stuck
			assigned m1 1
			start m1 0
			start m1 1 key=a
			accepted 1 a
			ok m1 1
			handled m1 1
			+20s
			ok m1 0
			handled m1 0`, ended: 1},
		{name: "never started", history: "accepted 0 stuck\naccepted 1 a\nassigned m1 1\n" + handle("m1", 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Isolate(tell(t, c.history), "billing", "orders", []byte("stuck"), 5*time.Second)
			if s.Ended != c.ended || s.Left != c.left || s.Delay != c.delay || c.delay > 0 && s.Delayed.Offset != c.delayed {
				t.Errorf("%s\nwant ended %d, left %d, delay %v of %d", s, c.ended, c.left, c.delay, c.delayed)
			}
			v := s.Violation(5 * time.Second)
			if (v != nil) != c.broken {
				t.Fatalf("violation %v, want %v", v, c.broken)
			}
			if v != nil && !strings.HasPrefix(v.String(), "G4 while one key was stuck for") {
				t.Error(v)
			}
		})
	}
}
