package broker_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

// Every answer in this table was compared with what Apache Kafka 4.3.1 answers to the same bytes.
func TestProduceIsRefusedAsKafkaRefusesIt(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		edit := func(fn func(*kmsg.RecordBatch)) []byte {
			b := batchOf(kv{[]byte("k"), []byte("v")}, kv{[]byte("k"), []byte("w")})
			fn(b)
			return seal(b)
		}
		whole := edit(func(*kmsg.RecordBatch) {})
		length := func(n uint32) []byte {
			raw := bytes.Clone(whole)
			binary.BigEndian.PutUint32(raw[8:], n)
			return raw
		}
		flipped := bytes.Clone(whole)
		flipped[len(flipped)-1] ^= 1
		const pastChecks = 0 // Kafka had opened the log, so it says where that begins
		for name, test := range map[string]struct {
			raw      []byte
			version  int16
			want     *kerr.Error
			logStart int64
		}{
			"no records":                {nil, 9, kerr.InvalidRecord, -1},
			"no bytes":                  {[]byte{}, 9, kerr.InvalidRecord, -1},
			"cut in the header":         {whole[:40], 9, kerr.InvalidRecord, -1},
			"cut in the records":        {whole[:65], 9, kerr.InvalidRecord, -1},
			"two batches":               {append(bytes.Clone(whole), whole...), 9, kerr.InvalidRecord, -1},
			"bytes after the batch":     {append(bytes.Clone(whole), 1, 2, 3), 9, nil, pastChecks},
			"message format 1":          {edit(func(b *kmsg.RecordBatch) { b.Magic = 1 }), 9, kerr.InvalidRecord, -1},
			"unknown message format":    {edit(func(b *kmsg.RecordBatch) { b.Magic = 3 }), 9, kerr.CorruptMessage, -1},
			"length too small":          {length(10), 9, kerr.CorruptMessage, -1},
			"negative length":           {length(0xfffffffb), 9, kerr.CorruptMessage, -1},
			"wrong checksum":            {flipped, 9, kerr.CorruptMessage, -1},
			"base offset":               {edit(func(b *kmsg.RecordBatch) { b.FirstOffset = 5 }), 9, kerr.InvalidRecord, pastChecks},
			"count 0":                   {edit(func(b *kmsg.RecordBatch) { b.NumRecords = 0 }), 9, kerr.InvalidRecord, pastChecks},
			"negative count":            {edit(func(b *kmsg.RecordBatch) { b.NumRecords = -1 }), 9, kerr.InvalidRecord, pastChecks},
			"more counted than there":   {edit(func(b *kmsg.RecordBatch) { b.NumRecords, b.LastOffsetDelta = 3, 2 }), 9, kerr.InvalidRecord, pastChecks},
			"fewer counted than there":  {edit(func(b *kmsg.RecordBatch) { b.NumRecords, b.LastOffsetDelta = 1, 0 }), 9, kerr.InvalidRecord, pastChecks},
			"last offset delta":         {edit(func(b *kmsg.RecordBatch) { b.LastOffsetDelta = 5 }), 9, kerr.InvalidRecord, pastChecks},
			"control batch":             {edit(func(b *kmsg.RecordBatch) { b.Attributes = 0x20 }), 9, kerr.InvalidRecord, pastChecks},
			"log append time":           {edit(func(b *kmsg.RecordBatch) { b.Attributes = 0x08 }), 9, nil, pastChecks},
			"transaction without id":    {edit(func(b *kmsg.RecordBatch) { b.Attributes = 0x10 }), 9, kerr.TransactionalIDAuthorizationFailed, -1},
			"unknown compression":       {edit(func(b *kmsg.RecordBatch) { b.Attributes = 7 }), 9, kerr.UnknownServerError, pastChecks},
			"zstd before it was known":  {edit(func(b *kmsg.RecordBatch) { b.Attributes = 4 }), 6, kerr.UnsupportedCompressionType, -1},
			"producer without sequence": {edit(func(b *kmsg.RecordBatch) { b.ProducerID, b.ProducerEpoch = 5, 0 }), 9, kerr.InvalidRecord, pastChecks},
			"too far in the future":     {edit(func(b *kmsg.RecordBatch) { b.FirstTimestamp += 7_200_000; b.MaxTimestamp += 7_200_000 }), 9, kerr.InvalidTimestamp, pastChecks},
			"no timestamp":              {edit(func(b *kmsg.RecordBatch) { b.FirstTimestamp, b.MaxTimestamp = -1, -1 }), 9, nil, pastChecks},
			"record length":             {edit(func(b *kmsg.RecordBatch) { b.Records[0] += 2 }), 9, kerr.InvalidRecord, pastChecks},
			"larger than allowed":       {seal(batchOf(kv{nil, make([]byte, 1_100_000)})), 9, kerr.MessageTooLarge, -1},
		} {
			topic := strings.ReplaceAll(name, " ", "-")
			create(t, w, topic, 1, 1)
			p := ask[*kmsg.ProduceResponse](w, test.version, produceRequest(topic, 0, test.raw)).Topics[0].Partitions[0]
			want, end := int16(0), int64(2)
			if test.want != nil {
				want, end = test.want.Code, 0
			}
			if p.ErrorCode != want || p.LogStartOffset != test.logStart {
				t.Errorf("%s: answer %v with log start %d, want %v with %d", name, kerr.ErrorForCode(p.ErrorCode), p.LogStartOffset, test.want, test.logStart)
			}
			if got := cluster.EndOffset(topic, 0); got != end {
				t.Errorf("%s: %d records were appended", name, got)
			}
		}
	})
}

