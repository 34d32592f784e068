package broker_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini/broker"
)

func TestRecordsOlderThanTheRetentionGo(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		create(t, w, "daily", 1, 1, "retention.ms", "86400000", "segment.ms", "3600000")
		create(t, w, "kept", 1, 1, "retention.ms", "-1")
		for range 12 {
			for _, topic := range []string{"daily", "kept"} {
				if p := w.produce(topic, 0, seal(batchOf(text("a")...))); p.ErrorCode != 0 {
					t.Fatal(kerr.ErrorForCode(p.ErrorCode))
				}
			}
			time.Sleep(2 * time.Hour)
		}
		// The clock stands at 24 hours: the record of hour 0 goes within one check, that of hour 2 two hours later.
		time.Sleep(10 * time.Minute)
		if start := cluster.StartOffset("daily", 0); start != 1 {
			t.Errorf("after 24 hours the log begins at %d", start)
		}
		time.Sleep(2 * time.Hour)
		if start := cluster.StartOffset("daily", 0); start != 2 {
			t.Errorf("after 26 hours the log begins at %d", start)
		}
		time.Sleep(48 * time.Hour)
		if start, end := cluster.StartOffset("daily", 0), cluster.EndOffset("daily", 0); start != 12 || end != 12 {
			t.Errorf("in the end the log goes from %d to %d", start, end)
		}
		if p := w.produce("daily", 0, seal(batchOf(text("a")...))); p.BaseOffset != 12 || p.LogStartOffset != 12 {
			t.Errorf("the next record: %+v", p)
		}
		if start := cluster.StartOffset("kept", 0); start != 0 {
			t.Errorf("without retention the log begins at %d", start)
		}
	})
}

func TestLogLargerThanItsRetentionLosesWholeSegments(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		create(t, w, "small", 1, 1, "retention.bytes", "2000000", "segment.bytes", "1048576")
		for range 8 { // two to a segment
			w.produce("small", 0, seal(batchOf(kv{nil, make([]byte, 500_000)})))
		}
		time.Sleep(10 * time.Minute)
		if start := cluster.StartOffset("small", 0); start != 4 {
			t.Errorf("the log begins at %d", start)
		}
	})
}

func TestIdleProducerIsForgotten(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		produce := func(seq int32) int16 {
			b := batchOf(text("a")...)
			b.ProducerID, b.ProducerEpoch, b.FirstSequence = 7, 0, seq
			return w.produce("orders", 0, seal(b)).ErrorCode
		}
		produce(0)
		time.Sleep(23 * time.Hour)
		if code := produce(5); code != kerr.OutOfOrderSequenceNumber.Code {
			t.Errorf("a gap after 23 hours: %v", kerr.ErrorForCode(code))
		}
		time.Sleep(2 * time.Hour)
		if code := produce(5); code != 0 {
			t.Errorf("a forgotten producer begins anywhere: %v", kerr.ErrorForCode(code))
		}
	})
}
