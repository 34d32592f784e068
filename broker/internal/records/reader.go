package records

import "encoding/binary"

// reader takes varints and spans off a slice. After the first that does not fit it is bad and returns zeros.
type reader struct {
	src []byte
	bad bool
}

func (r *reader) fail() {
	r.src, r.bad = nil, true
}

// varint reads a zigzag number of 32 bits.
func (r *reader) varint() int32 {
	if len(r.src) > 0 && r.src[0] < 0x80 { // most are a byte
		u := uint32(r.src[0])
		r.src = r.src[1:]
		return int32(u>>1) ^ -int32(u&1)
	}
	return r.longVarint()
}

func (r *reader) longVarint() int32 {
	v, n := binary.Varint(r.src)
	if n <= 0 || v != int64(int32(v)) {
		r.fail()
		return 0
	}
	r.src = r.src[n:]
	return int32(v)
}

// varlong reads a zigzag number of 64 bits.
func (r *reader) varlong() int64 {
	if len(r.src) > 0 && r.src[0] < 0x80 {
		u := uint64(r.src[0])
		r.src = r.src[1:]
		return int64(u>>1) ^ -int64(u&1)
	}
	v, n := binary.Varint(r.src)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.src = r.src[n:]
	return v
}

// span takes n bytes without copying them.
func (r *reader) span(n int) []byte {
	if n < 0 || n > len(r.src) {
		r.fail()
		return nil
	}
	s := r.src[:n:n]
	r.src = r.src[n:]
	return s
}

// bytes reads a length and as many bytes; nil for a negative length, which is how null is written.
func (r *reader) bytes() []byte {
	n := r.varint()
	if n < 0 || r.bad {
		return nil
	}
	return r.span(int(n))
}