func TestProduceToWhatIsNotThere(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		for _, test := range []struct {
			topic     string
			partition int32
			want      *kerr.Error
		}{
			{"orders", 9, kerr.UnknownTopicOrPartition},
			{"orders", -1, kerr.UnknownTopicOrPartition},
			{"nowhere", 0, kerr.UnknownTopicOrPartition},
			{"orders", 1, kerr.NotLeaderForPartition}, // broker 2 leads it
		} {
			if p := w.produce(test.topic, test.partition, seal(batchOf(text("v")...))); p.ErrorCode != test.want.Code {
				t.Errorf("%s[%d]: %v, want %v", test.topic, test.partition, kerr.ErrorForCode(p.ErrorCode), test.want)
			}
		}
		req := produceRequest("", 0, seal(batchOf(text("v")...)))
		req.Topics[0].TopicID = [16]byte{1, 2, 3}
		if p := ask[*kmsg.ProduceResponse](w, 13, req).Topics[0].Partitions[0]; p.ErrorCode != kerr.UnknownTopicID.Code {
			t.Errorf("unknown id: %v", kerr.ErrorForCode(p.ErrorCode))
		}
	})
}

func TestEveryVersionOfProduceAppends(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		meta := kmsg.NewPtrMetadataRequest()
		name := "orders"
		meta.Topics = append(meta.Topics, kmsg.MetadataRequestTopic{Topic: &name})
		id := ask[*kmsg.MetadataResponse](w, 12, meta).Topics[0].TopicID
		for v := int16(3); v <= 13; v++ {
			req := produceRequest("orders", 0, seal(batchOf(text("v")...)))
			req.Topics[0].TopicID = id
			p := ask[*kmsg.ProduceResponse](w, v, req).Topics[0].Partitions[0]
			if p.ErrorCode != 0 || p.BaseOffset != int64(v-3) || p.LogAppendTime != -1 {
				t.Errorf("version %d: %+v", v, p)
			}
		}
	})
}

func TestAcksDecideWhatIsAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		req := produceRequest("orders", 0, seal(batchOf(text("none")...)))
		req.Acks = 0
		req.SetVersion(9)
		w.send(req) // no response: the next answer is the next request's
		if p := w.produce("orders", 0, seal(batchOf(text("all")...))); p.ErrorCode != 0 || p.BaseOffset != 1 {
			t.Errorf("after acks=0: %+v", p)
		}
		req = produceRequest("orders", 0, seal(batchOf(text("many")...)))
		req.Acks = 7
		if p := ask[*kmsg.ProduceResponse](w, 9, req).Topics[0].Partitions[0]; p.ErrorCode != kerr.InvalidRequiredAcks.Code {
			t.Errorf("acks=7: %v", kerr.ErrorForCode(p.ErrorCode))
		}
		req = produceRequest("nowhere", 0, seal(batchOf(text("lost")...)))
		req.Acks = 0
		req.SetVersion(9)
		w.send(req)
		w.ends("acks=0 failed")
	})
}

