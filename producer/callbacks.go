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
	log *slog.Logger

	mu      sync.Mutex // guards what follows
	queue   []callback
	spare   []callback
	running bool
	ended   chan struct{} // closed when the goroutine ends, for who waits
}

type callback struct {
	do  func(Receipt, error)
	got Receipt
	err error
}

// add queues a callback.
func (c *callbacks) add(x callback) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, x)
	if !c.running {
		c.running = true
		go c.run()
	}
}

func (c *callbacks) run() {
	for {
		c.mu.Lock()
		batch := c.queue
		if len(batch) == 0 {
			c.running = false
			if c.ended != nil {
				close(c.ended)
				c.ended = nil
			}
			c.mu.Unlock()
			return
		}
		c.queue, c.spare = c.spare[:0], nil
		c.mu.Unlock()
		for i := range batch {
			c.call(batch[i])
			batch[i] = callback{}
		}
		c.mu.Lock()
		if cap(batch) <= maxSpare {
			c.spare = batch[:0]
		}
		c.mu.Unlock()
	}
}

// maxSpare bounds the memory that is kept between bursts.
const maxSpare = 4096

// call runs one callback. A panic in it must not take the others with it.
func (c *callbacks) call(x callback) {
	defer func() {
		if v := recover(); v != nil {
			c.log.Error("a callback of SendAsync panicked", "panic", fmt.Sprint(v), "topic", x.got.Topic, "stack", string(debug.Stack()))
		}
	}()
	x.do(x.got, x.err)
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
