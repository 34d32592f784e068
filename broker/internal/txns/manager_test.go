package txns

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a Manager whose markers are written when the test says so.
type bench struct {
	*Manager
	t       *testing.T
	endings []Ending
	nextID  int64
}

func inBubble(t *testing.T, cfg Config, f func(*bench)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, nextID: 1000}
		cfg.NewProducerID = func() int64 { b.nextID++; return b.nextID - 1 }
		cfg.Write = func(e Ending) { b.endings = append(b.endings, e) }
		b.Manager = New(cfg)
		defer b.Close()
		f(b)
	})
}

var (
	orders = Partition{"orders", 0}
	others = Partition{"orders", 1}
)

func (b *bench) begin(id string) Producer {
	b.t.Helper()
	p, err := b.Init(id, 60_000, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	b.wantErr(b.Add(id, p, []Partition{orders}), nil)
	return p
}

func (b *bench) wantErr(have, want *kerr.Error) {
	b.t.Helper()
	if have != want {
		b.t.Fatalf("answered %v, want %v", have, want)
	}
}

func (b *bench) wantState(id string, want State) Transaction {
	b.t.Helper()
	tx, _ := b.Transaction(id)
	if tx.State != want {
		b.t.Fatalf("%s is %s, want %s", id, tx.State, want)
	}
	return tx
}

// write says that every marker is written.
func (b *bench) write() {
	for _, e := range b.endings {
		for _, p := range e.Partitions {
			b.Written(e.TransactionalID, p)
		}
	}
	b.endings = nil
}

func TestTransactionEndsWithItsLastMarker(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		p := b.begin("a")
		b.wantErr(b.Add("a", p, []Partition{others, orders}), nil)
		next, err := b.End("a", p, true, true)
		b.wantErr(err, nil)
		if next != (Producer{p.ID, p.Epoch + 1}) {
			t.Errorf("the producer is %v after %v", next, p)
		}
		if len(b.endings) != 1 || !b.endings[0].Commit || !b.endings[0].Bumped || b.endings[0].Producer != next || !slices.Equal(b.endings[0].Partitions, []Partition{orders, others}) {
			t.Fatalf("endings %+v", b.endings)
		}
		changed := b.Changed("a")
		for _, part := range []Partition{orders, {"unknown", 0}, orders} {
			b.Written("a", part)
			b.wantState("a", PrepareCommit)
			b.wantErr(b.Add("a", next, []Partition{orders}), kerr.ConcurrentTransactions)
			b.wantErr(b.Verify("a", next, others), kerr.ConcurrentTransactions)
			_, err = b.End("a", next, true, true)
			b.wantErr(err, kerr.ConcurrentTransactions)
			_, err = b.Init("a", 1000, nil)
			b.wantErr(err, kerr.ConcurrentTransactions)
		}
		b.Written("a", others)
		b.wantState("a", CompleteCommit)
		select {
		case <-changed:
		default:
			t.Error("nobody was told")
		}
		b.Written("a", others)
		b.wantErr(b.Add("a", next, []Partition{others}), nil)
		if tx := b.wantState("a", Ongoing); !slices.Equal(tx.Partitions, []Partition{others}) {
			t.Errorf("the next transaction has %v", tx.Partitions)
		}
	})
}

func TestClosedManagerAnswersThatItIsNotThere(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		p := b.begin("a")
		b.Close()
		_, err := b.Init("b", 1000, nil)
		b.wantErr(err, kerr.CoordinatorNotAvailable)
		b.wantErr(b.Add("a", p, nil), kerr.CoordinatorNotAvailable)
		b.wantErr(b.Verify("a", p, orders), kerr.CoordinatorNotAvailable)
		_, err = b.End("a", p, true, true)
		b.wantErr(err, kerr.CoordinatorNotAvailable)
		b.wantState("a", Ongoing)
	})
}

func TestTransactionThatOutlivesItsTimeoutIsAbortedAtTheNextLook(t *testing.T) {
	inBubble(t, Config{AbortInterval: 10 * time.Second}, func(b *bench) {
		begun := time.Now()
		p, err := b.Init("a", 11_000, nil)
		b.wantErr(err, nil)
		time.Sleep(3 * time.Second)
		b.wantErr(b.Add("a", p, []Partition{orders}), nil) // to 14 s
		time.Sleep(time.Until(begun.Add(20*time.Second - 1)))
		b.wantState("a", Ongoing)
		time.Sleep(1)
		synctest.Wait()
		if tx := b.wantState("a", PrepareAbort); tx.Producer != (Producer{p.ID, p.Epoch + 1}) {
			t.Errorf("the producer is %v, was %v", tx.Producer, p)
		}
		b.write()
		_, err = b.End("a", p, true, false)
		b.wantErr(err, kerr.ProducerFenced)
		if b.aborts.timer != nil {
			t.Error("an alarm is set with nothing to look for")
		}
	})
}

