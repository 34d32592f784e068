package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The sizes of the file system: before, and once there is room.
const (
	smallDisk = "12m"
	largeDisk = "48m"
)

// overfill has producers write until the broker's disk is full, looks at what clients see then, makes room, and kills the broker in the end.
func overfill(ctx context.Context, binary, dir string) error {
	d, err := mountDisk(filepath.Join(dir, "small"))
	if err != nil {
		return err
	}
	defer d.unmount()
	data := filepath.Join(d.at, "data")
	b, addrs, err := start(ctx, binary, data)
	if err != nil {
		return err
	}
	defer func() { b.Kill() }()

	load, err := startLoad(ctx, addrs)
	if err != nil {
		return err
	}
	defer load.stop()
	began := time.Now()
	if err := load.until(ctx, addrs, kerr.KafkaStorageError); err != nil {
		return fmt.Errorf("fill the disk: %w", err)
	}
	filled, before := time.Since(began), len(load.kept())
	for range 5 { // it stays full
		if err := tryOne(ctx, addrs); !errors.Is(err, kerr.KafkaStorageError) {
			return fmt.Errorf("a record on a full disk is answered %w", errors.Join(err, errors.New("want KAFKA_STORAGE_ERROR")))
		}
	}
	if err := load.check(ctx, addrs); err != nil {
		return fmt.Errorf("on a full disk: %w", err)
	}
	if err := d.grow(); err != nil {
		return err
	}
	began = time.Now()
	if err := load.until(ctx, addrs, nil); err != nil {
		return fmt.Errorf("there is room again: %w", err)
	}
	recovered := time.Since(began)
	if err := load.more(ctx, before); err != nil {
		return fmt.Errorf("there is room again: %w", err)
	}
	load.stop()
	if err := load.check(ctx, addrs); err != nil {
		return fmt.Errorf("there is room again: %w", err)
	}
	b.Kill()
	if b, addrs, err = start(ctx, binary, data); err != nil {
		return fmt.Errorf("after a full disk and a kill: %w", err)
	}
	if err := load.check(ctx, addrs); err != nil {
		return fmt.Errorf("after a full disk and a kill: %w", err)
	}
	fmt.Printf("full: %s filled in %s, %d records acknowledged before, writes refused with KAFKA_STORAGE_ERROR, taken again %s after there was room, %d acknowledged records kept over a kill\n",
		smallDisk, filled.Round(time.Millisecond), before, recovered.Round(time.Millisecond), len(load.kept()))
	return b.Stop(ctx)
}

// load is producers that write as much as they can, and what was acknowledged to them.
type load struct {
	cancel context.CancelFunc
	wait   sync.WaitGroup
	client *kgo.Client

	mu    sync.Mutex // guards acked
	acked map[string]bool
}

func startLoad(ctx context.Context, addrs []string) (*load, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.MaxBufferedRecords(200), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
	if err != nil {
		return nil, err
	}
	l := &load{client: cl, acked: make(map[string]bool)}
	ctx, l.cancel = context.WithCancel(ctx)
	for producer := range 4 {
		l.wait.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				name := fmt.Sprintf("%d/%d", producer, i)
				l.client.Produce(ctx, &kgo.Record{Topic: "orders", Key: []byte(name), Value: []byte(strings.Repeat("x", 4000))}, func(_ *kgo.Record, err error) {
					if err == nil {
						l.mu.Lock()
						l.acked[name] = true
						l.mu.Unlock()
					}
				})
				if i%50 == 49 { // so that the larger disk is not full in an instant
					_ = l.pause(ctx, 20*time.Millisecond)
				}
			}
		})
	}
	return l, nil
}

func (l *load) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// stop ends the producers. What is on its way stays unacknowledged.
func (l *load) stop() {
	l.cancel()
	l.wait.Wait()
	l.client.Close()
}

func (l *load) kept() map[string]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.acked)
}

// until sends single records until one is answered in a way.
func (l *load) until(ctx context.Context, addrs []string, want error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := tryOne(ctx, addrs)
		if want == nil && err == nil || want != nil && errors.Is(err, want) {
			return nil
		}
		if l.pause(ctx, 10*time.Millisecond) != nil {
			return fmt.Errorf("the last record was answered %w", errors.Join(err, ctx.Err()))
		}
	}
}

// more waits until more has been acknowledged than before.
func (l *load) more(ctx context.Context, before int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for len(l.kept()) <= before {
		if l.pause(ctx, 10*time.Millisecond) != nil {
			return fmt.Errorf("none of the producers that have waited goes on: %w", ctx.Err())
		}
	}
	return nil
}

// tryOne sends one record, once, and returns what it is answered.
func tryOne(ctx context.Context, addrs []string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.DisableIdempotentWrite(), kgo.RecordRetries(0), kgo.ProducerLinger(0))
	if err != nil {
		return err
	}
	defer cl.Close()
	return cl.ProduceSync(ctx, &kgo.Record{Topic: "orders", Key: []byte("one"), Value: []byte(strings.Repeat("y", 4000))}).FirstErr()
}

// check reads all there is, and looks for what was acknowledged.
func (l *load) check(ctx context.Context, addrs []string) error {
	acked := l.kept()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(200*time.Millisecond))
	if err != nil {
		return err
	}
	defer cl.Close()
	seen := make(map[string]int)
	for quiet := 0; quiet < 3 && len(acked) > 0; {
		one, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		fetches := cl.PollFetches(one)
		cancel()
		quiet++
		fetches.EachRecord(func(r *kgo.Record) {
			quiet = 0
			if key := string(r.Key); key != "one" {
				seen[key]++
				delete(acked, key)
			}
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if len(acked) > 0 {
		missing := slices.Sorted(maps.Keys(acked))
		return fmt.Errorf("%d acknowledged records are missing, such as %s", len(missing), missing[0])
	}
	for key, n := range seen {
		if n > 1 {
			return fmt.Errorf("record %s is there %d times", key, n)
		}
	}
	return nil
}
