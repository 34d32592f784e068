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
