package broker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

// listed asks for an offset of orders[0].
func (w *wire) listed(version int16, timestamp int64) kmsg.ListOffsetsResponseTopicPartition {
	w.t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = "orders"
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp = timestamp
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return ask[*kmsg.ListOffsetsResponse](w, version, req).Topics[0].Partitions[0]
}

// deleteBefore deletes records of orders[0].
func (w *wire) deleteBefore(offset int64) kmsg.DeleteRecordsResponseTopicPartition {
	w.t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: "orders", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Offset: offset}}}}
	return ask[*kmsg.DeleteRecordsResponse](w, 2, req).Topics[0].Partitions[0]
}

func TestListOffsetsAnswersAsKafkaDoes(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		for _, timestamp := range []int64{-1, -2, -3, -4, 5} {
			want := map[int64]int64{-1: 0, -2: 0, -3: -1, -4: 0, 5: -1}[timestamp]
			if p := w.listed(8, timestamp); p.Offset != want || p.ErrorCode != 0 {
				t.Errorf("empty log, timestamp %d: %+v", timestamp, p)
			}
		}
		begin := time.Now()
		now := begin.UnixMilli()
		for range 3 {
			w.produce("orders", 0, seal(batchOf(text("a", "b")...)))
			time.Sleep(time.Second)
		}
		for _, test := range []struct {
			version    int16
			timestamp  int64
			offset, at int64
			want       *kerr.Error
		}{
			{1, -1, 6, -1, nil}, {11, -1, 6, -1, nil},
			{1, -2, 0, -1, nil}, {11, -2, 0, -1, nil},
			{6, -3, -1, -1, kerr.UnsupportedVersion}, {7, -3, 4, now + 2000, nil},
			{7, -4, -1, -1, kerr.UnsupportedVersion}, {8, -4, 0, -1, nil},
			{8, -5, -1, -1, kerr.UnsupportedVersion}, {9, -5, -1, -1, nil},
			{10, -6, -1, -1, kerr.UnsupportedVersion}, {11, -6, -1, -1, nil},
			{11, -7, -1, -1, kerr.UnsupportedVersion},
			{7, 0, 0, now, nil}, {7, now, 0, now, nil},
			{7, now + 1, 2, now + 1000, nil}, {7, now + 2000, 4, now + 2000, nil},
			{7, now + 2001, -1, -1, nil},
		} {
			p := w.listed(test.version, test.timestamp)
			want := int16(0)
			if test.want != nil {
				want = test.want.Code
			}
			if p.ErrorCode != want || p.Offset != test.offset || p.Timestamp != test.at {
				t.Errorf("version %d, timestamp %d: %v, offset %d at %d; want %v, %d at %d",
					test.version, test.timestamp, kerr.ErrorForCode(p.ErrorCode), p.Offset, p.Timestamp, test.want, test.offset, test.at)
			}
		}
	})
}

func TestDeletedRecordsAreGone(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		three(t, w)
		for _, test := range []struct {
			before, low int64
			want        *kerr.Error
		}{
			{3, 3, nil}, {2, 3, nil}, {99, -1, kerr.OffsetOutOfRange}, {-2, -1, kerr.OffsetOutOfRange},
		} {
			p := w.deleteBefore(test.before)
			want := int16(0)
			if test.want != nil {
				want = test.want.Code
			}
			if p.ErrorCode != want || p.LowWatermark != test.low {
				t.Errorf("delete before %d: %v, low watermark %d", test.before, kerr.ErrorForCode(p.ErrorCode), p.LowWatermark)
			}
		}
		if p := ask[*kmsg.FetchResponse](w, 11, fetchRequest("orders", 0, 2)).Topics[0].Partitions[0]; p.ErrorCode != kerr.OffsetOutOfRange.Code {
			t.Errorf("fetch of a deleted record: %v", kerr.ErrorForCode(p.ErrorCode))
		}
		if p := w.listed(7, -2); p.Offset != 3 {
			t.Errorf("earliest offset %d", p.Offset)
		}
		if p := w.listed(7, 0); p.Offset != 3 {
			t.Errorf("first offset by time %d", p.Offset)
		}
		records, err := cluster.Records("orders", 0)
		if err != nil || len(records) != 3 || records[0].Offset != 3 || string(records[0].Value) != "3" {
			t.Errorf("records %v, %v", records, err)
		}
		if p := w.deleteBefore(-1); p.LowWatermark != 6 {
			t.Errorf("delete all: %+v", p)
		}
		w.produce("orders", 0, seal(batchOf(text("after")...)))
		if records, _ := cluster.Records("orders", 0); len(records) != 1 || records[0].Offset != 6 {
			t.Errorf("records %v after all were deleted", records)
		}
	})
}

func TestEpochEndsAreKept(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		three(t, w)
		for range 2 { // the second epoch writes nothing
			if err := cluster.MoveLeader("orders", 0, 1); err != nil {
				t.Fatal(err)
			}
		}
		three(t, w)
		for _, test := range []struct {
			asked, current, epoch int32
			end                   int64
			want                  *kerr.Error
		}{
			{0, -1, 0, 6, nil}, {1, -1, 0, 6, nil}, {2, 2, 2, 12, nil}, {3, -1, -1, -1, nil}, {-1, -1, -1, -1, nil},
			{0, 1, -1, -1, kerr.FencedLeaderEpoch}, {0, 5, -1, -1, kerr.UnknownLeaderEpoch},
		} {
			req := kmsg.NewPtrOffsetForLeaderEpochRequest()
			req.ReplicaID = -1
			req.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{Topic: "orders",
				Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{LeaderEpoch: test.asked, CurrentLeaderEpoch: test.current}}}}
			for _, version := range []int16{2, 3, 4} {
				p := ask[*kmsg.OffsetForLeaderEpochResponse](w, version, req).Topics[0].Partitions[0]
				want := int16(0)
				if test.want != nil {
					want = test.want.Code
				}
				if p.ErrorCode != want || p.LeaderEpoch != test.epoch || p.EndOffset != test.end {
					t.Errorf("version %d, epoch %d: %v, epoch %d ends at %d; want %v, %d at %d",
						version, test.asked, kerr.ErrorForCode(p.ErrorCode), p.LeaderEpoch, p.EndOffset, test.want, test.epoch, test.end)
				}
			}
		}
	})
}

func TestManySmallSegmentsReadAsOneLog(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		create(t, w, "rolled", 1, 1, "segment.ms", "1")
		for i := range 20 {
			w.produce("rolled", 0, seal(batchOf(text(fmt.Sprint(i))...)))
			time.Sleep(time.Second)
		}
		for from := range int64(20) {
			p := ask[*kmsg.FetchResponse](w, 11, fetchRequest("rolled", 0, from)).Topics[0].Partitions[0]
			if bases := offsets(t, p.RecordBatches); len(bases) != int(20-from) || bases[0] != from {
				t.Errorf("from %d: batches %v", from, bases)
			}
		}
	})
}
