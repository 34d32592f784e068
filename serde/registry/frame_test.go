package registry

import (
	"bytes"
	"errors"
	"testing"

	"github.com/sordini-go/sordini/serde"
)

func TestRecordsNameTheirSchemaAsConfluentWritesIt(t *testing.T) {
	guid, err := ParseGUID("0190a5d8-1234-7abc-8000-00000000000f")
	if err != nil || guid.String() != "0190a5d8-1234-7abc-8000-00000000000f" {
		t.Fatalf("%v, %v", guid, err)
	}
	inHeader := serde.Headers{{Key: HeaderValue, Value: append(AppendGUID(nil, guid), 2, 0)}}
	for name, test := range map[string]struct {
		role    serde.Role
		src     []byte
		h       serde.Headers
		id      ID
		payload []byte
		rest    []byte
	}{
		"before the value":             {serde.Value, []byte{0, 0, 0, 1, 2, 'x'}, nil, ID{Number: 258}, []byte("x"), nil},
		"before nothing":               {serde.Value, []byte{0, 0, 0, 0, 7}, nil, ID{Number: 7}, nil, nil},
		"in the header":                {serde.Value, []byte("x"), inHeader, ID{GUID: guid}, []byte("x"), []byte{2, 0}},
		"an id in the header":          {serde.Value, []byte("x"), serde.Headers{{Key: HeaderValue, Value: []byte{0, 0, 0, 0, 9}}}, ID{Number: 9}, []byte("x"), nil},
		"the key's is not the value's": {serde.Key, []byte{0, 0, 0, 0, 7, 'k'}, inHeader, ID{Number: 7}, []byte("k"), nil},
	} {
		id, payload, rest, err := Parse(test.role, test.src, test.h)
		if err != nil || id != test.id || !bytes.Equal(payload, test.payload) || !bytes.Equal(rest, test.rest) {
			t.Errorf("%s: %v, %q, % x, %v", name, id, payload, rest, err)
		}
	}
	if got := AppendPrefix([]byte("a"), 258); !bytes.Equal(got, []byte{'a', 0, 0, 0, 1, 2}) {
		t.Errorf("prefix % x", got)
	}
}

func TestWhatNamesNoSchemaIsSaidToBePoison(t *testing.T) {
	for name, test := range map[string]struct {
		src []byte
		h   serde.Headers
	}{
		"empty":           {[]byte{}, nil},
		"JSON":            {[]byte(`{"a":1}`), nil},
		"cut off":         {[]byte{0, 0, 1}, nil},
		"a negative id":   {[]byte{0, 0xff, 0xff, 0xff, 0xff}, nil},
		"a short GUID":    {[]byte("x"), serde.Headers{{Key: HeaderValue, Value: []byte{1, 2, 3}}}},
		"another version": {[]byte("x"), serde.Headers{{Key: HeaderValue, Value: make([]byte, 17)[:4]}}},
	} {
		_, _, _, err := Parse(serde.Value, test.src, test.h)
		var frame *FrameError
		if !errors.As(err, &frame) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, s := range []string{"", "0190a5d8-1234-7abc-8000-00000000000", "0190a5d8x1234-7abc-8000-00000000000f", "0190a5d8-1234-7abc-8000-00000000000g"} {
		if _, err := ParseGUID(s); err == nil {
			t.Errorf("%q is a GUID", s)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 1}, []byte{1, 2}, true)
	f.Fuzz(func(t *testing.T, src, header []byte, with bool) {
		var h serde.Headers
		if with {
			h.Set(HeaderValue, header)
		}
		id, payload, _, err := Parse(serde.Value, src, h)
		if err == nil && !with && !bytes.Equal(AppendPrefix(nil, id.Number), src[:len(src)-len(payload)]) {
			t.Errorf("% x is read as %v", src, id)
		}
	})
}
