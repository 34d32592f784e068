package history

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func full() Event {
	return Event{
		At: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Kind: AttemptEnd, Outcome: Cancelled, Cause: CauseDraining, Redriven: true, Undecodable: true,
		Partition: 3, Offset: 17, Member: "m1", Group: "billing", Topic: "orders", Key: []byte("k1"), ID: "r-17", Hash: 1<<64 - 1, Order: 9, Attempt: 2,
		Fence: 1 << 60, Call: 4, Tx: "t1", Class: "exhausted", Err: "no \"luck\"\n", Via: &Place{"orders.billing.retry", 3, 5},
		To: &Place{"orders.billing.dlt", 3, -1}, Ranges: []Range{{19, 20}, {25, 99}},
	}
}

func TestEveryFieldSurvivesTheFile(t *testing.T) {
	e := full()
	v := reflect.ValueOf(e)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "Seq" {
			t.Errorf("full() leaves %s zero", name)
		}
	}
	var file bytes.Buffer
	log := Log{Writer: &file}
	log.Record(e)
	log.Record(Event{Kind: Accepted, Key: []byte{}})
	log.Record(Event{Kind: Accepted, Key: nil})
	log.Record(Event{Kind: Accepted, Key: []byte{0xff, 0}})
	if err := log.Err(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(file.String(), "\n"); n != 4 {
		t.Fatalf("%d lines for 4 events", n)
	}
	got, err := Read(&file)
	if err != nil {
		t.Fatal(err)
	}
	want := log.Events()
	for i := range want {
		if !got[i].At.Equal(want[i].At) {
			t.Errorf("time %v, want %v", got[i].At, want[i].At)
		}
		want[i].At = got[i].At
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read  %+v\nwrote %+v", got, want)
	}
}

func TestEveryWordIsReadBack(t *testing.T) {
	for names, what := range map[*[]string]string{ptr(kindNames[1:]): "kind", ptr(outcomeNames[1:]): "outcome", ptr(causeNames[1:]): "cause"} {
		seen := map[string]bool{}
		for _, n := range *names {
			if n == "" || seen[n] {
				t.Errorf("%s %q is empty or used twice", what, n)
			}
			seen[n] = true
		}
	}
	if _, err := Read(strings.NewReader(`{"k":"accepted"}` + "\n" + `{"k":"eaten"}` + "\n")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("an unknown kind was read: %v", err)
	}
}

func ptr[T any](v T) *T { return &v }

func TestCutLastLineIsToldAndTheRestIsRead(t *testing.T) {
	events, err := Read(strings.NewReader(`{"k":"accepted","id":"a"}` + "\n" + `{"k":"acc`))
	if !errors.Is(err, ErrTorn) || len(events) != 1 {
		t.Errorf("read %d events, error %v", len(events), err)
	}
}

func TestLogNumbersConcurrentEventsOnce(t *testing.T) {
	var log, sunk Log
	log.Sink = &sunk
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				log.Record(Event{Kind: Accepted})
			}
		})
	}
	wg.Wait()
	events := log.Events()
	if len(events) != 800 || log.Len() != 800 || len(sunk.Events()) != 800 {
		t.Fatalf("%d events, %d counted", len(events), log.Len())
	}
	for i, e := range events {
		if e.Seq != int64(i+1) || i > 0 && e.At.Before(events[i-1].At) {
			t.Fatalf("event %d has number %d at %v", i, e.Seq, e.At)
		}
	}
}

func TestLogStopsWritingAtTheFirstError(t *testing.T) {
	w := &failing{}
	log := Log{Writer: w, Forget: true}
	log.Record(Event{Kind: Accepted})
	log.Record(Event{Kind: Accepted})
	if !errors.Is(log.Err(), errDisk) || w.n != 1 || log.Len() != 2 || len(log.Events()) != 0 {
		t.Errorf("error %v after %d writes", log.Err(), w.n)
	}
}

var errDisk = errors.New("disk full")

type failing struct{ n int }

func (f *failing) Write([]byte) (int, error) { f.n++; return 0, errDisk }

func TestMergeOrdersByTimeAndKeepsEachLogsOrder(t *testing.T) {
	at := func(s int, id string) Event { return Event{At: time.Unix(int64(s), 0), ID: id} }
	got := ""
	for i, e := range Merge([]Event{at(1, "a"), at(3, "b"), at(3, "c")}, []Event{at(2, "x"), at(4, "y")}) {
		got += e.ID
		if e.Seq != int64(i+1) {
			t.Errorf("event %d has number %d", i, e.Seq)
		}
	}
	if got != "axbcy" {
		t.Errorf("order %s", got)
	}
}

func TestEventPrintsInOneLine(t *testing.T) {
	e := full()
	e.Err = "gone\nfor good"
	want := `#0 03:04:05.000 billing m1 attempt.end cancelled (draining) orders[3]@17 key "k1" via orders.billing.retry[3]@5 to orders.billing.dlt[3]@-1 ` +
		`+19 +25-98 attempt 2 fence 1152921504606846976 call 4 order 9 id r-17 tx t1 class exhausted redriven undecodable: gone for good`
	if got := e.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
