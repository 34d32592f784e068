package avro

import "testing"

func TestTextsThatMeanTheSameHaveOneCanonicalForm(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{` "string" `, `"string"`},
		{`{"type":"string"}`, `"string"`},
		{`{"type":"string","avro.java.string":"String"}`, `{"type":"string","avro.java.string":"String"}`},
		{`{"logicalType":"decimal","type":"bytes","scale":2,"precision":4}`, `{"type":"bytes","logicalType":"decimal","scale":2,"precision":4}`},
		{`{"items":"int","type":"array"}`, `{"type":"array","items":"int"}`},
		{`["null",{"type":"int"}]`, `["null","int"]`},
		{`{"name":"a.b.C","type":"fixed","size":4}`, `{"type":"fixed","name":"C","namespace":"a.b","size":4}`},
		{`{"name":"C","namespace":"","type":"fixed","size":4}`, `{"type":"fixed","name":"C","size":4}`},
		{
			`{"fields":[{"type":"int","order":"ascending","name":"x","default":1,"doc":"d","aliases":["y","y"]}],"doc":"D","name":"R","namespace":"n","type":"record","aliases":["n.A","m.B"]}`,
			`{"type":"record","name":"R","namespace":"n","doc":"D","fields":[{"name":"x","type":"int","doc":"d","default":1,"aliases":["y"]}],"aliases":["A","m.B"]}`,
		},
		{
			`{"type":"record","name":"n.R","fields":[{"name":"e","type":{"type":"enum","name":"E","symbols":["A"]}},{"name":"f","type":"n.E"},{"name":"g","type":{"type":"enum","name":"E","namespace":"m","symbols":["A"]}}]}`,
			`{"type":"record","name":"R","namespace":"n","fields":[{"name":"e","type":{"type":"enum","name":"E","symbols":["A"]}},{"name":"f","type":"E"},{"name":"g","type":{"type":"enum","name":"E","namespace":"m","symbols":["A"]}}]}`,
		},
		{`{"type":"record","name":"R","fields":[{"name":"x","type":"string","default":"é<&>\u0001\n"}]}`,
			`{"type":"record","name":"R","fields":[{"name":"x","type":"string","default":"é<&>\u0001\n"}]}`},
	} {
		s := parse(t, c.text)
		if got := s.Canonical(); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.text, got, c.want)
		}
		if again := parse(t, s.Canonical()).Canonical(); again != s.Canonical() {
			t.Errorf("%s: the canonical form of the canonical form is %s", s.Canonical(), again)
		}
	}
}

func TestNormalisingSortsWhatHasNoOrder(t *testing.T) {
	a := parse(t, `{"type":"record","name":"R","z":1,"a":{"y":1,"x":2},"aliases":["C","B"],"doc":"","fields":[{"name":"d","type":{"type":"bytes","b":1,"scale":2,"precision":4,"logicalType":"decimal","a":1},"aliases":["q","p"]}]}`)
	want := `{"type":"record","name":"R","fields":[{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":2,"a":1,"b":1},"aliases":["p","q"]}],"a":{"x":2,"y":1},"z":1,"aliases":["B","C"]}`
	if got := a.Normalized(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !a.Equivalent(parse(t, want)) {
		t.Error("a schema and its normalised form are not equivalent")
	}
}

func TestReferencesAreNamedOrWrittenOut(t *testing.T) {
	item := `{"type":"record","name":"shop.Item","fields":[{"name":"sku","type":"string"}]}`
	s := parse(t, `{"type":"record","name":"shop.Order","fields":[{"name":"item","type":"Item"},{"name":"other","type":"shop.Item"}]}`, item)
	if got, want := s.Canonical(), `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"item","type":"Item"},{"name":"other","type":"Item"}]}`; got != want {
		t.Errorf("canonical %s", got)
	}
	full := `{"type":"record","name":"Order","namespace":"shop","fields":[{"name":"item","type":{"type":"record","name":"Item","fields":[{"name":"sku","type":"string"}]}},{"name":"other","type":"Item"}]}`
	if got := s.Resolved(); got != full {
		t.Errorf("resolved %s", got)
	}
	if !parse(t, full).Equivalent(s) {
		t.Error("with the reference written out it is another schema")
	}
}

func TestWrongSchemasAreRefused(t *testing.T) {
	for _, text := range []string{
		``, `string`, `"strin"`, `1`, `null`, `{}`, `{"type":"record"}`, `{"type":"record","name":"R"}`, `{"type":"record","name":"R","fields":{}}`,
		`{"type":"record","name":"R","fields":[{"name":"a"}]}`, `{"type":"record","name":"R","fields":[{"type":"int"}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":"Missing"}]}`,
		`{"type":"record","name":"R","fields":[{"name":"1a","type":"int"}]}`, `{"type":"record","name":"R-S","fields":[]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":"x"}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":3000000000}]}`,
		`{"type":"record","name":"R","fields":[{"name":"a","type":"int","order":"random"}]}`,
		`{"type":"enum","name":"E"}`, `{"type":"enum","name":"E","symbols":["A","A"]}`, `{"type":"enum","name":"E","symbols":["A"],"default":"B"}`,
		`{"type":"fixed","name":"F"}`, `{"type":"fixed","name":"F","size":-1}`, `{"type":"fixed","name":"string","size":1}`,
		`{"type":"array"}`, `{"type":"map"}`, `["int","int"]`, `["int",["string"]]`, `[{"type":"array","items":"int"},{"type":"array","items":"string"}]`,
		`{"type":"record","name":"R","fields":[]} x`,
	} {
		if s, err := Parse(text, nil, Options{Strict: true}); err == nil {
			t.Errorf("%s is taken for %s", text, s.Canonical())
		}
	}
	if _, err := Parse(`{"type":"record","name":"R","fields":[{"name":"a-b","type":"int","default":"x"}]}`, nil, Options{}); err != nil {
		t.Errorf("what a registry holds already must stay readable: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`"string"`, list, rec(fld("a", `["null",`+enumAB+`]`, `,"default":null`)), `{"type":"fixed","name":"a.F","size":3,"x":[1,{"y":2}]}`, `[["int"]]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text, nil, Options{Strict: true})
		if err != nil {
			return
		}
		canonical := s.Canonical()
		again, err := Parse(canonical, nil, Options{Strict: true})
		if err != nil {
			t.Fatalf("the canonical form %s of %s does not parse: %v", canonical, text, err)
		}
		if got := again.Canonical(); got != canonical {
			t.Fatalf("the canonical form is not stable: %s, then %s", canonical, got)
		}
		if n, err := Parse(s.Normalized(), nil, Options{Strict: true}); err != nil || !n.Equivalent(s) {
			t.Fatalf("normalised %s: %v", s.Normalized(), err)
		}
		if ps := s.Read(again); len(ps) > 0 {
			t.Fatalf("%s cannot read itself: %v", canonical, ps)
		}
	})
}
