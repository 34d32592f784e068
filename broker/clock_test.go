package broker_test

import (
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini/broker"
)

func TestSkewedClockIsTheBrokersOwn(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		create(t, w, "stamped", 1, 1, "message.timestamp.type", "LogAppendTime")
		produced := func() time.Duration {
			p := w.produce("stamped", 0, seal(batchOf(text("a")...)))
			if p.ErrorCode != 0 {
				t.Fatal(kerr.ErrorForCode(p.ErrorCode))
			}
			return time.Until(time.UnixMilli(p.LogAppendTime))
		}
		for _, skew := range []time.Duration{0, time.Hour, -24 * time.Hour, 0} {
			if err := cluster.SkewClock(1, skew); err != nil {
				t.Fatal(err)
			}
			if got := produced(); got.Round(time.Second) != skew {
				t.Errorf("a record appended with a clock ahead by %v is stamped %v ahead", skew, got)
			}
		}
		// A record that is on time by everybody else's clock comes from the future for a broker whose clock is two hours behind.
		if err := cluster.SkewClock(1, -2*time.Hour); err != nil {
			t.Fatal(err)
		}
		if p := w.produce("orders", 0, seal(batchOf(text("a")...))); p.ErrorCode != kerr.InvalidTimestamp.Code {
			t.Errorf("a record two hours ahead: %v", kerr.ErrorForCode(p.ErrorCode))
		}
		if err := cluster.SkewClock(7, 0); !errors.Is(err, broker.ErrUnknownBroker) {
			t.Errorf("a broker that does not exist: %v", err)
		}
	})
}
