package brokertest_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/broker/brokertest"
)

// goesOn has clients produce and consume over a restart.
func goesOn(t *testing.T, opts ...brokertest.Option) {
	t.Helper()
	cluster := brokertest.New(t, append(opts, brokertest.Topic("orders", 2))...)
	before, url := strings.Join(cluster.Addrs(), ","), cluster.RegistryURL()
	var lost atomic.Int64
	count := func(context.Context, *kgo.Client, map[string][]int32) { lost.Add(1) }
	client, err := cluster.SDK().NewClient(kgo.ConsumerGroup("g"), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsRevoked(count), kgo.OnPartitionsLost(count), kgo.HeartbeatInterval(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for i, value := range []string{"before", "after"} {
		if i > 0 {
			cluster.Restart()
		}
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: []byte(value)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		for seen := 0; seen == 0; {
			fetches := client.PollFetches(ctx)
			if err := ctx.Err(); err != nil {
				t.Fatalf("%s: %v", value, err)
			}
			fetches.EachRecord(func(r *kgo.Record) {
				if seen++; string(r.Value) != value {
					t.Errorf("read %s, want %s", r.Value, value)
				}
			})
		}
	}
	if n := lost.Load(); n > 0 {
		t.Errorf("partitions were lost %d times", n)
	}
	if after := strings.Join(cluster.Addrs(), ","); after != before || cluster.RegistryURL() != url {
		t.Errorf("brokers and registry are at %s and %s, were at %s and %s", after, cluster.RegistryURL(), before, url)
	}
}

func TestClusterComesBackOnItsDirectory(t *testing.T) {
	t.Run("temporary", func(t *testing.T) { goesOn(t, brokertest.DataDir(""), brokertest.Brokers(3)) })
	t.Run("own", func(t *testing.T) {
		dir := t.TempDir()
		t.Run("first", func(t *testing.T) { goesOn(t, brokertest.DataDir(dir)) })
		cluster := brokertest.New(t, brokertest.DataDir(dir))
		if records, err := cluster.Records("orders", 0); err != nil || len(records)+int(cluster.EndOffset("orders", 1)) != 2 {
			t.Errorf("another cluster finds %d records of 2, %v", len(records), err)
		}
	})
	t.Run("in virtual time", func(t *testing.T) {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) { goesOn(t, brokertest.DataDir(dir), brokertest.Brokers(3)) })
	})
}
