package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// maxTags is how many tagged fields that are not known a request of some bytes may have. The codec keeps them, each in the memory of dozens of bytes
// for two in the frame.
func maxTags(size int) int { return 64 + size/16 }

// Growth bounds the memory of a request: the codec makes at most Growth bytes of each byte that [Check] has let through, and a little for the request
// itself. Every element of an array takes at least a byte, most take several; FuzzCheck watches over the bound.
const Growth = 32

// ErrMalformed says that bytes are not a request of the key and version that they claim to be, or beyond the bounds.
var ErrMalformed = errors.New("malformed request")

// Check verifies that body, what follows the header of a request, has the layout that its key and version ask for. Bytes that follow the last field
// are ignored, as Kafka does.
func Check(key, version int16, body []byte) error {
	d, ok := layouts()[key]
	if !ok {
		return fmt.Errorf("key %d: %w", key, ErrMalformed)
	}
	l := d.read()
	w := walker{src: body, version: version, flexible: version >= l.flexible, tags: maxTags(len(body))}
	if !w.fields(l.fields) {
		return fmt.Errorf("key %d version %d, field %s: %w", key, version, w.at, ErrMalformed)
	}
	return nil
}

// walker goes over the bytes of a request. Its methods report false where something does not fit.
type walker struct {
	src      []byte
	version  int16
	flexible bool
	tags     int    // how many more unknown tags may come
	at       string // the field that is looked at
}

func (w *walker) fields(fields []field) bool {
	tagged := false
	for i := range fields {
		f := &fields[i]
		if f.tag >= 0 {
			tagged = true
			continue
		}
		if w.version < f.min || w.version > f.max {
			continue
		}
		w.at = f.name
		if !w.field(f) {
			return false
		}
	}
	if !w.flexible {
		return true
	}
	if !tagged {
		fields = nil
	}
	return w.tagged(fields)
}

func (w *walker) field(f *field) bool {
	switch f.kind {
	case fixed:
		return w.skip(f.size)
	case text:
		n, ok := w.length(2, f)
		return ok && w.skip(n)
	case blob:
		n, ok := w.length(4, f)
		return ok && w.skip(n)
	case list:
		n, ok := w.length(4, f)
		if !ok || n > len(w.src) {
			return false
		}
		if f.elem.kind == fixed {
			return w.skip(n * f.elem.size)
		}
		for range n {
			if !w.field(f.elem) {
				return false
			}
		}
		return true
	case record:
		if f.null {
			if len(w.src) == 0 {
				return false
			}
			there := int8(w.src[0]) >= 0
			w.src = w.src[1:]
			if !there {
				return true
			}
		}
		return w.fields(f.fields)
	}
	return false
}

// length reads the length of a string, bytes or an array. Flexible versions have a varint, the others a number of size bytes. Null has length 0, and
// every negative length means null, as Kafka reads it; it is refused where the field has to be there.
func (w *walker) length(size int, f *field) (int, bool) {
	n := 0
	switch {
	case w.flexible:
		v, ok := w.uvarint()
		if !ok {
			return 0, false
		}
		n = v - 1
	case len(w.src) < size:
		return 0, false
	case size == 2:
		n = int(int16(binary.BigEndian.Uint16(w.src)))
		w.src = w.src[size:]
	default:
		n = int(int32(binary.BigEndian.Uint32(w.src)))
		w.src = w.src[size:]
	}
	if n < 0 {
		return 0, f.null && w.version >= f.nullFrom
	}
	return n, true
}

// tagged goes over a section of tagged fields.
func (w *walker) tagged(fields []field) bool {
	count, ok := w.uvarint()
	if !ok {
		return false
	}
	for range count { // however many are promised, the first that is not there ends it
		tag, ok1 := w.uvarint()
		size, ok2 := w.uvarint()
		if !ok1 || !ok2 || size > len(w.src) {
			return false
		}
		known := knownTag(fields, tag, w.version)
		if known == nil {
			if w.tags--; w.tags < 0 {
				return false
			}
			w.src = w.src[size:]
			continue
		}
		w.at = known.name
		inner := *w
		inner.src = w.src[:size:size]
		if !inner.field(known) {
			return false
		}
		w.tags, w.src = inner.tags, w.src[size:]
	}
	return true
}

func knownTag(fields []field, tag int, version int16) *field {
	for i := range fields {
		if f := &fields[i]; f.tag == tag && version >= f.min && version <= f.max {
			return f
		}
	}
	return nil
}

func (w *walker) skip(n int) bool {
	if n > len(w.src) {
		return false
	}
	w.src = w.src[n:]
	return true
}

// uvarint reads a number of at most 32 bits, as the codec does.
func (w *walker) uvarint() (int, bool) {
	v, n := binary.Uvarint(w.src)
	if n <= 0 || v > 1<<31-1 {
		return 0, false
	}
	w.src = w.src[n:]
	return int(v), true
}
