package broker

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func frameOf(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

func TestFramesAreReadWhole(t *testing.T) {
	for _, size := range []int{1, 100, firstChunk, firstChunk + 1, 5*firstChunk + 7} {
		body := bytes.Repeat([]byte("abcdefg"), size/7+1)[:size]
		r := bufio.NewReader(iotest.HalfReader(bytes.NewReader(frameOf(body))))
		got, err := readFrame(r, 100<<20, make([]byte, 64))
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("frame of %d bytes: read %d, %v", size, len(got), err)
		}
		if _, err := readFrame(r, 100<<20, nil); err != io.EOF {
			t.Errorf("after the last frame: %v", err)
		}
	}
}

func TestFrameTakesNoMemoryBeforeItComes(t *testing.T) {
	head := binary.BigEndian.AppendUint32(nil, 100<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := readFrame(bufio.NewReaderSize(bytes.NewReader(head), 16), 100<<20, nil)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v", err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 10*firstChunk {
		t.Errorf("%d bytes were allocated for a frame that never came", n)
	}
}

func TestImpossibleFramesAreRefused(t *testing.T) {
	for name, frame := range map[string][]byte{
		"larger than the limit": binary.BigEndian.AppendUint32(nil, 1001),
		"negative":              binary.BigEndian.AppendUint32(nil, 0xffffffff),
	} {
		if _, err := readFrame(bufio.NewReader(bytes.NewReader(frame)), 1000, nil); !errors.Is(err, errFrame) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzHeader(f *testing.F) {
	f.Add(kmsg.NewRequestFormatter(kmsg.FormatterClientID("client")).AppendRequest(nil, kmsg.NewPtrApiVersionsRequest(), 7)[4:])
	f.Add([]byte{0, 18, 0, 3, 0, 0, 0, 1, 0xff, 0xff, 1, 1, 3, 'a', 'b', 'c'})
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, rest, err := parseHeader(frame)
		if err != nil {
			return
		}
		if len(h.client)+len(rest) > len(frame) {
			t.Errorf("client %q and %d more bytes of %d", h.client, len(rest), len(frame))
		}
		if tail, err := skipTags(rest); err == nil && len(tail) >= len(rest) {
			t.Errorf("tags take nothing off %x", rest)
		}
	})
}
