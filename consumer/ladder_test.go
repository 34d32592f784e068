package consumer_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini/consumer"
)

var errSlow, errRule = errors.New("no answer in time"), errors.New("the card is blocked")

func is(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }

// Each class of errors has its rungs, whatever the handler takes: the error that an attempt ended with decides, a handler's own classes come before its group's, and
// the dead letter tells how often the record was tried in all.
func TestEachClassOfErrorsHasItsLadder(t *testing.T) {
	slow := consumer.Ladder{Retry: consumer.RetryPolicy{Retries: 1, Delay: time.Second, Jitter: -1}, Later: []time.Duration{10 * time.Minute, time.Hour}}
	group := []consumer.Option{
		consumer.Retry(consumer.RetryPolicy{Retries: 2, Delay: 5 * time.Second, Jitter: -1}),
		consumer.OnError(is(errRule), consumer.Ladder{Retry: consumer.RetryPolicy{Retries: 9}}),
	}
	own := []consumer.HandlerOption{consumer.OnError(is(errSlow), slow), consumer.OnError(is(errRule), consumer.Ladder{Retry: consumer.RetryPolicy{Retries: -1}})}
	// What the attempts of each record end with; the last one is repeated.
	fails := map[string][]error{
		"slow": {errSlow}, "rule": {errRule}, "other": {errBoom},
		"both": {errBoom, errBoom, errSlow, errSlow, errRule}, // two retries in place are more than one of the class slow: it goes to the inbox
		"ends": {errSlow, errSlow, errSlow, nil},
	}
	want := map[string]string{
		"slow": "0s 1s 10m0s 1h0m0s", "rule": "0s", "other": "0s 5s 10s",
		"both": "0s 5s 10s 10m0s 1h0m0s", "ends": "0s 1s 10m0s 1h0m0s",
	}
	dead := map[string]string{"slow": "4", "rule": "1", "other": "3", "both": "5"}
	for kind, register := range eachKind {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.whole = true
				for _, v := range slices.Sorted(maps.Keys(fails)) {
					w.put(v + "=" + v)
				}
				var mu sync.Mutex
				last, waits := map[string]time.Time{}, map[string]string{}
				g, err := consumer.New(w.sdk(), "g", append(group, consumer.Observe(w.history))...)
				if err == nil {
					err = register(g, orders, func(_ context.Context, m *consumer.Message[string]) error {
						mu.Lock()
						defer mu.Unlock()
						now, before := time.Now(), last[m.Value]
						if before.IsZero() {
							before = now
						} else {
							waits[m.Value] += " "
						}
						waits[m.Value] += now.Sub(before).Round(time.Second).String()
						last[m.Value] = now
						all := fails[m.Value]
						return all[min(m.Attempt, len(all))-1]
					}, own...)
				}
				if err != nil {
					t.Fatal(err)
				}
				r := start(t, g)
				time.Sleep(90 * time.Minute) // the longest ladder: waiting looks every few milliseconds
				waitFor(t, "everything has ended", func() bool { return w.committed() == 5 && len(w.dead()) == 4 && !w.waits() })
				r.cleanly()
				if !maps.Equal(waits, want) {
					t.Errorf("attempts came after\n%v, want\n%v", waits, want)
				}
				for _, d := range w.dead() {
					if h := headersOf(d); h["dlt-attempts"] != dead[string(d.Value)] || h["dlt-error-class"] != "exhausted" {
						t.Errorf("the dead letter of %s counts %s attempts, class %s; want %s", d.Value, h["dlt-attempts"], h["dlt-error-class"], dead[string(d.Value)])
					}
				}
			})
		})
	}
}

func TestImpossibleLaddersAreRefused(t *testing.T) {
	w := newWorld(t, 1)
	for name, o := range map[string]consumer.Option{
		"no match":        consumer.OnError(nil, consumer.Ladder{}),
		"eight days":      consumer.OnError(is(errBoom), consumer.Ladder{Later: []time.Duration{8 * 24 * time.Hour}}),
		"no delay":        consumer.OnError(is(errBoom), consumer.Ladder{Later: []time.Duration{0}}),
		"a negative wait": consumer.OnError(is(errBoom), consumer.Ladder{Retry: consumer.RetryPolicy{Delay: -1}}),
	} {
		if _, err := consumer.New(w.sdk(), "g", o); !errors.Is(err, consumer.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	g, err := consumer.New(w.sdk(), "g", consumer.WithoutDeadLetters("a test"), consumer.OnError(is(errBoom), consumer.Ladder{Later: []time.Duration{time.Hour}}))
	if err == nil {
		err = consumer.Handle(g, orders, func(context.Context, *consumer.Message[string]) error { return nil })
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := g.Run(ctx); !errors.Is(err, consumer.ErrConfig) {
		t.Errorf("a ladder through an inbox that is not there: %v", err)
	}
}
