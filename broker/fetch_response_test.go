package broker

import (
	"bytes"
	"encoding/binary"
	"net"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/records"
	"github.com/sordini-go/sordini/broker/internal/storage"
)

func TestFetchResponseIsWhatTheCodecReads(t *testing.T) {
	batches := []records.Batch{bytes.Repeat([]byte{1}, 70), bytes.Repeat([]byte{2}, 90)}
	for version := int16(4); version <= 18; version++ {
		resp := &fetchResponse{version: version, session: 7, listener: 1, nodes: []*node{{id: 2, endpoints: []endpoint{{}, {host: "other", port: 9092}}}}, topics: []fetchTopic{
			{name: "orders", id: topicID{1}, parts: []*fetchPartition{
				{index: 0, batches: batches, bytes: 160, result: fetchResult{highWatermark: 9, stable: 8, start: 1}},
				{index: 1, result: fetchResult{code: 6, highWatermark: -1, stable: -1, start: -1}, hinted: true, hint: leadership{leader: 2, epoch: 5}},
			}},
			{name: "others", id: topicID{2}, parts: []*fetchPartition{
				{index: 3, batches: batches[:1], bytes: 70, result: fetchResult{highWatermark: 4, aborted: true},
					aborted: []storage.Aborted{{Producer: 5, First: 2, Last: 3}}},
				{index: 4, result: fetchResult{highWatermark: 4, diverges: true, divergingEpoch: 3, divergingEnd: 2}},
			}},
		}}
		sent := &wholeResponse{}
		c := &conn{nc: sent}
		if err := c.write(&request{header: header{correlation: 42}}, answer{fetch: resp}); err != nil {
			t.Fatal(err)
		}
		frame := sent.buf
		if n := binary.BigEndian.Uint32(frame); int(n) != len(frame)-4 {
			t.Errorf("version %d: size %d of a frame of %d", version, n, len(frame)-4)
		}
		if id := binary.BigEndian.Uint32(frame[4:]); id != 42 {
			t.Errorf("version %d: correlation id %d", version, id)
		}
		body := frame[8:]
		if version >= 12 {
			body = body[1:]
		}
		got := kmsg.NewPtrFetchResponse()
		got.Version = version
		if err := got.ReadFrom(body); err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		if again := got.AppendTo(nil); !bytes.Equal(again, body) {
			t.Errorf("version %d:\n    ours %x\n  kmsg's %x", version, body, again)
		}
		if p := got.Topics[0].Partitions[0]; !bytes.Equal(p.RecordBatches, append(bytes.Clone(batches[0]), batches[1]...)) || p.HighWatermark != 9 || p.LastStableOffset != 8 {
			t.Errorf("version %d: first partition %+v", version, p)
		}
		if p := got.Topics[0].Partitions[1]; p.ErrorCode != 6 || version >= 12 && (p.CurrentLeader.LeaderID != 2 || p.CurrentLeader.LeaderEpoch != 5) {
			t.Errorf("version %d: second partition %+v", version, p)
		}
		if a := got.Topics[1].Partitions[0].AbortedTransactions; len(a) != 1 || a[0].ProducerID != 5 || a[0].FirstOffset != 2 {
			t.Errorf("version %d: aborted transactions %+v", version, a)
		}
		if p := got.Topics[1].Partitions[1]; version >= 12 && (p.DivergingEpoch.Epoch != 3 || p.DivergingEpoch.EndOffset != 2) {
			t.Errorf("version %d: diverging partition %+v", version, p)
		}
		if version >= 16 && (len(got.Brokers) != 1 || got.Brokers[0].Host != "other") {
			t.Errorf("version %d: endpoints %+v", version, got.Brokers)
		}
	}
}

func TestBatchesAreNotCopiedOnTheirWayOut(t *testing.T) {
	batch := records.Batch(bytes.Repeat([]byte{1}, 70))
	w := &sliceWriter{}
	resp := &fetchResponse{version: 12, topics: []fetchTopic{{name: "orders", parts: []*fetchPartition{{batches: []records.Batch{batch}, bytes: len(batch)}}}}}
	if err := (&conn{nc: w}).write(&request{}, answer{fetch: resp}); err != nil {
		t.Fatal(err)
	}
	for _, b := range w.slices {
		if len(b) == len(batch) && reflect.ValueOf(b).Pointer() == reflect.ValueOf([]byte(batch)).Pointer() {
			return
		}
	}
	t.Error("the batch itself was not written")
}

// sliceWriter keeps the slices that are written.
type sliceWriter struct {
	net.Conn
	slices [][]byte
}

func (w *sliceWriter) Write(b []byte) (int, error) {
	w.slices = append(w.slices, b)
	return len(b), nil
}
