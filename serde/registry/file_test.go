package registry

import (
	"testing"

	"github.com/twmb/franz-go/pkg/sr"
)

// FuzzFile reads files of schemas as they may have been damaged, and asks them for everything that they hold: references may be missing or go in circles.
func FuzzFile(f *testing.F) {
	for _, s := range []string{
		`{"version":1,"schemas":[{"subject":"a","version":1,"id":1,"schema":"\"int\"","schemaType":"AVRO","guid":"0190a5d8-1234-7abc-8000-00000000000f"}]}`,
		`{"version":1,"schemas":[{"subject":"a","version":1,"id":1,"schema":"x","references":[{"name":"a","subject":"a","version":1}]}]}`,
		`{"version":1,"schemas":[{"subject":"a","version":1,"id":1,"references":[{"name":"b","subject":"b","version":1}]},{"subject":"b","version":1,"id":2,"references":[{"name":"a","subject":"a","version":1}]}]}`,
		`{"version":2}`, `{"version":1,"schemas":[{}]}`, `[`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<14 {
			return
		}
		parsed, err := parseFile(b)
		if err != nil {
			return
		}
		c := &Client{file: parsed}
		for _, s := range parsed.Schemas {
			_, _ = c.Schema(t.Context(), ID{Number: s.ID}, "")
			_, _ = c.Latest(t.Context(), s.Subject)
			_, _ = c.Lookup(t.Context(), s.Subject, sr.Schema{Type: s.Type, Schema: s.Schema.Schema}, false)
		}
	})
}

func FuzzGUID(f *testing.F) {
	f.Add("0190a5d8-1234-7abc-8000-00000000000f")
	f.Add("------------------------------------")
	f.Fuzz(func(t *testing.T, s string) {
		g, err := ParseGUID(s)
		if err != nil {
			return
		}
		if again, err := ParseGUID(g.String()); err != nil || again != g {
			t.Errorf("%q is read as %v, and that as %v, %v", s, g, again, err)
		}
	})
}
