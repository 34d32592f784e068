package records

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codec is how a batch's records are compressed.
type Codec int8

// The codecs of message format 2.
const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

func (c Codec) String() string {
	switch c {
	case None:
		return "none"
	case Gzip:
		return "gzip"
	case Snappy:
		return "snappy"
	case LZ4:
		return "lz4"
	case Zstd:
		return "zstd"
	}
	return fmt.Sprintf("codec %d", int8(c))
}

// MaxDecompressed bounds what one batch may decompress to, so that a small batch cannot take all memory.
const MaxDecompressed = 256 << 20

// ErrDecompress says that a payload is not what its codec says, or larger than [MaxDecompressed].
var ErrDecompress = errors.New("cannot decompress")

// xerial begins the framing that Java clients put around snappy blocks.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

// zstdReader is safe for concurrent use. It is made when the program starts, because it holds a channel: one that was made inside a testing/synctest
// bubble could not be used outside of it.
var zstdReader, zstdError = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxDecompressed))

// decompress returns src itself when it is not compressed. What does not fit into most bytes is an error.
func decompress(c Codec, src []byte, most int) (out []byte, err error) {
	switch c {
	case None:
		return src, nil
	case Gzip:
		var r *gzip.Reader
		if r, err = gzip.NewReader(bytes.NewReader(src)); err == nil {
			out, err = readBounded(r, most)
		}
	case Snappy:
		out, err = unsnappy(src, most)
	case LZ4:
		out, err = readBounded(lz4.NewReader(bytes.NewReader(src)), most)
	case Zstd:
		if err = zstdError; err == nil {
			out, err = zstdReader.DecodeAll(src, nil)
		}
	default:
		err = errors.New("unknown codec")
	}
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrDecompress, c, err)
	}
	return out, nil
}

func readBounded(r io.Reader, most int) ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(r, int64(most)+1))
	if err == nil && len(out) > most {
		err = fmt.Errorf("more than %d bytes", most)
	}
	return out, err
}

// unsnappy decodes a plain snappy block or the Java framing of several.
func unsnappy(src []byte, most int) ([]byte, error) {
	if !bytes.HasPrefix(src, xerial) {
		return snappyBlock(nil, src, most)
	}
	if len(src) < 16 {
		return nil, io.ErrUnexpectedEOF
	}
	var out []byte
	for src = src[16:]; len(src) > 0; {
		if len(src) < 4 {
			return nil, io.ErrUnexpectedEOF
		}
		n := int64(binary.BigEndian.Uint32(src))
		if src = src[4:]; n > int64(len(src)) {
			return nil, io.ErrUnexpectedEOF
		}
		var err error
		if out, err = snappyBlock(out, src[:n], most); err != nil {
			return nil, err
		}
		src = src[n:]
	}
	return out, nil
}

// snappyBlock appends what one block decodes to. A snappy block expands at most about 21 times, so a length beyond that is a lie.
func snappyBlock(dst, block []byte, most int) ([]byte, error) {
	n, err := s2.DecodedLen(block)
	if err != nil {
		return nil, err
	}
	if n > most-len(dst) || n > 64*len(block)+64 {
		return nil, fmt.Errorf("%d bytes of a block of %d", n, len(block))
	}
	out, err := s2.Decode(nil, block)
	if err != nil || dst == nil {
		return out, err
	}
	return append(dst, out...), nil
}
