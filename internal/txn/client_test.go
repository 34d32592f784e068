package txn_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/internal/txn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestFirstTransactionOfATopicIsCommitted has many clients send to a topic that they do not know yet, and commit at once. franz-go 1.22.2 publishes the
// partitions of a topic that it has just learned of after it has begun to produce to them. A transaction that ended in between was aborted, with nil for an
// answer.
func TestFirstTransactionOfATopicIsCommitted(t *testing.T) {
	const clients = 300
	b := brokertest.New(t, brokertest.Topic("shipped", 1), brokertest.Brokers(3))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			c := txn.NewClient(txn.Config{ID: fmt.Sprintf("t-%d", i), Timeout: 20 * time.Second, New: b.SDK().NewClient})
			defer c.Close()
			if err := c.Open(ctx); err != nil {
				t.Error(err)
				return
			}
			failed, err := c.Produce(ctx, []txn.Output{{Record: &kgo.Record{Topic: "shipped", Value: []byte{1}}}}, nil)
			if err != nil || len(failed) > 0 {
				t.Error(failed, err)
				return
			}
			if err := c.Commit(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, tx := range b.Transactions() {
		if tx.State != broker.TransactionCompleteCommit && tx.State != broker.TransactionPrepareCommit {
			t.Errorf("transaction %s is %v", tx.TransactionalID, tx.State)
		}
	}
}
