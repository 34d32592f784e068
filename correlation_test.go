package sordini_test

import (
	"context"
	"slices"
	"strings"
	"sync"
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

// A record's id costs the context that has it; a new one costs another when somebody asks for it.
func TestCorrelationIDCostsOneAllocation(t *testing.T) {
	header := []byte("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
	parent := t.Context()
	for what, cost := range map[string]struct {
		do   func()
		most float64
	}{
		"a record's":                  {func() { _ = sordini.CorrelationID(correlation.WithHeader(parent, header)) }, 1},
		"a new one":                   {func() { _ = correlation.WithNew(parent).Err() }, 1},
		"a new one that is asked for": {func() { _ = sordini.CorrelationID(correlation.WithNew(parent)) }, 2},
	} {
		if n := testing.AllocsPerRun(100, cost.do); n > cost.most {
			t.Errorf("%s costs %v allocations, want %v", what, n, cost.most)
		}
	}
}

func TestANewCorrelationIDIsTheSameForEveryoneWhoAsks(t *testing.T) {
	ctx := correlation.WithNew(t.Context())
	ids := make([]string, 8)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() { ids[i] = sordini.CorrelationID(context.WithValue(ctx, new(int), i)) })
	}
	wg.Wait()
	if slices.Sort(ids); ids[0] != ids[len(ids)-1] || len(ids[0]) != 36 {
		t.Errorf("the ids are %q", ids)
	}
	if other := sordini.CorrelationID(correlation.WithNew(t.Context())); other == ids[0] {
		t.Errorf("two contexts have the id %q", other)
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
