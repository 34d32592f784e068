package protobuf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCanonicalAndNormalisedForms compares each testdata/NAME.proto with NAME.canonical and NAME.normalized.
func TestCanonicalAndNormalisedForms(t *testing.T) {
	for _, name := range protos(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			s := parse(t, read(t, name))
			base := strings.TrimSuffix(name, ".proto")
			if want := read(t, base+".canonical"); s.Canonical() != want {
				t.Errorf("canonical:\n%s\nwant:\n%s", s.Canonical(), want)
			}
			if want := read(t, base+".normalized"); s.Normalized() != want {
				t.Errorf("normalised:\n%s\nwant:\n%s", s.Normalized(), want)
			}
			if again := parse(t, s.Canonical()); again.Canonical() != s.Canonical() {
				t.Errorf("the canonical form of the canonical form is\n%s", again.Canonical())
			}
			if again := parse(t, s.Normalized()); again.Normalized() != s.Normalized() {
				t.Errorf("the normalised form of the normalised form is\n%s", again.Normalized())
			}
		})
	}
}

// TestDescriptorsCarryWhatTextDoes goes to a descriptor and back. Custom options get lost on that way.
func TestDescriptorsCarryWhatTextDoes(t *testing.T) {
	for _, name := range protos(t) {
		s := parse(t, parse(t, read(t, name)).WithoutExtensions())
		d := parse(t, s.Serialized("x.proto"))
		if got, want := d.Normalized(), s.Normalized(); got != want {
			t.Errorf("%s: back from the descriptor:\n%s\nwant:\n%s", name, got, want)
		}
		if ps := append(d.Read(s), s.Read(d)...); len(ps) > 0 {
			t.Errorf("%s: text and descriptor are not compatible: %v", name, ps)
		}
	}
}

func protos(t testing.TB) []string {
	names, err := filepath.Glob("testdata/*.proto")
	if err != nil || len(names) == 0 {
		t.Fatalf("no schemas: %v", err)
	}
	return names
}

func read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWrongSchemasAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"message M { int32 a = 1 }":                                            `expected ";"`,
		"message M { int32 a = 0; }":                                           "not between 1 and 536870911",
		"message M { int32 a = 19000; }":                                       "reserved for implementations",
		"message M { int32 a = 1; int32 b = 1; }":                              "have the number 1",
		"message M { int32 a = 1; string a = 2; }":                             "two fields are called a",
		"message M { reserved 2 to 4; int32 a = 3; }":                          "uses what is reserved",
		"message M { reserved \"a\"; int32 a = 3; }":                           "uses what is reserved",
		"message M { N a = 1; }":                                               "could not resolve type N",
		"message M { map<float, int32> a = 1; }":                               "key of a map",
		"message M { repeated map<int32, int32> a = 1; }":                      "cannot be repeated",
		"message M { oneof o { repeated int32 a = 1; } }":                      "has no label",
		"message M { oneof o {} }":                                             "is empty",
		"message M {} message M {}":                                            "declared twice",
		"enum E {}":                                                            "has no values",
		"enum E { A = 0; B = 0; }":                                             "without allow_alias",
		"syntax = \"proto3\"; enum E { A = 1; }":                               "must be zero",
		"syntax = \"proto3\"; message M { required int32 a = 1; }":             "proto3 does not have",
		"syntax = \"proto3\"; message M { optional int32 a = 1 [default=1]; }": "proto3 does not have",
		"syntax = \"proto4\";":                                                 "unknown syntax",
		"message M {} syntax = \"proto3\";":                                    "must stand first",
		"service S { rpc R (M) returns (M); }":                                 "could not resolve type M",
		"message M { /* ":                                                      "comment is not closed",
		"message M { string a = 1 [default = \"x":                              "not closed",
		"message":                          "expected a name, found the end",
		"{":                                "expected a name",
		strings.Repeat("message M {", 100): "nested more than",
		"option a = " + strings.Repeat("{a:", 100): "nested more than",
		"aGVsbG8=": "unexpected",
	} {
		s, err := Parse(text, nil, Options{Strict: true})
		if err == nil {
			t.Errorf("%.60s is taken for\n%s", text, s.Canonical())
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range protos(f) {
		text := read(f, name)
		f.Add(text)
		if s, err := Parse(text, nil, Options{}); err == nil {
			f.Add(s.Serialized("x"))
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text, nil, Options{Strict: true})
		if err != nil {
			return
		}
		again, err := Parse(s.Canonical(), nil, Options{Strict: true})
		if err != nil {
			t.Fatalf("the canonical form does not parse: %v\n%s", err, s.Canonical())
		}
		if again.Canonical() != s.Canonical() {
			t.Fatalf("the canonical form is not stable:\n%s\n%s", s.Canonical(), again.Canonical())
		}
		if _, err := Parse(s.Normalized(), nil, Options{Strict: true}); err != nil {
			t.Fatalf("the normalised form does not parse: %v\n%s", err, s.Normalized())
		}
		if ps := s.Read(again); len(ps) > 0 {
			t.Fatalf("it cannot read itself: %v\n%s", ps, s.Canonical())
		}
		s.Serialized("x")
	})
}
