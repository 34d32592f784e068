package registry

import (
	"fmt"
	"net/http"
)

// apiError is an error of the API: its code and its message. The HTTP status is the code's first three digits.
type apiError struct {
	code    int
	message string
}

func (e *apiError) Error() string { return fmt.Sprintf("%d: %s", e.code, e.message) }

func (e *apiError) status() int {
	if e.code >= 10000 {
		return e.code / 100
	}
	return e.code
}

// Codes of Confluent's registry (io.confluent.kafka.schemaregistry.rest.exceptions.Errors).
const (
	codeSubjectNotFound       = 40401
	codeVersionNotFound       = 40402
	codeSchemaNotFound        = 40403
	codeSubjectSoftDeleted    = 40404
	codeSubjectNotSoftDeleted = 40405
	codeVersionSoftDeleted    = 40406
	codeVersionNotSoftDeleted = 40407
	codeCompatibilityNotSet   = 40408
	codeModeNotSet            = 40409
	codeIncompatible          = 409
	codeInvalidSchema         = 42201
	codeInvalidVersion        = 42202
	codeInvalidCompatibility  = 42203
	codeInvalidMode           = 42204
	codeOperationNotPermitted = 42205
	codeReferenceExists       = 42206
	codeIDDoesNotMatch        = 42207
	codeInvalidSubject        = 42208
	codeContextNotEmpty       = 42211
	codeStore                 = 50001
)

func errorf(code int, format string, args ...any) *apiError {
	return &apiError{code, fmt.Sprintf(format, args...)}
}

// plain is an error that has no code of the registry's.
func plain(status int) *apiError {
	return errorf(status, "HTTP %d %s", status, http.StatusText(status))
}

func errSubjectNotFound(s string) error {
	return errorf(codeSubjectNotFound, "Subject '%s' not found.", s)
}

func errVersionNotFound(v int) error { return errorf(codeVersionNotFound, "Version %d not found.", v) }

func errSchemaNotFound() error { return errorf(codeSchemaNotFound, "Schema not found") }

func errSchemaIDNotFound(id any) error { return errorf(codeSchemaNotFound, "Schema %v not found", id) }

func errInvalidSubject(s string) error {
	return errorf(codeInvalidSubject, "The specified subject '%s' is not a valid.", s)
}

func errInvalidVersion(v string) error {
	return errorf(codeInvalidVersion,
		`The specified version '%s' is not a valid version id. Allowed values are between [1, 2^31-1] and the string "latest"`, v)
}

func errReferenceExists(subject string, version int) error {
	return errorf(codeReferenceExists, "One or more references exist to the schema {magic=1,keytype=SCHEMA,subject=%s,version=%d}.", subject, version)
}

func errReadOnly(s string) error {
	return errorf(codeOperationNotPermitted, "Subject %s in context %s is in read-only mode", s, parseName(s).contextPrefix())
}
