package producer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/producer"
)

// What a service has accepted when it is told to stop is sent, whatever has become of the contexts that it was accepted with.
func TestG12CancelledContextsThrowNothingAway(t *testing.T) {
	for name, opts := range map[string][]producer.Option{"at once": nil, "lingering": {producer.Linger(time.Minute)}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := start(t, nil, opts...)
				if name == "at once" {
					f.warm()
				} else {
					f.know("orders")
				}
				slow := f.Inject(broker.Fault{API: broker.APIProduce, Delay: 500 * time.Millisecond})
				defer slow.Remove()
				ctx, cancel := context.WithCancel(context.Background())
				var o outcomes
				for _, id := range sequence(1000) {
					o.send(ctx, f.pub, id)
				}
				waiting := make(chan error, 1)
				go func() { waiting <- f.pub.Send(ctx, order{ID: "1000"}) }()
				synctest.Wait()
				cancel() // SIGTERM
				if err := <-waiting; !errors.Is(err, producer.ErrOutcomeUnknown) {
					t.Errorf("the one that waited: %v", err)
				}
				began := time.Now()
				if err := f.p.Close(); err != nil {
					t.Error(err)
				}
				within(t, began, 5*time.Second)
				if failed := o.wait(t); len(failed) > 0 {
					t.Error(failed)
				}
				if got := f.ids(); !slices.Equal(got, sequence(1001)) {
					t.Errorf("%d records on the log, want 1001 in order", len(got))
				}
			})
		})
	}
}

func TestG12CloseEndsInTimeAndCounts(t *testing.T) {
	for name, c := range map[string]struct {
		fault      func(f *fixture)
		warm       bool
		sent, more int // records before and after the fault has lasted two seconds
		says       string
		unknown    bool
	}{
		"broker paused":                {func(f *fixture) { f.PauseBroker(1) }, true, 3, 4, "6 records were not sent and 1 have an unknown outcome", true},
		"broker down, never connected": {func(f *fixture) { f.KillBroker(1) }, false, 3, 4, "7 records were not sent and 0 have an unknown outcome", false},
		"answers are lost":             {func(f *fixture) { f.Inject(broker.Fault{API: broker.APIProduce, DropResponse: true}) }, true, 3, 4, "6 records were not sent and 1 have an unknown outcome", true},
		"metadata stalls":              {func(f *fixture) { f.Inject(broker.Fault{API: broker.APIMetadata, Stall: true}) }, false, 3, 4, "7 records were not sent and 0 have an unknown outcome", false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := start(t, nil)
				if c.warm {
					f.warm()
				}
				c.fault(f)
				var o outcomes
				for _, id := range sequence(c.sent) {
					o.send(context.Background(), f.pub, id)
				}
				time.Sleep(2 * time.Second)
				for i := range c.more {
					o.send(context.Background(), f.pub, fmt.Sprint("more", i))
				}
				began := time.Now()
				err := f.p.Close()
				within(t, began, 5*time.Second)
				if err == nil || !strings.Contains(err.Error(), c.says) || errors.Is(err, producer.ErrOutcomeUnknown) != c.unknown {
					t.Errorf("got  %v\nwant %s", err, c.says)
				}
				failed := o.wait(t)
				for id, err := range failed {
					certain := !c.unknown || id != "0" // the others waited for its answer, and so were never sent
					if !errors.Is(err, producer.ErrClosed) || errors.Is(err, producer.ErrNotWritten) != certain || errors.Is(err, producer.ErrOutcomeUnknown) == certain {
						t.Errorf("%s: %v", id, err)
					}
				}
				if len(failed) != c.sent+c.more {
					t.Errorf("%d records failed", len(failed))
				}
				if again := f.p.Close(); again != err {
					t.Errorf("the second Close returns %v", again)
				}
			})
		})
	}
}

func TestG12CloseInTheMiddleOfAnOutageThatEndsDelivers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil)
		f.warm()
		f.PauseBroker(1)
		var o outcomes
		for _, id := range sequence(100) {
			o.send(context.Background(), f.pub, id)
		}
		time.AfterFunc(3*time.Second, func() { f.ResumeBroker(1) })
		if err := f.p.Close(); err != nil {
			t.Error(err)
		}
		if failed := o.wait(t); len(failed) > 0 {
			t.Error(failed)
		}
		if got := f.ids(); !slices.Equal(got, sequence(100)) {
			t.Errorf("on the log: %v", got)
		}
	})
}

func TestSendsAfterCloseFail(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil, producer.MaxBuffered(1, 1<<20))
		f.warm()
		stall := f.Inject(broker.Fault{API: broker.APIProduce, Stall: true})
		f.pub.SendAsync(context.Background(), order{ID: "0"}, nil)
		waiting := make(chan error, 1)
		began := time.Now()
		go func() {
			err := f.pub.Send(context.Background(), order{ID: "waits for room"})
			within(t, began, 0) // not only when there is room
			waiting <- err
		}()
		synctest.Wait()
		time.AfterFunc(time.Second, stall.Remove)
		if err := f.p.Close(); err != nil {
			t.Error(err)
		}
		if err := <-waiting; !errors.Is(err, producer.ErrClosed) || !errors.Is(err, producer.ErrNotWritten) {
			t.Errorf("waiting for room: %v", err)
		}
		if err := f.pub.Send(context.Background(), order{ID: "1"}); !errors.Is(err, producer.ErrClosed) || !errors.Is(err, producer.ErrNotWritten) {
			t.Errorf("Send: %v", err)
		}
		if err := f.pub.SendBatch(context.Background(), []order{{ID: "1"}}); !errors.Is(err, producer.ErrClosed) {
			t.Errorf("SendBatch: %v", err)
		}
		got := make(chan error, 1)
		f.pub.SendAsync(context.Background(), order{ID: "1"}, func(_ producer.Receipt, err error) { got <- err })
		if err := <-got; !errors.Is(err, producer.ErrClosed) {
			t.Errorf("SendAsync: %v", err)
		}
		if got := f.ids(); !slices.Equal(got, []string{"0"}) {
			t.Errorf("on the log: %v", got)
		}
	})
}

func TestG12CloseNamesACallbackThatDoesNotEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil)
		free := make(chan struct{})
		defer close(free)
		f.pub.SendAsync(context.Background(), order{ID: "0"}, func(producer.Receipt, error) { <-free })
		f.warm()
		began := time.Now()
		if err := f.p.Close(); err == nil || !strings.Contains(err.Error(), "callback") {
			t.Errorf("%v", err)
		}
		within(t, began, 5*time.Second)
	})
}

func TestCloseOfAnUnusedProducerIsQuick(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, []brokertest.Option{brokertest.Topic("orders", 1)})
		began := time.Now()
		if err := f.p.Close(); err != nil {
			t.Error(err)
		}
		within(t, began, 10*time.Millisecond)
	})
}

func TestCloseManyTimesAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil)
		f.warm()
		done := make(chan error, 10)
		for range 10 {
			go func() { done <- f.p.Close() }()
		}
		for range 10 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}
