package protobuf

import (
	"slices"
	"strconv"
)

// optionField is an option of descriptor.proto.
type optionField struct {
	name   string
	number int
	kind   valueKind
	values []string // of an enum, by number; nil for a bool or a string
}

func boolOption(name string, number int) optionField {
	return optionField{name, number, valueIdent, nil}
}

func stringOption(name string, number int) optionField {
	return optionField{name, number, valueString, nil}
}

// The options that compilers know, in the order in which a schema that came as a descriptor shows them.
var (
	fileOptions = []optionField{
		stringOption("java_package", 1), stringOption("java_outer_classname", 8), boolOption("java_multiple_files", 10),
		boolOption("java_generate_equals_and_hash", 20), boolOption("java_string_check_utf8", 27),
		{"optimize_for", 9, valueIdent, []string{"", "SPEED", "CODE_SIZE", "LITE_RUNTIME"}}, stringOption("go_package", 11),
		boolOption("cc_generic_services", 16), boolOption("java_generic_services", 17), boolOption("py_generic_services", 18), boolOption("deprecated", 23),
		boolOption("cc_enable_arenas", 31), stringOption("objc_class_prefix", 36), stringOption("csharp_namespace", 37), stringOption("swift_prefix", 39),
		stringOption("php_class_prefix", 40), stringOption("php_namespace", 41), stringOption("php_metadata_namespace", 44), stringOption("ruby_package", 45),
	}
	messageOptions = []optionField{
		boolOption("message_set_wire_format", 1), boolOption("no_standard_descriptor_accessor", 2), boolOption("deprecated", 3), boolOption("map_entry", 7),
	}
	fieldOptions = []optionField{
		{"ctype", 1, valueIdent, []string{"STRING", "CORD", "STRING_PIECE"}}, boolOption("packed", 2),
		{"jstype", 6, valueIdent, []string{"JS_NORMAL", "JS_STRING", "JS_NUMBER"}}, boolOption("lazy", 5), boolOption("deprecated", 3), boolOption("weak", 10),
		boolOption("unverified_lazy", 15), boolOption("debug_redact", 16),
	}
	enumOptions      = []optionField{boolOption("allow_alias", 2), boolOption("deprecated", 3)}
	enumValueOptions = []optionField{boolOption("deprecated", 1), boolOption("debug_redact", 3)}
	serviceOptions   = []optionField{boolOption("deprecated", 33)}
	methodOptions    = []optionField{
		boolOption("deprecated", 33), {"idempotency_level", 34, valueIdent, []string{"IDEMPOTENCY_UNKNOWN", "NO_SIDE_EFFECTS", "IDEMPOTENT"}},
	}
)

// decodeOptions reads the options that are known. Custom ones are lost, since their declarations may not be at hand.
func decodeOptions(b []byte, known []optionField) ([]*option, error) {
	found := make(map[int]*option)
	err := readWire(b, func(f wireField) error {
		i := slices.IndexFunc(known, func(o optionField) bool { return o.number == f.number })
		if i < 0 {
			return nil
		}
		o := &option{name: known[i].name, value: value{kind: known[i].kind}}
		switch {
		case known[i].kind == valueString:
			o.value.text = f.str()
		case known[i].values == nil:
			o.value.text = strconv.FormatBool(f.varint != 0)
		case f.varint < uint64(len(known[i].values)):
			o.value.text = known[i].values[f.varint]
		}
		found[f.number] = o
		return nil
	})
	var os []*option
	for _, k := range known {
		if o := found[k.number]; o != nil && (o.value.text != "" || k.kind == valueString) {
			os = append(os, o)
		}
	}
	return os, err
}

// encodeOptions writes the options that are known.
func encodeOptions(w *wireWriter, number int, os []*option, known []optionField) {
	var inner wireWriter
	for _, k := range known {
		o := find(os, k.name)
		switch {
		case o == nil:
		case k.kind == valueString:
			inner.str(k.number, o.value.text)
		case k.values == nil:
			n := int64(0)
			if o.value.text == "true" {
				n = 1
			}
			inner.varint(k.number, n)
		default:
			if i := slices.Index(k.values, o.value.text); i >= 0 {
				inner.varint(k.number, int64(i))
			}
		}
	}
	if len(inner) > 0 {
		w.bytes(number, inner)
	}
}
