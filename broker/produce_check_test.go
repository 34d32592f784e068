package broker_test

import (
	"bytes"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

// codecs are numbered as in a batch's attributes.
var codecs = []struct {
	name     string
	compress func([]byte) []byte
}{
	{"none", slices.Clone[[]byte]},
	{"gzip", func(b []byte) []byte {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		w.Write(b)
		w.Close()
		return out.Bytes()
	}},
	{"snappy", func(b []byte) []byte { return s2.EncodeSnappy(nil, b) }},
	{"lz4", func(b []byte) []byte {
		var out bytes.Buffer
		w := lz4.NewWriter(&out)
		w.Write(b)
		w.Close()
		return out.Bytes()
	}},
	{"zstd", func(b []byte) []byte {
		var out bytes.Buffer
		w, _ := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
		w.Write(b)
		w.Close()
		return out.Bytes()
	}},
}

// encoded are the records of a batch: raw bytes where it says so, otherwise a record each with this offset, key and lateness in milliseconds.
type encoded struct {
	offset int32
	key    []byte
	late   int64
	raw    []byte
}

func (e encoded) append(dst []byte) []byte {
	if e.raw != nil {
		return append(dst, e.raw...)
	}
	r := kmsg.Record{OffsetDelta: e.offset, TimestampDelta64: e.late, Key: e.key, Value: []byte("v")}
	r.Length = int32(len(r.AppendTo(nil)) - 1)
	return r.AppendTo(dst)
}

// sealed builds a batch that says it has n records.
func sealed(attributes int16, n int32, payload []byte) []byte {
	b := batchOf()
	b.Attributes, b.NumRecords, b.LastOffsetDelta, b.Records = attributes, n, n-1, payload
	return seal(b)
}

func payloadOf(es ...encoded) (out []byte) {
	for _, e := range es {
		out = e.append(out)
	}
	return out
}

// dependent says of an LZ4 frame that its blocks depend on each other, as some writers have it, and makes its header's checksum fit.
func dependent(t *testing.T, frame []byte) []byte {
	const flags, independent = 4, 0x20
	frame = slices.Clone(frame)
	frame[flags] &^= independent
	sum := 6
	if frame[flags]&0x08 != 0 { // the content's size stands before it
		sum += 8
	}
	for range 256 {
		if _, err := io.ReadAll(lz4.NewReader(bytes.NewReader(frame))); err == nil {
			return frame
		}
		frame[sum]++
	}
	t.Fatal("no checksum fits")
	return nil
}

// The codes are what Apache Kafka 4.3.1 answered to the same bytes.
func TestContentsOfABatchAreCheckedAsKafkaDoes(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		invalid, unknown := kerr.InvalidRecord, kerr.UnknownServerError
		one, two := payloadOf(encoded{key: []byte("k")}), payloadOf(encoded{}, encoded{offset: 1})
		type test struct {
			name string
			raw  []byte
			want *kerr.Error
		}
		tests := []test{
			{"offsets are not looked at", sealed(0, 2, payloadOf(encoded{}, encoded{offset: 5})), nil},
			{"offsets of compressed records", sealed(1, 2, codecs[1].compress(payloadOf(encoded{}, encoded{offset: 5}))), unknown},
			{"no zstd at all", sealed(4, 1, nil), invalid},
			{"no gzip at all", sealed(1, 1, nil), unknown},
			{"no snappy at all", sealed(2, 1, nil), unknown},
			{"no lz4 at all", sealed(3, 1, nil), unknown},
			{"lz4 in blocks that depend on each other", sealed(3, 1, dependent(t, codecs[3].compress(one))), unknown},
			{"codec 5", sealed(5, 1, one), unknown},
			{"a delete horizon", sealed(0x40, 1, one), nil},
			{"log append time", sealed(0x08, 1, one), nil},
			{"unknown attributes", sealed(0x4000, 1, one), nil},
			{"bytes are left in the record", sealed(0, 1, []byte{16, 0, 0, 0, 1, 1, 0, 7, 7}), invalid},
			{"fewer headers than none", sealed(0, 1, []byte{12, 0, 0, 0, 1, 1, 1}), invalid},
			{"headers that are not there", sealed(0, 1, []byte{12, 0, 0, 0, 1, 1, 100}), invalid},
			{"a header without a key", sealed(0, 1, []byte{16, 0, 0, 0, 1, 1, 2, 1, 1}), invalid},
			{"two hours ahead", sealed(0, 1, payloadOf(encoded{late: 7200_000})), kerr.InvalidTimestamp},
			{"two hours ahead, compressed", sealed(1, 1, codecs[1].compress(payloadOf(encoded{late: 7200_000}))), kerr.InvalidTimestamp},
		}
		for attr, c := range codecs {
			attr := int16(attr)
			tests = append(tests,
				test{c.name + ": fine", sealed(attr, 2, c.compress(two)), nil},
				test{c.name + ": a record is missing", sealed(attr, 2, c.compress(one)), invalid},
				test{c.name + ": a record too many", sealed(attr, 1, c.compress(two)), invalid},
				test{c.name + ": a record is cut off", sealed(attr, 1, c.compress(one[:len(one)-2])), invalid},
				test{c.name + ": a key longer than the record", sealed(attr, 1, c.compress([]byte{12, 0, 0, 0, 100, 1, 0})), invalid})
			if attr > 0 {
				tests = append(tests, test{c.name + ": garbage", sealed(attr, 1, []byte("garbage that is none of this")), unknown})
			}
		}
		for _, test := range tests {
			want := int16(0)
			if test.want != nil {
				want = test.want.Code
			}
			if p := w.produce("orders", 0, test.raw); p.ErrorCode != want {
				t.Errorf("%s: %v, want %v", test.name, kerr.ErrorForCode(p.ErrorCode), test.want)
			}
		}
	})
}

