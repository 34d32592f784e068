package main

import (
	"fmt"
	"hash/crc32"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// latest sets the newest version that Apache Kafka serves.
func latest[R kmsg.Request](req R) R {
	req.SetVersion(served[kmsg.Key(req.Key())].max)
	return req
}

// at sets a version.
func at[R kmsg.Request](v int16, req R) R {
	req.SetVersion(v)
	return req
}

func ptr[T any](v T) *T { return &v }

// newTopic is a topic of a CreateTopics request.
func newTopic(name string, partitions int32, replicas int16, configs ...string) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, replicas
	for i := 0; i < len(configs); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = configs[i], &configs[i+1]
		t.Configs = append(t.Configs, c)
	}
	return t
}

// assigned is newTopic with the replicas of each partition laid down.
func assigned(name string, replicas [][]int32, configs ...string) kmsg.CreateTopicsRequestTopic {
	t := newTopic(name, -1, -1, configs...)
	for i, r := range replicas {
		a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		a.Partition, a.Replicas = int32(i), r
		t.ReplicaAssignment = append(t.ReplicaAssignment, a)
	}
	return t
}

func createTopics(topics ...kmsg.CreateTopicsRequestTopic) *kmsg.CreateTopicsRequest {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis, req.Topics = 10_000, topics
	return req
}

// topic creates a topic as a preparation and waits until each of its leaders serves. It returns the topic's id.
func (s *session) topic(name string, partitions int32, configs ...string) [16]byte {
	return s.makeTopic(newTopic(name, partitions, 1, configs...))
}

func (s *session) makeTopic(t kmsg.CreateTopicsRequestTopic) [16]byte {
	resp := ask[*kmsg.CreateTopicsResponse](s, "create "+t.Topic, latest(createTopics(t)), preparing())
	if resp.Topics[0].ErrorCode != 0 {
		panic(fmt.Sprintf("create topic %s: %s", t.Topic, code(resp.Topics[0].ErrorCode)))
	}
	s.awaitLeaders(t.Topic)
	return resp.Topics[0].TopicID
}

// awaitLeaders waits until every broker knows the topic with leaders that serve it.
func (s *session) awaitLeaders(topic string) {
	req := kmsg.NewPtrMetadataRequest()
	mt := kmsg.NewMetadataRequestTopic()
	mt.Topic = &topic
	req.Topics = append(req.Topics, mt)
	for id := range s.side.addrs {
		resp := ask[*kmsg.MetadataResponse](s, "", latest(req), preparing(), to(int32(id+1)), until(func(r kmsg.Response) bool {
			resp := r.(*kmsg.MetadataResponse)
			for _, p := range resp.Topics[0].Partitions {
				if p.ErrorCode != 0 {
					return false
				}
			}
			return resp.Topics[0].ErrorCode == 0 && len(resp.Topics[0].Partitions) > 0 && len(resp.Brokers) == len(s.side.addrs)
		}))
		if id > 0 {
			continue
		}
		for _, p := range resp.Topics[0].Partitions {
			list := listOffsets(topic, p.Partition, -1, -1)
			ask[*kmsg.ListOffsetsResponse](s, "", latest(list), preparing(), to(p.Leader), until(func(r kmsg.Response) bool {
				return r.(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0].ErrorCode == 0
			}))
		}
	}
}

func listOffsets(topic string, partition int32, timestamp int64, epoch int32) *kmsg.ListOffsetsRequest {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.Timestamp, p.CurrentLeaderEpoch = partition, timestamp, epoch
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// metadata asks for topics by their names.
func metadata(topics ...string) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	for _, name := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &name
		req.Topics = append(req.Topics, t)
	}
	return req
}

// rec is one record to produce; a nil key or value is null.
type rec struct {
	key, value []byte
	after      time.Duration // of the time that records are stamped with
	headers    []kmsg.Header
}

func values(vs ...string) (all []rec) {
	for i, v := range vs {
		all = append(all, rec{key: fmt.Append(nil, "k", i), value: []byte(v), after: time.Duration(i) * time.Second})
	}
	return all
}

// batch is a record batch that can still be damaged before it is encoded.
type batch struct {
	kmsg.RecordBatch
	records []byte
	badCRC  bool
}

func (s *session) batch(recs ...rec) *batch {
	b := &batch{RecordBatch: kmsg.NewRecordBatch()}
	b.PartitionLeaderEpoch, b.Magic = -1, 2
	b.ProducerID, b.ProducerEpoch, b.FirstSequence = -1, -1, -1
	b.FirstTimestamp = s.base.UnixMilli()
	b.MaxTimestamp = b.FirstTimestamp
	for i, r := range recs {
		k := kmsg.NewRecord()
		k.OffsetDelta, k.TimestampDelta64 = int32(i), r.after.Milliseconds()
		k.Key, k.Value, k.Headers = r.key, r.value, r.headers
		b.MaxTimestamp = max(b.MaxTimestamp, b.FirstTimestamp+k.TimestampDelta64)
		k.Length = 0
		raw := k.AppendTo(nil)
		k.Length = int32(len(raw) - 1) // the length itself took one byte while it was 0
		b.records = k.AppendTo(b.records)
	}
	b.NumRecords = int32(len(recs))
	b.LastOffsetDelta = int32(len(recs)) - 1
	return b
}

// of says which producer the batch is of.
func (b *batch) of(producer int64, epoch int16, sequence int32) *batch {
	b.ProducerID, b.ProducerEpoch, b.FirstSequence = producer, epoch, sequence
	return b
}

func (b *batch) encode() []byte {
	b.RecordBatch.Records = b.records
	b.Length = int32(49 + len(b.records))
	raw := b.AppendTo(nil)
	sum := crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli))
	if b.badCRC {
		sum++
	}
	kbin.AppendInt32(raw[17:17], int32(sum))
	return raw
}

// produce is a Produce request of one partition. id is used by the versions that know topics by their ids.
func produce(topic string, id [16]byte, partition int32, records []byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 10_000
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.TopicID = topic, id
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, records
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// fetch is a Fetch request of one partition that does not wait, outside of any session.
func fetch(topic string, id [16]byte, partition int32, offset int64) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = -1, 0, 1, 1<<20
	req.SessionEpoch = -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = topic, id
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = partition, offset, 1<<20, -1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}
