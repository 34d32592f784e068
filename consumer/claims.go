package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/claim"
	"github.com/sordini-go/sordini/middleware"
)

// ClaimCheck gives records their values back that producer.ClaimCheck keeps in a store, before they are decoded: for every kind of handler, for middleware that asks
// for the value, and again for each attempt. Retries, dead letters and redrives carry the reference.
//
// While the store can not be asked a record waits, in its place and with growing delays, as with a schema registry that is away. A value that is not there is a
// failure like any other: retried, and dead-lettered unless everything fails so. One whose bytes were changed is dead-lettered at once (class decode).
//
// The values that handlers hold at the same time are bounded by the bytes of [MaxInFlight] (guarantee G8); one that is larger is held alone. A handler that finds no
// room waits for it, and its time runs.
func ClaimCheck(store middleware.ClaimStore) Option {
	return groupOption(func(c *config) {
		if store == nil {
			c.errs = append(c.errs, refuse("ClaimCheck(nil): give the store that the producer was given, or leave the option out"))
		}
		c.claims = store
	})
}

// errClaim is wrapped by an error about a value that is kept elsewhere, which says nothing about its bytes.
var errClaim = errors.New("value not at hand")

// claims is a group's store, and the room for what was got from it.
type claims struct {
	store middleware.ClaimStore
	most  int64

	mu      sync.Mutex // guards what follows
	held    int64
	waiting []*claimant // in line
}

type claimant struct {
	bytes int64
	ready chan struct{} // closed when the room is the claimant's
}

// newClaims returns nil for a group without a store.
func newClaims(c *config) *claims {
	if c.claims == nil {
		return nil
	}
	return &claims{store: c.claims, most: c.maxBytes}
}

// take waits for room, no longer than ctx.
func (c *claims) take(ctx context.Context, bytes int64) error {
	c.mu.Lock()
	w := &claimant{bytes, make(chan struct{})}
	c.waiting = append(c.waiting, w)
	c.serve()
	c.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.waiting {
		if c.waiting[i] == w {
			c.waiting = append(c.waiting[:i], c.waiting[i+1:]...)
			c.serve() // those behind it may be smaller
			return fmt.Errorf("wait until other values of %d bytes are handled: %w: %w", c.held, errClaim, context.Cause(ctx))
		}
	}
	return nil // it was served meanwhile
}

func (c *claims) give(bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held -= bytes
	c.serve()
}

// serve gives room to those in line. c.mu is held.
func (c *claims) serve() {
	for len(c.waiting) > 0 && (c.held == 0 || c.held+c.waiting[0].bytes <= c.most) {
		c.held += c.waiting[0].bytes
		close(c.waiting[0].ready)
		c.waiting[0] = nil
		c.waiting = c.waiting[1:]
	}
}

// claimedSize is how many bytes a record's value has elsewhere, 0 where it is in the record.
func claimedSize(r *kgo.Record) int64 {
	if len(r.Value) > 0 || r.Value == nil {
		return 0
	}
	ref, _, err := claim.Find(r.Value, r.Headers)
	if err != nil {
		return 0
	}
	return min(ref.Size, maxClaimed)
}

// maxClaimed bounds what a header can make of a record's size.
const maxClaimed = 1 << 30

// claimRoom takes room for the values of an attempt, or of all parts of a batch at once: two batches that took room value by value could wait for each other.
func (a *attempt) claimRoom() error {
	c := a.p.e.claims
	if c == nil {
		return nil
	}
	bytes := int64(0)
	for x := range a.each() {
		bytes += claimedSize(x.src)
	}
	if bytes == 0 {
		return nil
	}
	if err := c.take(a.shown, bytes); err != nil {
		return err
	}
	a.claimed = bytes
	return nil
}

// claim puts the value of a record into its place, where that is elsewhere: of the attempt's own, or of one that middleware made of it. For a single record it
// waits for room first.
func (a *attempt) claim(r *sordini.Record) error {
	c := a.p.e.claims
	if c == nil || len(r.Value) > 0 || r.Value == nil {
		return nil
	}
	if a.lead == nil && a.claimed == 0 {
		if err := a.claimRoom(); err != nil {
			return err
		}
	}
	err := middleware.RestoreClaim(a.shown, c.store, r)
	if err == nil || errors.Is(err, middleware.ErrClaimInvalid) {
		return err
	}
	return fmt.Errorf("%w: %w", errClaim, err)
}

// unclaim gives the room back. The handler has returned.
func (a *attempt) unclaim() {
	if a.claimed > 0 {
		a.p.e.claims.give(a.claimed)
		a.claimed = 0
	}
}
