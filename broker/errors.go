package broker

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// codedError is one of Kafka's error codes with the message that goes with it.
type codedError struct {
	code    *kerr.Error
	message string
}

func (e *codedError) Error() string { return e.code.Message + ": " + e.message }
func (e *codedError) Unwrap() error { return e.code }

// codef makes an error that is answered with a code and a message.
func codef(code *kerr.Error, format string, args ...any) error {
	return &codedError{code: code, message: fmt.Sprintf(format, args...)}
}

// because makes an error that is answered with a code alone, as Kafka does; why is for the log.
func because(code *kerr.Error, why error) error { return fmt.Errorf("%w: %w", code, why) }

// kerrOf returns Kafka's error in err, nil where there is none.
func kerrOf(err error) *kerr.Error {
	code, _ := errors.AsType[*kerr.Error](err)
	return code
}

// codeOf returns the code to answer an error with, and its message, nil where there is none.
func codeOf(err error) (int16, *string) {
	if err == nil {
		return 0, nil
	}
	if coded, ok := errors.AsType[*codedError](err); ok {
		return coded.code.Code, &coded.message
	}
	if code, ok := errors.AsType[*kerr.Error](err); ok {
		return code.Code, nil
	}
	m := err.Error()
	return kerr.UnknownServerError.Code, &m
}
