package commitmeta

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// The completion map is written in the smaller of two codes, each with a tag of its own. Both start with the map's leader epoch.
//
//   - Bitmap: one bit an offset from the base on, the least significant bit of a byte first, 1 is completed. The last byte is not zero. It bounds
//     the size, whatever the pattern: an eighth of a byte an offset.
//   - Runs: the lengths of holes and completed runs in turn, in a Golomb-Rice code with one parameter for holes and one for runs. Where offsets
//     end at random this is within a few percent of what any code could reach; a hole costs about log2 of its distance to the next, plus 3 bits.
//
// Both are made from the runs, so encoding is proportional to the holes and not to the offsets between the first and the last.

const (
	// riceEscape ones in a row announce a length that its parameter does not suit: 6 bits of bit length, then the length itself. Without it one
	// run of ten million among short ones would cost a million bits.
	riceEscape = 24
	// riceBits is the bit length that an escaped length is announced in.
	riceBits = 6
	// maxRice is the greatest parameter: the bits of an offset.
	maxRice = 63
)

// mapPlan is how one completion map will be written.
type mapPlan struct {
	tag         uint64 // 0 when the map is empty and takes no section
	holes, runs uint   // parameters of the Golomb-Rice code
	size        int    // of the section's body, in bytes
}

// planMap chooses the smaller code.
func planMap(c Completed, base int64) mapPlan {
	if len(c.ranges) == 0 {
		return mapPlan{}
	}
	var holes, runs riceCost
	at := base
	for i, r := range c.ranges {
		holes.add(hole(i, r, at))
		runs.add(uint64(r.To - r.From - 1))
		at = r.To
	}
	plan := mapPlan{tag: tagRuns}
	var holeBits, runBits int
	plan.holes, holeBits = holes.best(len(c.ranges))
	plan.runs, runBits = runs.best(len(c.ranges))
	head := varintLen(int64(c.LeaderEpoch()))
	plan.size = head + uvarintLen(uint64(len(c.ranges))) + 2 + (holeBits+runBits+7)/8
	if span := uint64(at - base); (span+7)/8+uint64(head) <= uint64(plan.size) {
		return mapPlan{tag: tagBitmap, size: int((span+7)/8) + head}
	}
	return plan
}

// hole is what is written for the hole before run i, which follows offset at: only the first may be empty.
func hole(i int, r Range, at int64) uint64 {
	if i == 0 {
		return uint64(r.From - at)
	}
	return uint64(r.From - at - 1)
}

// riceCost adds up what lengths cost in the Golomb-Rice code, for every parameter at once.
type riceCost struct {
	extra [maxRice + 1]int // beyond parameter+1 bits a length
}

func (c *riceCost) add(x uint64) {
	length := uint(bits.Len64(x))
	for k := range length { // with a greater parameter x costs nothing extra
		if q := x >> k; q < riceEscape {
			c.extra[k] += int(q)
		} else {
			c.extra[k] += int(riceEscape + riceBits + length - k - 1)
		}
	}
}

// best is the cheapest parameter for the n lengths added, and what they cost with it, in bits.
func (c *riceCost) best(n int) (k uint, cost int) {
	cost = math.MaxInt
	for i, extra := range c.extra {
		if total := n*(i+1) + extra; total < cost {
			k, cost = uint(i), total
		}
	}
	return k, cost
}

// appendMap appends the section's body as planned.
func appendMap(dst []byte, c Completed, base int64, plan mapPlan) []byte {
	dst = binary.AppendVarint(dst, int64(c.LeaderEpoch()))
	if plan.tag == tagBitmap {
		return appendBitmap(dst, c, base)
	}
	dst = binary.AppendUvarint(dst, uint64(len(c.ranges)))
	w := bitWriter{buf: append(dst, byte(plan.holes), byte(plan.runs))}
	at := base
	for i, r := range c.ranges {
		w.rice(hole(i, r, at), plan.holes)
		w.rice(uint64(r.To-r.From-1), plan.runs)
		at = r.To
	}
	return w.bytes()
}

func (w *bitWriter) rice(x uint64, k uint) {
	q := x >> k
	switch {
	case q >= riceEscape:
		length := uint(bits.Len64(x))
		w.write((1<<riceEscape-1)<<riceBits|uint64(length), riceEscape+riceBits)
		w.write64(x, length)
	case uint(q)+1+k <= 56:
		w.write((1<<(q+1)-2)<<k|x&(1<<k-1), uint(q)+1+k)
	default:
		w.write(1<<(q+1)-2, uint(q)+1)
		w.write64(x, k)
	}
}

func (r *bitReader) rice(k uint) uint64 {
	q := r.ones(riceEscape)
	if q == riceEscape {
		return r.read64(uint(r.read(riceBits)))
	}
	if q > 0 && bits.Len(q)+int(k) > maxRice {
		r.short = true // longer than an offset: nobody wrote that
		return 0
	}
	return uint64(q)<<k | r.read64(k)
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
	if n <= 0 || len(body) < n+2 {
		return nil, corrupt("completion map: truncated")
	}
	holes, runs := uint(body[n]), uint(body[n+1])
	body = body[n+2:]
	if count == 0 || count > uint64(len(body))*4 {
		return nil, corrupt("completion map: %d runs in %d bytes", count, len(body))
	}
	if holes > maxRice || runs > maxRice {
		return nil, corrupt("completion map: parameters %d and %d", holes, runs)
	}
	ranges := make([]Range, 0, count)
	r := bitReader{buf: body}
	at := base
	for i := range count {
		gap, run := r.rice(holes), r.rice(runs)
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
