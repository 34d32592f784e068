package serde

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// jsonLook looks through a type for what encoding/json would lose.
type jsonLook struct {
	seen map[reflect.Type]bool
	anys bool // there is an any
}

var (
	jsonMarshaler   = reflect.TypeFor[json.Marshaler]()
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// at reports what is wrong with t, which is reached by path.
func (l *jsonLook) at(t reflect.Type, path string) error {
	if l.seen[t] {
		return nil
	}
	l.seen[t] = true
	if own, err := marshalsItself(t); own || err != nil {
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	}
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return fmt.Errorf("%s: JSON has no %s", path, t)
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return fmt.Errorf("%s: %s can be encoded but not decoded, for it does not say as what; use a type, or any", path, t)
		}
		l.anys = true
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return l.at(t.Elem(), path)
	case reflect.Map:
		switch k := t.Key().Kind(); {
		case k == reflect.String, k >= reflect.Int && k <= reflect.Uintptr:
		case t.Key().Implements(textMarshaler) && reflect.PointerTo(t.Key()).Implements(textUnmarshaler):
		default:
			return fmt.Errorf("%s: a map's key must be text, and %s is not", path, t.Key())
		}
		return l.at(t.Elem(), path)
	case reflect.Struct:
		return l.fields(t, path)
	}
	return nil
}

// marshalsItself reports whether t has both halves of a JSON or text form of its own, and an error where it has one of them.
func marshalsItself(t reflect.Type) (bool, error) {
	if t.Kind() == reflect.Interface {
		return false, nil
	}
	has := func(i reflect.Type) bool { return t.Implements(i) || reflect.PointerTo(t).Implements(i) }
	switch m, u := has(jsonMarshaler), has(jsonUnmarshaler); {
	case m && u:
		return true, nil
	case m && !has(textUnmarshaler):
		return false, fmt.Errorf("%s has MarshalJSON and no UnmarshalJSON", t)
	case u && !has(textMarshaler):
		return false, fmt.Errorf("%s has UnmarshalJSON and no MarshalJSON", t)
	case m || u:
		return true, nil
	}
	switch m, u := has(textMarshaler), has(textUnmarshaler); {
	case m && u:
		return true, nil
	case m:
		return false, fmt.Errorf("%s has MarshalText and no UnmarshalText: it can be written and not read", t)
	case u:
		return false, fmt.Errorf("%s has UnmarshalText and no MarshalText: it can be read and not written", t)
	}
	return false, nil
}

func (l *jsonLook) fields(t reflect.Type, path string) error {
	visible, names := 0, map[string]string{}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("json")
		name, _, _ := strings.Cut(tag, ",")
		if tag == "-" {
			visible++ // left out on purpose
			continue
		}
		embedded := f.Anonymous && name == ""
		if embedded && !f.IsExported() && f.Type.Kind() == reflect.Pointer {
			return fmt.Errorf("%s embeds %s, which is not exported: it can be encoded and not decoded; embed the struct itself", path, f.Type)
		}
		if !f.IsExported() && (!embedded || !structOf(f.Type)) {
			if tagged {
				return fmt.Errorf("%s.%s has a json tag and is not exported: it would be left out", path, f.Name)
			}
			continue
		}
		visible++
		if !embedded {
			if name == "" {
				name = f.Name
			}
			if other, ok := names[name]; ok {
				return fmt.Errorf("%s: the fields %s and %s are both %q in JSON: one or both would be left out", path, other, f.Name, name)
			}
			names[name] = f.Name
		}
		if err := l.at(f.Type, path+"."+f.Name); err != nil {
			return err
		}
	}
	if visible == 0 && t.NumField() > 0 {
		return fmt.Errorf("%s: no field of %s is exported: every value would be {}", path, t)
	}
	return nil
}

func structOf(t reflect.Type) bool {
	return t.Kind() == reflect.Struct || t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct
}

// hasNull reports whether JSON's null is a value of t of its own.
func hasNull(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
		return true
	}
	return reflect.PointerTo(t).Implements(jsonUnmarshaler)
}

// findInvalid reports the first string in v that is not UTF-8, by its path.
func findInvalid(v reflect.Value, path string) error {
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return fmt.Errorf("%s is %w", path, errNotUTF8)
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return findInvalid(v.Elem(), path)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return nil
		}
		for i := range v.Len() {
			if err := findInvalid(v.Index(i), fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if err := findInvalid(it.Key(), path+"'s key"); err != nil {
				return err
			}
			if err := findInvalid(it.Value(), path+"["+fmt.Sprint(it.Key())+"]"); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Tag.Get("json") == "-" || !f.IsExported() && !f.Anonymous {
				continue
			}
			if err := findInvalid(v.Field(i), path+"."+f.Name); err != nil {
				return err
			}
		}
	}
	return nil
}
