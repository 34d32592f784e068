package broker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// errFrame says that what came over a connection is not a request; the connection is closed, as Kafka does.
var errFrame = errors.New("malformed frame")

// firstChunk is how much of a frame is allocated before any of it has come, so that a size alone takes no memory.
const firstChunk = 1 << 20

// readFrame reads one frame without its size. It uses buf where the frame fits into it.
func readFrame(r *bufio.Reader, limit int, buf []byte) ([]byte, error) {
	head, err := r.Peek(4)
	if err != nil {
		if err == io.EOF && len(head) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if err := checkSize(head, limit); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint32(head))
	_, _ = r.Discard(4) // it was peeked at
	if size <= cap(buf) {
		buf = buf[:size]
	} else {
		buf = make([]byte, min(size, firstChunk))
	}
	for have := 0; ; {
		n, err := io.ReadFull(r, buf[have:])
		if err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if have += n; have == size {
			return buf, nil
		}
		grown := make([]byte, min(size, 2*have))
		copy(grown, buf)
		buf = grown
	}
}

// checkSize refuses a frame by its size, before any of it has come. A frame without a request in it is none.
func checkSize(head []byte, limit int) error {
	if size := int(int32(binary.BigEndian.Uint32(head))); size <= 0 || size > limit {
		return fmt.Errorf("size %d, at most %d: %w", size, limit, errFrame)
	}
	return nil
}

// header is the beginning of every request.
type header struct {
	key, version int16
	correlation  int32
	client       string
}

// parseHeader reads a request header up to the tags, which only flexible versions have. See skipTags.
func parseHeader(frame []byte) (h header, rest []byte, err error) {
	if len(frame) < 10 {
		return h, nil, fmt.Errorf("request header of %d bytes: %w", len(frame), errFrame)
	}
	h.key = int16(binary.BigEndian.Uint16(frame))
	h.version = int16(binary.BigEndian.Uint16(frame[2:]))
	h.correlation = int32(binary.BigEndian.Uint32(frame[4:]))
	n := int(int16(binary.BigEndian.Uint16(frame[8:])))
	rest = frame[10:]
	if n > len(rest) {
		return h, nil, fmt.Errorf("client id of %d bytes, have %d: %w", n, len(rest), errFrame)
	}
	if n > 0 {
		h.client = string(rest[:n])
		rest = rest[n:]
	}
	return h, rest, nil
}

// skipTags skips the tagged fields of a header (KIP-482).
func skipTags(b []byte) ([]byte, error) {
	count, n := binary.Uvarint(b)
	if n <= 0 || count > uint64(len(b)) {
		return nil, fmt.Errorf("header tags: %w", errFrame)
	}
	b = b[n:]
	for range count {
		_, k := binary.Uvarint(b)
		if k <= 0 {
			return nil, fmt.Errorf("header tags: %w", errFrame)
		}
		size, m := binary.Uvarint(b[k:])
		if m <= 0 || size > uint64(len(b)-k-m) {
			return nil, fmt.Errorf("header tags: %w", errFrame)
		}
		b = b[k+m+int(size):]
	}
	return b, nil
}