func TestAcksAllNeedsTheInSyncReplicas(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		create(t, w, "safe", 1, 2, "min.insync.replicas", "2")
		if p := w.produce("safe", 0, seal(batchOf(text("a")...))); p.ErrorCode != 0 {
			t.Fatalf("all in sync: %+v", p)
		}
		if err := cluster.KillBroker(2); err != nil {
			t.Fatal(err)
		}
		if p := w.produce("safe", 0, seal(batchOf(text("b")...))); p.ErrorCode != kerr.NotEnoughReplicas.Code {
			t.Errorf("one in sync: %v", kerr.ErrorForCode(p.ErrorCode))
		}
		req := produceRequest("safe", 0, seal(batchOf(text("c")...)))
		req.Acks = 1
		if p := ask[*kmsg.ProduceResponse](w, 9, req).Topics[0].Partitions[0]; p.ErrorCode != 0 || p.BaseOffset != 1 {
			t.Errorf("acks=1: %+v", p)
		}
	})
}

// create creates a topic with settings given as name, value, name, value.
func create(t *testing.T, w *wire, name string, partitions int32, replicas int16, configs ...string) {
	t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = name, partitions, replicas
	for i := 0; i < len(configs); i += 2 {
		rt.Configs = append(rt.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: configs[i], Value: &configs[i+1]})
	}
	req.Topics = append(req.Topics, rt)
	if resp := ask[*kmsg.CreateTopicsResponse](w, 7, req).Topics[0]; resp.ErrorCode != 0 {
		t.Fatalf("create %s: %v", name, kerr.ErrorForCode(resp.ErrorCode))
	}
}

func TestCompactedTopicRefusesRecordsWithoutKeys(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		create(t, w, "state", 1, 1, "cleanup.policy", "compact")
		p := w.produce("state", 0, seal(batchOf(kv{nil, []byte("a")}, kv{[]byte("k"), []byte("b")}, kv{nil, []byte("c")})))
		if p.ErrorCode != kerr.InvalidRecord.Code || len(p.ErrorRecords) != 2 || p.ErrorRecords[0].RelativeOffset != 0 || p.ErrorRecords[1].RelativeOffset != 2 {
			t.Errorf("answer %+v", p)
		}
		if p := w.produce("state", 0, seal(batchOf(kv{[]byte{}, []byte("a")}))); p.ErrorCode != 0 {
			t.Errorf("an empty key is a key: %+v", p)
		}
	})
}

func TestLogAppendTimeIsTheBrokers(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		create(t, w, "clocked", 1, 1, "message.timestamp.type", "LogAppendTime")
		b := batchOf(text("a", "b")...)
		b.FirstTimestamp, b.MaxTimestamp = 5, 7
		time.Sleep(time.Hour)
		now := time.Now()
		if p := w.produce("clocked", 0, seal(b)); p.LogAppendTime != now.UnixMilli() {
			t.Errorf("answered time %d, now is %d", p.LogAppendTime, now.UnixMilli())
		}
		records, err := cluster.Records("clocked", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			if !r.Timestamp.Equal(now) {
				t.Errorf("record %d has %v", r.Offset, r.Timestamp)
			}
		}
		raw := ask[*kmsg.FetchResponse](w, 11, fetchRequest("clocked", 0, 0)).Topics[0].Partitions[0].RecordBatches
		if sum := binary.BigEndian.Uint32(raw[17:]); sum != checksum(raw) {
			t.Errorf("the batch's checksum is wrong: %08x", sum)
		}
	})
}

