package metalog

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
)

// Record is one change of the metadata: one of the types of this package.
type Record interface {
	key() (key, version uint32)
	append(dst []byte) []byte
	read(r *kbin.Reader)
}

// Keys of Kafka's records.
const (
	keyRegisterBroker = 0
	keyTopic          = 2
	keyPartition      = 3
	keyConfig         = 4
	keyRemoveTopic    = 9
	keyToken          = 10
	keyScram          = 11
	keyFeature        = 12
	keyQuota          = 14
	keyProducerIDs    = 15
	keyACL            = 18
	keyRemoveACL      = 19
	keyRemoveScram    = 22
	keyRemoveToken    = 26
)

// frameVersion is that of what stands before every record.
const frameVersion = 1

// Encode appends a record as the value of one of Kafka's records.
func Encode(dst []byte, r Record) []byte {
	key, version := r.key()
	dst = kbin.AppendUvarint(dst, frameVersion)
	dst = kbin.AppendUvarint(dst, key)
	dst = kbin.AppendUvarint(dst, version)
	dst = r.append(dst)
	if p, ok := r.(*Partition); ok {
		return p.appendTags(dst)
	}
	return append(dst, 0) // no tags
}

// Decode reads the value of one of Kafka's records. It returns nil for a record that says nothing that this package knows of.
func Decode(src []byte) (Record, error) {
	in := kbin.Reader{Src: src}
	if frame := in.Uvarint(); frame != frameVersion {
		return nil, fmt.Errorf("metadata record: frame version %d, known is %d", frame, frameVersion)
	}
	key, version := in.Uvarint(), in.Uvarint()
	var r Record
	switch key {
	case keyRegisterBroker:
		r = new(RegisterBroker)
	case keyTopic:
		r = new(Topic)
	case keyPartition:
		r = new(Partition)
	case keyConfig:
		r = new(Config)
	case keyRemoveTopic:
		r = new(RemoveTopic)
	case keyScram:
		r = new(Scram)
	case keyFeature:
		r = new(Feature)
	case keyQuota:
		r = new(Quota)
	case keyProducerIDs:
		r = new(ProducerIDs)
	case keyACL:
		r = new(ACL)
	case keyRemoveACL:
		r = new(RemoveACL)
	case keyRemoveScram:
		r = new(RemoveScram)
	case keyToken:
		r = new(Token)
	case keyRemoveToken:
		r = new(RemoveToken)
	default:
		return nil, nil
	}
	if _, known := r.key(); version != known {
		return nil, fmt.Errorf("metadata record %T: version %d, known is %d", r, version, known)
	}
	r.read(&in)
	if key != keyPartition { // which has tags that are known
		skipTags(&in)
	}
	if err := in.Complete(); err != nil {
		return nil, fmt.Errorf("metadata record %T: %w", r, err)
	}
	return r, nil
}

// Feature is the level of a feature (KIP-584).
type Feature struct {
	Name  string
	Level int16
}

func (*Feature) key() (key, version uint32) { return keyFeature, 0 }

func (f *Feature) append(dst []byte) []byte {
	return kbin.AppendInt16(kbin.AppendCompactString(dst, f.Name), f.Level)
}

func (f *Feature) read(r *kbin.Reader) { f.Name, f.Level = r.CompactString(), r.Int16() }

// RegisterBroker is a broker that has registered. It is fenced until it does so again.
type RegisterBroker struct {
	Broker      int32
	Incarnation [16]byte
	Epoch       int64
	Listener    string // its name, which is the security protocol's
	Host        string
	Port        uint16
	Protocol    int16
	Features    []FeatureRange
	Rack        *string
}

// FeatureRange is which levels of a feature a broker supports.
type FeatureRange struct {
	Name     string
	Min, Max int16
}

func (*RegisterBroker) key() (key, version uint32) { return keyRegisterBroker, 1 }

func (b *RegisterBroker) append(dst []byte) []byte {
	dst = kbin.AppendInt32(dst, b.Broker)
	dst = kbin.AppendUuid(dst, b.Incarnation)
	dst = kbin.AppendInt64(dst, b.Epoch)
	dst = kbin.AppendCompactArrayLen(dst, 1)
	dst = kbin.AppendCompactString(dst, b.Listener)
	dst = kbin.AppendCompactString(dst, b.Host)
	dst = kbin.AppendUint16(dst, b.Port)
	dst = kbin.AppendInt16(dst, b.Protocol)
	dst = append(dst, 0)
	dst = kbin.AppendCompactArrayLen(dst, len(b.Features))
	for _, f := range b.Features {
		dst = kbin.AppendCompactString(dst, f.Name)
		dst = kbin.AppendInt16(dst, f.Min)
		dst = kbin.AppendInt16(dst, f.Max)
		dst = append(dst, 0)
	}
	dst = kbin.AppendCompactNullableString(dst, b.Rack)
	dst = kbin.AppendBool(dst, true)   // fenced
	return kbin.AppendBool(dst, false) // not in a controlled shutdown
}

func (b *RegisterBroker) read(r *kbin.Reader) {
	b.Broker, b.Incarnation, b.Epoch = r.Int32(), r.Uuid(), r.Int64()
	for range r.CompactArrayLen() {
		if !r.Ok() {
			return
		}
		b.Listener, b.Host, b.Port, b.Protocol = r.CompactString(), r.CompactString(), r.Uint16(), r.Int16()
		skipTags(r)
	}
	for range r.CompactArrayLen() {
		if !r.Ok() {
			return
		}
		b.Features = append(b.Features, FeatureRange{r.CompactString(), r.Int16(), r.Int16()})
		skipTags(r)
	}
	b.Rack = r.CompactNullableString()
	r.Bool()
	r.Bool()
}

