package broker

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

func TestRetentionRestsWhenNothingIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := Start(Config{Network: NewNetwork(), Topics: []Topic{{Name: "weekly"}, {Name: "kept", Configs: map[string]string{"retention.ms": "-1"}}}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		resting := func() bool { return c.retention.next.Load() == math.MaxInt64 }
		if !resting() {
			t.Error("an empty cluster has a timer")
		}
		written := func(topic string, producer bool) {
			p := c.partition(topic, 0)
			p.mu.Lock()
			defer p.mu.Unlock()
			p.retentionDueLocked(nowMillis(), nowMillis(), producer)
		}
		if written("kept", false); !resting() {
			t.Error("a record that is kept for ever has a timer")
		}
		written("weekly", false)
		begin := time.Now()
		for steps := 0; !resting(); steps++ {
			if steps > 10 {
				t.Fatalf("the timer goes on after %v", time.Since(begin))
			}
			time.Sleep(24 * time.Hour)
			synctest.Wait()
		}
		if d := time.Since(begin); d < 7*24*time.Hour {
			t.Errorf("nobody looks at a record of a week after %v", d)
		}
		written("weekly", false)
		if written("weekly", true); c.retention.next.Load() > time.Now().Add(25*time.Hour).UnixMilli() {
			t.Error("a producer that expires sooner does not bring the timer forward")
		}
	})
}
