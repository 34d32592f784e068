package consumer_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/internal/txn"
)

func TestStatusNamesStuckKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.put("a=1", "bad=2", "slow=3", "bad=4", "5", "b=6")
		held, m := newGate(), &meters{}
		g := w.group(func(ctx context.Context, x *consumer.Message[string]) error {
			switch x.Value {
			case "2", "5":
				return consumer.RetryAfter(20*time.Second, errors.New("card 4711 was refused"))
			case "3":
				return held.wait(ctx)
			}
			return nil
		}, consumer.Retry(consumer.RetryPolicy{Retries: 100}), consumer.WithTelemetry(consumer.Telemetry{MeterProvider: m}),
			consumer.DeadLetters(dlt.Format{Redact: func(s string) string { return strings.ReplaceAll(s, "4711", "***") }}))
		if s := g.Status(); s.Joined || s.Health.State != "not started" || s.Concurrency != 64 {
			t.Errorf("before Run: %+v", s)
		}
		r := start(t, g)
		begin := time.Now()
		waitFor(t, "two are over", func() bool { return g.Counts().Handled == 2 })
		time.Sleep(30 * time.Second)
		if s := g.Status(); len(s.Stuck) != 0 || s.StuckAll != 0 {
			t.Errorf("stuck after 30 s: %+v", s.Stuck)
		}
		time.Sleep(65 * time.Second)
		s := g.Status()
		if !s.Joined || s.Member == "" || s.InFlight != 4 || s.Running != 1 || len(s.Partitions) != 1 || s.StuckAll != 3 || len(s.Stuck) != 3 {
			t.Fatalf("%+v", s)
		}
		if p := s.Partitions[0]; p.Mark != 1 || p.Committed != 1 || p.End != 6 || p.Lag != 5 || p.Paused || !p.Fetched || p.OldestSince.Sub(begin) > time.Second || p.OldestSince.IsZero() {
			t.Errorf("%+v", p)
		}
		stuck := map[int64]consumer.StuckKey{}
		for _, k := range s.Stuck {
			stuck[k.Offset] = k
		}
		if k := stuck[1]; k.Key != `"bad"` || k.Attempts != 5 || k.Behind != 1 || k.State != "waiting" || k.Cause != "card *** was refused" || k.Since.Sub(begin) > time.Second {
			t.Errorf("the failing key is %+v", k)
		}
		if k := stuck[2]; k.Key != `"slow"` || k.Attempts != 0 || k.State != "running" || k.Cause != "" {
			t.Errorf("the slow key is %+v", k)
		}
		if k := stuck[4]; k.Key != "" || k.State != "waiting" {
			t.Errorf("the record without a key is %+v", k)
		}
		for name, want := range map[string]int64{"keys.stuck": 3, "running": 1, "concurrency": 64, "paused": 0} {
			if v, ok := m.collect()["sordini.consumer."+name]; !ok || v != want {
				t.Errorf("metric %s is %d", name, v)
			}
		}
		held.pass()
		r.stop()
	})
}

func TestProbesSayWhatARestartWouldHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		release := make(chan struct{})
		g := w.group(func(_ context.Context, m *consumer.Message[string]) error {
			switch m.Value {
			case "deaf":
				<-release // it ignores its context
			case "bad":
				return errDown
			}
			return nil
		}, consumer.Concurrency(2), consumer.HandlerTimeout(time.Minute))
		h := g.Handler()
		ask := func(path string) (int, string) {
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
			if rec.Header().Get("Content-Type") != "application/json" || !json.Valid(rec.Body.Bytes()) {
				t.Errorf("%s: %v %s", path, rec.Header(), rec.Body)
			}
			return rec.Code, rec.Body.String()
		}
		expect := func(when string, live, ready, healthy int) {
			t.Helper()
			for path, want := range map[string]int{"/livez": live, "/readyz": ready, "/healthz": healthy, "/statusz": 200} {
				if code, body := ask(path); code != want {
					t.Errorf("%s, %s is %d (%s), want %d", when, path, code, body, want)
				}
			}
		}
		expect("before Run", 200, 503, 503)
		r := start(t, g)
		time.Sleep(10 * time.Second)
		expect("in quiet", 200, 200, 200)
		if err := g.Pause(consumer.Everything()); err != nil {
			t.Fatal(err)
		}
		expect("paused", 200, 200, 503)
		if err := g.Resume(consumer.Everything()); err != nil {
			t.Fatal(err)
		}
		w.put("a=deaf", "c=bad")
		time.Sleep(10 * time.Minute)
		expect("with one handler that hangs of two", 200, 200, 503)
		w.put("b=deaf")
		time.Sleep(10 * time.Minute)
		expect("with all handlers hanging", 503, 200, 503)
		if _, body := ask("/statusz"); !strings.Contains(body, `"code":"handler-stuck"`) || !strings.Contains(body, `"lag":3`) {
			t.Errorf("status %s", body)
		}
		close(release)
		time.Sleep(time.Minute)
		expect("when they returned", 200, 200, 200)
		r.cleanly()
		expect("after Run", 200, 503, 503)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/livez", nil))
		if rec.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST is answered with %d", rec.Code)
		}
	})
}

func TestProbesTellAFailedRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.history = nil
		g, err := consumer.New(w.sdk(), "g")
		if err != nil {
			t.Fatal(err)
		}
		o := orders
		o.Name = "nowhere"
		if err := consumer.Handle(g, o, func(context.Context, *consumer.Message[string]) error { return nil }); err != nil {
			t.Fatal(err)
		}
		if err := g.Run(t.Context()); err == nil || g.Live() == nil || !errors.Is(g.Live(), err) || g.Ready() == nil {
			t.Errorf("run %v, live %v, ready %v", err, g.Live(), g.Ready())
		}
	})
}

// Also of a group of the consumer protocol, whose members the requests of the classic one do not see.
func TestLagOfAGroupThatOneIsNoMemberOf(t *testing.T) {
	eachProtocol(t, func(t *testing.T, protocol consumer.Option) {
		w := newWorld(t, 3)
		fill(w, 10)
		for p := range int32(2) {
			r := record("x=1")
			r.Partition = p + 1
			if err := w.raw.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if l, err := consumer.Lag(t.Context(), w.sdk(), "g"); err != nil || l.Lag != 0 || len(l.Partitions) != 0 {
			t.Errorf("before the group: %+v, %v", l, err)
		}
		held := newGate()
		g := w.group(func(ctx context.Context, m *consumer.Message[string]) error {
			if m.Record.Offset == 4 {
				return held.wait(ctx)
			}
			return nil
		}, protocol)
		r := start(t, g)
		waitFor(t, "offset 4 is committed", func() bool { return w.committed() == 4 && g.InFlight() == 1 })
		time.Sleep(time.Second)
		l, err := consumer.Lag(t.Context(), w.sdk(), "g")
		if err != nil {
			t.Fatal(err)
		}
		if l.Lag != 6 || l.Lag != g.Counts().Lag || l.Inbox != 0 {
			t.Errorf("lag %+v, the member says %d", l, g.Counts().Lag)
		}
		for _, p := range l.Partitions {
			if p.Topic == "orders" && p.Partition == 0 && (p.Committed != 4 || p.End != 10 || p.Lag != 6 || p.Done != 5 || p.Inbox) {
				t.Errorf("%+v", p)
			}
			if p.Inbox != strings.HasSuffix(p.Topic, ".retry") {
				t.Errorf("%+v", p)
			}
		}
		held.pass()
		r.cleanly()
		restore(w, "orders", 2, "")
		if l, err := consumer.Lag(t.Context(), w.sdk(), "g"); err != nil || l.Lag != 8 {
			t.Errorf("lag of a stopped group: %+v, %v", l, err)
		}
	})
}

func TestLagOfAnEmptyLogOfTransactionsIsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.history = nil
		tx, err := w.sdk().NewClient(kgo.TransactionalID("t"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Close()
		for _, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
			if err := tx.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			if err := tx.ProduceSync(t.Context(), record("a=1")).FirstErr(); err != nil {
				t.Fatal(err)
			}
			txn.AwaitPartitions(tx, "orders")
			if err := tx.EndTransaction(t.Context(), end); err != nil {
				t.Fatal(err)
			}
		}
		g, err := consumer.New(w.sdk(), "g")
		if err == nil {
			err = consumer.Handle(g, orders, func(context.Context, *consumer.Message[string]) error { return nil })
		}
		if err != nil {
			t.Fatal(err)
		}
		r := start(t, g)
		time.Sleep(30 * time.Second)
		l, err := consumer.Lag(t.Context(), w.sdk(), "g")
		if err != nil || l.Lag != 0 || g.Counts().Lag != 0 {
			t.Errorf("lag %+v, %v; the member says %d", l, err, g.Counts().Lag)
		}
		if err := tx.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := tx.ProduceSync(t.Context(), record("a=1")).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if l, err := consumer.Lag(t.Context(), w.sdk(), "g"); err != nil || l.Lag != 0 {
			t.Errorf("lag %+v, %v beside a transaction that is not over", l, err)
		}
		if err := tx.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
			t.Fatal(err)
		}
		r.cleanly()
	})
}
