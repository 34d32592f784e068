package registry

import (
	"crypto/md5"
	"fmt"
	"slices"
)

// Types of schemas.
const (
	typeAvro     = "AVRO"
	typeJSON     = "JSON"
	typeProtobuf = "PROTOBUF"
)

// parsed is a schema that has been understood.
type parsed interface {
	// canonical is the text under which the schema is stored: two texts that mean the same have one.
	canonical() string
	// normalized is the canonical text with everything sorted that has no order.
	normalized() string
	// formatted is the text in another form; an unknown form is the canonical one.
	formatted(form string) string
	// equivalent says whether another schema of the same type is the same but for what has no order and for what is referred to or written out.
	equivalent(parsed) bool
	// read returns why this schema, as a reader's, cannot take what was written with another of the same type.
	read(writer parsed, lenient bool) []problem
	// check says what is wrong with a new schema that parses. Names of fields that begin with $$ are refused on request.
	check(fields bool) error
}

// problem is a reason for an incompatibility. The message is made once it is known who reads and who writes, "new" or "old".
type problem func(reader, writer string) string

// parseFunc understands a schema's text. References are in the order in which they can be parsed: what one refers to stands before it.
type parseFunc func(text string, references []resolved, strict bool) (parsed, error)

// resolved is a reference with the text that it stands for.
type resolved struct{ name, schema string }

var formats = map[string]parseFunc{
	typeAvro:     parseAvro,
	typeJSON:     parseJSON,
	typeProtobuf: parseProtobuf,
}

// types are the types in the order in which they are answered.
var types = []string{typeJSON, typeProtobuf, typeAvro}

// parsedCache holds schemas that were understood, by everything that their meaning depends on.
type parsedCache map[[md5.Size]byte]parsed

const maxParsed = 1000

// parse understands a definition that stands in a subject. References to the latest version are given its number, in the definition. Deleted versions
// may be referred to by what is not new.
func (r *Registry) parse(subject string, d *definition, isNew bool) (parsed, error) {
	parse := formats[d.typ]
	if parse == nil {
		return nil, errorf(codeInvalidSchema, "Invalid schema type %s", d.typ)
	}
	refs, err := r.resolve(subject, d, isNew)
	if err == nil {
		h := md5.New()
		fmt.Fprintf(h, "%s %t %q", d.typ, isNew, d.schema)
		for _, ref := range refs {
			fmt.Fprintf(h, " %q %q", ref.name, ref.schema)
		}
		key := [md5.Size]byte(h.Sum(nil))
		if p := r.parsed[key]; p != nil {
			return p, nil
		}
		var p parsed
		if p, err = parse(d.schema, refs, isNew); err == nil {
			if r.parsed == nil || len(r.parsed) >= maxParsed {
				r.parsed = make(parsedCache)
			}
			r.parsed[key] = p
			return p, nil
		}
	}
	return nil, errorf(codeInvalidSchema, "Invalid schema of type %s, details: %v", d.typ, err)
}

// Bounds for references: how deep they may lead, and how many there may be in all.
const (
	maxReferenceDepth = 50
	maxReferences     = 1000
)

// resolve collects what a definition refers to, each before what refers to it and each name once.
func (r *Registry) resolve(subject string, d *definition, isNew bool) ([]resolved, error) {
	if len(d.references) == 0 {
		return nil, nil
	}
	d.references = slices.Clone(d.references)
	var out []resolved
	visited := make(map[string]bool)
	var walk func(subject string, refs []reference, depth int) error
	walk = func(subject string, refs []reference, depth int) error {
		if depth > maxReferenceDepth {
			return fmt.Errorf("references are more than %d deep, or run in a circle", maxReferenceDepth)
		}
		for i, ref := range refs {
			if ref.Name == "" || ref.Subject == "" || ref.Version == nil {
				return fmt.Errorf("invalid reference: %s", encode(ref))
			}
			f := withDeleted
			if isNew {
				f = active
			}
			name := parseName(ref.Subject).under(parseName(subject)).String()
			v := r.state.version(name, *ref.Version, f)
			if v == nil {
				return fmt.Errorf("No schema reference found for subject %q and version %d", name, *ref.Version)
			}
			refs[i].Version = &v.number
			if visited[ref.Name] {
				continue
			}
			if visited[ref.Name] = true; len(visited) > maxReferences {
				return fmt.Errorf("more than %d references", maxReferences)
			}
			if err := walk(name, slices.Clone(v.references), depth+1); err != nil {
				return err
			}
			out = append(out, resolved{ref.Name, v.schema})
		}
		return nil
	}
	err := walk(subject, d.references, 0)
	return out, err
}

// parseStored understands a version that is held.
func (r *Registry) parseStored(v *version) (parsed, error) {
	d := v.definition
	return r.parse(v.subject, &d, false)
}
