package wire

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fill sets every field of a request to something.
func fill(v reflect.Value, r *rand.Rand) {
	switch v.Kind() {
	case reflect.Pointer:
		if r.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), r)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Version" && name != "UnknownTags" {
				fill(v.Field(i), r)
			}
		}
	case reflect.Slice:
		n := r.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(v.Index(i), r)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), r)
		}
	case reflect.String:
		v.SetString("some text"[:r.IntN(10)])
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(int8(r.Uint32())))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(uint64(r.IntN(256)))
	}
}

func TestLayoutsAreWhatTheCodecWrites(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for key, l := range layouts() {
		req := kmsg.RequestForKey(key)
		for version := int16(0); version <= req.MaxVersion(); version++ {
			if req.SetVersion(version); req.IsFlexible() != (version >= l.flexible) {
				t.Errorf("%s version %d: flexible is %v", kmsg.NameForKey(key), version, req.IsFlexible())
			}
			for range 50 {
				fill(reflect.ValueOf(req).Elem(), r)
				req.SetVersion(version)
				body := req.AppendTo(nil)
				if err := Check(key, version, body); err != nil {
					t.Fatalf("%s version %d: %v: %+v", kmsg.NameForKey(key), version, err, req)
				}
				if len(body) == 0 {
					continue
				}
				if err := Check(key, version, body[:len(body)-1]); !errors.Is(err, ErrMalformed) {
					t.Fatalf("%s version %d: a byte is missing and nobody misses it: %v: %+v", kmsg.NameForKey(key), version, err, req)
				}
			}
		}
	}
}

func TestBombsAreRefused(t *testing.T) {
	metadata := func(tail ...byte) []byte { // version 12: topics, two flags, tags
		return append([]byte{1, 0, 0}, tail...)
	}
	many := binary.AppendUvarint(nil, 1<<32-1)
	for name, body := range map[string][]byte{
		"four billion tags":                metadata(many...),
		"tags larger than the frame":       metadata(1, 0, 200, 1),
		"more unknown tags than allowed":   metadata(append(binary.AppendUvarint(nil, MaxTags+1), make([]byte, 2*(MaxTags+1))...)...),
		"array longer than the frame":      append(binary.AppendUvarint(nil, 1<<20), make([]byte, 1000)...),
		"more elements than allowed":       append(binary.AppendUvarint(nil, MaxElements+2), make([]byte, 20*MaxElements)...),
		"string longer than the frame":     append([]byte{2}, append(make([]byte, 16), 200)...),
		"number of more than 32 bits":      append([]byte{2}, append(make([]byte, 16), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1)...),
		"nothing":                          nil,
		"length before the flexible tag 0": {0x80},
	} {
		if err := Check(int16(kmsg.Metadata), 12, body); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Check(int16(kmsg.Metadata), 12, metadata(1, 99, 3, 'a', 'b', 'c')); err != nil {
		t.Errorf("an unknown tag must be skipped: %v", err)
	}
	if err := Check(31_000, 0, nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("unknown key: %v", err)
	}
}

func FuzzCheck(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for key := range layouts() {
		req := kmsg.RequestForKey(key)
		fill(reflect.ValueOf(req).Elem(), r)
		req.SetVersion(req.MaxVersion())
		f.Add(key, req.MaxVersion(), req.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		req := kmsg.RequestForKey(key)
		if req == nil || version < 0 || version > req.MaxVersion() {
			return
		}
		if Check(key, version, body) != nil {
			return
		}
		req.SetVersion(version)
		_ = req.ReadFrom(body) // must come back, and must not panic
	})
}
