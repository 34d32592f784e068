package storage

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// Checkpoint is one of the files in which Kafka notes an offset for each partition of a directory: from where logs have to be recovered, where they
// start, how far they are replicated.
type Checkpoint map[TopicPartition]int64

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// Bytes writes the checkpoint, in Kafka's version 0.
func (c Checkpoint) Bytes() []byte {
	lines := make([]string, 0, len(c))
	for p, offset := range c {
		lines = append(lines, fmt.Sprintf("%s %d %d", p.Topic, p.Partition, offset))
	}
	return checkpointFile(lines)
}

// ReadCheckpoint reads one. What cannot be read is left out: a checkpoint only saves work, or says what will be said again.
func ReadCheckpoint(in []byte) Checkpoint {
	c := make(Checkpoint)
	for _, line := range checkpointLines(in) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		partition, err := strconv.ParseInt(f[1], 10, 32)
		offset, err2 := strconv.ParseInt(f[2], 10, 64)
		if err == nil && err2 == nil && partition >= 0 && offset >= 0 {
			c[TopicPartition{f[0], int32(partition)}] = offset
		}
	}
	return c
}

// checkpointFile is a version, how many lines there are, and the lines.
func checkpointFile(lines []string) []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "0\n%d\n", len(lines))
	for _, line := range lines {
		out.WriteString(line + "\n")
	}
	return out.Bytes()
}

func checkpointLines(in []byte) []string {
	lines := strings.Split(string(in), "\n")
	if len(lines) < 2 || lines[0] != "0" {
		return nil
	}
	return lines[2:]
}

// checkpoint lists the epochs and where they began.
func (e epochs) checkpoint() []byte {
	lines := make([]string, len(e))
	for i, x := range e {
		lines[i] = fmt.Sprintf("%d %d", x.epoch, x.start)
	}
	return checkpointFile(lines)
}

// readEpochs reads what [epochs.checkpoint] has written, or Kafka.
func readEpochs(in []byte) (e epochs) {
	for _, line := range checkpointLines(in) {
		first, second, _ := strings.Cut(line, " ")
		epoch, err := strconv.ParseInt(first, 10, 32)
		start, err2 := strconv.ParseInt(second, 10, 64)
		if err == nil && err2 == nil && epoch >= 0 && start >= 0 {
			e = append(e, epochStart{int32(epoch), start})
		}
	}
	return e
}