// skipTags passes over tagged fields.
func skipTags(r *kbin.Reader) {
	for range r.Uvarint() {
		r.Uvarint()
		r.Span(int(r.Uvarint()))
		if !r.Ok() {
			return
		}
	}
}

// Topic is a topic that was created.
type Topic struct {
	Name string
	ID   [16]byte
}

func (*Topic) key() (key, version uint32) { return keyTopic, 0 }

func (t *Topic) append(dst []byte) []byte {
	return kbin.AppendUuid(kbin.AppendCompactString(dst, t.Name), t.ID)
}

func (t *Topic) read(r *kbin.Reader) { t.Name, t.ID = r.CompactString(), r.Uuid() }

// RemoveTopic is a topic that was deleted.
type RemoveTopic struct{ ID [16]byte }

func (*RemoveTopic) key() (key, version uint32) { return keyRemoveTopic, 0 }

func (t *RemoveTopic) append(dst []byte) []byte { return kbin.AppendUuid(dst, t.ID) }

func (t *RemoveTopic) read(r *kbin.Reader) { t.ID = r.Uuid() }

// Partition is what a partition is from now on.
type Partition struct {
	Partition        int32
	Topic            [16]byte
	Replicas, ISR    []int32
	Removing, Adding []int32
	Leader           int32
	LeaderEpoch      int32
	PartitionEpoch   int32
	Directories      [][16]byte // of the replicas
	ELR, LastELR     []int32
}

func (*Partition) key() (key, version uint32) { return keyPartition, 2 }

func (p *Partition) append(dst []byte) []byte {
	dst = kbin.AppendInt32(dst, p.Partition)
	dst = kbin.AppendUuid(dst, p.Topic)
	for _, ids := range [][]int32{p.Replicas, p.ISR, p.Removing, p.Adding} {
		dst = appendIDs(dst, ids)
	}
	dst = kbin.AppendInt32(dst, p.Leader)
	dst = kbin.AppendInt32(dst, p.LeaderEpoch)
	dst = kbin.AppendInt32(dst, p.PartitionEpoch)
	dst = kbin.AppendCompactArrayLen(dst, len(p.Directories))
	for _, d := range p.Directories {
		dst = kbin.AppendUuid(dst, d)
	}
	return dst
}

// tagELR and tagLastELR are the tags of the two lists that few partitions have.
const (
	tagELR     = 1
	tagLastELR = 2
)

// appendTags appends the tagged fields of a partition.
func (p *Partition) appendTags(dst []byte) []byte {
	count := uint32(0)
	var body []byte
	for tag, ids := range [...][]int32{tagELR: p.ELR, tagLastELR: p.LastELR} {
		if len(ids) == 0 {
			continue
		}
		count++
		field := appendIDs(nil, ids)
		body = kbin.AppendUvarint(body, uint32(tag))
		body = kbin.AppendUvarint(body, uint32(len(field)))
		body = append(body, field...)
	}
	return append(kbin.AppendUvarint(dst, count), body...)
}

func (p *Partition) read(r *kbin.Reader) {
	p.Partition, p.Topic = r.Int32(), r.Uuid()
	p.Replicas, p.ISR, p.Removing, p.Adding = readIDs(r), readIDs(r), readIDs(r), readIDs(r)
	p.Leader, p.LeaderEpoch, p.PartitionEpoch = r.Int32(), r.Int32(), r.Int32()
	for range r.CompactArrayLen() {
		if !r.Ok() {
			return
		}
		p.Directories = append(p.Directories, r.Uuid())
	}
	for range r.Uvarint() {
		tag, field := r.Uvarint(), kbin.Reader{Src: r.Span(int(r.Uvarint()))}
		if !r.Ok() {
			return
		}
		switch tag {
		case tagELR:
			p.ELR = readIDs(&field)
		case tagLastELR:
			p.LastELR = readIDs(&field)
		}
	}
}

func appendIDs(dst []byte, ids []int32) []byte {
	dst = kbin.AppendCompactArrayLen(dst, len(ids))
	for _, id := range ids {
		dst = kbin.AppendInt32(dst, id)
	}
	return dst
}

func readIDs(r *kbin.Reader) (ids []int32) {
	for range r.CompactArrayLen() {
		if !r.Ok() {
			return nil
		}
		ids = append(ids, r.Int32())
	}
	return ids
}

// ResourceType is what settings belong to.
type ResourceType int8

// Config is one setting of a resource; nil says that it is not set any more.
type Config struct {
	Type  ResourceType
	Name  string // of the resource; "" for all brokers
	Key   string
	Value *string
}

func (*Config) key() (key, version uint32) { return keyConfig, 0 }

func (c *Config) append(dst []byte) []byte {
	dst = kbin.AppendInt8(dst, int8(c.Type))
	dst = kbin.AppendCompactString(dst, c.Name)
	dst = kbin.AppendCompactString(dst, c.Key)
	return kbin.AppendCompactNullableString(dst, c.Value)
}

func (c *Config) read(r *kbin.Reader) {
	c.Type, c.Name, c.Key, c.Value = ResourceType(r.Int8()), r.CompactString(), r.CompactString(), r.CompactNullableString()
}
