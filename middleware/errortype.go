package middleware

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini"
)

// errorType is the value of the attribute error.type: Kafka's name of the error (NOT_ENOUGH_REPLICAS), the code of its diagnosis, or the Go type at the end of
// its chain. All of them have few values, as a metric's attribute must.
func errorType(err error) string {
	var broker *kerr.Error
	if errors.As(err, &broker) {
		return broker.Message
	}
	if d, ok := sordini.Diagnose(err); ok && d.Code != "" {
		return d.Code
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	for {
		switch x := err.(type) {
		case interface{ Unwrap() error }:
			if inner := x.Unwrap(); inner != nil {
				err = inner
				continue
			}
		case interface{ Unwrap() []error }:
			if inner := x.Unwrap(); len(inner) > 0 && inner[0] != nil {
				err = inner[0]
				continue
			}
		}
		return fmt.Sprintf("%T", err)
	}
}

// outcome is how an attempt ended.
type outcome uint8

const (
	done    outcome = iota
	skipped         // on purpose
	cut             // by a revocation or a shutdown: it will be repeated and is no failure
	failed
)

// judge tells the outcomes apart.
func judge(ctx context.Context, err error) outcome {
	switch {
	case err == nil:
		return done
	case errors.Is(err, sordini.ErrSkipped):
		return skipped
	}
	if cause := context.Cause(ctx); cause == context.Canceled || errors.Is(cause, sordini.ErrInterrupted) {
		return cut
	}
	return failed
}
