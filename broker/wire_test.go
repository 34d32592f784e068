package broker_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

// wire is a connection that speaks single requests, in any version and with any mistake.
type wire struct {
	t    *testing.T
	conn net.Conn
	next int32
	name string
}

// dial connects to the broker with this node id.
func dial(t *testing.T, cluster *broker.Cluster, node int) *wire {
	t.Helper()
	return dialAddress(t, cluster, cluster.Addrs()[node-1])
}

func dialAddress(t *testing.T, cluster *broker.Cluster, address string) *wire {
	t.Helper()
	conn, err := cluster.Dial(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, conn: conn, name: "wire"}
	t.Cleanup(func() { conn.Close() })
	return w
}

// send writes a request in the version that is set.
func (w *wire) send(req kmsg.Request) {
	w.t.Helper()
	w.next++
	f := kmsg.NewRequestFormatter(kmsg.FormatterClientID(w.name))
	if _, err := w.conn.Write(f.AppendRequest(nil, req, w.next)); err != nil {
		w.t.Fatalf("send %s: %v", kmsg.NameForKey(req.Key()), err)
	}
}

// frame reads one frame, or fails with what ended the connection.
func (w *wire) frame() ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(w.conn, size[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(w.conn, b)
	return b, err
}

// receive reads the response to req.
func (w *wire) receive(req kmsg.Request) (kmsg.Response, error) {
	b, err := w.frame()
	if err != nil {
		return nil, err
	}
	if id := int32(binary.BigEndian.Uint32(b)); id != w.next {
		return nil, fmt.Errorf("correlation id %d, sent %d", id, w.next)
	}
	b = b[4:]
	resp := req.ResponseKind()
	if resp.IsFlexible() && resp.Key() != int16(kmsg.ApiVersions) {
		if len(b) == 0 || b[0] != 0 {
			return nil, errors.New("response header has no tags")
		}
		b = b[1:]
	}
	if err := resp.ReadFrom(b); err != nil {
		return nil, err
	}
	if again := resp.AppendTo(nil); len(again) != len(b) {
		return nil, fmt.Errorf("response has %d bytes, the codec writes %d", len(b), len(again))
	}
	return resp, nil
}

// ask sends a request in a version and returns the response.
func ask[Resp kmsg.Response](w *wire, version int16, req kmsg.Request) Resp {
	w.t.Helper()
	req.SetVersion(version)
	w.send(req)
	resp, err := w.receive(req)
	if err != nil {
		w.t.Fatalf("%s version %d: %v", kmsg.NameForKey(req.Key()), version, err)
	}
	return resp.(Resp)
}

// ends fails the test unless the broker ends the connection now.
func (w *wire) ends(why string) {
	w.t.Helper()
	w.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if b, err := w.frame(); err == nil {
		w.t.Fatalf("%s: the broker answered %x", why, b)
	} else if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		w.t.Fatalf("%s: the broker keeps the connection", why)
	}
}

// kv is a record to produce; nil stands for null.
type kv struct{ key, value []byte }

// batchOf builds a batch as a producer does.
func batchOf(records ...kv) *kmsg.RecordBatch {
	b := &kmsg.RecordBatch{PartitionLeaderEpoch: -1, Magic: 2, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
		NumRecords: int32(len(records)), LastOffsetDelta: int32(len(records) - 1)}
	b.FirstTimestamp = time.Now().UnixMilli()
	b.MaxTimestamp = b.FirstTimestamp
	for i, r := range records {
		rec := kmsg.Record{OffsetDelta: int32(i), Key: r.key, Value: r.value}
		rec.Length = int32(len(rec.AppendTo(nil)) - 1) // the length of a zero length is one byte
		b.Records = rec.AppendTo(b.Records)
	}
	return b
}

// seal encodes a batch with its length and checksum.
func seal(b *kmsg.RecordBatch) []byte {
	b.Length = 49 + int32(len(b.Records))
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

func text(values ...string) (kvs []kv) {
	for _, v := range values {
		kvs = append(kvs, kv{value: []byte(v)})
	}
	return kvs
}

// produceRequest asks to append raw bytes to a partition, with acks from all.
func produceRequest(topic string, partition int32, raw []byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 1000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, raw
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// produce appends raw bytes and returns the partition's answer.
func (w *wire) produce(topic string, partition int32, raw []byte) kmsg.ProduceResponseTopicPartition {
	w.t.Helper()
	return ask[*kmsg.ProduceResponse](w, 12, produceRequest(topic, partition, raw)).Topics[0].Partitions[0]
}

// fetchRequest asks for what a partition has from an offset on.
func fetchRequest(topic string, partition int32, offset int64) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.MinBytes, req.MaxBytes = 1, 1<<20
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, offset, 1<<20
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// checksum computes what a batch's checksum has to be.
func checksum(raw []byte) uint32 { return crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)) }
