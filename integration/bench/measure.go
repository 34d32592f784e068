package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/integration/bench/task"
	"github.com/sordini-go/sordini/integration/realkafka"
)

// bench measures rows.
type bench struct {
	samples int
	limit   time.Duration
	kafka   bool
	brokers []string // of a cluster that runs
	sides   string   // only these

	real     *realkafka.Cluster
	programs programs
	serial   int
}

func (b *bench) close() {
	if b.real != nil {
		b.real.Close()
	}
	b.programs.remove()
}

func (b *bench) name() string {
	switch {
	case b.kafka:
		return "Apache Kafka " + realkafka.DefaultVersion
	case b.brokers != nil:
		return strings.Join(b.brokers, ",")
	}
	return "reference broker"
}

// measure takes the samples of all sides by turns, another side first in each round. A side that fails is not asked again.
func (b *bench) measure(ctx context.Context, r row) (result, error) {
	res := result{
		Row: r.name, What: r.what, Bar: r.bar, Metric: r.metric, Broker: b.name(), LoadBefore: load(),
		Samples: map[string][]task.Sample{}, Medians: map[string]task.Sample{}, Ratios: map[string]map[string]ratio{}, Failed: map[string]string{},
	}
	var sides []string
	for _, side := range r.sides {
		if b.sides == "" || slices.Contains(strings.Split(b.sides, ","), side) {
			sides = append(sides, side)
		}
	}
	take := b.engineSample
	if r.engine == nil {
		addrs, stop, err := b.cluster(ctx)
		if err != nil {
			return res, err
		}
		defer stop()
		r.task.Brokers, r.task.Topic = addrs, b.unique(r.name)
		if err := r.fill(ctx); err != nil {
			return res, err
		}
		take = b.taskSample
	} else {
		res.Broker = "in the process"
	}
	for round := range b.samples {
		for i := range sides {
			side := sides[(round+i)%len(sides)]
			if res.Failed[side] != "" {
				continue
			}
			s, err := take(ctx, r, side)
			if ctx.Err() != nil {
				return res, ctx.Err()
			}
			if err != nil {
				res.Failed[side] = err.Error()
				continue
			}
			res.Samples[side] = append(res.Samples[side], s)
		}
	}
	res.summarise(sides[0])
	res.LoadAfter = load()
	return res, nil
}

func (res *result) summarise(ours string) {
	column := func(side, metric string) (vs []float64) {
		for _, s := range res.Samples[side] {
			vs = append(vs, s[metric])
		}
		return vs
	}
	for side, samples := range res.Samples {
		res.Medians[side] = task.Sample{}
		for metric := range samples[0] {
			vs := column(side, metric)
			res.Medians[side][metric] = median(vs)
			if side == ours {
				continue
			}
			var ratios []float64
			for i, v := range column(ours, metric) {
				if i < len(vs) && vs[i] > 0 {
					ratios = append(ratios, v/vs[i])
				}
			}
			if len(ratios) > 0 {
				if res.Ratios[side] == nil {
					res.Ratios[side] = map[string]ratio{}
				}
				mid, low, high := interval(ratios)
				res.Ratios[side][metric] = ratio{mid, low, high}
			}
		}
	}
}

// unique is a name that nothing has had before.
func (b *bench) unique(of string) string {
	b.serial++
	return fmt.Sprintf("bench-%s-%d-%d", of, time.Now().UnixNano(), b.serial)
}

// cluster is where a row's records are.
func (b *bench) cluster(ctx context.Context) (addrs []string, stop func(), err error) {
	if b.brokers != nil {
		return b.brokers, func() {}, nil
	}
	if b.kafka {
		if b.real == nil {
			b.real, err = realkafka.Start(ctx, realkafka.Config{Brokers: 1, Heap: "1g"})
			if err != nil {
				return nil, nil, err
			}
		}
		return b.real.Addrs(), func() {}, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-serve")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	stop = func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	}
	if err != nil {
		stop()
		return nil, nil, fmt.Errorf("the broker's process: %w", err)
	}
	return strings.Split(strings.TrimSpace(line), ","), stop, nil
}

// serveBroker is the reference broker until standard input ends.
func serveBroker() error {
	c, err := broker.Start(broker.Config{})
	if err != nil {
		return err
	}
	fmt.Println(strings.Join(c.Addrs(), ","))
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, c.Close())
}

