package producer

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
)

// callbacks runs the users' callbacks of SendAsync one after another, on a goroutine of their own: franz-go's promises are all run by one goroutine, and a
// callback that blocked it would hold up every acknowledgement of the producer. The goroutine ends when there is nothing to do.
type callbacks struct {
	log   *slog.Logger
	stock *stock

	mu          sync.Mutex // guards what follows
	first, last *call
	running     bool
	ended       chan struct{} // closed when the goroutine ends, for who waits
}

// add queues the callback of a call that has its answer.
func (c *callbacks) add(x *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.first == nil {
		c.first = x
	} else {
		c.last.behind = x
	}
	c.last = x
	if !c.running {
		c.running = true
		go c.run()
	}
}

func (c *callbacks) run() {
	for {
		c.mu.Lock()
		x := c.first
		c.first, c.last = nil, nil
		if x == nil {
			c.running = false
			if c.ended != nil {
				close(c.ended)
				c.ended = nil
			}
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		var over returns
		for x != nil {
			next := x.behind
			x.behind = nil // who keeps one does not keep those behind it
			c.call(x)
			if x.over {
				over.add(x, c.stock)
			}
			x = next
		}
		over.flush(c.stock)
	}
}

// call runs one callback. A panic in it must not take the others with it.
func (c *callbacks) call(x *call) {
	defer func() {
		if v := recover(); v != nil {
			c.log.Error("a callback of SendAsync panicked", "panic", fmt.Sprint(v), "topic", x.record.Topic, "stack", string(debug.Stack()))
		}
	}()
	x.callback(receipt(&x.record, x.err), x.err)
}

// idle returns a channel that is closed once no callback runs or waits.
func (c *callbacks) idle() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended != nil {
		return c.ended
	}
	ended := make(chan struct{})
	if !c.running {
		close(ended)
		return ended
	}
	c.ended = ended
	return ended
}
