package producer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/producer"
)

// committed are the values that a read_committed reader finds in orders[0].
func (f *fixture) committed() (ids []string) {
	f.t.Helper()
	cl, err := f.SDK().NewClient(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"orders": {0: kgo.NewOffset().AtStart()}}), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		f.t.Fatal(err)
	}
	defer cl.Close()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		fetches := cl.PollFetches(ctx)
		cancel()
		if errors.Is(fetches.Err0(), context.DeadlineExceeded) {
			return ids
		}
		for r := range fetches.RecordsAll() {
			ids = append(ids, string(r.Key))
		}
	}
}

func (f *fixture) begin() *producer.Tx {
	f.t.Helper()
	tx, err := producer.Begin(context.Background(), f.p)
	if err != nil {
		f.t.Fatal(err)
	}
	return tx
}

func (f *fixture) sendIn(tx *producer.Tx, ids ...string) {
	f.t.Helper()
	for _, id := range ids {
		if err := f.pub.In(tx).Send(context.Background(), order{ID: id}); err != nil {
			f.t.Fatal(err)
		}
	}
}

func TestTransactionIsVisibleAllAtOnceOrNotAtAll(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil, producer.TransactionalID("shop-1"))
		first, second, third := f.begin(), f.begin(), f.begin()
		f.sendIn(first, "a")
		f.sendIn(second, "b")
		f.sendIn(first, "c")
		if err := f.pub.Send(context.Background(), order{ID: "plain"}); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(f.committed()); got != "[plain]" {
			t.Errorf("before the commit: %s", got)
		}
		if err := first.Commit(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := second.Abort(); err != nil {
			t.Fatal(err)
		}
		if err := third.Commit(context.Background()); err != nil {
			t.Errorf("commit of nothing: %v", err)
		}
		if got := fmt.Sprint(f.committed()); got != "[plain a c]" {
			t.Errorf("after the commit: %s", got)
		}
		if err := f.pub.In(first).Send(context.Background(), order{}); !errors.Is(err, producer.ErrTransactionOver) || !errors.Is(err, producer.ErrNotWritten) {
			t.Errorf("send after the commit: %v", err)
		}
		for _, tx := range []*producer.Tx{first, second} {
			if err := tx.Commit(context.Background()); !errors.Is(err, producer.ErrTransactionOver) {
				t.Errorf("second end: %v", err)
			}
		}
	})
}

func TestTransactionUnderFaultsIsThereOnce(t *testing.T) {
	for name, fault := range map[string]broker.Fault{
		"EndTxn applied, its responses dropped": {API: broker.APIEndTxn, DropResponse: true, Count: 30},
		"EndTxn never arrives":                  {API: broker.APIEndTxn, DropRequest: true, Count: 30},
		"producing fails":                       {API: broker.APIProduce, Fail: kerr.UnknownProducerID.Code, Count: 2},
		"coordinator moves":                     {API: broker.APIEndTxn, Fail: kerr.NotCoordinator.Code, Count: 3},
		"response of produce dropped":           {API: broker.APIProduce, DropResponse: true, Count: 2},
		"abortable":                             {API: broker.APIProduce, Fail: kerr.TransactionAbortable.Code, Count: 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := start(t, nil, producer.TransactionalID("shop-1"))
				tx := f.begin()
				hit := f.Inject(fault)
				f.sendIn(tx, "a", "b")
				if err := tx.Commit(context.Background()); err != nil {
					t.Fatal(err)
				}
				if hit.Hits() == 0 {
					t.Error("nothing went wrong")
				}
				hit.Remove()
				again := f.begin()
				f.sendIn(again, "c")
				if err := again.Commit(context.Background()); err != nil {
					t.Fatal(err)
				}
				if got := fmt.Sprint(f.committed()); got != "[a b c]" {
					t.Errorf("visible: %s", got)
				}
			})
		})
	}
}

func TestCommitSaysWhetherTheTransactionMayBeVisible(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil, producer.TransactionalID("shop-1"))
		for name, c := range map[string]struct {
			fault broker.Fault
			is    error
		}{
			"before the end": {broker.Fault{API: broker.APIProduce, DropRequest: true}, producer.ErrNotWritten},
			"at the end":     {broker.Fault{API: broker.APIEndTxn, DropResponse: true}, producer.ErrOutcomeUnknown},
		} {
			tx := f.begin()
			f.sendIn(tx, name)
			hit := f.Inject(c.fault)
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			err := tx.Commit(ctx)
			cancel()
			if !errors.Is(err, c.is) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v, want %v", name, err, c.is)
			}
			abort := tx.Abort()
			if unknown := errors.Is(abort, producer.ErrOutcomeUnknown); unknown != (c.is == producer.ErrOutcomeUnknown) {
				t.Errorf("%s: abort: %v", name, abort)
			}
			hit.Remove()
			if abort != nil {
				if err := tx.Commit(context.Background()); err != nil {
					t.Errorf("%s: the commit that finds out: %v", name, err)
				}
			}
		}
		if got := fmt.Sprint(f.committed()); got != "[at the end]" {
			t.Errorf("visible: %s", got)
		}
	})
}

func TestSecondProducerWithTheIDFencesTheFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil, producer.TransactionalID("shop-1"))
		tx := f.begin()
		f.sendIn(tx, "old")
		other, err := producer.New(f.SDK(), producer.TransactionalID("shop-1"))
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if _, err := producer.Begin(context.Background(), other); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(context.Background()); !errors.Is(err, producer.ErrFenced) || !errors.Is(err, producer.ErrNotWritten) {
			t.Errorf("commit of the one that was fenced: %v", err)
		}
		if _, err := producer.Begin(context.Background(), f.p); !errors.Is(err, producer.ErrFenced) {
			t.Errorf("begin of the one that was fenced: %v", err)
		}
		if got := f.committed(); len(got) != 0 {
			t.Errorf("visible: %s", got)
		}
	})
}

func TestRefusedRecordFailsTheCommit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil, producer.TransactionalID("shop-1"))
		tx := f.begin()
		f.sendIn(tx, "a")
		if err := f.pub.In(tx).Send(context.Background(), order{ID: "b", Text: strings.Repeat("x", 2<<20)}); !errors.Is(err, producer.ErrTooLarge) {
			t.Errorf("too large for its topic: %v", err)
		}
		hit := f.Inject(broker.Fault{API: broker.APIProduce, Fail: kerr.TopicAuthorizationFailed.Code, Count: 1})
		err := tx.Commit(context.Background())
		if !errors.Is(err, kerr.TopicAuthorizationFailed) || !errors.Is(err, producer.ErrNotWritten) || hit.Hits() != 1 {
			t.Errorf("commit: %v", err)
		}
		if err := tx.Commit(context.Background()); err != nil {
			t.Errorf("commit once the topic may be written: %v", err)
		}
		if got := fmt.Sprint(f.committed()); got != "[a]" {
			t.Errorf("visible: %s", got)
		}
	})
}

func TestFailedSendAsyncFailsTheCommit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil, producer.TransactionalID("shop-1"))
		tx := f.begin()
		f.sendIn(tx, "a")
		f.pub.In(tx).SendAsync(context.Background(), order{ID: "b", Text: strings.Repeat("x", 2<<20)}, nil)
		if err := tx.Commit(context.Background()); !errors.Is(err, producer.ErrTooLarge) || !errors.Is(err, producer.ErrNotWritten) {
			t.Errorf("commit: %v", err)
		}
		if got := f.committed(); len(got) != 0 {
			t.Errorf("visible: %s", got)
		}
	})
}

func TestTransactionIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil, producer.TransactionalID("shop-1"), producer.MaxBuffered(3, 1<<20))
		tx := f.begin()
		f.sendIn(tx, "a", "b", "c")
		if err := f.pub.In(tx).Send(context.Background(), order{ID: "d"}); !errors.Is(err, producer.ErrTransactionFull) {
			t.Errorf("the fourth of three: %v", err)
		}
		if err := f.pub.Send(context.Background(), order{ID: "plain"}); err != nil {
			t.Errorf("beside it: %v", err)
		}
	})
}

func TestCloseEndsACommitThatHangs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil, producer.TransactionalID("shop-1"))
		tx := f.begin()
		f.sendIn(tx, "a")
		hung := f.Inject(broker.Fault{API: broker.APIEndTxn, Stall: true})
		got := make(chan error, 1)
		go func() { got <- tx.Commit(context.Background()) }()
		for hung.Hits() == 0 {
			<-time.After(time.Millisecond)
		}
		began := time.Now()
		if err := f.p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("close took %v", took)
		}
		if err := <-got; !errors.Is(err, producer.ErrClosed) || !errors.Is(err, producer.ErrOutcomeUnknown) {
			t.Errorf("commit: %v", err)
		}
		if _, err := producer.Begin(context.Background(), f.p); !errors.Is(err, producer.ErrClosed) {
			t.Errorf("begin after close: %v", err)
		}
	})
}

func TestBeginNeedsATransactionalID(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil)
		if _, err := producer.Begin(context.Background(), f.p); !errors.Is(err, producer.ErrNotTransactional) {
			t.Errorf("begin: %v", err)
		}
		if _, err := producer.New(f.SDK(), producer.TransactionalID("")); err == nil {
			t.Error("an empty id is accepted")
		}
	})
}

func TestTransactionsWithOlderRequestsWork(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil)
		cluster := f.SDK()
		cluster.Kgo = append(cluster.Kgo, kgo.MaxVersions(kversion.V3_7_0())) // before KIP-890
		p, err := producer.New(cluster, producer.TransactionalID("shop-1"))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		f.p, f.pub = p, publisher(t, p, orders("orders"))
		for i := range 3 {
			tx := f.begin()
			f.sendIn(tx, fmt.Sprint(i))
			if err := tx.Commit(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if got := fmt.Sprint(f.committed()); got != "[0 1 2]" {
			t.Errorf("visible: %s", got)
		}
	})
}
