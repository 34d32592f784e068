// Stuck lets one key's handler hang while a million records of other keys pass, and says how much memory that took: guarantees G4 and G8 at size.
//
//	go run ./stuck [-records 1000000] [-keys 10000] [-brokers host:port,…]
//
// The broker is the reference broker in a process of its own unless -brokers names another. The service is a process of its own too, so that its memory is
// measured alone. The status is 1 when a record of another key does not end, ends out of order or twice, or the service's peak is 256 MiB or more.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/integration/process"
	"github.com/sordini-go/sordini/producer"
	"github.com/sordini-go/sordini/serde"
)

const limit = 256 << 20

// numbers is the topic: 100 bytes a record, of which the first 12 are the key and the next 12 its number within the key.
var numbers = sordini.Topic[string]{
	Name:   "stuck",
	Key:    sordini.KeyString(func(s string) string { return s[:12] }),
	Value:  serde.String(),
	Config: sordini.TopicConfig{Partitions: 12},
}

func value(key, n int) string { return fmt.Sprintf("%012d%012d%076d", key, n, 0) }

type result struct {
	Records, Keys  int
	Handled        int64
	OutOfOrder     int64
	Seconds        float64
	PeakRSS        int64 // bytes
	BlockedRecords int
	Healthy        bool
	Reasons        []string
}

func main() {
	records := flag.Int("records", 1_000_000, "how many")
	keys := flag.Int("keys", 10_000, "over how many keys")
	brokers := flag.String("brokers", "", "a cluster; the reference broker in a process of its own when empty")
	service := flag.Bool("service", false, "be the service that is measured")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var err error
	if *service {
		err = serve(ctx, *brokers, *records, *keys)
	} else {
		err = run(ctx, *brokers, *records, *keys)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "stuck:", err)
		os.Exit(1)
	}
}

// run publishes the records and lets a process of its own handle them.
func run(ctx context.Context, brokers string, records, keys int) error {
	dir, err := os.MkdirTemp("", "sordini-stuck-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if brokers == "" {
		if err := process.Build(ctx, dir, "cmd/sordini"); err != nil {
			return err
		}
		b, err := process.Start(ctx, filepath.Join(dir, "sordini"), "broker", "--listen", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer b.Kill()
		if brokers, err = b.Line(ctx, `(127\.0\.0\.1:\d+)`); err != nil {
			return err
		}
	}
	cluster := sordini.Cluster{Brokers: strings.Split(brokers, ","), Development: true}
	if err := sordini.EnsureTopics(ctx, cluster, numbers); err != nil {
		return err
	}
	if err := publish(ctx, cluster, records, keys); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	s, err := process.Start(ctx, self, "-service", "-brokers", brokers, "-records", strconv.Itoa(records), "-keys", strconv.Itoa(keys))
	if err != nil {
		return err
	}
	defer s.Kill()
	out, err := s.LineWithin(ctx, 10*time.Minute, `^(\{.*\})$`)
	if err != nil {
		return err
	}
	fmt.Println(out)
	var r result
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		return err
	}
	switch {
	case r.Handled != int64(records-records/keys):
		return fmt.Errorf("%d records of the other keys ended, of %d", r.Handled, records-records/keys)
	case r.OutOfOrder > 0:
		return fmt.Errorf("%d records were out of order or came twice", r.OutOfOrder)
	case r.PeakRSS >= limit:
		return fmt.Errorf("the service's peak was %d MiB", r.PeakRSS>>20)
	}
	return nil
}

func publish(ctx context.Context, cluster sordini.Cluster, records, keys int) error {
	p, err := producer.New(cluster, producer.Source("stuck"))
	if err != nil {
		return err
	}
	to, err := producer.To(p, numbers)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var failed error
	for i := range records {
		to.SendAsync(ctx, value(i%keys, i/keys), func(_ producer.Receipt, err error) {
			if err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
			}
		})
	}
	if err := p.Close(); err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	return failed
}

// serve handles everything while key 0 hangs, and prints the result once every other record has ended.
func serve(ctx context.Context, brokers string, records, keys int) error {
	g, err := consumer.New(sordini.Cluster{Brokers: strings.Split(brokers, ","), Development: true}, "stuck")
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var mu sync.Mutex
	next := make([]int, keys)
	r := result{Records: records, Keys: keys, BlockedRecords: records / keys}
	began := time.Now()
	all := make(chan struct{})
	err = consumer.Handle(g, numbers, func(ctx context.Context, m *consumer.Message[string]) error {
		key, err := strconv.Atoi(m.Value[:12])
		if err != nil {
			return consumer.Permanent(err)
		}
		if key == 0 {
			<-ctx.Done() // stuck until the drain's deadline
			return ctx.Err()
		}
		n, err := strconv.Atoi(m.Value[12:24])
		if err != nil {
			return consumer.Permanent(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if next[key] != n {
			r.OutOfOrder++
		}
		next[key] = n + 1
		if r.Handled++; r.Handled == int64(records-records/keys) {
			r.Seconds = time.Since(began).Seconds()
			close(all)
		}
		return nil
	})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	select {
	case <-all:
	case <-time.After(9 * time.Minute):
	case err := <-ended:
		return err
	}
	h := g.Health()
	r.Healthy = h.OK
	for _, reason := range h.Reasons {
		r.Reasons = append(r.Reasons, fmt.Sprint(reason))
	}
	if r.PeakRSS, err = peak(); err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	return json.NewEncoder(os.Stdout).Encode(r)
}

// peak returns the process's greatest resident memory in bytes.
func peak() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			kb, err := strconv.ParseInt(f[1], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("VmHWM is not in /proc/self/status")
}
