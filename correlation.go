package sordini

import (
	"context"

	"github.com/sordini-go/sordini/internal/correlation"
)

// Header names that Sordini writes: the first two to every record.
const (
	HeaderCorrelationID = "correlation-id"
	HeaderSource        = "source"
	HeaderType          = "type"
	HeaderClaimCheck    = "claim-check" // of a record whose value is kept elsewhere, see middleware.SendClaimCheck
)

// WithCorrelationID returns a context whose sends carry id in the correlation-id header.
func WithCorrelationID(ctx context.Context, id string) context.Context {
	return correlation.With(ctx, id)
}

// CorrelationID returns the context's correlation id, "" where there is none. In a handler it is the record's, or a new one where the record has none, so
// that everything a handler sends belongs together.
func CorrelationID(ctx context.Context) string { return correlation.ID(ctx) }

// NewCorrelationID returns a new id, a UUIDv7 (RFC 9562): ids sort by the time they were made, and within a process none is made twice or out of order.
// Sends make one by themselves where the context has none; an HTTP handler that wants to log it before the first send makes it here.
func NewCorrelationID() string { return correlation.New() }
