package claim_test

import (
	"strings"
	"testing"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/claim"
)

// The header is a persisted format: records that were written with it are read for years.
const golden = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824:5"

func TestHeaderIsHashAndSize(t *testing.T) {
	r := claim.Of([]byte("hello"))
	if got := string(r.Header()); got != golden {
		t.Errorf("%s, want %s", got, golden)
	}
	got, err := claim.Parse([]byte(golden))
	if err != nil || got != r || got.Name() != golden[7:71] {
		t.Errorf("%v, %v", got, err)
	}
}

func TestHeadersOfOthersAreRefused(t *testing.T) {
	for _, b := range []string{"", "sha256:", golden[:71], golden[:72], golden + "x", strings.Replace(golden, ":5", ":-5", 1), golden[7:], "md5" + golden[6:], strings.Replace(golden, "2cf", "../", 1), strings.Replace(golden, "2cf", "xyz", 1)} {
		if r, err := claim.Parse([]byte(b)); err == nil {
			t.Errorf("%q is read as %v", b, r)
		}
	}
}

func TestOnlyAnEmptyValueRefersElsewhere(t *testing.T) {
	h := sordini.Headers{{Key: sordini.HeaderClaimCheck, Value: []byte(golden)}}
	for name, c := range map[string]struct {
		value []byte
		h     sordini.Headers
		want  bool
	}{"reference": {[]byte{}, h, true}, "tombstone": {nil, h, false}, "with a value": {[]byte("x"), h, false}, "empty": {[]byte{}, nil, false}} {
		if _, found, err := claim.Find(c.value, c.h); found != c.want || err != nil {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(golden))
	f.Add([]byte("sha256:"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := claim.Parse(b)
		if err != nil {
			return
		}
		if again, err := claim.Parse(r.Header()); err != nil || again != r {
			t.Errorf("%q: %v, %v", b, again, err)
		}
	})
}