func TestWrongLargestTimestampIsPutRight(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		b := batchOf(text("a")...)
		b.MaxTimestamp += 1000
		w.produce("orders", 0, seal(b))
		raw := ask[*kmsg.FetchResponse](w, 11, fetchRequest("orders", 0, 0)).Topics[0].Partitions[0].RecordBatches
		var got kmsg.RecordBatch
		if err := got.ReadFrom(raw); err != nil {
			t.Fatal(err)
		}
		if got.MaxTimestamp != b.FirstTimestamp || uint32(got.CRC) != checksum(raw) {
			t.Errorf("largest timestamp %d, want %d; checksum %08x, want %08x", got.MaxTimestamp, b.FirstTimestamp, uint32(got.CRC), checksum(raw))
		}
	})
}

func TestBatchesAreKeptAsTheyCame(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		sent := seal(batchOf(kv{[]byte("k"), []byte("v")}, kv{nil, nil}))
		w.produce("orders", 0, seal(batchOf(text("before")...)))
		w.produce("orders", 0, bytes.Clone(sent))
		got := ask[*kmsg.FetchResponse](w, 11, fetchRequest("orders", 0, 1)).Topics[0].Partitions[0].RecordBatches
		binary.BigEndian.PutUint64(sent, 1)      // the base offset
		binary.BigEndian.PutUint32(sent[12:], 0) // the leader epoch
		if !bytes.Equal(got, sent) {
			t.Errorf("sent %x\n got %x", sent, got)
		}
	})
}

func TestIdempotentProducerIsHeldToItsSequence(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		init := ask[*kmsg.InitProducerIDResponse](w, 4, kmsg.NewPtrInitProducerIDRequest())
		if init.ErrorCode != 0 || init.ProducerEpoch != 0 {
			t.Fatalf("init: %+v", init)
		}
		type step struct {
			name       string
			epoch      int16
			seq, count int32
			want       *kerr.Error
			base       int64
		}
		steps := []step{
			{"unknown producer begins anywhere", 0, 5, 1, nil, 0},
			{"gap", 0, 8, 1, kerr.OutOfOrderSequenceNumber, -1},
			{"next", 0, 6, 2, nil, 1},
			{"duplicate", 0, 6, 2, nil, 1},
			{"part of a duplicate", 0, 6, 1, kerr.OutOfOrderSequenceNumber, -1},
			{"older duplicate", 0, 5, 1, nil, 0},
		}
		for i := range int32(5) {
			steps = append(steps, step{fmt.Sprint("one more: ", i), 0, 8 + i, 1, nil, 3 + int64(i)})
		}
		steps = append(steps,
			step{"duplicate out of the window", 0, 5, 1, kerr.OutOfOrderSequenceNumber, -1},
			step{"oldest duplicate in the window", 0, 8, 1, nil, 3},
			step{"new epoch that does not begin at 0", 1, 13, 1, kerr.OutOfOrderSequenceNumber, -1},
			step{"new epoch", 1, 0, 1, nil, 8},
			step{"old epoch", 0, 13, 1, kerr.InvalidProducerEpoch, -1},
		)
		for _, s := range steps {
			b := batchOf(make([]kv, s.count)...)
			b.ProducerID, b.ProducerEpoch, b.FirstSequence = init.ProducerID, s.epoch, s.seq
			p := w.produce("orders", 0, seal(b))
			want := int16(0)
			if s.want != nil {
				want = s.want.Code
			}
			if p.ErrorCode != want || p.BaseOffset != s.base {
				t.Errorf("%s: %v at offset %d, want %v at %d", s.name, kerr.ErrorForCode(p.ErrorCode), p.BaseOffset, s.want, s.base)
			}
		}
		if n := cluster.EndOffset("orders", 0); n != 9 {
			t.Errorf("%d records", n)
		}
	})
}

func TestSequenceNumbersStartAgainAtZero(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		produce := func(seq, count int32) int16 {
			b := batchOf(make([]kv, count)...)
			b.ProducerID, b.ProducerEpoch, b.FirstSequence = 7, 0, seq
			return w.produce("orders", 0, seal(b)).ErrorCode
		}
		for _, s := range []struct{ seq, count int32 }{{math.MaxInt32 - 1, 2}, {0, 1}, {1, math.MaxInt16}} {
			if code := produce(s.seq, s.count); code != 0 {
				t.Errorf("sequence %d: %v", s.seq, kerr.ErrorForCode(code))
			}
		}
	})
}
