package jsonschema

import (
	"fmt"
	"strings"
	"testing"
)

func TestReferencesAreFoundWhereDraftsPutThem(t *testing.T) {
	item := Reference{"item.json", `{"$id":"https://example.com/item.json","type":"object","definitions":{"sku":{"type":"string"}},"properties":{"sku":{"$ref":"#/definitions/sku"}}}`}
	for _, text := range []string{
		`{"$ref":"item.json"}`, `{"$ref":"item.json#/definitions/sku"}`, `{"$ref":"item.json#/$defs/sku"}`, `{"$ref":"https://example.com/item.json"}`,
		`{"$id":"https://example.com/order.json","$ref":"item.json"}`,
		`{"definitions":{"a":{"$id":"#named","type":"string"}},"$ref":"#named"}`,
		`{"$schema":"https://json-schema.org/draft/2020-12/schema","$defs":{"a":{"$anchor":"named","type":"string"}},"$ref":"#named"}`,
		`{"definitions":{"a/b~":{"type":"string"}},"$ref":"#/definitions/a~1b~0"}`,
		`{"$schema":"http://json-schema.org/draft-04/schema#","id":"http://x/y","definitions":{"a":{"id":"z","type":"string"}},"$ref":"http://x/z"}`,
		`{"$ref":"http://json-schema.org/draft-07/schema#"}`, `{"allOf":[{"type":"string"},{"$ref":"#/allOf/0"}]}`, `{"$ref":"#"}`,
		`{"definitions":{"a":{"$ref":"#/definitions/b"},"b":{"$ref":"#/definitions/a"}},"$ref":"#/definitions/a"}`,
	} {
		s, err := Parse(text, []Reference{item})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if ps := s.Read(s, false); len(ps) > 0 {
			t.Errorf("%s cannot read itself: %v", text, ps)
		}
	}
	old, updated := parse(t, `{"$ref":"item.json"}`, item), parse(t, `{"$ref":"item.json"}`, Reference{"item.json", strings.Replace(item.Text, `"string"`, `"integer"`, 1)})
	if ps := updated.Read(old, false); len(ps) != 1 || ps[0].Type != "TYPE_CHANGED" {
		t.Errorf("a break in a reference: %v", ps)
	}
}

func TestWhatStandsBesideAReferenceCountsInLaterDrafts(t *testing.T) {
	schema := func(draft string) string {
		return `{"$schema":"` + draft + `","$ref":"#/definitions/a","maxLength":3,"definitions":{"a":{"type":"string"}}}`
	}
	for draft, want := range map[string]int{"http://json-schema.org/draft-07/schema#": 0, "https://json-schema.org/draft/2020-12/schema": 1} {
		old := parse(t, strings.Replace(schema(draft), `"maxLength":3,`, "", 1))
		if ps := parse(t, schema(draft)).Read(old, false); len(ps) != want {
			t.Errorf("%s: %v", draft, ps)
		}
	}
}

func TestWrongSchemasAreRefused(t *testing.T) {
	for _, text := range []string{
		``, `1`, `"string"`, `[]`, `null`, `{`, `{} {}`, `{"type":"strin"}`, `{"type":1}`, `{"type":["string",{}]}`, `{"properties":[]}`, `{"properties":{"a":1}}`,
		`{"required":"a"}`, `{"required":[1]}`, `{"enum":"a"}`, `{"items":1}`, `{"items":[1]}`, `{"allOf":{}}`, `{"anyOf":[1]}`, `{"not":1}`, `{"minLength":"1"}`,
		`{"pattern":1}`, `{"uniqueItems":1}`, `{"additionalProperties":1}`, `{"dependencies":[]}`, `{"dependencies":{"a":1}}`, `{"$ref":1}`, `{"$ref":"#/nothing"}`,
		`{"$ref":"missing.json"}`, `{"$ref":"https://example.com/a.json"}`, `{"$ref":"%"}`, `{"if":1}`, `{"$defs":1}`, `{"prefixItems":{}}`, `{"definitions":{"a":{"type":"x"}}}`,
		strings.Repeat(`{"not":`, 300) + `{}` + strings.Repeat(`}`, 300),
	} {
		if s, err := Parse(text, nil); err == nil {
			t.Errorf("%.80s is taken for %.80s", text, s.Canonical())
		}
	}
}

// TestComparingHostileSchemasEnds compares schemas whose parts refer to each other in all ways, and such with very many parts.
func TestComparingHostileSchemasEnds(t *testing.T) {
	everyOneOfAll := func(n int, leaf string) string {
		var defs, refs []string
		for i := range n {
			refs = append(refs, fmt.Sprintf(`{"$ref":"#/definitions/d%d"}`, i))
		}
		for i := range n {
			defs = append(defs, fmt.Sprintf(`"d%d":{"type":"object","properties":{"p%d":{"oneOf":[%s,{"type":"%s"}]}}}`, i, i, strings.Join(refs, ","), leaf))
		}
		return `{"oneOf":[` + strings.Join(refs, ",") + `],"definitions":{` + strings.Join(defs, ",") + `}}`
	}
	a, b := parse(t, everyOneOfAll(40, "string")), parse(t, everyOneOfAll(40, "boolean"))
	if ps := a.Read(a, false); len(ps) > 0 {
		t.Errorf("it cannot read itself: %v", ps)
	}
	if ps := b.Read(a, false); len(ps) == 0 {
		t.Error("a break is not found")
	}
	var many []string
	for i := range 3000 {
		many = append(many, fmt.Sprintf(`{"enum":[%d]}`, i))
	}
	wide := parse(t, `{"anyOf":[`+strings.Join(many, ",")+`]}`)
	if ps := wide.Read(wide, false); len(ps) == 0 {
		t.Error("9 million pairs have been compared")
	}
	deep := parse(t, `{"type":"number","multipleOf":1e-999999999,"maximum":1e999999999}`)
	deep.Read(deep, false)
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"type":["string","null"],"enum":["a",1]}`, linked("string"), `{"allOf":[{"$ref":"#/definitions/a"}],"definitions":{"a":{"items":[true,{}],"additionalItems":false}}}`,
		`{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"a","$ref":"#x","$defs":{"y":{"$anchor":"x","multipleOf":1e2}}}`, obj(`"a":{"not":{"const":1}}`, `,"patternProperties":{"a":{}}`),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text, nil)
		if err != nil {
			return
		}
		again, err := Parse(s.Canonical(), nil)
		if err != nil {
			t.Fatalf("the canonical form does not parse: %v\n%s", err, s.Canonical())
		}
		if again.Canonical() != s.Canonical() {
			t.Fatalf("the canonical form is not stable:\n%s\n%s", s.Canonical(), again.Canonical())
		}
		if _, err := Parse(s.Normalized(), nil); err != nil {
			t.Fatalf("the normalised form does not parse: %v\n%s", err, s.Normalized())
		}
		if ps := s.Read(again, false); len(ps) > 0 {
			t.Fatalf("it cannot read itself: %v\n%s", ps, s.Canonical())
		}
	})
}
