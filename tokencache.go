package sordini

import (
	"context"
	"fmt"
	"time"
)

// Of a cached token's life, this much may pass before a new one is asked for (Kafka's sasl.login.refresh.window.factor), and this much time must be left: a
// session lasts no longer than its token, and a client that authenticates again within a second is refused (ILLEGAL_SASL_STATE). After a failure to get a new
// one there is a pause before the next try, as long as the old one is good.
const (
	renewalShare  = 0.8
	renewalMargin = 15 * time.Second
	renewalPause  = 10 * time.Second
)

// CacheTokens keeps a source's token until 80 % of its life has passed, or less than 15 seconds are left, so that all connections share one. Only one token is asked for at a time; who comes
// meanwhile waits for it. When a new one is not to be had and the old one is still good, that is used, and it is reported. A token whose end is not known is
// not kept. Nothing runs in between.
func CacheTokens(source TokenSource) TokenSource {
	return &tokenCache{source: source, turn: make(chan struct{}, 1)}
}

type tokenCache struct {
	source TokenSource
	turn   chan struct{} // holds one element while somebody looks at what follows

	token          Token
	renew, expires time.Time
}

func (c *tokenCache) Token(ctx context.Context) (Token, error) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return Token{}, fmt.Errorf("wait for a token: %w", context.Cause(ctx))
	}
	defer func() { <-c.turn }()
	now := time.Now()
	if now.Before(c.renew) {
		return c.token, nil
	}
	token, err := c.source.Token(ctx)
	if err != nil {
		if !now.Before(c.expires) {
			return Token{}, err //nolint:wrapcheck // the source's own
		}
		c.renew = earlier(now.Add(renewalPause), c.expires)
		report(ctx, fmt.Sprintf("the token could not be renewed; the one there is expires at %s: %v", stamp(c.expires), err))
		return c.token, nil
	}
	c.token, c.expires = token, token.Expires
	if c.expires.IsZero() {
		c.expires = readClaims(token.Value.Reveal()).Expires
	}
	now = time.Now()
	c.renew = earlier(now.Add(time.Duration(renewalShare*float64(max(c.expires.Sub(now), 0)))), c.expires.Add(-renewalMargin)) // at once where the end is not known
	return token, nil
}

func (c *tokenCache) describe() string {
	if own, ok := c.source.(ownTokens); ok {
		return own.describe()
	}
	return fmt.Sprintf("with tokens of a %T", c.source)
}

func (c *tokenCache) problems(cluster Cluster) []string {
	if own, ok := c.source.(ownTokens); ok {
		return own.problems(cluster)
	}
	if c.source == nil {
		return []string{"has no tokens to keep"}
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
