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

	mu    sync.Mutex
	cause error     // set by cancel
	inner *material // nil until somebody asks
}

// material is what context.Cause and derived contexts look for.
type material struct {
	context.Context
	cancel context.CancelCauseFunc
}

func (c *attemptContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

// Done makes the channel that most handlers never need.
func (c *attemptContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.materialise().Done()
}

// materialise makes the inner context. c.mu is held.
func (c *attemptContext) materialise() *material {
	if c.inner == nil {
		ctx, cancel := context.WithCancelCause(c.base)
		c.inner = &material{ctx, cancel}
		if c.cause != nil {
			cancel(c.cause)
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
	if c.inner != nil {
		c.inner.cancel(cause)
	}
	return true
}
