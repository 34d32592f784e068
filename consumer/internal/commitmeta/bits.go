package commitmeta

import "math/bits"

// bitWriter appends bits to bytes, the most significant bit first.
type bitWriter struct {
	buf []byte
	acc uint64 // the low n bits are not in buf yet
	n   uint
}

// write appends the low n bits of v; n is at most 56.
func (w *bitWriter) write(v uint64, n uint) {
	w.acc = w.acc<<n | v&(1<<n-1)
	w.n += n
	for w.n >= 8 {
		w.n -= 8
		w.buf = append(w.buf, byte(w.acc>>w.n))
	}
}

// write64 appends the low n bits of v; n is at most 64.
func (w *bitWriter) write64(v uint64, n uint) {
	if n > 32 {
		w.write(v>>32, n-32)
		n = 32
	}
	w.write(v, n)
}

// bytes fills the last byte with zero bits and returns everything written.
func (w *bitWriter) bytes() []byte {
	if w.n > 0 {
		w.buf = append(w.buf, byte(w.acc<<(8-w.n)))
		w.n = 0
	}
	return w.buf
}

// bitReader reads what a bitWriter wrote. Reading beyond the end gives zero bits and sets short.
type bitReader struct {
	buf   []byte
	acc   uint64 // the next n bits, left-aligned; the rest is zero
	n     uint
	short bool
}

func (r *bitReader) fill() {
	for r.n <= 56 && len(r.buf) > 0 {
		r.acc |= uint64(r.buf[0]) << (56 - r.n)
		r.buf = r.buf[1:]
		r.n += 8
	}
}

// read returns the next n bits; n is at most 56.
func (r *bitReader) read(n uint) uint64 {
	if r.n < n {
		r.fill()
		if r.n < n {
			r.short, r.acc, r.n = true, 0, 0
			return 0
		}
	}
	v := r.acc >> (64 - n) // a shift by 64 gives 0 for n = 0
	r.acc <<= n
	r.n -= n
	return v
}

// read64 returns the next n bits; n is at most 64.
func (r *bitReader) read64(n uint) uint64 {
	if n <= 32 {
		return r.read(n)
	}
	high := r.read(n - 32)
	return high<<32 | r.read(32)
}

// ones consumes one bits up to and with the zero that ends them, but at most limit ones, and returns their number; limit is below 56.
func (r *bitReader) ones(limit uint) uint {
	if r.n <= limit {
		r.fill()
	}
	n := min(uint(bits.LeadingZeros64(^r.acc)), limit)
	if n == limit {
		r.read(n)
	} else {
		r.read(n + 1)
	}
	return n
}

// drained reports whether all that is left are the zero bits that fill the last byte.
func (r *bitReader) drained() bool {
	return !r.short && len(r.buf) == 0 && r.n < 8 && r.acc == 0
}
