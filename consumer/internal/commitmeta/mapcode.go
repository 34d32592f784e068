package commitmeta

import (
	"encoding/binary"
	"iter"
	"math"
	"math/bits"
)

// The completion map is written in the smaller of two codes, each with a tag of its own. Both start with the map's leader epoch.
//
//   - Bitmap: one bit an offset from the base on, the least significant bit of a byte first, 1 is completed. The last byte is not zero. It bounds
//     the size, whatever the pattern: an eighth of a byte an offset.
//   - Runs: a uvarint with their number, then the lengths of holes and runs in turn, less one (the first hole may be empty and is not lessened), as
//     bits, the most significant first, each in the Golomb-Rice code that its kind has adapted to so far.
//
// The runs win wherever holes are rare or lie in crowds: old ones far apart among offsets that ended, new ones dense. Where offsets end at random
// they stay within 4 to 11 percent of the entropy, and on the shapes that queues with slow and retried records leave behind they take a quarter less
// than the best code with fixed parameters. Both codes are made from the runs: encoding is proportional to the holes, not to the offsets they span.

const (
	// riceEscape ones in a row announce a length far beyond what was expected: 6 bits of bit length, then the length itself. Without it one run of
	// ten million among short ones would cost a million bits.
	riceEscape = 24
	// riceBits is the bit length that an escaped length is announced in.
	riceBits = 6
	// riceMax is the greatest parameter that is adapted to: 24<<40 is beyond any run.
	riceMax = 40
)

// rice is the state of the code of one kind of lengths: 16 times their mean, of late. It is part of the format.
type rice uint64

// The means that holes and runs start from.
const (
	riceHoles rice = 0
	riceRuns  rice = 16 << 4
)

// k is the parameter for the next length: the number of its low bits that are written as they are, behind its upper bits in unary. It is the best one
// for a geometric distribution of the mean, which changes at 1.62, 3.74, 7.97 …, so at powers of two of (mean + 1/2) * 121/128.
func (a rice) k() uint {
	return min(uint(bits.Len64((uint64(a)+8)*121>>11|1))-1, riceMax)
}

// next is the state after length x was coded with k. An outlier counts as the least length that is escaped.
func (a rice) next(x uint64, k uint) rice {
	return a - a>>4 + rice(min(x, riceEscape<<k))
}

// riceCost is the number of bits that x takes with parameter k.
func riceCost(x uint64, k uint) int {
	if q := x >> k; q < riceEscape {
		return int(q) + 1 + int(k)
	}
	return riceEscape + riceBits + bits.Len64(x)
}

// mapPlan is how one completion map will be written.
type mapPlan struct {
	tag  uint64 // 0 when the map is empty and takes no section
	size int    // of the section's body, in bytes
}

// planMap chooses the smaller code.
func planMap(c Completed, base int64) mapPlan {
	if len(c.ranges) == 0 {
		return mapPlan{}
	}
	size := 0
	holes, runs := riceHoles, riceRuns
	for hole, run := range c.lengths(base) {
		k := holes.k()
		size += riceCost(hole, k)
		holes = holes.next(hole, k)
		k = runs.k()
		size += riceCost(run, k)
		runs = runs.next(run, k)
	}
	size = uvarintLen(uint64(len(c.ranges))) + (size+7)/8
	head := varintLen(int64(c.LeaderEpoch()))
	if bitmap := (c.End() - base - 1) / 8; bitmap < int64(size) {
		return mapPlan{tag: tagBitmap, size: head + int(bitmap) + 1}
	}
	return mapPlan{tag: tagRuns, size: head + size}
}

// Growth is how many bytes a map grows at most when one more offset ends, on average over many. It is measured, not proven: where the offsets that end
// lie among runs of quite another length, the code has not adapted to them.
const Growth = 5

// Bytes is the room that the map takes in the metadata of a commit at base, 0 when it is empty. It takes time in proportion to the runs.
func (c Completed) Bytes(base int64) int {
	if len(c.ranges) == 0 {
		return 0
	}
	return sectionLen(planMap(c, base).size)
}

// BytesOver bounds Bytes for every map that ends at most span offsets after its base: that of the bitmap.
func BytesOver(span int64) int {
	const epoch = 5
	return sectionLen(epoch + int((span+7)/8))
}

// lengths yields, for each run, what is written of the hole before it and of itself.
func (c Completed) lengths(base int64) iter.Seq2[uint64, uint64] {
	return func(yield func(hole, run uint64) bool) {
		at := base
		for _, r := range c.ranges {
			if !yield(uint64(r.From-at), uint64(r.To-r.From-1)) {
				return
			}
			at = r.To + 1
		}
	}
}

