package commitmeta

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/bits"

	"github.com/klauspost/compress/zstd"
)

// DecodeParallelConsumer reads what Confluent's parallel-consumer (0.5) and its forks keep in the metadata of a commit at committed: which offsets beyond it are
// over. Its format says neither which topic nor which offset it belongs to, and has no checksum, so who believes it has to know that the commit is where
// parallel-consumer made it: neither moved nor mirrored nor of a topic that was recreated since. It returns ErrForeign (ErrEmpty for "") where something else is
// there, and ErrCorrupt for what contradicts itself, such as a map in which the committed offset is over. Any input is safe; at most 256 KiB are decompressed.
func DecodeParallelConsumer(s string, committed int64) (Completed, error) {
	data, err := base64.StdEncoding.DecodeString(s)
	if s == "" || err != nil || len(data) == 0 {
		return Completed{}, foreign(s)
	}
	of, known := parallelConsumer[data[0]]
	if !known {
		return Completed{}, foreign(s)
	}
	body := data[1:]
	if of.zstd {
		if body, err = unzstd(body); err != nil {
			return Completed{}, corrupt("parallel-consumer, magic %q: %v", data[0], err)
		}
	}
	ranges, err := of.ranges(body, of.width, committed)
	if err == nil && len(ranges) > 0 && ranges[0].From == committed {
		err = fmt.Errorf("the committed offset is over in it")
	}
	if err != nil {
		return Completed{}, corrupt("parallel-consumer, magic %q: %v", data[0], err)
	}
	return NewCompleted(-1, ranges...), nil
}

// pcCode is one of parallel-consumer's codes (OffsetEncoding): its integers are big endian and 2 (version 1) or 4 bytes wide.
type pcCode struct {
	ranges func(body []byte, width int, base int64) ([]Range, error)
	width  int
	zstd   bool
}

var parallelConsumer = map[byte]pcCode{
	'l': {pcBits, 2, false}, 'a': {pcBits, 2, true}, 'o': {pcBits, 4, false}, 's': {pcBits, 4, true},
	'n': {pcRuns, 2, false}, 'J': {pcRuns, 2, true}, 'e': {pcRuns, 4, false}, 'p': {pcRuns, 4, true},
}

// pcInt takes an integer off the front.
func pcInt(data []byte, width int) (n int64, rest []byte, err error) {
	if len(data) < width {
		return 0, nil, fmt.Errorf("%d bytes where an integer has %d", len(data), width)
	}
	if width == 2 {
		n = int64(int16(binary.BigEndian.Uint16(data)))
	} else {
		n = int64(int32(binary.BigEndian.Uint32(data)))
	}
	if n < 0 {
		return 0, nil, fmt.Errorf("length %d", n)
	}
	return n, data[width:], nil
}

// pcBits reads a bit set: the number of offsets, then a bit for each, the least significant of a byte first, 1 where it is over. Zeros at the end may be left out.
func pcBits(body []byte, width int, base int64) (ranges []Range, err error) {
	n, set, err := pcInt(body, width)
	if err != nil {
		return nil, err
	}
	if base < 0 || n > math.MaxInt64-base {
		return nil, fmt.Errorf("%d offsets from %d on", n, base)
	}
	for i, b := range set {
		for ; b != 0; b &= b - 1 {
			at := int64(i)*8 + int64(bits.TrailingZeros8(b))
			if at >= n {
				return nil, fmt.Errorf("offset %d of %d is over", at, n)
			}
			if last := len(ranges) - 1; last >= 0 && ranges[last].To == base+at {
				ranges[last].To++
			} else {
				ranges = append(ranges, Range{From: base + at, To: base + at + 1})
			}
		}
	}
	return ranges, nil
}

// pcRuns reads run lengths, in turn of offsets that are not over and of those that are.
func pcRuns(body []byte, width int, base int64) (ranges []Range, err error) {
	at, over := base, false
	for len(body) > 0 {
		var n int64
		if n, body, err = pcInt(body, width); err != nil {
			return nil, err
		}
		if base < 0 || n > math.MaxInt64-at {
			return nil, fmt.Errorf("a run of %d from %d on", n, at)
		}
		if over && n > 0 {
			ranges = append(ranges, Range{From: at, To: at + n})
		}
		at, over = at+n, !over
	}
	return ranges, nil
}

// pcMost is how much is decompressed: two million offsets.
const pcMost = 256 << 10

func unzstd(data []byte) ([]byte, error) {
	r, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	body, err := io.ReadAll(io.LimitReader(r, pcMost+1))
	if err == nil && len(body) > pcMost {
		err = fmt.Errorf("it decompresses to more than %d bytes", pcMost)
	}
	return body, err
}
