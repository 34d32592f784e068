package protobuf

import (
	"encoding/binary"
	"errors"
)

var errWire = errors.New("malformed descriptor")

// Wire types.
const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

// wireField is one field of an encoded message.
type wireField struct {
	number int
	varint uint64
	bytes  []byte
}

func (f wireField) str() string { return string(f.bytes) }

// signed is the value of an int32.
func (f wireField) signed() int64 { return int64(int32(f.varint)) }

// readWire runs each on every field of an encoded message. Fields of types that descriptors do not have are passed over.
func readWire(b []byte, each func(wireField) error) error {
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		if n <= 0 {
			return errWire
		}
		b = b[n:]
		f := wireField{number: int(key >> 3)}
		if key>>3 == 0 || key>>3 > maxTag {
			return errWire
		}
		switch key & 7 {
		case wireVarint:
			if f.varint, n = binary.Uvarint(b); n <= 0 {
				return errWire
			}
			b = b[n:]
		case wireBytes:
			size, n := binary.Uvarint(b)
			if n <= 0 || size > uint64(len(b)-n) {
				return errWire
			}
			f.bytes = b[n : n+int(size)]
			b = b[n+int(size):]
		case wire64, wire32:
			size := 8
			if key&7 == wire32 {
				size = 4
			}
			if len(b) < size {
				return errWire
			}
			b = b[size:]
			continue
		default:
			return errWire
		}
		if err := each(f); err != nil {
			return err
		}
	}
	return nil
}

// wireWriter builds an encoded message.
type wireWriter []byte

func (w *wireWriter) key(number, typ int) {
	*w = binary.AppendUvarint(*w, uint64(number)<<3|uint64(typ))
}

func (w *wireWriter) varint(number int, v int64) {
	w.key(number, wireVarint)
	*w = binary.AppendUvarint(*w, uint64(v))
}

func (w *wireWriter) flag(number int, v bool) {
	if v {
		w.varint(number, 1)
	}
}

func (w *wireWriter) bytes(number int, b []byte) {
	w.key(number, wireBytes)
	*w = binary.AppendUvarint(*w, uint64(len(b)))
	*w = append(*w, b...)
}

func (w *wireWriter) str(number int, s string) { w.bytes(number, []byte(s)) }

// strIf writes a string that is not empty.
func (w *wireWriter) strIf(number int, s string) {
	if s != "" {
		w.str(number, s)
	}
}
