package producer

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kgo"
)

// partitionOf places a key as Java's client does (org.apache.kafka.clients.producer.internals.BuiltInPartitioner.partitionForKey), so that producers in
// several languages share a key's order. librdkafka's default and kafka-go's place otherwise.
func partitionOf(key []byte, partitions int) int {
	return int(murmur2(key)&0x7fffffff) % partitions
}

// murmur2 is org.apache.kafka.common.utils.Utils.murmur2.
func murmur2(b []byte) uint32 {
	const (
		seed = 0x9747b28c
		m    = 0x5bd1e995
		r    = 24
	)
	h := uint32(seed) ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := binary.LittleEndian.Uint32(b)
		k *= m
		k ^= k >> r
		k *= m
		h *= m
		h ^= k
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(b[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	h ^= h >> 15
	return h
}

// chosen is the partitioner that franz-go is given: every record comes with its partition. It learns from franz-go's metadata how many there are, so that a
// topic that grew is used whole.
type chosen struct{ p *Producer }

func (c chosen) ForTopic(name string) kgo.TopicPartitioner { return &chosenFor{c.p.topic(name)} }

type chosenFor struct{ t *topic }

func (*chosenFor) RequiresConsistency(*kgo.Record) bool { return true }

// Partition is called with locks of franz-go held: it must not block and must not take ours.
func (c *chosenFor) Partition(r *kgo.Record, n int) int {
	if int32(n) != c.t.count.Load() {
		c.t.count.Store(int32(n))
	}
	return int(r.Partition)
}
