// Package task is what the bench command and the programs that it measures say to each other: the flags of a program, and the line that it prints.
package task

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Task is what a program has to do, with flags of the same names.
type Task struct {
	Side    string   // which client does it
	Kind    string   // noop, work, open, produce or sync
	Brokers []string // host:port
	Topic   string
	Group   string
	Records int    // that are handled or produced
	Ways    int    // handlers at the same time
	Order   string // key, partition or unordered
	Chain   bool   // with the default middleware, where the client has some
	Size    int    // of a value that is produced, in bytes
	Keys    int    // of produced records
}

// Args are the flags that carry the task.
func (t Task) Args() []string {
	return []string{
		"-side", t.Side, "-kind", t.Kind, "-brokers", strings.Join(t.Brokers, ","), "-topic", t.Topic, "-group", t.Group, "-records", fmt.Sprint(t.Records),
		"-ways", fmt.Sprint(t.Ways), "-order", t.Order, fmt.Sprintf("-chain=%v", t.Chain), "-size", fmt.Sprint(t.Size), "-keys", fmt.Sprint(t.Keys),
	}
}

// Flags registers the flags; what they return is complete once they are parsed.
func Flags(f *flag.FlagSet) *Task {
	t := new(Task)
	f.StringVar(&t.Side, "side", "", "which client measures (what the command starts itself and others with)")
	f.StringVar(&t.Kind, "kind", "", "what a client does")
	f.StringVar(&t.Topic, "topic", "", "the topic of a client")
	f.StringVar(&t.Group, "group", "", "the group of a client")
	f.IntVar(&t.Records, "records", 0, "records of a client")
	f.IntVar(&t.Ways, "ways", 0, "handlers of a client")
	f.StringVar(&t.Order, "order", "", "key, partition or unordered")
	f.BoolVar(&t.Chain, "chain", false, "with the default middleware")
	f.IntVar(&t.Size, "size", 0, "bytes of a client's values")
	f.IntVar(&t.Keys, "keys", 0, "keys of a client's records")
	f.Func("brokers", "host:port,… of a cluster that runs", func(s string) error {
		t.Brokers = strings.Split(s, ",")
		return nil
	})
	return t
}

// Sample is what a program measured. Units are part of the names: rate (records a second), cpu (microseconds of user and system time a record), allocs
// and bytes (a record), p50, p99 (milliseconds).
type Sample map[string]float64

// Print writes the sample as the last line of the program.
func (s Sample) Print() error { return json.NewEncoder(os.Stdout).Encode(s) }

// Warm is how many records an open-loop run begins with, before Ready is printed.
const (
	Warm  = 2000
	Ready = "ready"
)

// Value makes a record's value: how long its handler works, when it is due to arrive, and bytes up to size.
func Value(size int, work time.Duration, due time.Time) []byte {
	v := make([]byte, max(size, 16))
	binary.BigEndian.PutUint64(v, uint64(work))
	if !due.IsZero() {
		binary.BigEndian.PutUint64(v[8:], uint64(due.UnixNano()))
	}
	return v
}

// Work is how long a record's handler works.
func Work(value []byte) time.Duration { return time.Duration(binary.BigEndian.Uint64(value)) }

// Meter measures a run of a number of records, each of which calls Handled once. It is safe for concurrent use.
type Meter struct {
	kind  string
	want  int64
	done  chan struct{}
	began atomic.Bool
	n     atomic.Int64

	start  time.Time
	cpu    time.Duration
	before runtime.MemStats
	sample Sample

	mu   sync.Mutex
	took []float64 // of an open-loop run, in milliseconds
}

// NewMeter returns a meter. A noop run is measured from here on: what a client does before its first record is little beside a million. A work run is
// measured from its first handler to the end of its last.
func NewMeter(t Task) *Meter {
	m := &Meter{kind: t.Kind, want: int64(t.Records), done: make(chan struct{})}
	if t.Kind == "open" {
		m.want += Warm
	}
	if t.Kind != "work" {
		m.begin()
	}
	return m
}

func (m *Meter) begin() {
	m.began.Store(true)
	runtime.ReadMemStats(&m.before)
	m.cpu, m.start = CPU(), time.Now()
}

// Noop counts records whose handler does nothing.
func (m *Meter) Noop(n int) { m.count(int64(n)) }

// Handle does the work of one record.
func (m *Meter) Handle(value []byte) {
	if m.kind == "noop" {
		m.count(1)
		return
	}
	if !m.began.Load() {
		m.mu.Lock()
		if !m.began.Load() {
			m.begin()
		}
		m.mu.Unlock()
	}
	if d := Work(value); d > 0 {
		time.Sleep(d)
	}
	if m.kind == "open" {
		if due := binary.BigEndian.Uint64(value[8:]); due != 0 {
			m.mu.Lock()
			m.took = append(m.took, float64(time.Now().UnixNano()-int64(due))/1e6)
			m.mu.Unlock()
		}
	}
	m.count(1)
}

func (m *Meter) count(by int64) {
	n := m.n.Add(by)
	if m.kind == "open" && n == Warm {
		fmt.Println(Ready)
	}
	if n >= m.want && n-by < m.want {
		m.sample = Since(m.start, m.cpu, &m.before, int(m.want))
		if len(m.took) > 0 {
			slices.Sort(m.took)
			m.sample["p50"], m.sample["p99"] = m.took[len(m.took)/2], m.took[len(m.took)*99/100]
		}
		close(m.done)
	}
}

// Done is closed with the last record.
func (m *Meter) Done() <-chan struct{} { return m.done }

// Sample is the result once Done is closed.
func (m *Meter) Sample() Sample { return m.sample }

// Since is what n records took.
func Since(start time.Time, cpu time.Duration, before *runtime.MemStats, n int) Sample {
	took, used := time.Since(start), CPU()-cpu
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	return Sample{
		"rate":   float64(n) / took.Seconds(),
		"cpu":    float64(used.Nanoseconds()) / 1000 / float64(n),
		"allocs": float64(after.Mallocs-before.Mallocs) / float64(n),
		"bytes":  float64(after.TotalAlloc-before.TotalAlloc) / float64(n),
	}
}

// CPU is the user and system time of this process.
func CPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // with these arguments it cannot fail
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// ErrUnknown is returned by a side for what it does not do.
var ErrUnknown = errors.New("this client does not do that")

// Side does a task of one side and kind.
type Side func(context.Context, Task) (Sample, error)

// Main is the command of a program that does tasks: sides are by side and kind, with a space between. It prints the sample.
func Main(sides map[string]Side) {
	t := Flags(flag.CommandLine)
	flag.Parse()
	if err := run(*t, sides[t.Side+" "+t.Kind]); err != nil {
		fmt.Fprintf(os.Stderr, "%s, %s: %v\n", t.Side, t.Kind, err)
		os.Exit(1)
	}
}

func run(t Task, do Side) error {
	if do == nil {
		return ErrUnknown
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := do(ctx, t)
	if err != nil {
		return err
	}
	return s.Print()
}
