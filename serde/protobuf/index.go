package protobuf

import (
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxNesting bounds how deep a message may lie in its file.
const maxNesting = 64

// indexOf is the path from a file to one of its messages, as records carry it: how many steps, and each, in zigzag. The first message of a file is a
// single zero.
func indexOf(m protoreflect.MessageDescriptor) []byte {
	var path []int64
	for d := protoreflect.Descriptor(m); ; d = d.Parent() {
		if _, file := d.(protoreflect.FileDescriptor); file {
			break
		}
		path = append([]int64{int64(d.Index())}, path...)
	}
	if len(path) == 1 && path[0] == 0 {
		return []byte{0}
	}
	out := binary.AppendVarint(nil, int64(len(path)))
	for _, i := range path {
		out = binary.AppendVarint(out, i)
	}
	return out
}

var errIndex = errors.New("the record is cut off in the path to its message")

// messageAt finds the message that a path leads to, and returns what follows the path.
func messageAt(f protoreflect.FileDescriptor, src []byte) (protoreflect.MessageDescriptor, []byte, error) {
	if len(src) > 0 && src[0] == 0 {
		m, err := child(f.Messages(), 0)
		return m, src[1:], err
	}
	count, n := binary.Varint(src)
	if n <= 0 {
		return nil, nil, errIndex
	}
	if count <= 0 || count > maxNesting {
		return nil, nil, fmt.Errorf("the path to the record's message has %d steps, want 1 to %d", count, maxNesting)
	}
	src = src[n:]
	messages := f.Messages()
	var m protoreflect.MessageDescriptor
	for range count {
		i, n := binary.Varint(src)
		if n <= 0 {
			return nil, nil, errIndex
		}
		src = src[n:]
		var err error
		if m, err = child(messages, i); err != nil {
			return nil, nil, err
		}
		messages = m.Messages()
	}
	return m, src, nil
}

func child(ms protoreflect.MessageDescriptors, i int64) (protoreflect.MessageDescriptor, error) {
	if i < 0 || i >= int64(ms.Len()) {
		return nil, fmt.Errorf("the record is of message %d, and its schema has %d there", i, ms.Len())
	}
	return ms.Get(int(i)), nil
}
