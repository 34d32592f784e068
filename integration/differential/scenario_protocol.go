package main

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func apiVersions(v int16, name, version string) *kmsg.ApiVersionsRequest {
	req := kmsg.NewPtrApiVersionsRequest()
	req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = v, name, version
	return req
}

// versionsOfTheProtocol: ApiVersions, and versions that are not served.
func versionsOfTheProtocol(s *session) {
	s.each("what is served", kmsg.ApiVersions, func(v int16) kmsg.Request { return apiVersions(v, "differential", "1.0") })
	for i, name := range []string{"", "-a", "a-", "a b", "a.b-c", "ä", "a_b", "a"} {
		s.send(fmt.Sprintf("software name %q", name), apiVersions(3, name, "1"))
		s.send(fmt.Sprintf("software version %q", name), apiVersions(4, "a", name))
		_ = i
	}
	newer := s.frame(apiVersions(4, "differential", "1.0"))
	for _, v := range []uint16{5, 6, 100, 0x7fff, 0xffff, 0x8000} {
		damaged := slices.Clone(newer)
		binary.BigEndian.PutUint16(damaged[6:], v)
		s.raw(fmt.Sprintf("version %d", int16(v)), 18, int16(v), damaged)
	}
	for _, key := range servedKeys() {
		r := served[key]
		for _, v := range []int16{r.min - 1, r.max + 1} {
			if key == kmsg.ApiVersions || v < 0 {
				continue
			}
			frame := binary.BigEndian.AppendUint16(nil, uint16(key))
			frame = binary.BigEndian.AppendUint16(frame, uint16(v))
			frame = binary.BigEndian.AppendUint32(frame, correlation)
			frame = append(frame, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0)
			s.raw(fmt.Sprintf("version %d", v), key.Int16(), v, sized(frame))
		}
	}
	for _, key := range []uint16{4, 5, 6, 7, 52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 71, 72, 73, 82, 93, 94, 200, 0x7fff, 0xffff} {
		frame := binary.BigEndian.AppendUint16(nil, key)
		frame = append(frame, 0, 0, 0, 0, 0, correlation, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0)
		s.raw("a key that is not served", int16(key), 0, sized(frame))
	}
}

// sized puts the size in front of a frame.
func sized(frame []byte) []byte {
	return slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame)
}

// damagedFrames: bytes that are no request.
func damagedFrames(s *session) {
	whole := s.frame(at(12, metadata()))
	resize := func(b []byte, size uint32) []byte {
		b = slices.Clone(b)
		binary.BigEndian.PutUint32(b, size)
		return b
	}
	s.raw("whole", 3, 12, whole)
	s.raw("size -1", 3, 12, resize(whole, 0xffffffff))
	s.raw("size beyond socket.request.max.bytes", 3, 12, resize(whole, 104857601))
	s.raw("size 0", 3, 12, []byte{0, 0, 0, 0})
	s.raw("size 4", 3, 12, sized(whole[4:8]))
	for n := 5; n < len(whole); n += 4 {
		s.raw(fmt.Sprintf("cut after %d bytes", n), 3, 12, sized(whole[4:n]))
	}
	s.raw("a byte too many", 3, 12, sized(append(slices.Clone(whole[4:]), 0)))
	s.raw("a hundred bytes too many", 3, 12, sized(append(slices.Clone(whole[4:]), make([]byte, 100)...)))
	longID := slices.Clone(whole)
	binary.BigEndian.PutUint16(longID[12:], 0x7fff)
	s.raw("client id longer than the frame", 3, 12, longID)
	negative := slices.Clone(whole)
	binary.BigEndian.PutUint16(negative[12:], 0x8000)
	s.raw("client id of length -32768", 3, 12, negative)

	// Arrays longer than their frame, of each way to count.
	body := func(v uint16, rest ...byte) []byte {
		frame := []byte{0, 3, byte(v >> 8), byte(v), 0, 0, 0, correlation, 0xff, 0xff}
		return sized(append(frame, rest...))
	}
	s.raw("array of 2147483647", 3, 1, body(1, 0x7f, 0xff, 0xff, 0xff))
	s.raw("array of -1", 3, 1, body(1, 0xff, 0xff, 0xff, 0xff))
	s.raw("array of -2", 3, 1, body(1, 0xff, 0xff, 0xff, 0xfe))
	s.raw("compact array of 4294967294", 3, 12, body(12, 0, 0xff, 0xff, 0xff, 0xff, 0x0f))
	s.raw("varint of six bytes", 3, 12, body(12, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01))
	s.raw("string longer than the frame", 3, 1, body(1, 0, 0, 0, 1, 0x7f, 0xff, 'a'))
	s.raw("name that is null where it must not be", 3, 1, body(1, 0, 0, 0, 1, 0xff, 0xff))
	s.raw("name that is no UTF-8", 3, 1, body(1, 0, 0, 0, 1, 0, 2, 0xc3, 0x28))
	s.raw("unknown tag in the header", 3, 12, body(12, 1, 9, 1, 0, 1, 0, 0, 0))
	s.raw("tags in the header without end", 3, 12, body(12, 0xff, 0xff, 0xff, 0xff, 0x07))
	s.raw("tag longer than the frame", 3, 12, body(12, 1, 9, 0x7f, 1, 0, 0, 0))
	s.raw("the same tag twice", 3, 12, body(12, 2, 9, 1, 0, 9, 1, 0, 1, 0, 0, 0))
	s.raw("tags in falling order", 3, 12, body(12, 2, 9, 1, 0, 3, 1, 0, 1, 0, 0, 0))
	s.raw("a boolean that is 2", 3, 12, body(12, 0, 1, 2, 0, 0))
	s.raw("unknown tag in the body", 3, 12, body(12, 0, 1, 0, 0, 1, 9, 1, 0))
}
