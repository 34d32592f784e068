package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/middleware"
)

func at(partition int32, offset, fence int64, h ...sordini.Header) *sordini.Delivery {
	d := sordini.NewDelivery(&sordini.Record{Topic: "orders", Partition: partition, Offset: offset, Headers: h}, "billing", 1, fence, nil)
	d.TopicID = [16]byte{1, 2, 3}
	return d
}

func TestIdempotentHandlesARecordOnce(t *testing.T) {
	calls, fail := 0, true
	h := middleware.Idempotent(new(middleware.MemoryTable))(func(context.Context, *sordini.Delivery) error {
		calls++
		if fail {
			return errors.New("no")
		}
		return nil
	})
	if err := h(t.Context(), at(0, 7, 1)); err == nil || errors.Is(err, sordini.ErrSkipped) {
		t.Errorf("first: %v", err)
	}
	fail = false
	if err := h(t.Context(), at(0, 7, 1)); err != nil {
		t.Errorf("again after a failure: %v", err)
	}
	for range 2 {
		if err := h(t.Context(), at(0, 7, 2)); !errors.Is(err, middleware.ErrHandledBefore) || !errors.Is(err, sordini.ErrSkipped) {
			t.Errorf("again after a success: %v", err)
		}
	}
	if calls != 2 {
		t.Errorf("%d calls", calls)
	}
	other := at(0, 7, 2)
	other.TopicID = [16]byte{9}
	for _, d := range []*sordini.Delivery{at(0, 8, 2), at(1, 7, 2), other} { // other is of the topic made again
		if err := h(t.Context(), d); err != nil {
			t.Errorf("%s: %v", middleware.Place(d), err)
		}
	}
	group := at(0, 7, 1)
	group.Group = "shipping"
	if err := h(t.Context(), group); err != nil {
		t.Errorf("another group: %v", err)
	}
}

func TestIdempotentByAnIDOfItsOwn(t *testing.T) {
	calls := 0
	h := middleware.Idempotent(new(middleware.MemoryTable), middleware.IdentifyBy(func(d *sordini.Delivery) string { return d.Record.Headers.Text("event-id") }))(
		func(context.Context, *sordini.Delivery) error { calls++; return nil })
	id := header("event-id", "e-1")
	if err := h(t.Context(), at(0, 1, 1, id)); err != nil {
		t.Error(err)
	}
	if err := h(t.Context(), at(3, 9, 1, id)); !errors.Is(err, middleware.ErrHandledBefore) { // published twice
		t.Error(err)
	}
	for o := range int64(2) { // without an id: by place
		if err := h(t.Context(), at(0, 20+o, 1)); err != nil {
			t.Error(err)
		}
	}
	if calls != 3 {
		t.Errorf("%d calls", calls)
	}
}

func TestG3LateOwnerIsFenced(t *testing.T) {
	h := middleware.Idempotent(new(middleware.MemoryTable))(func(context.Context, *sordini.Delivery) error { return nil })
	if err := h(t.Context(), at(0, 1, 5)); err != nil {
		t.Fatal(err)
	}
	if err := h(t.Context(), at(0, 2, 4)); !errors.Is(err, middleware.ErrFenced) || !errors.Is(err, sordini.ErrUnavailable) {
		t.Errorf("older fence: %v", err)
	}
	if err := h(t.Context(), at(1, 2, 4)); err != nil {
		t.Errorf("another partition: %v", err)
	}
}

// The same identity twice at the same time: the second waits for what becomes of the first.
func TestIdempotentWaitsForWhoHasTheIdentity(t *testing.T) {
	for _, fails := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			h := middleware.Idempotent(new(middleware.MemoryTable))(func(context.Context, *sordini.Delivery) error {
				calls++
				time.Sleep(time.Second)
				if fails && calls == 1 {
					panic("no")
				}
				return nil
			})
			first := make(chan any, 1)
			go func() {
				defer func() { first <- recover() }()
				_ = h(t.Context(), at(0, 1, 1))
			}()
			synctest.Wait()
			short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			if err := h(short, at(0, 1, 1)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("context that ends: %v", err)
			}
			err := h(t.Context(), at(0, 1, 1))
			if <-first; errors.Is(err, middleware.ErrHandledBefore) == fails {
				t.Errorf("first fails: %v, second: %v", fails, err)
			}
		})
	}
}

func TestMemoryTableForgetsTheOldest(t *testing.T) {
	calls := 0
	h := middleware.Idempotent(&middleware.MemoryTable{Most: 3})(func(context.Context, *sordini.Delivery) error { calls++; return nil })
	for _, o := range []int64{1, 2, 3, 4, 5, 3, 4, 5, 1} { // 1 is forgotten
		if err := h(t.Context(), at(0, o, 1)); err != nil && !errors.Is(err, middleware.ErrHandledBefore) {
			t.Error(err)
		}
	}
	if calls != 6 {
		t.Errorf("%d calls, want 6", calls)
	}
}

func TestIdempotentWithoutATableIsNone(t *testing.T) {
	if middleware.Idempotent(nil) != nil {
		t.Error("it is a middleware, which would panic with the first record")
	}
}

func ExampleIdempotent() {
	charge := middleware.Idempotent(new(middleware.MemoryTable))(func(context.Context, *sordini.Delivery) error {
		fmt.Println("charged")
		return nil
	})
	d := sordini.NewDelivery(&sordini.Record{Topic: "orders", Offset: 7}, "billing", 1, 1, nil)
	fmt.Println(charge(context.Background(), d))
	fmt.Println(charge(context.Background(), d)) // the record comes again, as after a crash
	// Output:
	// charged
	// <nil>
	// handled before: record skipped on purpose: AAAAAAAAAAAAAAAAAAAAAA/orders/0/7
}
