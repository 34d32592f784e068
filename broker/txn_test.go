package broker_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/sordini-go/sordini/broker"
)

// generations are the two kinds of transactional clients: one that announces its partitions and keeps its epoch, and one for which the broker adds
// them and the epoch grows (KIP-890).
var generations = map[string]kgo.Opt{"announcing": kgo.MaxVersions(kversion.V3_8_0()), "bumped": kgo.MaxVersions(kversion.Stable())}

func txnClient(t *testing.T, cluster *broker.Cluster, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(cluster.Addrs()...), kgo.Dialer(cluster.Dial), kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MetadataMinAge(50 * time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// consume reads until it has seen n records.
func consume(ctx context.Context, t *testing.T, client *kgo.Client, n int) (values []string) {
	t.Helper()
	for len(values) < n {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("have %v, want %d records: %v", values, n, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

func TestCommittedReaderSeesCommittedTransactionsOnly(t *testing.T) {
	for name, generation := range generations {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cluster, err := broker.Start(broker.Config{Brokers: 3, Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "orders", Partitions: 3}}})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { cluster.Close() })
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				client := txnClient(t, cluster, generation, kgo.TransactionalID("tx"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
				for i := range 10 {
					if err := client.BeginTransaction(); err != nil {
						t.Fatal(err)
					}
					for p := range int32(3) {
						r := &kgo.Record{Topic: "orders", Partition: p, Value: fmt.Appendf(nil, "%d.%d", i, p)}
						if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
							t.Fatal(err)
						}
					}
					if err := client.EndTransaction(ctx, kgo.TransactionEndTry(i%2 == 0)); err != nil {
						t.Fatalf("end transaction %d: %v", i, err)
					}
				}
				committed := consume(ctx, t, txnClient(t, cluster, generation, kgo.ConsumeTopics("orders"), kgo.FetchIsolationLevel(kgo.ReadCommitted())), 15)
				all := consume(ctx, t, txnClient(t, cluster, generation, kgo.ConsumeTopics("orders")), 30)
				if len(committed) != 15 || len(all) != 30 {
					t.Errorf("committed are %v, all %v", committed, all)
				}
				for _, v := range committed {
					var i, p int
					fmt.Sscanf(v, "%d.%d", &i, &p)
					if i%2 != 0 {
						t.Errorf("%s was aborted", v)
					}
				}
			})
		})
	}
}
