package broker

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/records"
	"github.com/sordini-go/sordini/broker/internal/storage"
)

func TestCleanerRestsWhenNothingIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := Start(Config{Network: NewNetwork(), Topics: []Topic{{Name: "state", Configs: map[string]string{
			"cleanup.policy": "compact", "segment.ms": "1", "min.compaction.lag.ms": "3600000", "min.cleanable.dirty.ratio": "0"}}}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		p := c.partition("state", 0)
		put := func() {
			r := kmsg.Record{Key: []byte("k"), Value: []byte("v")}
			r.Length = int32(len(r.AppendTo(nil)) - 1)
			b := kmsg.RecordBatch{Magic: 2, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: 1, FirstTimestamp: nowMillis(), MaxTimestamp: nowMillis()}
			b.Records = r.AppendTo(nil)
			b.Length = 49 + int32(len(b.Records))
			p.mu.Lock()
			defer p.mu.Unlock()
			if _, err := p.log.Append(records.Batch(b.AppendTo(nil)), p.epoch, nowMillis(), limits(p.topic.settings.Load())); err != nil {
				t.Fatal(err)
			}
			p.appendedLocked(-1)
		}
		resting := func() bool { return c.cleaner.next.Load() == math.MaxInt64 }
		if put(); !resting() {
			t.Error("an active segment alone has a timer")
		}
		time.Sleep(30 * time.Minute)
		put() // the first is in a segment that may be compacted an hour after it was written
		time.Sleep(time.Second)
		put() // and so is the second, half an hour later
		begin := time.Now()
		if next := time.UnixMilli(c.cleaner.next.Load()); next.Before(begin.Add(29*time.Minute)) || next.After(begin.Add(31*time.Minute)) {
			t.Errorf("the first look is after %v", next.Sub(begin))
		}
		for steps := 0; !resting(); steps++ {
			if steps > 10 {
				t.Fatalf("the timer goes on after %v", time.Since(begin))
			}
			time.Sleep(30 * time.Minute)
			synctest.Wait()
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		n := 0
		for b := range p.log.Batches(0) {
			n += int(b.Count())
		}
		if n != 2 || p.log.LatestEpoch() == storage.NoEpoch {
			t.Errorf("%d records are left of one key: the newest below the active segment, and the active one", n)
		}
	})
}
