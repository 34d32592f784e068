package proxy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxFrame is socket.request.max.bytes of Apache Kafka: what is larger is no frame.
const maxFrame = 100 << 20

var errShort = errors.New("the frame ends inside its header")

// readFrame reads one frame, its 4 bytes of size included.
func readFrame(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := int32(binary.BigEndian.Uint32(size[:]))
	if n < 4 || n > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes", n)
	}
	frame := make([]byte, 4+n)
	copy(frame, size[:])
	if _, err := io.ReadFull(r, frame[4:]); err != nil {
		return nil, err
	}
	return frame, nil
}

// header is the header of a request; body is what follows it.
type header struct {
	api, version int16
	correlation  int32
	client       string
	body         []byte
}

// parseHeader reads a request's header (versions 1 and 2; nothing that Kafka 4 answers has version 0).
func parseHeader(frame []byte) (header, error) {
	b := frame[4:]
	if len(b) < 10 {
		return header{}, errShort
	}
	h := header{
		api:         int16(binary.BigEndian.Uint16(b)),
		version:     int16(binary.BigEndian.Uint16(b[2:])),
		correlation: int32(binary.BigEndian.Uint32(b[4:])),
	}
	length := int(int16(binary.BigEndian.Uint16(b[8:])))
	b = b[10:]
	if length > len(b) {
		return header{}, errShort
	}
	if length > 0 {
		h.client, b = string(b[:length]), b[length:]
	}
	if req := kmsg.RequestForKey(h.api); req != nil {
		req.SetVersion(h.version)
		if req.IsFlexible() {
			var err error
			if b, err = skipTags(b); err != nil {
				return header{}, err
			}
		}
	}
	h.body = b
	return h, nil
}

// skipTags skips the tagged fields of a flexible header (KIP-482).
func skipTags(b []byte) ([]byte, error) {
	count, n := binary.Uvarint(b)
	if n <= 0 {
		return nil, errShort
	}
	b = b[n:]
	for range count {
		if _, n = binary.Uvarint(b); n <= 0 { // the tag
			return nil, errShort
		}
		b = b[n:]
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, errShort
		}
		b = b[n+int(size):]
	}
	return b, nil
}

// request decodes the request, nil where its kind or version is not known to this proxy.
func (h header) request() kmsg.Request {
	req := kmsg.RequestForKey(h.api)
	if req == nil || h.version > req.MaxVersion() {
		return nil
	}
	req.SetVersion(h.version)
	if req.ReadFrom(h.body) != nil {
		return nil
	}
	return req
}

// requestFrame encodes a request again, with h's header.
func (h header) requestFrame(req kmsg.Request) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID(h.client)).AppendRequest(nil, req, h.correlation)
}

// response decodes the response to h, nil where it can not.
func (h header) response(frame []byte) kmsg.Response {
	resp := kmsg.ResponseForKey(h.api)
	if resp == nil || h.version > resp.MaxVersion() || len(frame) < 8 {
		return nil
	}
	resp.SetVersion(h.version)
	b := frame[8:]
	if h.flexibleResponse(resp) {
		var err error
		if b, err = skipTags(b); err != nil {
			return nil
		}
	}
	if resp.ReadFrom(b) != nil {
		return nil
	}
	return resp
}

// responseFrame encodes a response to h.
func (h header) responseFrame(resp kmsg.Response) []byte {
	frame := binary.BigEndian.AppendUint32(make([]byte, 4), uint32(h.correlation))
	if h.flexibleResponse(resp) {
		frame = append(frame, 0)
	}
	frame = resp.AppendTo(frame)
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	return frame
}

// flexibleResponse reports whether the response has header version 1. That of ApiVersions never has: a client that is too new must be able to read it.
func (h header) flexibleResponse(resp kmsg.Response) bool {
	return h.api != int16(kmsg.ApiVersions) && resp.IsFlexible()
}
