// Package middleware wraps what surrounds one attempt to handle a record, or one send: correlation ids, traces, metrics, log lines, time limits.
//
// An attempt's middleware has a bare name (Correlation, Tracing, Metrics, Logging, Timeout); a send's has the prefix Send. The first one added is the
// outermost. [Idempotent] handles a record once that comes twice, with a [HandledTable]; [SendClaimCheck] keeps large values in a [ClaimStore]. [Default] and [DefaultSend] are the chains that consumer.New and producer.New begin with; what a service adds comes inside them, so that its
// time is measured and its errors are seen.
//
//	func Audit(next sordini.Handler) sordini.Handler {
//		return func(ctx context.Context, d *sordini.Delivery) error {
//			err := next(ctx, d)
//			audit(ctx, d.Record.Topic, d.Record.Offset, err)
//			return err
//		}
//	}
//
// Retries, dead letters and recovery from panics are not middleware: they are the runner's, outside all of it, because the order of such middleware is easily
// got wrong and costs records. A dead letter holds the bytes that were fetched, whatever middleware did to its copy (guarantees G1 and G9).
//
// Everything is safe for concurrent use. Where no tracer and no meter is installed the default chain costs one allocation a record, for the context that
// carries the correlation id.
//
// Names of spans, metrics and attributes are those of OpenTelemetry's semantic conventions for messaging, v1.43; what they have no name for begins with
// "sordini.".
package middleware