// fill makes the row's topic and, unless the row is about producing or an open loop, its records.
func (r row) fill(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.task.Brokers...), kgo.DefaultProduceTopic(r.task.Topic), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := create(ctx, cl, r.task.Topic, r.partitions); err != nil {
		return err
	}
	if r.task.Kind != "noop" && r.task.Kind != "work" {
		return nil
	}
	var failed error
	each := r.records(r.task.Records)
	for rec := each(); rec != nil; rec = each() {
		cl.Produce(ctx, rec, func(_ *kgo.Record, err error) { // one goroutine calls all of these
			if err != nil && failed == nil {
				failed = err
			}
		})
	}
	return errors.Join(cl.Flush(ctx), failed)
}

// records draws n records, the same ones in every run.
func (r row) records(n int) func() *kgo.Record {
	rnd := rand.New(rand.NewPCG(1, 2))
	key := r.keysOf(rnd)
	return func() *kgo.Record {
		if n--; n < 0 {
			return nil
		}
		var work time.Duration
		if r.work != nil {
			work = r.work(rnd)
		}
		return &kgo.Record{Key: fmt.Appendf(nil, "key-%06d", key()), Value: task.Value(r.task.Size, work, time.Time{})}
	}
}

func create(ctx context.Context, cl *kgo.Client, topic string, partitions int) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, int32(partitions), 1
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return fmt.Errorf("create %s: %w", t.Topic, err)
		}
	}
	return nil
}

func (b *bench) engineSample(ctx context.Context, r row, side string) (task.Sample, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return b.child(ctx, nil, self, "-row", r.name, "-side", side)
}

// taskSample has a side do the row's task, with a group or a topic of its own.
func (b *bench) taskSample(ctx context.Context, r row, side string) (task.Sample, error) {
	t := r.task
	t.Side, t.Group = side, b.unique(side)
	var feed func(context.Context) error
	if t.Kind == "open" {
		t.Topic = b.unique(r.name)
		r.task.Topic = t.Topic
		if err := errors.Join(r.fill(ctx), r.warmUp(ctx)); err != nil {
			return nil, err
		}
		feed = r.arrivals
	}
	program, args, err := b.programs.of(ctx, side)
	if err != nil {
		return nil, err
	}
	return b.child(ctx, feed, program, append(args, t.Args()...)...)
}

// arrivals produces an open loop's records, each at its time.
func (r row) arrivals(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.task.Brokers...), kgo.DefaultProduceTopic(r.task.Topic), kgo.ProducerLinger(0))
	if err != nil {
		return err
	}
	defer cl.Close()
	each := r.records(r.task.Records)
	start := time.Now()
	for i := 0; ; i++ {
		rec := each()
		if rec == nil {
			return cl.Flush(ctx)
		}
		due := start.Add(time.Duration(i) * time.Second / time.Duration(r.arrive))
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		rec.Value = task.Value(r.task.Size, task.Work(rec.Value), due)
		cl.Produce(ctx, rec, nil)
	}
}

// warmUp produces what an open loop begins with.
func (r row) warmUp(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.task.Brokers...), kgo.DefaultProduceTopic(r.task.Topic))
	if err != nil {
		return err
	}
	defer cl.Close()
	each := r.records(task.Warm)
	for rec := each(); rec != nil; rec = each() {
		rec.Value = task.Value(r.task.Size, time.Millisecond, time.Time{})
		cl.Produce(ctx, rec, nil)
	}
	return cl.Flush(ctx)
}

// child takes one sample in a process of its own. With feed, that is called when the process says that it is ready.
func (b *bench) child(ctx context.Context, feed func(context.Context) error, name string, args ...string) (task.Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, b.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	cmd.WaitDelay = 5 * time.Second
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var last string
	fed := make(chan error, 1)
	feeding := false
	for s := bufio.NewScanner(stdout); s.Scan(); {
		if s.Text() == task.Ready && feed != nil {
			feeding = true
			go func() { fed <- feed(ctx) }()
			continue
		}
		last = s.Text()
	}
	err = cmd.Wait()
	if feeding {
		cancel()
		err = errors.Join(err, ignoreCancelled(<-fed))
	}
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return nil, fmt.Errorf("not done after %v", b.limit)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, lastLine(stderr.String()))
	}
	var sample task.Sample
	if err := json.Unmarshal([]byte(last), &sample); err != nil {
		return nil, fmt.Errorf("the last line is %q: %w", last, err)
	}
	return sample, nil
}

func ignoreCancelled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
