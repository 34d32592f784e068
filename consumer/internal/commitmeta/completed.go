package commitmeta

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// Range is the offsets from From (included) to To (excluded).
type Range struct {
	From, To int64
}

// Completed is the completion map of one partition: the offsets beyond its committed one that are over, kept as sorted runs. Its memory is
// proportional to the number of runs, so one record that is stuck before ten million that are done costs 16 bytes.
//
// A Completed is immutable and safe for concurrent use. The zero value is the empty map.
type Completed struct {
	ranges []Range // sorted, not empty, neither overlapping nor adjacent
	count  int64
	known  int64 // the leader epoch plus one, so that the zero value means "unknown"
}

// NewCompleted returns the map of the given ranges, in any order; empty ranges are dropped, overlapping and adjacent ones are joined. It takes
// the slice over: the caller must not change it afterwards.
//
// leaderEpoch is the highest leader epoch of the records in the map, or a negative number where that is unknown. A record that is fetched at an
// offset of the map with a higher epoch is not the one that was completed: its predecessor was truncated by an unclean leader election.
func NewCompleted(leaderEpoch int32, ranges ...Range) Completed {
	c := Completed{ranges: normal(ranges), known: int64(max(leaderEpoch, -1)) + 1}
	for _, r := range c.ranges {
		c.count += r.To - r.From
	}
	return c
}

// normal puts ranges into the form that Completed promises, in place, and in one pass where they have it already.
func normal(ranges []Range) []Range {
	if !slices.IsSortedFunc(ranges, byFrom) {
		slices.SortFunc(ranges, byFrom)
	}
	kept := ranges[:0]
	for _, r := range ranges {
		switch last := len(kept) - 1; {
		case r.To <= r.From:
		case last >= 0 && r.From <= kept[last].To:
			kept[last].To = max(kept[last].To, r.To)
		default:
			kept = append(kept, r)
		}
	}
	return kept
}

func byFrom(a, b Range) int { return cmp.Compare(a.From, b.From) }

// Len is the number of completed offsets.
func (c Completed) Len() int64 { return c.count }

// Runs is the number of ranges: what the map costs to keep and to encode.
func (c Completed) Runs() int { return len(c.ranges) }

// End is the offset after the last completed one, or 0 when the map is empty.
func (c Completed) End() int64 {
	if len(c.ranges) == 0 {
		return 0
	}
	return c.ranges[len(c.ranges)-1].To
}

// LeaderEpoch is the highest leader epoch of the records in the map, or -1 where that is unknown.
func (c Completed) LeaderEpoch() int32 { return int32(c.known - 1) }

// Contains reports whether offset is completed. It costs a binary search; whoever asks for increasing offsets uses a Cursor.
func (c Completed) Contains(offset int64) bool {
	i := c.search(offset)
	return i < len(c.ranges) && c.ranges[i].From <= offset
}

// search is the index of the first range that ends after offset.
func (c Completed) search(offset int64) int {
	i, _ := slices.BinarySearchFunc(c.ranges, offset, func(r Range, offset int64) int {
		if r.To <= offset {
			return -1
		}
		return 1
	})
	return i
}

// All yields the ranges in increasing order: they are neither empty nor adjacent.
func (c Completed) All() iter.Seq[Range] { return slices.Values(c.ranges) }

// Equal reports whether both maps name the same offsets and the same leader epoch.
func (c Completed) Equal(other Completed) bool {
	return c.known == other.known && slices.Equal(c.ranges, other.ranges)
}

// String is for people: the first ranges, with both ends included, and how much there is beyond them.
func (c Completed) String() string {
	if len(c.ranges) == 0 {
		return "none"
	}
	const shown = 5
	var b strings.Builder
	for i, r := range c.ranges[:min(shown, len(c.ranges))] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d", r.From)
		if r.To-1 > r.From {
			fmt.Fprintf(&b, "-%d", r.To-1)
		}
	}
	if more := len(c.ranges) - shown; more > 0 {
		fmt.Fprintf(&b, " and %d runs more", more)
	}
	return b.String()
}

// Cursor returns a cursor before the first range.
func (c Completed) Cursor() Cursor { return Cursor{ranges: c.ranges} }

// Cursor walks a map once, for offsets that increase: it answers in amortised constant time. The zero value walks the empty map. It is not safe
// for concurrent use.
type Cursor struct {
	ranges []Range // those that end after the offset asked for last
}

// Contains reports whether offset is completed and forgets the ranges that end at or before it. An offset below one that was asked for earlier
// may be answered wrongly with false.
func (c *Cursor) Contains(offset int64) bool {
	for len(c.ranges) > 0 && c.ranges[0].To <= offset {
		c.ranges = c.ranges[1:]
	}
	return len(c.ranges) > 0 && c.ranges[0].From <= offset
}

// Before reports whether any offset below offset is left.
func (c *Cursor) Before(offset int64) bool { return len(c.ranges) > 0 && c.ranges[0].From < offset }

// Runs is the number of ranges that are left.
func (c *Cursor) Runs() int { return len(c.ranges) }

// End is the offset after the last completed one that is left, or 0.
func (c *Cursor) End() int64 { return Completed{ranges: c.ranges}.End() }

// Rest appends to dst what is left of the ranges from offset on. Like Contains it forgets what ends at or before offset.
func (c *Cursor) Rest(dst []Range, offset int64) []Range {
	if c.Contains(offset) {
		return append(append(dst, Range{From: offset, To: c.ranges[0].To}), c.ranges[1:]...)
	}
	return append(dst, c.ranges...)
}
