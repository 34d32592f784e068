package main

import (
	"fmt"
	"hash/crc32"
	"reflect"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fields writes a response down as a list of fields in their order.
func (s *symbols) fields(resp kmsg.Response) []field {
	f := flattener{symbols: s, api: kmsg.NameForKey(resp.Key())}
	v := reflect.ValueOf(resp).Elem()
	s.learn(v)
	f.value("", "", v)
	return f.out
}

type flattener struct {
	symbols *symbols
	api     string
	out     []field
}

func (f *flattener) add(path, value string) { f.out = append(f.out, field{path, value}) }

// value writes down v. path has indexes, name has none: it is what the rules of normalise.go match, with the API in front.
func (f *flattener) value(path, name string, v reflect.Value) {
	if text, ok := f.symbols.replace(f.api+name, v); ok {
		f.add(path, text)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		f.structure(path, name, v)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			f.bytes(path, name, v)
			return
		}
		if v.IsNil() {
			f.add(path, "null")
			return
		}
		f.list(path, name, v)
	case reflect.Pointer:
		if v.IsNil() {
			f.add(path, "null")
			return
		}
		f.value(path, name, v.Elem())
	case reflect.String:
		f.add(path, fmt.Sprintf("%q", f.symbols.text(v.String())))
	case reflect.Int16:
		if strings.HasSuffix(name, "ErrorCode") {
			f.add(path, code(int16(v.Int())))
			return
		}
		f.add(path, fmt.Sprint(v.Int()))
	default:
		f.add(path, fmt.Sprint(v.Interface()))
	}
}

func (f *flattener) structure(path, name string, v reflect.Value) {
	t := v.Type()
	for i := range t.NumField() {
		sf := t.Field(i)
		switch {
		case !sf.IsExported() || sf.Name == "Version" && path == "":
		case sf.Name == "UnknownTags":
			tags := v.Field(i).Interface().(kmsg.Tags)
			tags.Each(func(tag uint32, b []byte) { f.add(fmt.Sprintf("%s.Tag%d", path, tag), fmt.Sprintf("%x", b)) })
		default:
			f.value(strings.TrimPrefix(path+"."+sf.Name, "."), name+"."+sf.Name, v.Field(i))
		}
	}
}

// list writes down a list, by the names of its elements where its order means nothing.
func (f *flattener) list(path, name string, v reflect.Value) {
	by := keyed[f.api+name]
	if by == nil || v.Len() == 0 {
		f.add(path+".length", fmt.Sprint(v.Len()))
		for i := range v.Len() {
			f.value(fmt.Sprintf("%s[%d]", path, i), name, v.Index(i))
		}
		return
	}
	var all []field
	count := map[string]int{}
	for i := range v.Len() {
		sub := flattener{symbols: f.symbols, api: f.api}
		sub.value("", name, v.Index(i))
		var keys []string
		for _, e := range sub.out {
			for _, k := range by {
				if k == e.Path || strings.HasPrefix(e.Path, k+"[") {
					keys = append(keys, strings.Trim(e.Value, `"`))
				}
			}
		}
		key := strings.Join(keys, " ")
		if count[key]++; count[key] > 1 {
			key += fmt.Sprintf(" #%d", count[key])
		}
		for _, e := range sub.out {
			all = append(all, field{fmt.Sprintf("%s[%s].%s", path, key, e.Path), e.Value})
		}
	}
	slices.SortStableFunc(all, func(a, b field) int { return strings.Compare(a.Path, b.Path) })
	f.out = append(f.out, all...)
}

func (f *flattener) bytes(path, name string, v reflect.Value) {
	switch {
	case v.IsNil():
		f.add(path, "null")
	case strings.HasSuffix(name, ".RecordBatches") || f.api == "ShareFetch" && strings.HasSuffix(name, ".Records"):
		f.batches(path, v.Bytes())
	default:
		f.add(path, fmt.Sprintf("%x", v.Bytes()))
	}
}

// batches writes down record batches field by field, and how many bytes follow that are none.
func (f *flattener) batches(path string, b []byte) {
	for i := 0; ; i++ {
		p := fmt.Sprintf("%s[%d]", path, i)
		var batch kmsg.RecordBatch
		if len(b) < 12 {
			f.add(path+".length", fmt.Sprint(i))
			f.add(path+".rest", fmt.Sprint(len(b)))
			return
		}
		size := 12 + int(int32(uint32(b[8])<<24|uint32(b[9])<<16|uint32(b[10])<<8|uint32(b[11])))
		if size > len(b) || batch.ReadFrom(b[:size]) != nil {
			f.add(path+".length", fmt.Sprint(i))
			f.add(path+".rest", fmt.Sprint(len(b)))
			return
		}
		sum := "right" // the sum itself is over what is random too
		if crc32.Checksum(b[21:size], crc32.MakeTable(crc32.Castagnoli)) != uint32(batch.CRC) {
			sum = "wrong"
		}
		f.add(p+".Checksum", sum)
		batch.CRC = 0
		f.value(p, ".RecordBatch", reflect.ValueOf(batch))
		b = b[size:]
	}
}

// code names an error code.
func code(c int16) string {
	if c == 0 {
		return "0"
	}
	if e := kerr.TypedErrorForCode(c); e != nil {
		return fmt.Sprintf("%d %s", c, e.Message)
	}
	return fmt.Sprint(c)
}
