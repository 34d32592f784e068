package sordini_test

import (
	"errors"
	"testing"

	"github.com/sordini-go/sordini"
)

func TestDeliveryDecodesOnceAndOnlyWhenAsked(t *testing.T) {
	calls, fails := 0, errors.New("not an order")
	d := sordini.NewDelivery(&sordini.Record{Topic: "orders"}, "billing", 2, 7, func() (any, error) { calls++; return order{ID: "17"}, fails })
	if calls != 0 {
		t.Fatal("decoded before anybody asked")
	}
	for range 3 {
		if v, err := d.Value(); v != (order{ID: "17"}) || err != fails {
			t.Errorf("value %v, %v", v, err)
		}
	}
	if calls != 1 || d.Group != "billing" || d.Attempt != 2 || d.Fence != 7 {
		t.Errorf("decoded %d times; %+v", calls, d)
	}
	if v, err := sordini.NewDelivery(&sordini.Record{}, "", 1, 0, nil).Value(); v != nil || err != nil {
		t.Errorf("a delivery without a decoder has %v, %v", v, err)
	}
}

func TestTombstoneIsTheNullValue(t *testing.T) {
	for name, r := range map[string]struct {
		record sordini.Record
		want   bool
	}{"null": {sordini.Record{}, true}, "empty": {sordini.Record{Value: []byte{}}, false}, "some": {sordini.Record{Value: []byte("x")}, false}} {
		if got := r.record.Tombstone(); got != r.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