// appendMap appends the section's body as planned.
func appendMap(dst []byte, c Completed, base int64, plan mapPlan) []byte {
	dst = binary.AppendVarint(dst, int64(c.LeaderEpoch()))
	if plan.tag == tagBitmap {
		return appendBitmap(dst, c, base)
	}
	w := bitWriter{buf: binary.AppendUvarint(dst, uint64(len(c.ranges)))}
	holes, runs := riceHoles, riceRuns
	for hole, run := range c.lengths(base) {
		k := holes.k()
		w.rice(hole, k)
		holes = holes.next(hole, k)
		k = runs.k()
		w.rice(run, k)
		runs = runs.next(run, k)
	}
	return w.bytes()
}

func (w *bitWriter) rice(x uint64, k uint) {
	if x>>k >= riceEscape {
		length := uint(bits.Len64(x))
		w.write((1<<riceEscape-1)<<riceBits|uint64(length), riceEscape+riceBits)
		w.write64(x, length)
		return
	}
	unary := uint(x>>k) + 1
	w.write(1<<unary-2, unary)
	w.write(x, k)
}

func (r *bitReader) rice(k uint) uint64 {
	q := r.ones(riceEscape)
	if q == riceEscape {
		return r.read64(uint(r.read(riceBits)))
	}
	return uint64(q)<<k | r.read(k)
}

func appendBitmap(dst []byte, c Completed, base int64) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, (c.End()-base+7)/8)...)
	bitmap := dst[start:]
	for _, r := range c.ranges {
		from, to := uint64(r.From-base), uint64(r.To-base)
		for ; from < to && from%8 != 0; from++ {
			bitmap[from/8] |= 1 << (from % 8)
		}
		for ; from+8 <= to; from += 8 {
			bitmap[from/8] = 0xff
		}
		for ; from < to; from++ {
			bitmap[from/8] |= 1 << (from % 8)
		}
	}
	return dst
}

// decodeMap reads a section's body. It allocates 16 bytes a run, and a run takes at least two bits of body.
func decodeMap(tag uint64, body []byte, base int64) (Completed, error) {
	epoch, n := binary.Varint(body)
	if n <= 0 || epoch < -1 || epoch > math.MaxInt32 {
		return Completed{}, corrupt("completion map: leader epoch")
	}
	body = body[n:]
	var ranges []Range
	var err error
	if tag == tagBitmap {
		ranges, err = decodeBitmap(body, base)
	} else {
		ranges, err = decodeRuns(body, base)
	}
	if err != nil {
		return Completed{}, err
	}
	return NewCompleted(int32(epoch), ranges...), nil
}

func decodeRuns(body []byte, base int64) ([]Range, error) {
	count, n := binary.Uvarint(body)
	if n <= 0 {
		return nil, corrupt("completion map: truncated")
	}
	body = body[n:]
	if count == 0 || count > uint64(len(body))*4 {
		return nil, corrupt("completion map: %d runs in %d bytes", count, len(body))
	}
	ranges := make([]Range, 0, count)
	r := bitReader{buf: body}
	holes, runs := riceHoles, riceRuns
	at := base
	for i := range count {
		k := holes.k()
		gap := r.rice(k)
		holes = holes.next(gap, k)
		k = runs.k()
		run := r.rice(k)
		runs = runs.next(run, k)
		if i > 0 {
			gap++
		}
		run++
		left := uint64(math.MaxInt64 - at)
		if r.short || gap > left || run > left-gap {
			return nil, corrupt("completion map: run %d of %d", i+1, count)
		}
		from := at + int64(gap)
		at = from + int64(run)
		ranges = append(ranges, Range{From: from, To: at})
	}
	if !r.drained() {
		return nil, corrupt("completion map: bytes after run %d", count)
	}
	return ranges, nil
}

func decodeBitmap(body []byte, base int64) ([]Range, error) {
	if len(body) == 0 || body[len(body)-1] == 0 || int64(len(body))*8 > math.MaxInt64-base {
		return nil, corrupt("completion map: bitmap of %d bytes", len(body))
	}
	count, before := 0, byte(0) // runs start where a 1 follows a 0
	for _, b := range body {
		count += bits.OnesCount8(b &^ (b<<1 | before))
		before = b >> 7
	}
	ranges := make([]Range, 0, count)
	open := int64(-1)
	for i, b := range body {
		if b == 0 && open < 0 || b == 0xff && open >= 0 {
			continue
		}
		for bit := range 8 {
			at := base + int64(i*8+bit)
			switch set := b>>bit&1 == 1; {
			case set && open < 0:
				open = at
			case !set && open >= 0:
				ranges = append(ranges, Range{From: open, To: at})
				open = -1
			}
		}
	}
	if open >= 0 {
		ranges = append(ranges, Range{From: open, To: base + int64(len(body))*8})
	}
	return ranges, nil
}

func uvarintLen(x uint64) int { return (bits.Len64(x|1) + 6) / 7 }

func varintLen(x int64) int { return uvarintLen(uint64(x)<<1 ^ uint64(x>>63)) }
