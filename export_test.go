package sordini

import (
	"context"
	"net"

	"github.com/sordini-go/sordini/internal/lograte"
)

// ForgetWarnings lets what was reported a moment ago be reported again. Nothing else may run.
func ForgetWarnings() { warned = lograte.Limiter{} }

// Dialer is how a client of the cluster connects.
func (c Cluster) Dialer() (func(ctx context.Context, network, address string) (net.Conn, error), error) {
	return c.dialer(new(hung))
}
