package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
)

// ErrTorn is wrapped by what Scan and Read return when the last line is cut: its writer was killed while it wrote. What came before it is whole.
var ErrTorn = errors.New("last line of the history is cut")

// Scan reads a history line by line, in the memory of one line. It ends after the first error.
func Scan(r io.Reader) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		in := bufio.NewReaderSize(r, 1<<16)
		for n := 1; ; n++ {
			line, err := in.ReadBytes('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				yield(Event{}, fmt.Errorf("read line %d of the history: %w", n, err))
				return
			}
			if err != nil && len(line) > 0 {
				yield(Event{}, fmt.Errorf("line %d: %w", n, ErrTorn))
				return
			}
			if err != nil {
				return
			}
			if line = bytes.TrimSpace(line); len(line) == 0 {
				continue
			}
			var w wire // not Event, whose UnmarshalJSON would parse the line again
			var e Event
			err = json.Unmarshal(line, &w)
			if err == nil {
				err = w.event(&e)
			}
			if err != nil {
				yield(Event{}, fmt.Errorf("line %d of the history: %w", n, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Read reads a whole history. With an error it returns what came before it as well.
func Read(r io.Reader) ([]Event, error) {
	var events []Event
	for e, err := range Scan(r) {
		if err != nil {
			return events, err
		}
		events = append(events, e)
	}
	return events, nil
}

// Merge makes one history of those of several processes on one machine: ordered by time (events of one log keep their order), numbered anew.
func Merge(logs ...[]Event) []Event {
	all := slices.Concat(logs...)
	slices.SortStableFunc(all, func(a, b Event) int { return a.At.Compare(b.At) })
	for i := range all {
		all[i].Seq = int64(i + 1)
	}
	return all
}
