package serde

import (
	"bytes"
	"testing"
)

func TestCopiesOfAnArenaDoNotTouchEachOther(t *testing.T) {
	var a arena
	var copies [][]byte
	for i := range 3 * arenaChunk / 100 {
		copies = append(copies, a.clone(bytes.Repeat([]byte{byte(i)}, 100)))
	}
	for i, c := range copies {
		_ = append(c, "more"...)
		if !bytes.Equal(c, bytes.Repeat([]byte{byte(i)}, 100)) {
			t.Fatalf("copy %d was written to: %v", i, c[:4])
		}
	}
}

func TestAnArenaKeepsNilAndEmptyApart(t *testing.T) {
	var a arena
	if c := a.clone(nil); c != nil {
		t.Errorf("nil became %v", c)
	}
	if c := a.clone([]byte{}); c == nil {
		t.Error("an empty slice became nil")
	}
	src := bytes.Repeat([]byte{1}, arenaLimit+1)
	c := a.clone(src)
	src[0] = 2
	if c[0] != 1 {
		t.Error("a large slice was not copied")
	}
}
