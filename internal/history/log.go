package history

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// A Recorder takes events as they happen. Record must be safe for concurrent use and must not block for long: it is called on the path of a record.
type Recorder interface {
	// Record takes events that nothing may come between.
	Record(...Event)
}

// Discard records nothing.
var Discard Recorder = discard{}

type discard struct{}

func (discard) Record(...Event) {}

// A Log is a Recorder that gives every event its place in one total order and keeps it: in memory, as JSON lines, in a checker, or in several of them.
// The zero Log is ready and keeps events in memory. All methods are safe for concurrent use.
type Log struct {
	// Writer, if set, gets each event as one line of JSON, written through at once: what was recorded survives a kill of the process. Its first error
	// stops the writing and is returned by Err.
	Writer io.Writer
	// Sink, if set, gets each event in order, one at a time, after it has its Seq: a [Checker] that judges as the run goes.
	Sink Recorder
	// Forget keeps no events in memory: Events returns none. For runs of millions of records, with a Sink.
	Forget bool

	mu     sync.Mutex
	seq    int64
	last   time.Time
	events [][]Event // in chunks: a long history is never copied to grow
	line   []byte    // of the last event, to be used again
	err    error
}

// Record gives each event its Seq (and At, when that is zero) and keeps it. Times never go back: an event that was recorded later is not earlier.
func (l *Log) Record(events ...Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range events {
		l.add(e)
	}
}

func (l *Log) add(e Event) {
	l.seq++
	e.Seq = l.seq
	if e.At.IsZero() {
		e.At = time.Now()
		if e.At.Before(l.last) {
			e.At = l.last
		}
		l.last = e.At
	}
	if l.Writer != nil && l.err == nil {
		l.line = append(e.appendJSON(l.line[:0]), '\n')
		if _, err := l.Writer.Write(l.line); err != nil {
			l.err = fmt.Errorf("write event %d of the history: %w", e.Seq, err)
		}
	}
	if l.Sink != nil {
		l.Sink.Record(e)
	}
	if !l.Forget {
		if n := len(l.events); n == 0 || len(l.events[n-1]) == cap(l.events[n-1]) {
			l.events = append(l.events, make([]Event, 0, min(4096, max(64, int(l.seq)))))
		}
		last := &l.events[len(l.events)-1]
		*last = append(*last, e)
	}
}

// Events is a copy of what was recorded so far, in order.
func (l *Log) Events() []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Concat(l.events...)
}

// Len is how many events were recorded so far, kept or not.
func (l *Log) Len() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seq
}

// Err is the first error of Writer.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}
