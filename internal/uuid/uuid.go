// Package uuid makes and writes UUIDs (RFC 9562).
package uuid

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Len is the length of a UUID as text.
const Len = 36

// last is the 60-bit time of the youngest UUID of this process: milliseconds since 1970 and 12 bits of their fraction.
var last atomic.Uint64

// V7 returns a UUID of version 7. Within a process each is greater than those before it, whatever the clock does: the 12 bits that follow the milliseconds
// hold their fraction (RFC 9562, 6.2, method 3), moved on by one where the clock has not moved. The other 62 bits are random, from the runtime's
// ChaCha8 generator: unique, and not meant to be a secret. Safe for concurrent use.
func V7() [16]byte { return V7At(time.Now()) }

// V7At is V7 for callers that have just looked at the clock.
func V7At(now time.Time) [16]byte {
	ms, ns := now.UnixMilli(), now.Nanosecond()%int(time.Millisecond)
	t := uint64(ms)<<12 | uint64(ns)<<12/uint64(time.Millisecond)
	for {
		l := last.Load()
		next := max(t, l+1)
		if last.CompareAndSwap(l, next) {
			t = next
			break
		}
	}
	var u [16]byte
	binary.BigEndian.PutUint64(u[:8], t>>12<<16|0x7000|t&0xfff)
	binary.BigEndian.PutUint64(u[8:], rand.Uint64()&^(3<<62)|2<<62)
	return u
}

// Append appends u to dst as 36 characters of lower-case text.
func Append(dst []byte, u [16]byte) []byte {
	var text [Len]byte
	hex.Encode(text[0:], u[0:4])
	text[8] = '-'
	hex.Encode(text[9:], u[4:6])
	text[13] = '-'
	hex.Encode(text[14:], u[6:8])
	text[18] = '-'
	hex.Encode(text[19:], u[8:10])
	text[23] = '-'
	hex.Encode(text[24:], u[10:])
	return append(dst, text[:]...)
}

// Parse reads 36 characters of text, upper or lower case.
func Parse(src []byte) ([16]byte, error) {
	var u [16]byte
	if len(src) != Len {
		return u, fmt.Errorf("%d bytes, not %d", len(src), Len)
	}
	at := 0
	for i := range u {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			if src[at] != '-' {
				return [16]byte{}, fmt.Errorf("%q at %d, not '-'", src[at], at)
			}
			at++
		}
		hi, ok1 := unhex(src[at])
		lo, ok2 := unhex(src[at+1])
		if !ok1 || !ok2 {
			return [16]byte{}, fmt.Errorf("%q at %d is not hexadecimal", src[at:at+2], at)
		}
		u[i] = hi<<4 | lo
		at += 2
	}
	return u, nil
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
