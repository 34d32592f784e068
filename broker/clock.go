package broker

import (
	"fmt"
	"math"
	"time"
)

// now is the time as the broker has it. Whatever becomes part of a log or is decided by a record's age takes it from here: append times, the bounds
// of timestamps, retention and compaction. What only waits (sessions, deadlines, throttling) takes the machine's, as a monotonic clock would.
func (n *node) now() time.Time { return time.Now().Add(time.Duration(n.skew.Load())) }

// real is when the broker's clock will show a moment, by the machine's clock; both in milliseconds.
func (n *node) real(ms int64) int64 {
	if ms == math.MaxInt64 {
		return ms
	}
	return ms - time.Duration(n.skew.Load()).Milliseconds()
}

// SkewClock makes a broker's clock go wrong: it is ahead by so much, or behind where by is negative, until it is set again; 0 puts it right. It
// fails with [ErrUnknownBroker].
func (c *Cluster) SkewClock(broker int32, by time.Duration) error {
	n := c.node(broker)
	if n == nil {
		return fmt.Errorf("skew clock of broker %d: %w", broker, ErrUnknownBroker)
	}
	n.skew.Store(int64(by))
	c.retention.due(nowMillis())
	c.cleaner.due(nowMillis())
	c.log.Info("clock skewed", "broker", broker, "by", by)
	return nil
}
