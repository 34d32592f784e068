package records

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
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

// The zstd coders are safe for concurrent use. They are made when the program starts, because they hold channels: one that was made inside a
// testing/synctest bubble could not be used outside of it.
var (
	zstdReader, zstdError = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(MaxDecompressed))

	gzipReaders, lz4Readers sync.Pool
)

// decompress returns src itself when it is not compressed. What does not fit into most bytes is an error.
func decompress(c Codec, src []byte, most int) ([]byte, error) {
	return decompressTo(nil, c, src, most)
}

// decompressTo decompresses into dst's memory where it is large enough.
func decompressTo(dst []byte, c Codec, src []byte, most int) (out []byte, err error) {
	switch {
	case c == None:
		return src, nil
	case len(src) == 0 && c == Zstd:
		return nil, nil // no frame is nothing, as Kafka's decoder has it
	case len(src) == 0:
		return nil, fmt.Errorf("%w %s: %w", ErrDecompress, c, io.ErrUnexpectedEOF)
	}
	switch c {
	case Gzip:
		r, _ := gzipReaders.Get().(*gzip.Reader)
		if r == nil {
			r = new(gzip.Reader)
		}
		if err = r.Reset(bytes.NewReader(src)); err == nil {
			out, err = readBounded(dst, r, len(src), most)
		}
		gzipReaders.Put(r)
	case Snappy:
		out, err = unsnappy(dst, src, most)
	case LZ4:
		if err = checkLZ4Blocks(src); err != nil {
			break
		}
		r, _ := lz4Readers.Get().(*lz4.Reader)
		if r == nil {
			r = lz4.NewReader(nil)
		}
		r.Reset(bytes.NewReader(src))
		out, err = readBounded(dst, r, len(src), most)
		r.Reset(nil)
		lz4Readers.Put(r)
	case Zstd:
		if err = zstdError; err == nil {
			err = checkZstdSize(src)
		}
		if err == nil {
			out, err = zstdReader.DecodeAll(src, dst[:0])
		}
	default:
		err = errors.New("unknown codec")
	}
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrDecompress, c, err)
	}
	return out, nil
}

// checkLZ4Blocks refuses a frame whose blocks refer to the blocks before them: Kafka's decoder, and so every Java consumer, reads independent ones only.
func checkLZ4Blocks(src []byte) error {
	const flags, independent = 4, 0x20
	if len(src) > flags && src[flags]&independent == 0 {
		return errors.New("dependent block stream is unsupported")
	}
	return nil
}

// zstdRatio is the most that zstd makes of a byte: a block of a byte that is repeated takes four and holds 128 KiB.
const zstdRatio = 128 << 10 / 4

// checkZstdSize refuses a frame that says it holds more than its bytes can: the decoder takes the memory before it looks.
func checkZstdSize(src []byte) error {
	var h zstd.Header
	if err := h.Decode(src); err != nil {
		return err
	}
	if h.HasFCS && h.FrameContentSize > uint64(len(src))*zstdRatio {
		return fmt.Errorf("%d bytes cannot hold %d", len(src), h.FrameContentSize)
	}
	return nil
}

// readBounded reads all of r, into dst's memory where it is large enough. It takes memory as it reads, not as a header may claim.
func readBounded(dst []byte, r io.Reader, compressed, most int) ([]byte, error) {
	dst = dst[:0]
	if cap(dst) == 0 {
		dst = make([]byte, 0, max(512, min(4*compressed, most)))
	}
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > most:
			return nil, fmt.Errorf("more than %d bytes", most)
		case err == io.EOF:
			return dst, nil
		case err != nil:
			return nil, err
		}
	}
}

// unsnappy decodes a plain snappy block or the Java framing of several.
func unsnappy(dst, src []byte, most int) ([]byte, error) {
	out := dst[:0]
	if !bytes.HasPrefix(src, xerial) {
		return snappyBlock(out, src, most)
	}
	if len(src) < 16 {
		return nil, io.ErrUnexpectedEOF
	}
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
	dst = slices.Grow(dst, n)
	out, err := s2.Decode(dst[len(dst):len(dst)+n], block)
	if err != nil {
		return nil, err
	}
	return dst[:len(dst)+len(out)], nil
}
