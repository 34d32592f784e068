package wire

import (
	_ "embed"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
)

// requests describes the requests that the broker serves, one field a line, nested fields indented: name, type, versions ("3+" or "0-12") and tag. A
// request's line has its name, its key, and the version from which it is flexible (KIP-482). The fields are those of the protocol guide.
//
//go:embed requests.txt
var requests string

// kind is what a field is on the wire.
type kind int8

const (
	fixed  kind = iota // size bytes
	text               // a string
	blob               // bytes
	list               // an array of elem
	record             // fields of its own
)

// field is one field of a request.
type field struct {
	name     string
	kind     kind
	size     int    // of a fixed field
	elem     *field // of a list
	fields   []field
	null     bool  // may be null; of a record, a byte says whether it is there
	nullFrom int16 // from this version on
	min, max int16 // versions that have it
	tag      int   // -1: not a tagged field
}

// layout is one request.
type layout struct {
	fields   []field
	flexible int16
}

var sizes = map[string]int{"bool": 1, "int8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "float64": 8, "uuid": 16}

// described is a request of which the description is read when the first one comes: reading all of them would take longer than starting a broker.
type described struct {
	lines  []string // the first one has the name and versions
	once   sync.Once
	layout layout
}

// layouts finds the descriptions, by key.
var layouts = sync.OnceValue(func() map[int16]*described {
	lines := strings.Split(strings.TrimRight(requests, "\n"), "\n")
	m := make(map[int16]*described, len(lines)/8)
	for from, i := 0, 1; i <= len(lines); i++ {
		if i == len(lines) || lines[i][0] != ' ' {
			_, rest, _ := strings.Cut(lines[from], " ")
			key, _, _ := strings.Cut(rest, " ")
			m[int16(number(key))] = &described{lines: lines[from:i]}
			from = i
		}
	}
	return m
})

// read reads the description, once.
func (d *described) read() *layout {
	d.once.Do(func() {
		words := strings.Fields(d.lines[0]) // name key flexible version, or name key never flexible
		d.layout.flexible = math.MaxInt16
		if words[2] == "flexible" {
			d.layout.flexible = int16(number(words[3]))
		}
		d.layout.fields, _ = parseFields(d.lines[1:], 2)
		d.lines = nil
	})
	return &d.layout
}

// parseFields reads the fields that are indented by depth, and what is nested in them.
func parseFields(lines []string, depth int) (fields []field, rest []string) {
	indent := strings.Repeat(" ", depth)
	for len(lines) > 0 && strings.HasPrefix(lines[0], indent) {
		words := strings.Fields(lines[0])
		lines = lines[1:]
		f := field{name: words[0], max: math.MaxInt16, tag: -1}
		for i := 2; i < len(words); i++ {
			if words[i] == "tag" {
				i++
				f.tag = number(words[i])
				continue
			}
			from, to, bounded := strings.Cut(strings.TrimSuffix(words[i], "+"), "-")
			f.min = int16(number(from))
			if bounded {
				f.max = int16(number(to))
			}
		}
		f.setType(words[1])
		inner := &f
		for inner.kind == list {
			inner = inner.elem
		}
		if inner.kind == record {
			inner.fields, lines = parseFields(lines, depth+2)
		}
		fields = append(fields, f)
	}
	return fields, lines
}

// setType reads a type: "nullable" before it says that it may be null, and "-v3+" within it since when.
func (f *field) setType(t string) {
	if rest, ok := strings.CutPrefix(t, "nullable"); ok {
		f.null = true
		if before, version, ok := strings.Cut(rest, "-v"); ok {
			digits, after, _ := strings.Cut(version, "+")
			f.nullFrom, rest = int16(number(digits)), before+after
		}
		t = rest
	}
	t = strings.TrimPrefix(t, "-")
	if strings.HasPrefix(t, "[") {
		f.kind, f.elem = list, &field{max: math.MaxInt16, tag: -1}
		f.elem.setType(strings.TrimSuffix(t[1:], "]"))
		return
	}
	switch t {
	case "=>":
		f.kind = record
	case "string":
		f.kind = text
	case "bytes":
		f.kind = blob
	default:
		f.size = sizes[t]
		if f.size == 0 {
			panic(fmt.Sprintf("layout: type %q of field %s", t, f.name))
		}
	}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic("layout: " + err.Error())
	}
	return n
}
