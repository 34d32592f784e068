package history

import (
	"bytes"
	"fmt"
	"time"
)

// Isolation is what happened to the other keys of a topic while one key was stuck. G4 is about time, so no single event breaks it: the test that holds
// a key says what it allows, and asks [Isolation.Violation] or looks at the numbers.
type Isolation struct {
	// From the first attempt of the stuck key to its last outcome, or to the end of the history.
	From, To time.Time
	// Ended counts records of other keys that ended in that time.
	Ended int64
	// Left counts records of other keys that were due for as long as is allowed and had not ended by To.
	Left int64
	// Delay is the longest time between a record of another key becoming due (accepted, or From if that is later) and its first attempt, or To where
	// it was not attempted.
	Delay time.Duration
	// Delayed is the record that waited so long.
	Delayed Place
}

// Isolate looks at a group's topic while one of its keys is stuck; a nil key is the null key. A record of another key that was accepted less than
// allowed before the end of the stuck time is not counted as left. Time is linear, memory a few numbers a record.
func Isolate(events []Event, group, topic string, key []byte, allowed time.Duration) Isolation {
	var s Isolation
	same := func(k []byte) bool { return bytes.Equal(k, key) && (k == nil) == (key == nil) }
	stuck := map[Place]bool{}
	for i := range events {
		e := &events[i]
		if e.Topic != topic {
			continue
		}
		at := Place{topic, e.Partition, e.Offset}
		switch {
		case e.Kind == Accepted && same(e.Key):
			stuck[at] = true
		case e.Group != group:
		case e.Kind == AttemptStart && same(e.Key):
			stuck[at] = true
			if s.From.IsZero() {
				s.From = e.At
			}
		case e.Kind == Ended && stuck[at]:
			s.To = e.At
			delete(stuck, at)
		}
	}
	if s.From.IsZero() {
		return s
	}
	if len(stuck) > 0 {
		s.To = events[len(events)-1].At
	}

	parts := map[int32]*pages[duePage]{}
	part := func(e *Event) (*duePage, int) {
		p := parts[e.Partition]
		if p == nil {
			p = &pages[duePage]{}
			parts[e.Partition] = p
		}
		return p.at(e.Offset)
	}
	wait := func(d time.Duration, partition int32, offset int64) {
		if d > s.Delay {
			s.Delay, s.Delayed = d, Place{topic, partition, offset}
		}
	}
	for i := range events {
		e := &events[i]
		if e.Topic != topic || e.At.After(s.To) {
			continue
		}
		switch e.Kind {
		case Accepted:
			if page, i := part(e); !same(e.Key) && page.state[i] < dueStarted {
				page.due[i] = max(0, e.At.Sub(s.From))
				page.state[i] = dueWaits
			}
		case AttemptStart:
			if page, i := part(e); e.Group == group && page.state[i] == dueWaits {
				wait(e.At.Sub(s.From)-page.due[i], e.Partition, e.Offset)
				page.state[i] = dueStarted
			} else if e.Group == group && !same(e.Key) && page.state[i] == 0 {
				page.state[i] = dueStarted // started before its producer was told
			}
		case Ended:
			if page, i := part(e); e.Group == group && page.state[i] != 0 {
				if page.state[i] != dueEnded && !e.At.Before(s.From) {
					s.Ended++
				}
				page.state[i] = dueEnded
			}
		}
	}
	end := s.To.Sub(s.From)
	for partition, p := range parts {
		for no, page := range p.byNumber {
			for i, state := range page.state {
				if state == dueWaits {
					wait(end-page.due[i], partition, no*pageSize+int64(i))
				}
				if (state == dueWaits || state == dueStarted) && page.due[i]+allowed <= end {
					s.Left++
				}
			}
		}
	}
	return s
}

// duePage is what Isolate knows of 128 records of other keys.
type duePage struct {
	state [pageSize]uint8
	due   [pageSize]time.Duration // since From
}

const (
	dueWaits = iota + 1
	dueStarted
	dueEnded
)

// Violation is the violation of G4 if a record of another key was left, or was delayed by more than allowed; else nil.
func (s Isolation) Violation(allowed time.Duration) *Violation {
	if s.Left == 0 && s.Delay <= allowed {
		return nil
	}
	return &Violation{Guarantee: G4, Text: s.String()}
}

// String is the finding in one line.
func (s Isolation) String() string {
	return fmt.Sprintf("while one key was stuck for %v, %d records of other keys ended and %d were left; %s waited longest, %v",
		s.To.Sub(s.From), s.Ended, s.Left, s.Delayed, s.Delay)
}