func TestEachTransactionHasItsOwnTimeout(t *testing.T) {
	inBubble(t, Config{AbortInterval: time.Second}, func(b *bench) {
		long, err := b.Init("long", 10_500, nil)
		b.wantErr(err, nil)
		b.wantErr(b.Add("long", long, []Partition{orders}), nil)
		short, err := b.Init("short", 2000, nil)
		b.wantErr(err, nil)
		b.wantErr(b.Add("short", short, []Partition{orders}), nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		b.wantState("short", PrepareAbort)
		b.wantState("long", Ongoing)
		time.Sleep(8 * time.Second)
		synctest.Wait()
		b.wantState("long", Ongoing)
		time.Sleep(time.Second)
		synctest.Wait()
		b.wantState("long", PrepareAbort)
	})
}

func TestTransactionalIDExpiresWhenNobodyHasUsedItForLong(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		b.begin("open")
		for range 20 { // it is busy
			time.Sleep(20 * time.Hour)
			synctest.Wait()
			b.write()
			p, err := b.Init("open", 60_000, nil)
			b.wantErr(err, nil)
			b.wantErr(b.Add("open", p, []Partition{orders}), nil)
		}
		_, err := b.Init("idle", 1000, nil)
		b.wantErr(err, nil)
		time.Sleep(7*24*time.Hour - time.Hour)
		synctest.Wait()
		b.wantState("idle", Empty)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if _, ok := b.Transaction("idle"); ok {
			t.Error("the idle id stays")
		}
		b.wantState("open", PrepareAbort) // an id does not expire before its markers are written
		time.Sleep(8 * 24 * time.Hour)
		synctest.Wait()
		b.wantState("open", PrepareAbort)
		b.write()
		time.Sleep(8 * 24 * time.Hour)
		synctest.Wait()
		if all := b.Transactions(); len(all) != 0 || b.expiry.timer != nil {
			t.Errorf("%v are known, an alarm is set: %v", all, b.expiry.timer != nil)
		}
	})
}

func TestProducerIDChangesWhenItsEpochsRunOut(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		p := b.begin("a")
		b.txns["a"].producer.Epoch, p.Epoch = lastEpoch, lastEpoch
		next, err := b.End("a", p, true, true)
		b.wantErr(err, nil)
		if next.ID == p.ID || next.Epoch != 0 || b.endings[0].Producer != (Producer{p.ID, math.MaxInt16}) {
			t.Errorf("the producer is %v, its marker %v", next, b.endings[0].Producer)
		}
		b.write()
		again, err := b.End("a", p, true, true)
		b.wantErr(err, nil)
		if again != next {
			t.Errorf("asked again: %v, want %v", again, next)
		}
		again, err = b.Init("a", 1000, &p) // it did not hear of its new id
		b.wantErr(err, nil)
		if again != next {
			t.Errorf("begins anew as %v, want %v", again, next)
		}
		again, err = b.Init("a", 1000, &next)
		b.wantErr(err, nil)
		if again != (Producer{next.ID, 1}) {
			t.Errorf("the producer is %v after %v", again, next)
		}
		b.txns["a"].producer.Epoch = lastEpoch
		fresh, err := b.Init("a", 1000, nil)
		b.wantErr(err, nil)
		if fresh.ID == next.ID || fresh.Epoch != 0 {
			t.Errorf("the producer is %v after its epochs", fresh)
		}
	})
}

// TestAtMostOneProducerEverCommits plays random requests of many clients and checks that the epochs of an id only grow, that a client whose epoch is
// old gets nothing done, and that each transaction ends once.
func TestAtMostOneProducerEverCommits(t *testing.T) {
	for seed := range uint64(30) {
		inBubble(t, Config{AbortInterval: time.Second}, func(b *bench) {
			r := rand.New(rand.NewPCG(seed, 1))
			var clients []Producer
			newest := Producer{ID: NoProducer, Epoch: NoEpoch}
			for range 300 {
				before, _ := b.Transaction("a")
				switch k := r.IntN(10); {
				case k == 0 || len(clients) == 0:
					if p, err := b.Init("a", 5000, nil); err == nil {
						clients = append(clients, p)
					}
				case k < 4:
					p := clients[r.IntN(len(clients))]
					if err := b.Add("a", p, []Partition{orders}); err == nil && p != before.Producer {
						b.t.Fatalf("seed %d: %v wrote, the producer is %v", seed, p, before.Producer)
					}
				case k < 7:
					i, bumps := r.IntN(len(clients)), r.IntN(2) == 0
					p, err := b.End("a", clients[i], r.IntN(2) == 0, bumps)
					if len(b.endings) > 0 && clients[i] != before.Producer && before.State == Ongoing {
						b.t.Fatalf("seed %d: %v ended the transaction of %v", seed, clients[i], before.Producer)
					}
					if err == nil && bumps {
						clients[i] = p
					}
				case k < 9:
					if len(b.endings) > 1 {
						b.t.Fatalf("seed %d: one transaction ends %d times", seed, len(b.endings))
					}
					b.write()
				default:
					time.Sleep(time.Duration(r.IntN(4000)) * time.Millisecond)
					synctest.Wait()
				}
				after, _ := b.Transaction("a")
				if after.Producer.ID == newest.ID && after.Producer.Epoch < newest.Epoch {
					b.t.Fatalf("seed %d: the epoch went back from %v to %v", seed, newest, after.Producer)
				}
				newest = after.Producer
			}
		})
	}
}
