package brokercommand

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// load is what a client sends while the broker's process is being killed, and what it was told of.
type load struct {
	mu    sync.Mutex // guards what follows
	acked map[string]bool
	pairs map[int]bool // transactions of two records: true: committed; false: asked to be
}

func newLoad() *load { return &load{acked: make(map[string]bool), pairs: make(map[int]bool)} }

// run sends until ctx ends.
func (l *load) run(ctx context.Context, t *testing.T, addrs []string, round int) {
	t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() { l.produce(ctx, t, addrs, round) })
	wg.Go(func() { l.transact(ctx, t, addrs, round) })
	wg.Wait()
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

func (l *load) produce(ctx context.Context, t *testing.T, addrs []string, round int) {
	client, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ProducerLinger(0), kgo.RecordRetries(0))
	if err != nil {
		t.Error(err)
		return
	}
	context.AfterFunc(ctx, client.Close) // which ends what waits for a broker that is no more
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, 50)
	for i := 0; ctx.Err() == nil; i++ {
		slots <- struct{}{}
		wg.Add(1)
		value := fmt.Sprintf("%d.%d", round, i)
		client.Produce(ctx, &kgo.Record{Topic: "orders", Key: []byte(value), Value: []byte(value)}, func(_ *kgo.Record, err error) {
			if err == nil {
				l.mu.Lock()
				l.acked[value] = true
				l.mu.Unlock()
			}
			<-slots
			wg.Done()
		})
	}
}

// transact writes two records into two partitions in each transaction.
func (l *load) transact(ctx context.Context, t *testing.T, addrs []string, round int) {
	client, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.TransactionalID("pairs"), kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Error(err)
		return
	}
	context.AfterFunc(ctx, client.Close)
	for i := 0; ctx.Err() == nil; i++ {
		id := round*1_000_000 + i
		if client.BeginTransaction() != nil {
			return
		}
		for p := range int32(2) {
			if client.ProduceSync(ctx, &kgo.Record{Topic: "pairs", Partition: p, Value: fmt.Append(nil, id)}).FirstErr() != nil {
				return
			}
		}
		l.mu.Lock()
		l.pairs[id] = false
		l.mu.Unlock()
		if client.EndTransaction(ctx, kgo.TryCommit) != nil {
			return
		}
		l.mu.Lock()
		l.pairs[id] = true
		l.mu.Unlock()
	}
}

// check reads everything, and compares it with what was acknowledged.
func (l *load) check(ctx context.Context, t *testing.T, addrs []string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ConsumeTopics("orders", "pairs"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	missing := make(map[string]bool)
	for v := range l.acked {
		missing[v] = true
	}
	seen := make(map[int]int)
	owed := func() (n int) {
		for id, committed := range l.pairs {
			if committed && seen[id] < 2 || seen[id] == 1 {
				n++
			}
		}
		return n
	}
	for len(missing) > 0 || owed() > 0 {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("of %d acknowledged records %d are gone, and of %d transactions %d are not whole", len(l.acked), len(missing), len(l.pairs), owed())
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Topic == "orders" {
				delete(missing, string(r.Value))
				return
			}
			var id int
			fmt.Sscan(string(r.Value), &id)
			if seen[id]++; seen[id] > 2 {
				t.Errorf("transaction %d is there %d times", id, seen[id])
			}
		})
	}
}

func TestNothingAcknowledgedIsLostWhenTheProcessIsKilled(t *testing.T) {
	dir, l := t.TempDir(), newLoad()
	args := []string{"-listen", "127.0.0.1:0", "-data", dir, "-brokers", "2", "-topic", "orders:3:2", "-topic", "pairs:2:2",
		"-property", "offsets.topic.num.partitions=3", "-property", "transaction.state.log.num.partitions=3", "-property", "log.segment.bytes=1048576"}
	for round := range 3 {
		cmd, ready := process(t, nil, args...)
		addrs := strings.Split(strings.Fields(ready)[0], ",")
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		l.check(ctx, t, addrs)
		loading, stopped := context.WithCancel(ctx)
		before := l.count()
		var wg sync.WaitGroup
		wg.Go(func() { l.run(loading, t, addrs, round) })
		for l.count() < before+2000 && ctx.Err() == nil {
			time.Sleep(time.Millisecond) // the process is to die in the middle of something, whatever that is
		}
		kill(t, cmd)
		stopped()
		wg.Wait()
		cancel()
	}
	cmd, ready := process(t, nil, args...)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	l.check(ctx, t, strings.Split(strings.Fields(ready)[0], ","))
	stop(t, cmd)
	if n := l.count(); n < 6000 {
		t.Errorf("only %d records were acknowledged", n)
	}
}

// kill ends the process as a SIGKILL does.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // which says that it was killed
}
