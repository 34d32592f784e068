package consumer

import (
	"context"
	"errors"
	"sync"
	"time"
)

// attemptContext is the context of one attempt. It costs one allocation until somebody asks for Done: a context with a cancel function costs two and takes
// longer to make than a small handler runs. It descends from a context that is never cancelled, so that cancelling Run's does not reach a handler before the
// drain deadline.
type attemptContext struct {
	base     context.Context // values only
	deadline time.Time

	mu     sync.Mutex
	cause  error // set by cancel
	inner  context.Context
	cancel context.CancelCauseFunc
}

func (c *attemptContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

// Done makes the channel that most handlers never need.
func (c *attemptContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.materialise().Done()
}

// materialise makes the context that context.Cause and derived contexts look for. c.mu is held.
func (c *attemptContext) materialise() context.Context {
	if c.inner == nil {
		c.inner, c.cancel = context.WithCancelCause(c.base)
		if c.cause != nil {
			c.cancel(c.cause)
		}
	}
	return c.inner
}

func (c *attemptContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.cause == nil:
		return nil
	case errors.Is(c.cause, ErrHandlerTimeout):
		return context.DeadlineExceeded
	}
	return context.Canceled
}

func (c *attemptContext) Value(key any) any {
	c.mu.Lock()
	in := c.inner
	if in == nil && c.cause != nil {
		in = c.materialise()
	}
	c.mu.Unlock()
	if in != nil {
		return in.Value(key)
	}
	return c.base.Value(key)
}

// stop cancels the context with a cause; the first cause stays. It reports whether it was the first.
func (c *attemptContext) stop(cause error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return false
	}
	c.cause = cause
	if c.cancel != nil {
		c.cancel(cause)
	}
	return true
}

// end cancels the context of an attempt that is over, and returns the cause it had been cancelled with before, if it had.
func (c *attemptContext) end() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return c.cause
	}
	c.cause = context.Canceled
	if c.cancel != nil {
		c.cancel(context.Canceled)
	}
	return nil
}