func TestRecordsThatATopicRefusesAreNamed(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		create(t, w, "state", 1, 1, "cleanup.policy", "compact")
		k := []byte("k")
		const keyless = "Compacted topic cannot accept message without key in topic partition state-0"
		for name, test := range map[string]struct {
			records []encoded
			want    *kerr.Error
			message string
			refused []int32
		}{
			"an empty key is a key": {[]encoded{{key: []byte{}}}, nil, "", nil},
			"no keys": {[]encoded{{}, {offset: 1}, {offset: 2, key: k}, {offset: 3}, {offset: 4}}, kerr.InvalidRecord,
				"One or more records have been rejected due to 4 record errors in total, and only showing the first three errors at most: " +
					"[RecordError(batchIndex=0, message='" + keyless + "'), RecordError(batchIndex=1, message='" + keyless + "'), RecordError(batchIndex=3, message='" + keyless + "')]",
				[]int32{0, 1, 3, 4}},
			"a timestamp outweighs a key": {[]encoded{{}, {offset: 1, key: k, late: 7200_000}}, kerr.InvalidTimestamp,
				"One or more records have been rejected due to invalid timestamp", []int32{0, 1}},
			"what is malformed outweighs both": {[]encoded{{}, {raw: []byte{50}}}, kerr.InvalidRecord, "", nil},
		} {
			for attr, c := range codecs {
				p := w.produce("state", 0, sealed(int16(attr), int32(len(test.records)), c.compress(payloadOf(test.records...))))
				var refused []int32
				for _, e := range p.ErrorRecords {
					refused = append(refused, e.RelativeOffset)
				}
				want, message := int16(0), ""
				if test.want != nil {
					want = test.want.Code
				}
				if p.ErrorMessage != nil {
					message = *p.ErrorMessage
				}
				if p.ErrorCode != want || message != test.message || !slices.Equal(refused, test.refused) {
					t.Errorf("%s, %s: %v %q of %v", name, c.name, kerr.ErrorForCode(p.ErrorCode), message, refused)
				}
			}
		}
	})
}

