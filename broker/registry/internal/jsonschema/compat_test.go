package jsonschema

import (
	"strings"
	"testing"
)

// TestChangesAreJudgedAsConfluentDoes holds the rules of Confluent's registry for JSON schemas: what its documentation ("JSON Schema compatibility rules")
// and io.confluent.kafka.schemaregistry.json.diff say of each change.
func TestChangesAreJudgedAsConfluentDoes(t *testing.T) {
	for _, c := range []struct {
		change, writer, reader string
		want                   string // problems, "" for compatible
	}{
		{"nothing", `{"type":"string"}`, `{"type":"string"}`, ""},
		{"a description", `{"type":"string","title":"a"}`, `{"type":"string","title":"b","description":"c"}`, ""},
		{"everything becomes possible", `{"type":"string"}`, `{}`, ""},
		{"everything becomes possible, said as true", `{"type":"string"}`, `true`, ""},
		{"nothing was possible", `false`, `{"type":"string"}`, ""},
		{"everything was possible", `{}`, `{"type":"string"}`, "TYPE_CHANGED #/"},
		{"another type", `{"type":"string"}`, `{"type":"number"}`, "TYPE_CHANGED #/"},
		{"an integer becomes a number", `{"type":"integer"}`, `{"type":"number"}`, ""},
		{"a number becomes an integer", `{"type":"number"}`, `{"type":"integer"}`, "TYPE_NARROWED #/"},
		{"a type more", `{"type":"string"}`, `{"type":["string","null"]}`, ""},
		{"a type less", `{"type":["string","null"]}`, `{"type":"string"}`, "TYPE_CHANGED #/"},
		{"a type less of three", `{"type":["string","null","number"]}`, `{"type":["string","null"]}`, "SUM_TYPE_NARROWED #/"},

		{"minLength is added", `{"type":"string"}`, `{"type":"string","minLength":1}`, "MIN_LENGTH_ADDED #/minLength"},
		{"minLength is raised", `{"type":"string","minLength":1}`, `{"type":"string","minLength":2}`, "MIN_LENGTH_INCREASED #/minLength"},
		{"minLength is lowered", `{"type":"string","minLength":2}`, `{"type":"string","minLength":1}`, ""},
		{"maxLength is lowered", `{"type":"string","maxLength":2}`, `{"type":"string","maxLength":1}`, "MAX_LENGTH_DECREASED #/maxLength"},
		{"maxLength is removed", `{"type":"string","maxLength":2}`, `{"type":"string"}`, ""},
		{"a pattern is added", `{"type":"string"}`, `{"type":"string","pattern":"a"}`, "PATTERN_ADDED #/pattern"},
		{"a pattern changes", `{"type":"string","pattern":"b"}`, `{"type":"string","pattern":"a"}`, "PATTERN_CHANGED #/pattern"},
		{"a pattern is removed", `{"type":"string","pattern":"b"}`, `{"type":"string"}`, ""},
		{"maximum is raised", `{"type":"number","maximum":1}`, `{"type":"number","maximum":1.5}`, ""},
		{"maximum is lowered", `{"type":"number","maximum":1}`, `{"type":"number","maximum":0.5}`, "MAXIMUM_DECREASED #/maximum"},
		{"maximum is written in another way", `{"type":"number","maximum":10}`, `{"type":"number","maximum":1e1}`, ""},
		{"exclusiveMinimum is raised", `{"type":"number","exclusiveMinimum":1}`, `{"type":"number","exclusiveMinimum":2}`, "EXCLUSIVE_MINIMUM_INCREASED #/exclusiveMinimum"},
		{"multipleOf becomes a divisor", `{"type":"number","multipleOf":6}`, `{"type":"number","multipleOf":3}`, ""},
		{"multipleOf becomes a multiple", `{"type":"number","multipleOf":3}`, `{"type":"number","multipleOf":6}`, "MULTIPLE_OF_EXPANDED #/multipleOf"},
		{"multipleOf becomes something else", `{"type":"number","multipleOf":0.3}`, `{"type":"number","multipleOf":0.2}`, "MULTIPLE_OF_CHANGED #/multipleOf"},

		{"an enum grows", `{"enum":["a"]}`, `{"enum":["a","b"]}`, ""},
		{"an enum shrinks", `{"enum":["a","b"]}`, `{"enum":["a"]}`, "ENUM_ARRAY_NARROWED #/enum"},
		{"an enum changes", `{"enum":["a"]}`, `{"enum":["b"]}`, "ENUM_ARRAY_CHANGED #/enum"},
		{"an enum in another order", `{"enum":[{"x":1,"y":2},"a"]}`, `{"enum":["a",{"y":2,"x":1}]}`, ""},
		{"a constant changes", `{"const":1}`, `{"const":2}`, "ENUM_ARRAY_CHANGED #/const"},

		{"an optional property is added to an open object", obj(`"a":{}`, ``), obj(`"a":{},"b":{"type":"string"}`, ``), "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/b"},
		{"a property that may be anything is added to an open object", obj(`"a":{}`, ``), obj(`"a":{},"b":{}`, ``), ""},
		{"a required property is added to an open object", obj(`"a":{}`, ``), obj(`"a":{},"b":{"type":"string"}`, `,"required":["b"]`), "REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL #/properties/b"},
		{"a property is removed from an open object", obj(`"a":{},"b":{"type":"string"}`, ``), obj(`"a":{}`, ``), ""},
		{"an optional property is added to a closed object", obj(`"a":{}`, closed), obj(`"a":{},"b":{"type":"string"}`, closed), ""},
		{"a required property is added to a closed object", obj(`"a":{}`, closed), obj(`"a":{},"b":{"type":"string"}`, closed+`,"required":["b"]`), "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL #/properties/b"},
		{"a required property with a default is added to a closed object", obj(`"a":{}`, closed), obj(`"a":{},"b":{"type":"string","default":"x"}`, closed+`,"required":["b"]`), ""},
		{"a property is removed from a closed object", obj(`"a":{},"b":{"type":"string"}`, closed), obj(`"a":{}`, closed), "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL #/properties/b"},
		{"a property that could not be there is removed from a closed object", obj(`"a":{},"b":false`, closed), obj(`"a":{}`, closed), ""},
		{"a property is added that fits what else could be there", obj(``, `,"additionalProperties":{"type":"integer"}`), obj(`"b":{"type":"number"}`, `,"additionalProperties":{"type":"integer"}`), ""},
		{"a property is added that does not fit what else could be there", obj(``, `,"additionalProperties":{"type":"integer"}`), obj(`"b":{"type":"string"}`, `,"additionalProperties":{"type":"integer"}`),
			"TYPE_CHANGED #/properties/b, PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL #/properties/b"},
		{"a property is removed that what else may be there covers", obj(`"b":{"type":"integer"}`, closed), obj(``, `,"additionalProperties":{"type":"number"}`), ""},
		{"a property is removed that a pattern covers", obj(`"b1":{"type":"integer"}`, closed), obj(``, closed+`,"patternProperties":{"^b":{"type":"integer"}}`), ""},
		{"a property's type", obj(`"a":{"type":"string"}`, ``), obj(`"a":{"type":"integer"}`, ``), "TYPE_CHANGED #/properties/a"},
		{"a property becomes required", obj(`"a":{"type":"string"}`, ``), obj(`"a":{"type":"string"}`, `,"required":["a"]`), "REQUIRED_ATTRIBUTE_ADDED #/required/a"},
		{"a property with a default becomes required", obj(`"a":{"type":"string"}`, ``), obj(`"a":{"type":"string","default":""}`, `,"required":["a"]`), ""},
		{"a property becomes optional", obj(`"a":{"type":"string"}`, `,"required":["a"]`), obj(`"a":{"type":"string"}`, ``), ""},
		{"an object is closed", obj(`"a":{}`, ``), obj(`"a":{}`, closed), "ADDITIONAL_PROPERTIES_REMOVED #/additionalProperties"},
		{"an object is opened", obj(`"a":{}`, closed), obj(`"a":{}`, ``), ""},
		{"what else may be there is narrowed", obj(`"a":{}`, ``), obj(`"a":{}`, `,"additionalProperties":{"type":"string"}`), "ADDITIONAL_PROPERTIES_NARROWED #/additionalProperties"},
		{"what else may be there is extended", obj(`"a":{}`, `,"additionalProperties":{"type":"string"}`), obj(`"a":{}`, ``), ""},
		{"maxProperties", obj(``, `,"maxProperties":3`), obj(``, `,"maxProperties":2`), "MAX_PROPERTIES_DECREASED #/maxProperties"},
		{"a dependency is added", obj(`"a":{}`, ``), obj(`"a":{}`, `,"dependencies":{"a":["b"]}`), "DEPENDENCY_ARRAY_ADDED #/dependencies/a"},
		{"a dependency grows", obj(``, `,"dependentRequired":{"a":["b"]}`), obj(``, `,"dependentRequired":{"a":["b","c"]}`), "DEPENDENCY_ARRAY_EXTENDED #/dependencies/a"},
		{"a dependency shrinks", obj(``, `,"dependencies":{"a":["b","c"]}`), obj(``, `,"dependencies":{"a":["b"]}`), ""},
		{"a schema that depends is added", obj(``, ``), obj(``, `,"dependentSchemas":{"a":{"type":"object"}}`), "DEPENDENCY_SCHEMA_ADDED #/dependencies/a"},

		{"items' type", arr(`"items":{"type":"string"}`), arr(`"items":{"type":"integer"}`), "TYPE_CHANGED #/items"},
		{"minItems is added", arr(`"items":{}`), arr(`"items":{},"minItems":1`), "MIN_ITEMS_ADDED #/minItems"},
		{"uniqueItems is added", arr(`"items":{}`), arr(`"items":{},"uniqueItems":true`), "UNIQUE_ITEMS_ADDED #/uniqueItems"},
		{"an item is added to an open array", arr(`"items":[{"type":"string"}]`), arr(`"items":[{"type":"string"},{"type":"string"}]`), "ITEM_ADDED_TO_OPEN_CONTENT_MODEL #/items/1"},
		{"an item is added to a closed array", arr(`"items":[{"type":"string"}],"additionalItems":false`), arr(`"items":[{"type":"string"},{"type":"string"}],"additionalItems":false`), ""},
		{"an item is removed from an open array", arr(`"items":[{"type":"string"},{"type":"string"}]`), arr(`"items":[{"type":"string"}]`), ""},
		{"an item is removed from a closed array", arr(`"prefixItems":[{"type":"string"},{"type":"string"}],"items":false`), arr(`"prefixItems":[{"type":"string"}],"items":false`),
			"ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL #/items/1"},

		{"a choice more", `{"oneOf":[{"type":"string"}]}`, `{"oneOf":[{"type":"string"},{"type":"number"}]}`, ""},
		{"a choice less", `{"oneOf":[{"type":"string"},{"type":"number"}]}`, `{"oneOf":[{"type":"string"}]}`, "SUM_TYPE_NARROWED #/"},
		{"a choice changes", `{"oneOf":[{"type":"string"},{"type":"number"}]}`, `{"oneOf":[{"type":"string"},{"type":"boolean"}]}`, "COMBINED_TYPE_SUBSCHEMAS_CHANGED #/"},
		{"choices in another order", `{"anyOf":[{"type":"string"},{"type":"number"}]}`, `{"anyOf":[{"type":"number"},{"type":"string"}]}`, ""},
		{"one of becomes any of", `{"oneOf":[{"type":"string"},{"type":"number"}]}`, `{"anyOf":[{"type":"string"},{"type":"number"}]}`, ""},
		{"any of becomes all of", `{"anyOf":[{"type":"string"},{"type":"number"}]}`, `{"allOf":[{"type":"string"},{"type":"number"}]}`, "COMBINED_TYPE_CHANGED #/"},
		{"a demand more", `{"allOf":[{"type":"string"}]}`, `{"allOf":[{"type":"string"},{"maxLength":3}]}`, "PRODUCT_TYPE_EXTENDED #/"},
		{"a demand less", `{"allOf":[{"type":"string"},{"maxLength":3}]}`, `{"allOf":[{"type":"string"}]}`, ""},
		{"a type becomes one of several", `{"type":"string"}`, `{"anyOf":[{"type":"number"},{"type":"string"}]}`, ""},
		{"what must not be grows", `{"not":{"type":"integer"}}`, `{"not":{"type":"number"}}`, "NOT_TYPE_EXTENDED #/not"},
		{"what must not be shrinks", `{"not":{"type":"number"}}`, `{"not":{"type":"integer"}}`, ""},

		{"a definition", `{"$ref":"#/definitions/a","definitions":{"a":{"type":"string"}}}`, `{"$ref":"#/$defs/b","$defs":{"b":{"type":"string"}}}`, ""},
		{"a break in a definition", obj(`"p":{"$ref":"#/definitions/a"}`, `,"definitions":{"a":{"type":"string"}}`), obj(`"p":{"$ref":"#/definitions/a"}`, `,"definitions":{"a":{"type":"integer"}}`),
			"TYPE_CHANGED #/properties/p"},
		{"a list that holds itself", linked("string"), linked("string"), ""},
		{"a break in a list that holds itself", linked("string"), linked("integer"), "TYPE_CHANGED #/properties/v, TYPE_CHANGED #/properties/next/properties/v"},
		{"bytes of Kafka Connect", `{"type":"string","connect.type":"bytes"}`, `{"type":"number","connect.type":"bytes"}`, ""},
	} {
		t.Run(c.change, func(t *testing.T) { judge(t, c.writer, c.reader, c.want, false) })
	}
}

