package sordini

import "context"

// Header names that Sordini writes to every record.
const (
	HeaderCorrelationID = "correlation-id"
	HeaderSource        = "source"
	HeaderType          = "type"
)

type correlationKey struct{}

// WithCorrelationID returns a context whose sends carry id in the correlation-id header.
func WithCorrelationID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, correlationKey{}, id)
}

// CorrelationID returns the context's correlation id, "" where there is none. In a handler it is the record's.
func CorrelationID(ctx context.Context) string {
	id, _ := ctx.Value(correlationKey{}).(string)
	return id
}
