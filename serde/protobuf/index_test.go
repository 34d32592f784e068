package protobuf

import (
	"encoding/binary"
	"testing"

	"google.golang.org/protobuf/types/descriptorpb"
)

// FuzzMessageAt follows paths to messages: what is found is where its own path says.
func FuzzMessageAt(f *testing.F) {
	file := descriptorpb.File_google_protobuf_descriptor_proto // its messages are nested
	for _, b := range [][]byte{{0}, {2, 0}, {2, 2}, {4, 4, 0}, {1}, {}, {0x80}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, {2, 1}} {
		f.Add(b)
	}
	f.Add(binary.AppendVarint([]byte{2}, int64(file.Messages().Len()))) // one too far
	f.Fuzz(func(t *testing.T, b []byte) {
		m, rest, err := messageAt(file, b)
		if err != nil {
			return
		}
		if len(rest) >= len(b) {
			t.Fatalf("% x leads to %s and nothing of it is used up", b, m.FullName())
		}
		again, left, err := messageAt(file, indexOf(m))
		if err != nil || again.FullName() != m.FullName() || len(left) > 0 {
			t.Errorf("% x leads to %s, whose own path leads to %v, %v", b, m.FullName(), again, err)
		}
	})
}
