package dlt_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/sordini-go/sordini/dlt"
)

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"":                                 "",
		"connection refused":               "connection refused",
		"order 17 not found":               "order # not found",
		"order-17 not found":               "# not found",
		`card "4711" declined`:             `card "?" declined`,
		`card "47\"11" declined`:           `card "?" declined`,
		"user 'o''brien' is gone":          `user "?""?" is gone`,
		"can't parse it, won't parse it":   "can't parse it, won't parse it",
		"field 'can't' is bad":             `field "?" is bad`,
		"a lone \" quote":                  `a lone " quote`,
		"dial tcp 10.0.0.1:5432: refused":  "dial tcp #: refused",
		"dial tcp [::1]:5432: refused":     "dial tcp [::#]:#: refused",
		"at 2026-11-23T17:45:02.123Z":      "at #",
		"id 0b5c2c4e-9d0e-7abc-8def-01 is": "id # is",
		"took 1.5s,\n\t of 2s":             "took #, of #",
		"`a` and `b\\`":                    `"?" and "?"`,
		"ошибка №17 в «заказе»":            "ошибка №# в «заказе»",
		"٣ items":                          "# items",
		"  padded  ":                       "padded",
	} {
		if got := dlt.Fold(in); got != want {
			t.Errorf("Fold(%q) = %q, want %q", in, got, want)
		}
	}
}

type cardError struct{ card string }

func (e *cardError) Error() string { return "card " + e.card + " declined" }

// These are persisted: a change splits every cause that is known.
func TestFingerprintGolden(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for _, c := range []struct {
		class dlt.Class
		err   error
		want  string
	}{
		{dlt.Exhausted, nil, "5d4f0938cee36a6c"},
		{dlt.Exhausted, errors.New("order 17 not found"), "4261690085a275d3"},
		{dlt.Permanent, errors.New("order 17 not found"), "b2467785c22a8dfd"},
		{dlt.Exhausted, refused, "ff01f00cfeddff03"},
		{dlt.Exhausted, &cardError{"4711"}, "e209e6813db0c453"},
	} {
		if got := dlt.Fingerprint(c.class, c.err); got != c.want {
			t.Errorf("Fingerprint(%s, %v) = %s, want %s", c.class, c.err, got, c.want)
		}
	}
}

func TestFingerprintTellsCausesNotRecords(t *testing.T) {
	base := dlt.Fingerprint(dlt.Exhausted, fmt.Errorf("charge order %d: %w", 17, &cardError{"4711"}))
	for _, same := range []error{
		fmt.Errorf("charge order %d: %w", 18, &cardError{"0815-x"}),
		fmt.Errorf("charge %w", fmt.Errorf("order 9: %w", &cardError{"1"})),
	} {
		if got := dlt.Fingerprint(dlt.Exhausted, same); got != base {
			t.Errorf("%v is another cause than charge order 17", same)
		}
	}
	for name, got := range map[string]string{
		"class":   dlt.Fingerprint(dlt.Permanent, fmt.Errorf("charge order 17: %w", &cardError{"4711"})),
		"type":    dlt.Fingerprint(dlt.Exhausted, errors.New("charge order 17: card 4711 declined")),
		"message": dlt.Fingerprint(dlt.Exhausted, fmt.Errorf("refund order 17: %w", &cardError{"4711"})),
		"nil":     dlt.Fingerprint(dlt.Exhausted, nil),
	} {
		if got == base {
			t.Errorf("another %s is the same cause", name)
		}
	}
}

func TestFingerprintSurvivesHostileErrors(t *testing.T) {
	var typedNil *fs.PathError // its Error method dereferences nil
	dlt.Fingerprint(dlt.Exhausted, typedNil)
	dlt.Fingerprint(dlt.Exhausted, loop{})
	dlt.Fingerprint(dlt.Exhausted, errors.New(strings.Repeat(`"`, 1<<20)))
	if a, b := dlt.Fingerprint(dlt.Exhausted, errors.New(strings.Repeat("ü", 1<<20))), dlt.Fingerprint(dlt.Exhausted, errors.New(strings.Repeat("ü", 1<<19))); a != b {
		t.Error("what stands beyond the first KiB counts")
	}
}

// loop contains itself.
type loop struct{}

func (loop) Error() string { return "loop" }
func (loop) Unwrap() error { return loop{} }

func FuzzFold(f *testing.F) {
	f.Add("order 17: \"x\" can't")
	f.Fuzz(func(t *testing.T, s string) {
		if once := dlt.Fold(s); len(once) > 3*len(s)+3 {
			t.Fatalf("Fold(%q) grew to %q", s, once)
		}
	})
}
