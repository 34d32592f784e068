package registry

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/sordini-go/sordini/serde"
)

// Framing is where a record carries the id of its schema. Both are read, whatever is written.
type Framing uint8

const (
	// Prefix is a zero byte and the id in 4 bytes before the value, which every client reads. It is the default.
	Prefix Framing = iota
	// InHeader is the schema's GUID in the header __key_schema_id or __value_schema_id, and the value without a prefix, as Confluent's clients of
	// version 8 and later write it when they are told to. The registry must hand out GUIDs.
	InHeader
)

// The headers that carry the GUID of a schema.
const (
	HeaderKey   = "__key_schema_id"
	HeaderValue = "__value_schema_id"
)

const (
	magicID   = 0 // a 4-byte id follows
	magicGUID = 1 // a 16-byte GUID follows

	prefixSize = 5
)

// GUID is the id of a schema that is the same in every registry.
type GUID [16]byte

// ParseGUID reads the text form, 8-4-4-4-12 hexadecimal digits.
func ParseGUID(s string) (g GUID, err error) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return g, fmt.Errorf("schema GUID %q is not of the form 8-4-4-4-12", s)
	}
	if _, err := hex.Decode(g[:], []byte(s[:8]+s[9:13]+s[14:18]+s[19:23]+s[24:])); err != nil {
		return g, fmt.Errorf("schema GUID %q: %w", s, err)
	}
	return g, nil
}

// String returns the text form.
func (g GUID) String() string {
	h := hex.EncodeToString(g[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// ID is how a record names its schema: by GUID where it is not zero, otherwise by number.
type ID struct {
	Number int
	GUID   GUID
}

// String says which it is.
func (id ID) String() string {
	if id.GUID != (GUID{}) {
		return "schema GUID " + id.GUID.String()
	}
	return fmt.Sprintf("schema id %d", id.Number)
}

// FrameError says why bytes are not those of a record that names its schema.
type FrameError struct{ Reason string }

func (e *FrameError) Error() string { return e.Reason }

// HeaderName returns the header that carries the GUID of a key's or a value's schema.
func HeaderName(role serde.Role) string {
	if role == serde.Key {
		return HeaderKey
	}
	return HeaderValue
}

// AppendPrefix appends the zero byte and the id.
func AppendPrefix(dst []byte, id int) []byte {
	return binary.BigEndian.AppendUint32(append(dst, magicID), uint32(id))
}

// AppendGUID appends the value of a header that carries a GUID. Protobuf's message indexes follow it.
func AppendGUID(dst []byte, g GUID) []byte { return append(append(dst, magicGUID), g[:]...) }

// Parse finds out which schema a record names, in its header or else in the first bytes. payload is what follows in the value; rest is what follows in the
// header, where message indexes are, and nil where there is no header. It fails with a [*FrameError].
func Parse(role serde.Role, src []byte, h serde.Headers) (id ID, payload, rest []byte, err error) {
	value, ok := h.Get(HeaderName(role))
	if !ok {
		id, payload, err = parsePrefix(src)
		return id, payload, nil, err
	}
	switch {
	case len(value) >= 17 && value[0] == magicGUID:
		return ID{GUID: GUID(value[1:17])}, src, value[17:], nil
	case len(value) >= prefixSize && value[0] == magicID:
		id, rest, err = parsePrefix(value)
		return id, src, rest, err
	}
	return ID{}, nil, nil, &FrameError{fmt.Sprintf("header %s is %x, want 01 and a GUID of 16 bytes", HeaderName(role), value[:min(len(value), 20)])}
}

func parsePrefix(src []byte) (ID, []byte, error) {
	switch {
	case len(src) == 0:
		return ID{}, nil, &FrameError{"the record is empty, and not null: there is no schema id"}
	case src[0] != magicID:
		return ID{}, nil, &FrameError{fmt.Sprintf("the first byte is %#02x, want 0x00 before a schema id: the record was not written with a schema registry", src[0])}
	case len(src) < prefixSize:
		return ID{}, nil, &FrameError{fmt.Sprintf("cut off after %d bytes, in the middle of the schema id", len(src))}
	}
	n := binary.BigEndian.Uint32(src[1:])
	if n > 1<<31-1 {
		return ID{}, nil, &FrameError{fmt.Sprintf("the schema id is negative: %d", int32(n))}
	}
	return ID{Number: int(n)}, src[prefixSize:], nil
}
