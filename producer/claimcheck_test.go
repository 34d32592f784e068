package producer_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/middleware"
	"github.com/sordini-go/sordini/producer"
)

// brokenStore takes nothing.
type brokenStore struct{}

var errDisk = errors.New("no space left")

func (brokenStore) Put(context.Context, string, []byte) error { return errDisk }

func (brokenStore) Get(context.Context, string) ([]byte, error) { return nil, errDisk }

func files(t *testing.T) *middleware.FileStore {
	t.Helper()
	s, err := middleware.NewFileStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLargeValueIsKeptOutsideAndReferredTo(t *testing.T) {
	large := strings.Repeat("x", 5<<20)
	bubble(t, func(t *testing.T) {
		store := files(t)
		f := start(t, []brokertest.Option{brokertest.Topic("texts", 1)}, producer.ClaimCheck(store, 0))
		texts := publisher(t, f.p, text("texts"))
		if err := texts.SendBatch(t.Context(), []string{large, "small", ""}); err != nil {
			t.Fatal(err)
		}
		rs := f.all("texts")
		if len(rs) != 3 || rs[0].Value == nil || len(rs[0].Value) != 0 || string(rs[1].Value) != "small" {
			t.Fatalf("on the log: %.200v", rs)
		}
		for i, r := range rs {
			out := &sordini.Record{Value: r.Value}
			for _, h := range r.Headers {
				out.Headers.Add(h.Key, h.Value)
			}
			if _, refers := out.Headers.Get(sordini.HeaderClaimCheck); refers != (i == 0) {
				t.Errorf("record %d: %v", i, r.Headers)
			}
			if err := middleware.RestoreClaim(t.Context(), store, out); err != nil || string(out.Value) != []string{large, "small", ""}[i] {
				t.Errorf("record %d: %d bytes, %v", i, len(out.Value), err)
			}
			if _, refers := out.Headers.Get(sordini.HeaderClaimCheck); refers || out.Headers.Text("source") == "" {
				t.Errorf("record %d: restored with headers %v", i, out.Headers)
			}
		}
	})
}

func TestG10ValueThatCanNotBeStoredIsNotWritten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, []brokertest.Option{brokertest.Topic("texts", 1)}, producer.ClaimCheck(brokenStore{}, 100))
		texts := publisher(t, f.p, text("texts"))
		if err := texts.Send(t.Context(), strings.Repeat("x", 100)); !errors.Is(err, producer.ErrNotWritten) || !errors.Is(err, errDisk) {
			t.Error(err)
		}
		if err := texts.Send(t.Context(), strings.Repeat("x", 99)); err != nil {
			t.Error(err)
		}
		if n := len(f.all("texts")); n != 1 {
			t.Errorf("%d records", n)
		}
	})
}

func TestTooLargeNamesTheClaimCheck(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil)
		err := f.pub.Send(t.Context(), order{Text: strings.Repeat("x", 2<<20)})
		d, ok := sordini.Diagnose(err)
		if !ok || d.Code != sordini.CodeRecordTooLarge || !strings.Contains(d.Fix, "producer.ClaimCheck") || !strings.Contains(d.Fix, "consumer.ClaimCheck") || !strings.Contains(err.Error(), "1048588") {
			t.Errorf("%v", err)
		}
	})
}
