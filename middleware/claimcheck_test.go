package middleware_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/claim"
	"github.com/sordini-go/sordini/middleware"
)

// sent is what a chain with a claim check makes of a value.
func sent(t *testing.T, store middleware.ClaimStore, value []byte) (*sordini.Record, error) {
	t.Helper()
	var failed error
	r := &sordini.Record{Topic: "orders", Value: value}
	middleware.SendClaimCheck(store, 10)(func(_ context.Context, r *sordini.Record, done func(*sordini.Record, error)) { done(r, nil) })(
		t.Context(), r, func(_ *sordini.Record, err error) { failed = err })
	return r, failed
}

func newFiles(t *testing.T) (*middleware.FileStore, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := middleware.NewFileStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func TestOnlyValuesFromTheLimitOnAreKeptElsewhere(t *testing.T) {
	s, _ := newFiles(t)
	for _, c := range []struct {
		value string
		kept  bool
	}{{"123456789", false}, {"1234567890", true}, {"", false}} {
		r, err := sent(t, s, []byte(c.value))
		if _, kept := r.Headers.Get(sordini.HeaderClaimCheck); kept != c.kept || err != nil || r.Value == nil {
			t.Errorf("%q: %v, %v", c.value, r, err)
		}
	}
	if r, err := sent(t, s, nil); err != nil || r.Value != nil || len(r.Headers) != 0 {
		t.Errorf("tombstone: %v, %v", r, err)
	}
}

func TestRestoringSaysWhatIsWrong(t *testing.T) {
	s, dir := newFiles(t)
	r, err := sent(t, s, []byte("a value of some length"))
	if err != nil {
		t.Fatal(err)
	}
	ref, _, _ := claim.Find(r.Value, r.Headers)
	path := filepath.Join(dir, ref.Name()[:2], ref.Name())
	restore := func(ctx context.Context, store middleware.ClaimStore) error {
		x := *r
		err := middleware.RestoreClaim(ctx, store, &x)
		if err != nil && (len(x.Value) != 0 || len(x.Headers) != 1) {
			t.Errorf("the record was changed by a failure: %v", x)
		}
		return err
	}
	if err := restore(t.Context(), s); err != nil || len(r.Headers) != 1 {
		t.Errorf("%v, and the headers of the record that it was made of are %v", err, r.Headers)
	}
	if err := restore(t.Context(), away{}); !errors.Is(err, sordini.ErrUnavailable) || errors.Is(err, middleware.ErrClaimInvalid) {
		t.Errorf("store away: %v", err)
	}
	if err := os.WriteFile(path, []byte("a value of some lengtH"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := restore(t.Context(), s); !errors.Is(err, middleware.ErrClaimInvalid) || errors.Is(err, sordini.ErrUnavailable) {
		t.Errorf("changed value: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := restore(t.Context(), s); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, sordini.ErrUnavailable) || !strings.Contains(err.Error(), "not in the store") {
		t.Errorf("missing value: %v", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := restore(t.Context(), s); !errors.Is(err, sordini.ErrUnavailable) {
		t.Errorf("the directory is away: %v", err)
	}
	r.Headers[0].Value = []byte("md5:1:2")
	if err := restore(t.Context(), s); !errors.Is(err, middleware.ErrClaimInvalid) {
		t.Errorf("another header: %v", err)
	}
}

// away is a store that can not be asked.
type away struct{}

func (away) Put(context.Context, string, []byte) error { return errors.New("connection refused") }

func (away) Get(context.Context, string) ([]byte, error) {
	return nil, errors.New("connection refused")
}

func TestFileStoreNeedsADirectoryAndNames(t *testing.T) {
	s, dir := newFiles(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{filepath.Join(dir, "absent"), file} {
		if _, err := middleware.NewFileStore(bad); err == nil {
			t.Errorf("%s is taken for a directory", bad)
		}
	}
	for _, name := range []string{"", "../../etc/passwd", strings.Repeat("A", 64), strings.Repeat("a", 63) + "/"} {
		if err := s.Put(t.Context(), name, nil); err == nil {
			t.Errorf("put %q", name)
		}
		if _, err := s.Get(t.Context(), name); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("get %q: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if err := s.Put(ctx, claim.Of(nil).Name(), nil); err == nil || err.Error() != "enough" {
		t.Errorf("put with a context that has ended: %v", err)
	}
}

// age makes what is kept under a name older.
func age(t *testing.T, dir, name string, by time.Duration) {
	t.Helper()
	at := time.Now().Add(-by)
	if err := os.Chtimes(filepath.Join(dir, name[:2], name), at, at); err != nil {
		t.Fatal(err)
	}
}

func TestTrimDeletesWhatIsOldAndWasNotPutAgain(t *testing.T) {
	s, dir := newFiles(t)
	put := func(v string) string {
		name := claim.Of([]byte(v)).Name()
		if err := s.Put(t.Context(), name, []byte(v)); err != nil {
			t.Fatal(err)
		}
		return name
	}
	old, young, again := put("old"), put("young"), put("again")
	age(t, dir, old, 49*time.Hour)
	age(t, dir, young, 47*time.Hour)
	age(t, dir, again, 49*time.Hour)
	put("again") // another record refers to it
	unfinished := filepath.Join(dir, old[:2], "writing-1")
	if err := os.WriteFile(unfinished, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(unfinished, time.Time{}, time.Now().Add(-49*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Trim(t.Context(), 48*time.Hour); n != 1 || err != nil {
		t.Errorf("%d deleted, %v", n, err)
	}
	if _, err := s.Get(t.Context(), old); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("old: %v", err)
	}
	for _, name := range []string{young, again} {
		if _, err := s.Get(t.Context(), name); err != nil {
			t.Error(err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", "*")); len(left) != 2 {
		t.Errorf("left: %v", left)
	}
	if _, err := s.Trim(t.Context(), time.Minute); err == nil {
		t.Error("values of a minute are trimmed")
	}
}

// A trim that died between moving a value aside and looking at it: what was put again before is needed, and is found meanwhile.
func TestValueThatATrimLeftAsideIsFoundAndComesBack(t *testing.T) {
	s, dir := newFiles(t)
	name := claim.Of([]byte("needed")).Name()
	if err := s.Put(t.Context(), name, []byte("needed")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name[:2], name)
	if err := os.Rename(path, filepath.Join(dir, name[:2], "trimming-"+name)); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Get(t.Context(), name); err != nil || string(v) != "needed" {
		t.Errorf("%q, %v", v, err)
	}
	if n, err := s.Trim(t.Context(), time.Hour); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if v, err := os.ReadFile(path); err != nil || string(v) != "needed" {
		t.Errorf("%q, %v", v, err)
	}
}

// Whoever puts a value while it is trimmed has it: a record that refers to it is about to be sent.
func TestPutBesideTrimLosesNothing(t *testing.T) {
	s, dir := newFiles(t)
	value := []byte("the same value again and again")
	name := claim.Of(value).Name()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				at := time.Now().Add(-2 * time.Hour)
				_ = os.Chtimes(filepath.Join(dir, name[:2], name), at, at) // it is old whenever nobody puts it
				if _, err := s.Trim(t.Context(), time.Hour); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 300 {
		if err := s.Put(t.Context(), name, value); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
	if err := s.Put(t.Context(), name, value); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Trim(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Get(t.Context(), name); err != nil || !slices.Equal(v, value) {
		t.Errorf("%q, %v", v, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", "*")); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}
