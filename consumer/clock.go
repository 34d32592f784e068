package consumer

import (
	"sync/atomic"
	"time"
)

// clock tells the time for half of what time.Now costs, because it reads the monotonic clock alone and adds that to a time it was set to. What it says of the day is
// as old as that: where somebody sets the computer's clock it follows when it is set the next time.
type clock struct{ base atomic.Pointer[time.Time] }

func (c *clock) set() {
	now := time.Now()
	c.base.Store(&now)
}

func (c *clock) now() time.Time {
	base := c.base.Load()
	return base.Add(time.Since(*base))
}
