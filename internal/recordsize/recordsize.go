// Package recordsize computes how many bytes a record takes on the wire, so that what is refused for its size is refused before it is sent.
package recordsize

import (
	"math/bits"

	"github.com/sordini-go/sordini/serde"
)

// BatchOverhead is the size of an empty record batch (format v2): from the base offset to the number of records. Brokers compare a topic's
// max.message.bytes with the whole batch, this header included.
const BatchOverhead = 61

// Batch returns the size of an uncompressed record batch that holds this record alone: what a broker compares with max.message.bytes when the
// record is sent without compression and without company.
func Batch(key, value []byte, headers serde.Headers) int {
	n := 1 + 1 + 1 // attributes; the first record's timestamp delta and offset delta are 0
	n += bytesLen(len(key), key == nil)
	n += bytesLen(len(value), value == nil)
	n += varint(len(headers))
	for i := range headers {
		n += bytesLen(len(headers[i].Key), false)
		n += bytesLen(len(headers[i].Value), headers[i].Value == nil)
	}
	return BatchOverhead + varint(n) + n
}

// bytesLen is the size of a byte string with its length, -1 for null.
func bytesLen(n int, null bool) int {
	if null {
		return 1
	}
	return varint(n) + n
}

// varint is the size of a non-negative number as a zig-zag varint.
func varint(n int) int {
	z := uint64(n) << 1
	return (bits.Len64(z|1) + 6) / 7
}
