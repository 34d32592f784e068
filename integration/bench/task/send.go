package task

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Warmed is how many records are sent before anything is measured.
const Warmed = 2000

// Message is a record to send, whose key was made before.
type Message struct{ Key, Value []byte }

// Messages are the records that a side sends by turns, one for each of the task's keys.
func (t Task) Messages() []Message {
	out := make([]Message, t.Keys)
	for i := range out {
		out[i] = Message{Key: fmt.Appendf(nil, "key-%06d", i), Value: Value(t.Size, 0, time.Time{})}
	}
	return out
}

// Many sends all records without waiting for each. sender makes what sends n of them, and has done called with the answer to each, by any goroutine. The
// first error ends the run.
func Many(t Task, sender func(done func(error)) (send func(n int) error)) (Sample, error) {
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	send := sender(func(err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
		}
		wg.Done()
	})
	all := func(n int) error {
		wg.Add(n)
		if err := send(n); err != nil {
			return err
		}
		wg.Wait()
		if err := failed.Load(); err != nil {
			return *err
		}
		return nil
	}
	if err := all(Warmed); err != nil {
		return nil, err
	}
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cpu, start := CPU(), time.Now()
	if err := all(t.Records); err != nil {
		return nil, err
	}
	return Since(start, cpu, &before, t.Records), nil
}

// OneByOne sends each record when the one before was acknowledged.
func OneByOne(t Task, send func(i int) error) (Sample, error) {
	took := make([]float64, t.Records)
	var before runtime.MemStats
	var cpu time.Duration
	var start time.Time
	for i := -Warmed / 4; i < t.Records; i++ {
		if i == 0 {
			runtime.ReadMemStats(&before)
			cpu, start = CPU(), time.Now()
		}
		began := time.Now()
		if err := send(max(i, 0)); err != nil {
			return nil, err
		}
		if i >= 0 {
			took[i] = time.Since(began).Seconds() * 1000
		}
	}
	s := Since(start, cpu, &before, t.Records)
	slices.Sort(took)
	s["p50"], s["p99"] = took[len(took)/2], took[len(took)*99/100]
	return s, nil
}

// The headers are those that Sordini's producer writes: a correlation id, which CorrelationID makes, and the source.
const (
	CorrelationHeader = "correlation-id"
	SourceHeader      = "source"
)

// Source is the value of SourceHeader. It is not to be changed.
var Source = []byte("bench")

// CorrelationID makes the text of a UUID of version 7, without any library.
func CorrelationID() []byte {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(time.Now().UnixMilli())<<16|rand.Uint64()&0xfff|0x7000)
	binary.BigEndian.PutUint64(b[8:], rand.Uint64()&^(3<<62)|2<<62)
	const digits = "0123456789abcdef"
	text := make([]byte, 0, 36)
	for i, c := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			text = append(text, '-')
		}
		text = append(text, digits[c>>4], digits[c&15])
	}
	return text
}
