package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime/metrics"
	"slices"
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
		if n == 0 && r.IntN(2) == 0 {
			v.SetZero() // null where the field may be
			return
		}
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
	for key, d := range layouts() {
		l := d.read()
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
		"more unknown tags than allowed":   metadata(append(binary.AppendUvarint(nil, 1000), make([]byte, 2*1000)...)...),
		"array longer than the frame":      append(binary.AppendUvarint(nil, 1<<20), make([]byte, 1000)...),
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

// FuzzCheck decodes any bytes as any request in any version: the codec must come back, must not panic, and must not take more memory than the bytes
// allow.
func FuzzCheck(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for key := range layouts() {
		req := kmsg.RequestForKey(key)
		for version := range req.MaxVersion() + 1 {
			fill(reflect.ValueOf(req).Elem(), r)
			req.SetVersion(version)
			f.Add(key, version, req.AppendTo(nil))
		}
	}
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		req := kmsg.RequestForKey(key)
		if req == nil || version < 0 || version > req.MaxVersion() || Check(key, version, body) != nil {
			return
		}
		req.SetVersion(version)
		took, most := uint64(math.MaxUint64), Growth*uint64(len(body))+64<<10
		for range 5 { // others allocate, too, but not each time
			before := allocated()
			if req.ReadFrom(body) != nil {
				return
			}
			if took = min(took, allocated()-before); took <= most {
				return
			}
		}
		t.Errorf("%s version %d: %d bytes of memory for %d in the frame", kmsg.NameForKey(key), version, took, len(body))
	})
}

// allocated is how many bytes have been allocated so far. Other goroutines may add some.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// The most that each request can make of its bytes: arrays of as many smallest elements as a frame has room for, one array at a time.
func TestMemoryIsBoundedByTheFrame(t *testing.T) {
	const size = 64 << 10
	worst, of := 0.0, ""
	for key, d := range layouts() {
		l := d.read()
		req := kmsg.RequestForKey(key)
		for version := range req.MaxVersion() + 1 {
			for _, path := range lists(l.fields, version) {
				body := bomb(l.fields, version, version >= l.flexible, path, size)
				req := kmsg.RequestForKey(key)
				req.SetVersion(version)
				if err := Check(key, version, body); err != nil {
					t.Fatalf("%s version %d %v: %v", kmsg.NameForKey(key), version, path, err)
				}
				least := uint64(math.MaxUint64) // of a few, because the runtime allocates, too
				for range 3 {
					before := allocated()
					if err := req.ReadFrom(body); err != nil {
						t.Fatalf("%s version %d %v: %v", kmsg.NameForKey(key), version, path, err)
					}
					if least = min(least, allocated()-before); float64(least) <= worst*float64(len(body)) {
						break
					}
				}
				if growth := float64(least) / float64(len(body)); growth > worst {
					worst, of = growth, fmt.Sprintf("%s version %d %v", kmsg.NameForKey(key), version, path)
				}
			}
		}
	}
	t.Logf("%.1f bytes a byte: %s", worst, of)
	most := float64(Growth)
	if instrumented {
		most *= 2
	}
	if worst > most || worst < Growth/4 {
		t.Errorf("%.1f bytes a byte in %s, %v are said", worst, of, most)
	}
}

// lists returns the ways to the lists in a request's last version, by the names of fields.
func lists(fields []field, version int16) (paths [][]string) {
	for i := range fields {
		f := &fields[i]
		if f.tag >= 0 || version < f.min || version > f.max {
			continue
		}
		inner := f
		if f.kind == list {
			paths = append(paths, []string{f.name})
			inner = f.elem
		}
		for _, p := range lists(inner.fields, version) {
			paths = append(paths, append([]string{f.name}, p...))
		}
	}
	return paths
}

// bomb encodes fields as short as can be, except that the list at the end of path has as many elements as fit into size.
func bomb(fields []field, version int16, flexible bool, path []string, size int) (b []byte) {
	length := func(n, bytes int) {
		switch {
		case flexible:
			b = binary.AppendUvarint(b, uint64(n+1))
		case bytes == 2:
			b = binary.BigEndian.AppendUint16(b, uint16(n))
		default:
			b = binary.BigEndian.AppendUint32(b, uint32(n))
		}
	}
	var one func(f *field, path []string)
	one = func(f *field, path []string) {
		on := len(path) > 0 && path[0] == f.name
		switch f.kind {
		case fixed:
			b = append(b, make([]byte, f.size)...)
		case text:
			length(0, 2)
		case blob:
			length(0, 4)
		case list:
			elem := *f.elem
			elem.name = f.name
			switch {
			case on && len(path) == 1:
				at := len(b)
				one(&elem, nil)
				each := slices.Clone(b[at:])
				b = b[:at]
				n := size / len(each)
				length(n, 4)
				b = append(b, bytes.Repeat(each, n)...)
			case on:
				length(1, 4)
				one(&elem, path)
			default:
				length(0, 4)
			}
		case record:
			if f.null && f.elem == nil && !on {
				b = append(b, 0xff)
				return
			}
			if f.null {
				b = append(b, 1)
			}
			if on {
				path = path[1:]
			}
			b = append(b, bomb(f.fields, version, flexible, path, size)...)
		}
	}
	for i := range fields {
		if f := &fields[i]; f.tag < 0 && version >= f.min && version <= f.max {
			one(f, path)
		}
	}
	if flexible {
		b = append(b, 0)
	}
	return b
}