func TestTheLenientPolicyAllowsWhatOpenObjectsCannotBreakInPractice(t *testing.T) {
	judge(t, obj(`"a":{}`, ``), obj(`"a":{},"b":{"type":"string"}`, ``), "", true)
	judge(t, obj(`"a":{},"b":{"type":"string"}`, closed), obj(`"a":{}`, closed), "", true)
	judge(t, obj(`"a":{}`, ``), obj(`"a":{}`, closed), "", true)
	judge(t, obj(`"a":{"type":"string"}`, ``), obj(`"a":{"type":"integer"}`, ``), "TYPE_CHANGED #/properties/a", true)
}

const closed = `,"additionalProperties":false`

func obj(properties, more string) string {
	return `{"type":"object","properties":{` + properties + `}` + more + `}`
}

func arr(keywords string) string { return `{"type":"array",` + keywords + `}` }

func linked(v string) string {
	return `{"type":"object","properties":{"v":{"type":"` + v + `"},"next":{"$ref":"#"}},"additionalProperties":false}`
}

func judge(t *testing.T, writer, reader, want string, lenientPolicy bool) {
	t.Helper()
	var got []string
	for _, p := range parse(t, reader).Read(parse(t, writer), lenientPolicy) {
		got = append(got, p.Type+" "+p.Path)
		if e := p.Explain("new", "old"); strings.Contains(e, "%!") || strings.HasPrefix(e, " at") {
			t.Errorf("explanation of %s: %s", p.Type, e)
		}
	}
	if have := strings.Join(got, ", "); have != want {
		t.Errorf("%s to %s:\n got %q\nwant %q", writer, reader, have, want)
	}
}

func parse(t *testing.T, text string, refs ...Reference) *Schema {
	t.Helper()
	s, err := Parse(text, refs)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}
