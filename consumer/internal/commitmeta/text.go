package commitmeta

import (
	"encoding/base64"
	"math/bits"
	"strings"
	"unicode/utf8"
)

// Encoding is how the bytes of the format become the text that Kafka's commit metadata is. Decode reads every Encoding.
type Encoding uint8

const (
	// Base64 is base64url without padding behind "~s": 6 bits a unit, for every broker, however it counts. It is the default.
	Base64 Encoding = iota
	// UTF16 puts 15 bits into each character of the block from U+3400 to U+B3FF behind "~u": 2.5 times what Base64 holds where the broker counts
	// UTF-16 code units, as Apache Kafka does (String.length), at 3 bytes a character on the wire. The block has neither surrogates nor control
	// characters nor noncharacters, so the text survives UTF-8 and Java.
	UTF16
)

const (
	markBase64 = "~s"
	markUTF16  = "~u"
	// firstUnit stands for fifteen zero bits; the 32,768 characters from here on for all others.
	firstUnit = 0x3400
)

func (e Encoding) String() string {
	switch e {
	case Base64:
		return "base64"
	case UTF16:
		return "utf16"
	}
	return "unknown encoding"
}

// Units is how many UTF-16 code units n bytes take.
func (e Encoding) Units(n int) int {
	if e == UTF16 {
		return len(markUTF16) + (n*8+1+14)/15
	}
	return len(markBase64) + base64.RawURLEncoding.EncodedLen(n)
}

// Capacity is how many bytes fit into limit UTF-16 code units: the inverse of Units, 0 where nothing fits.
func (e Encoding) Capacity(limit int) int {
	if e == UTF16 {
		return max(0, (limit-len(markUTF16))*15-1) / 8
	}
	return base64.RawURLEncoding.DecodedLen(max(0, limit-len(markBase64)))
}

// text is data in the encoding.
func (e Encoding) text(data []byte) string {
	if e != UTF16 {
		return markBase64 + base64.RawURLEncoding.EncodeToString(data)
	}
	var s strings.Builder
	s.Grow(len(markUTF16) + (len(data)*8+1+14)/15*3)
	s.WriteString(markUTF16)
	var acc, n uint
	for _, b := range data {
		acc, n = acc<<8|uint(b), n+8
		if n >= 15 {
			n -= 15
			s.WriteRune(rune(firstUnit + acc>>n&0x7fff))
		}
	}
	s.WriteRune(rune(firstUnit + (acc<<1|1)<<(14-n)&0x7fff)) // a 1 ends the data, zeros fill the character
	return s.String()
}

// bytesOf is the reverse of text, for every encoding.
func bytesOf(s string) ([]byte, error) {
	if body, ok := strings.CutPrefix(s, markBase64); ok {
		if i := strings.IndexAny(body, "\r\n"); i >= 0 {
			return nil, corrupt("line break at byte %d", i) // which the decoder would ignore
		}
		data, err := base64.RawURLEncoding.Strict().DecodeString(body)
		if err != nil {
			return nil, corrupt("%v", err)
		}
		return data, nil
	}
	body, ok := strings.CutPrefix(s, markUTF16)
	if !ok {
		return nil, foreign(s)
	}
	data := make([]byte, 0, len(body)/3*15/8)
	var acc, n, last uint
	for len(body) > 0 {
		r, size := utf8.DecodeRuneInString(body)
		last = uint(r) - firstUnit
		if last > 0x7fff {
			return nil, corrupt("character %U", r)
		}
		body = body[size:]
		acc, n = acc<<15|last, n+15
		for n >= 8 {
			n -= 8
			data = append(data, byte(acc>>n))
		}
	}
	filled := uint(bits.TrailingZeros(last)) + 1 // the 1 that ends the data and the zeros behind it
	if last == 0 || (uint(len(data))*8+n-filled)%8 != 0 {
		return nil, corrupt("cut after %d bytes", len(data))
	}
	return data[:(uint(len(data))*8+n-filled)/8], nil
}