func TestTopicCompressesAsItIsTold(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		names := []string{"uncompressed", "gzip", "snappy", "lz4", "zstd"}
		for target, name := range names {
			create(t, w, name, 1, 1, "compression.type", name)
			if target == 1 || target == 3 || target == 4 {
				create(t, w, name+"-5", 1, 1, "compression.type", name, "compression."+name+".level", "5")
			}
			for attr, c := range codecs {
				for _, topic := range []string{name, name + "-5"} {
					if cluster.Partitions(topic) == 0 {
						continue
					}
					p := w.produce(topic, 0, sealed(int16(attr), 2, c.compress(payloadOf(encoded{key: []byte("a"), late: 7}, encoded{offset: 1, key: []byte("b"), late: 3}))))
					if p.ErrorCode != 0 {
						t.Fatalf("%s to %s: %v", c.name, topic, kerr.ErrorForCode(p.ErrorCode))
					}
					got := ask[*kmsg.FetchResponse](w, 11, fetchRequest(topic, 0, p.BaseOffset)).Topics[0].Partitions[0].RecordBatches
					var b kmsg.RecordBatch
					if err := b.ReadFrom(got); err != nil || int(b.Attributes&7) != target || b.CRC != int32(checksum(got)) {
						t.Errorf("%s to %s: attributes %x, %v", c.name, topic, b.Attributes, err)
					}
				}
			}
			records, err := cluster.Records(name, 0)
			if err != nil || len(records) != 10 {
				t.Fatalf("%s: %d records, %v", name, len(records), err)
			}
			for i, r := range records {
				if r.Offset != int64(i) || string(r.Key) != string("ab"[i%2]) || time.Until(r.Timestamp) != []time.Duration{7, 3}[i%2]*time.Millisecond {
					t.Errorf("%s: record %d is %+v", name, i, r)
				}
			}
		}
		// What is larger when it is decompressed may be too large, and nothing is larger than a segment.
		create(t, w, "small", 1, 1, "compression.type", "uncompressed", "max.message.bytes", "1000")
		zeros := batchOf(kv{nil, make([]byte, 5000)}).Records
		if p := w.produce("small", 0, sealed(1, 1, codecs[1].compress(zeros))); p.ErrorCode != kerr.MessageTooLarge.Code || p.LogStartOffset != -1 {
			t.Errorf("too large when decompressed: %v", kerr.ErrorForCode(p.ErrorCode))
		}
		create(t, w, "segment", 1, 1, "segment.bytes", "1048576", "max.message.bytes", "5000000")
		if p := w.produce("segment", 0, seal(batchOf(kv{nil, make([]byte, 2_000_000)}))); p.ErrorCode != kerr.RecordListTooLarge.Code || p.LogStartOffset != -1 {
			t.Errorf("larger than a segment: %v", kerr.ErrorForCode(p.ErrorCode))
		}
	})
}

// The codes and texts are what Apache Kafka 4.3.1 answered.
func TestTopicsThatCannotBeCreatedAreRefusedInKafkasOrder(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		assign := func(partitions []int32, replicas ...[]int32) (out []kmsg.CreateTopicsRequestTopicReplicaAssignment) {
			for i, p := range partitions {
				out = append(out, kmsg.CreateTopicsRequestTopicReplicaAssignment{Partition: p, Replicas: replicas[i]})
			}
			return out
		}
		null := []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms"}}
		for _, test := range []struct {
			topic   kmsg.CreateTopicsRequestTopic
			want    *kerr.Error
			message string
		}{
			{kmsg.CreateTopicsRequestTopic{Topic: "orders", NumPartitions: 0, ReplicationFactor: 9, Configs: null}, kerr.TopicAlreadyExists, "Topic 'orders' already exists."},
			{kmsg.CreateTopicsRequestTopic{Topic: "orders", NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: assign([]int32{4}, []int32{1})},
				kerr.TopicAlreadyExists, "Topic 'orders' already exists."},
			{kmsg.CreateTopicsRequestTopic{Topic: "__cluster_metadata", NumPartitions: 1, ReplicationFactor: 1}, kerr.InvalidRequest,
				"Creation of internal topic __cluster_metadata is prohibited."},
			{kmsg.CreateTopicsRequestTopic{Topic: "n", NumPartitions: 1, ReplicationFactor: 1, Configs: null}, kerr.InvalidConfig,
				"Null value not supported for topic configs: retention.ms"},
			{kmsg.CreateTopicsRequestTopic{Topic: "n", NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: assign([]int32{2}, []int32{1})},
				kerr.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence"},
			{kmsg.CreateTopicsRequestTopic{Topic: "n", NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: assign([]int32{0, 0}, []int32{1}, []int32{1})},
				kerr.InvalidReplicaAssignment, "Found multiple manual partition assignments for partition 0"},
			{kmsg.CreateTopicsRequestTopic{Topic: "n", NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: assign([]int32{0, 1}, []int32{1}, []int32{1, 1})},
				kerr.InvalidReplicaAssignment, "The manual partition assignment includes the broker 1 more than once."},
			{kmsg.CreateTopicsRequestTopic{Topic: "n", NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignment: assign([]int32{0, 1}, []int32{1}, []int32{1, 9})},
				kerr.InvalidReplicaAssignment, "The manual partition assignment includes broker 9, but no such broker is registered."},
		} {
			req := kmsg.NewPtrCreateTopicsRequest()
			req.Topics = []kmsg.CreateTopicsRequestTopic{test.topic}
			got := ask[*kmsg.CreateTopicsResponse](w, 7, req).Topics[0]
			if message := *got.ErrorMessage; got.ErrorCode != test.want.Code || message != test.message {
				t.Errorf("%s: %v %q, want %v %q", test.topic.Topic, kerr.ErrorForCode(got.ErrorCode), message, test.want, test.message)
			}
		}
	})
}
