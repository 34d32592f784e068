package consumer

import (
	"errors"
	"fmt"
	"time"

	"github.com/sordini-go/sordini"
)

// What a handler's context is cancelled with; context.Cause returns them. A result that arrives after ErrRevoked or ErrDraining is not counted as an
// attempt, not dead-lettered and, unless it is a success that drained in time, not committed.
var (
	// ErrRevoked says that the partition went to another member, or that this member lost it, while the handler ran (guarantee G5).
	ErrRevoked = fmt.Errorf("partition revoked: %w", sordini.ErrInterrupted)

	// ErrDraining says that the group is stopping and its drain deadline has passed (guarantee G6).
	ErrDraining = fmt.Errorf("group is draining: %w", sordini.ErrInterrupted)

	// ErrHandlerTimeout says that the handler took longer than its HandlerTimeout. The attempt counts as failed once the handler returns.
	ErrHandlerTimeout = errors.New("handler timeout")
)

// What Run, Handle and New return; match with errors.Is.
var (
	// ErrConfig is wrapped by every refusal of options or handlers that can not work. The text names the option and what to do.
	ErrConfig = errors.New("invalid group configuration")

	// ErrRunning says that Run or Handle was called on a group that runs, or has run: a group runs once.
	ErrRunning = errors.New("group has been started")

	// ErrUndrained is wrapped by Run's error when the drain deadline passed with handlers still running. The text names their records.
	ErrUndrained = errors.New("drain deadline passed")

	// ErrCommit is wrapped by Run's error when the last commit was not acknowledged, also that of partitions which went to other members while the group
	// stopped: what it covered is handled again, after the next start or by them.
	ErrCommit = errors.New("commit failed")

	// ErrTopics is wrapped by Run's error when a topic or one of its companions is missing or can not work. The text has the commands to run.
	ErrTopics = errors.New("topics are not ready")
)

// Why a record failed. A dead letter's error, and the one that middleware and consumertest see, wraps them.
var (
	// ErrDecode says that the record's bytes do not decode. They will not decode later either, so there is no retry (guarantee G9).
	ErrDecode = errors.New("record does not decode")

	// ErrPanic says that the handler or a middleware panicked. It is retried as any other failure.
	ErrPanic = errors.New("handler panicked")

	// ErrUnhandledType says that no handler is registered for the record's type and that the group chose DeadOthers.
	ErrUnhandledType = errors.New("no handler for the record's type")
)

// Permanent wraps an error that no retry can help: the record goes to the dead-letter topic at once (class permanent). Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// RetryAfter wraps an error and sets the delay before the next attempt in place of the policy's; the attempt counts as usual. A negative d is 0.
// RetryAfter(d, nil) is nil.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{err, max(0, d)}
}

// Skip ends the record without handling it, on purpose: it is counted, committed and not dead-lettered. reason is logged at debug level and may be nil.
func Skip(reason error) error { return &skipError{reason} }

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

type retryAfterError struct {
	err   error
	delay time.Duration
}

func (e *retryAfterError) Error() string { return e.err.Error() }
func (e *retryAfterError) Unwrap() error { return e.err }

type skipError struct{ reason error }

func (e *skipError) Error() string {
	if e.reason == nil {
		return "record skipped"
	}
	return "record skipped: " + e.reason.Error()
}

// Unwrap returns sordini.ErrSkipped, by which middleware tells a skip from a failure, and the reason.
func (e *skipError) Unwrap() []error {
	if e.reason == nil {
		return []error{sordini.ErrSkipped}
	}
	return []error{sordini.ErrSkipped, e.reason}
}

type decodeError struct{ err error }

// undecoded says why a value is not there: it does not decode, or it is kept elsewhere and could not be had, which may pass.
func undecoded(err error) error {
	if errors.Is(err, errClaim) {
		return err
	}
	return &decodeError{err}
}

func (e *decodeError) Error() string   { return "decode value: " + e.err.Error() }
func (e *decodeError) Unwrap() []error { return []error{ErrDecode, e.err} }

// panicError carries what was recovered and where it came from.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// Unwrap returns ErrPanic and, where the panic value was an error, that too.
func (e *panicError) Unwrap() []error {
	if err, ok := e.value.(error); ok {
		return []error{ErrPanic, err}
	}
	return []error{ErrPanic}
}

func refuse(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, ErrConfig)...)
}
