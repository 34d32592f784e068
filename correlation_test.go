package sordini_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/correlation"
)

func TestCorrelationIDTravelsInContexts(t *testing.T) {
	type other struct{}
	parent, cancel := context.WithTimeout(context.WithValue(t.Context(), other{}, 1), time.Hour)
	defer cancel()
	long := strings.Repeat("x", 100)
	for name, ctx := range map[string]context.Context{
		"a": sordini.WithCorrelationID(parent, "a"), "b": correlation.WithHeader(parent, []byte("b")),
		"": correlation.WithHeader(parent, nil), long: correlation.WithHeader(parent, []byte(long)),
	} {
		inner, stop := context.WithCancel(ctx)
		if got := sordini.CorrelationID(inner); got != name {
			t.Errorf("CorrelationID = %q, want %q", got, name)
		}
		if inner.Value(other{}) != 1 {
			t.Error("the context hides its parent's values")
		}
		if _, ok := inner.Deadline(); !ok {
			t.Error("the context hides its parent's deadline")
		}
		stop()
	}
	if got := sordini.CorrelationID(parent); got != "" {
		t.Errorf("a context without an id has %q", got)
	}
	inner := sordini.WithCorrelationID(sordini.WithCorrelationID(parent, "outer"), "inner")
	if got := sordini.CorrelationID(inner); got != "inner" {
		t.Errorf("CorrelationID = %q, want the innermost", got)
	}
}

func TestCorrelationIDOutlivesTheHeaderItCameFrom(t *testing.T) {
	header := []byte("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
	want := string(header)
	ctx := correlation.WithHeader(t.Context(), header)
	for i := range header {
		header[i] = 'x' // the fetch buffer is used again
	}
	if got := sordini.CorrelationID(ctx); got != want {
		t.Fatalf("CorrelationID = %q, want %q", got, want)
	}
}

func TestCorrelationIDOfARecordCostsOneAllocation(t *testing.T) {
	header := []byte("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
	parent := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		if sordini.CorrelationID(correlation.WithHeader(parent, header)) == "" || sordini.CorrelationID(correlation.WithNew(parent)) == "" {
			t.Fatal("no id")
		}
	}); n > 2 {
		t.Fatalf("two contexts cost %v allocations, want 2", n)
	}
}

func TestNewCorrelationIDsAreAllDifferentAndSorted(t *testing.T) {
	last := ""
	for range 1000 {
		id := sordini.NewCorrelationID()
		if len(id) != 36 || id <= last {
			t.Fatalf("%q after %q", id, last)
		}
		last = id
	}
}
