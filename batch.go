package sordini

import "context"

// BatchHandler handles several records of one partition at once. It returns nil when all of them are done, a consumer.BatchError for an answer to each, in
// the order of ds, or another error, which is the answer to all.
//
// The handler at the end of a chain of middleware is called with the records that the runner chose, whatever the chain made of ds.
type BatchHandler func(ctx context.Context, ds []*Delivery) error

// BatchMiddleware wraps the call of a batch handler, once a batch; the first one added is the outermost.
type BatchMiddleware = func(next BatchHandler) BatchHandler
