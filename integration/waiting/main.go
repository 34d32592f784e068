// Waiting lets a million retries wait in an inbox with mixed delays, kills the service when half of them have been handled, starts it again, and says how much memory it
// took, what was lost, what came early and what came twice.
//
//	go run ./waiting [-records 1000000] [-spread 30s] [-brokers host:port,…]
//
// The broker is the reference broker in a process of its own unless -brokers names another. The service is a process of its own too, so that its memory is measured
// alone. The status is 1 when a record is lost or early, or when either life of the service took 512 MiB or more.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/integration/process"
	"github.com/sordini-go/sordini/serde"
)

const (
	limit      = 512 << 20
	group      = "waiting"
	partitions = 12
)

// numbers is the topic: a record's value is its number and when it is due, in milliseconds since 1970.
var numbers = sordini.Topic[string]{
	Name:   "waiting",
	Key:    sordini.Unkeyed[string](),
	Value:  serde.String(),
	Config: sordini.TopicConfig{Partitions: partitions},
}

type result struct {
	Records, Handled, Lost, Early, Twice int
	PeakRSS                              [2]int64 // bytes, of both lives
	Seconds                              float64
}

func main() {
	records := flag.Int("records", 1_000_000, "how many wait")
	spread := flag.Duration("spread", 30*time.Second, "a third of them is due from the beginning on, a third after three times this, a third after six times, each over this long")
	brokers := flag.String("brokers", "", "a cluster; the reference broker in a process of its own when empty")
	service := flag.String("service", "", "be the service that is measured, and write to this file what was handled")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if *service != "" {
		err = serve(ctx, *brokers, *service)
	} else {
		err = run(ctx, *brokers, *records, *spread)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "waiting:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, brokers string, records int, spread time.Duration) error {
	dir, err := os.MkdirTemp("", "sordini-waiting-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
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
	log, err := os.OpenFile(filepath.Join(dir, "handled"), os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	began := time.Now()
	if err := park(ctx, cluster, records, spread); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d records wait after %v\n", records, time.Since(began).Round(time.Second))
	r := result{Records: records}
	seen := make([]byte, records)
	for life := range r.PeakRSS {
		until := records
		if life == 0 {
			until = records / 2
		}
		if r.PeakRSS[life], err = live(ctx, brokers, log, seen, &r, until); err != nil {
			return err
		}
	}
	r.Lost, r.Seconds = records-r.Handled, time.Since(began).Seconds()
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		return err
	}
	switch {
	case r.Lost > 0 || r.Early > 0:
		return fmt.Errorf("%d records were lost and %d came early", r.Lost, r.Early)
	case max(r.PeakRSS[0], r.PeakRSS[1]) >= limit:
		return fmt.Errorf("the service's peak was %d MiB", max(r.PeakRSS[0], r.PeakRSS[1])>>20)
	}
	return nil
}

// park starts the group once, so that its inbox is there, and writes into that what waits.
func park(ctx context.Context, cluster sordini.Cluster, records int, spread time.Duration) error {
	inbox, err := dlt.InboxName(numbers.Name, group)
	if err != nil {
		return err
	}
	cl, err := cluster.NewClient(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.GzipCompression()), kgo.MaxBufferedRecords(100_000))
	if err != nil {
		return err
	}
	defer cl.Close()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{{Topic: &numbers.Name}}
	meta, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	if err := once(ctx, cluster); err != nil {
		return err
	}
	now := time.Now()
	start := now.Add(spread)
	var failed atomic.Pointer[error]
	for i := range records {
		due := start.Add(time.Duration(i%3)*3*spread + time.Duration(int64(i)*7919%spread.Milliseconds())*time.Millisecond)
		src := &sordini.Record{
			Topic: numbers.Name, Partition: int32(i % partitions), Offset: int64(i / partitions), Timestamp: now,
			Key: fmt.Appendf(nil, "key-%d", i%(records/4)), Value: fmt.Appendf(nil, "%d %d", i, due.UnixMilli()),
		}
		x := dlt.InboxRecord{Record: src, TopicID: meta.Topics[0].TopicID, Group: group, Due: due, Attempts: 1, Round: 1, FirstFailed: now}.Encode(inbox)
		cl.Produce(ctx, &kgo.Record{Topic: x.Topic, Partition: x.Partition, Key: x.Key, Value: x.Value, Headers: x.Headers, Timestamp: x.Timestamp}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	if err := cl.Flush(ctx); err != nil {
		return err
	}
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// once runs the group until it has its partitions.
func once(ctx context.Context, cluster sordini.Cluster) error {
	g, err := consumer.New(cluster, group)
	if err == nil {
		err = consumer.Handle(g, numbers, func(context.Context, *consumer.Message[string]) error { return nil })
	}
	if err != nil {
		return err
	}
	running, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- g.Run(running) }()
	for g.Ready() != nil && running.Err() == nil {
		select {
		case err := <-ended:
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
	stop()
	return <-ended
}

// live lets the service run until it has handled so many different records, kills it, and returns its greatest resident memory.
func live(ctx context.Context, brokers string, log io.Reader, seen []byte, r *result, until int) (int64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	s, err := process.Start(ctx, self, "-service", log.(*os.File).Name(), "-brokers", brokers)
	if err != nil {
		return 0, err
	}
	defer s.Kill()
	pid, err := s.Line(ctx, `^pid (\d+)$`)
	if err != nil {
		return 0, err
	}
	patience := time.NewTimer(20 * time.Minute)
	defer patience.Stop()
	for r.Handled < until {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-patience.C:
			return peak(pid)
		case <-time.After(200 * time.Millisecond):
		}
		if err := count(log, seen, r); err != nil {
			return 0, err
		}
	}
	most, err := peak(pid)
	s.Kill()
	return most, errors.Join(err, count(log, seen, r))
}

// count reads on in what the services wrote.
func count(log io.Reader, seen []byte, r *result) error {
	data, err := io.ReadAll(log)
	for ; len(data) >= entry; data = data[entry:] {
		x := binary.LittleEndian.Uint64(data)
		r.Early += int(x & 1)
		if n := x >> 1; seen[n] == 0 {
			seen[n] = 1
			r.Handled++
		} else {
			r.Twice++
		}
	}
	return err
}

// entry is the length of what is written of one record: twice its number, and one more if it came early.
const entry = 8

// serve handles what comes due.
func serve(ctx context.Context, brokers, path string) error {
	log, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer log.Close()
	g, err := consumer.New(sordini.Cluster{Brokers: strings.Split(brokers, ","), Development: true}, group)
	if err != nil {
		return err
	}
	err = consumer.Handle(g, numbers, func(_ context.Context, m *consumer.Message[string]) error {
		var n, due int64
		if _, err := fmt.Sscan(m.Value, &n, &due); err != nil {
			return consumer.Permanent(err)
		}
		x := uint64(n) << 1
		if time.Now().UnixMilli() < due {
			x++
		}
		_, err := log.Write(binary.LittleEndian.AppendUint64(nil, x)) // the system keeps it when the process is killed
		return err
	})
	if err != nil {
		return err
	}
	fmt.Println("pid", os.Getpid())
	return g.Run(ctx)
}

// peak returns a process's greatest resident memory in bytes.
func peak(pid string) (int64, error) {
	status, err := os.ReadFile(filepath.Join("/proc", pid, "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			kb, err := strconv.ParseInt(f[1], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("VmHWM is not in the status of process %s", pid)
}
