package sordini

import "errors"

// Diagnosis explains an error whose cause is known.
type Diagnosis struct {
	Code        string // stable, e.g. "unknown-topic"
	Summary     string // what happened
	LikelyCause string
	Fix         string // what to do, with the command where there is one
}

// Diagnosed is implemented by errors that carry a diagnosis.
type Diagnosed interface {
	error
	Diagnosis() Diagnosis
}

// Diagnose returns the diagnosis of err or of the first error in its tree that has one.
func Diagnose(err error) (Diagnosis, bool) {
	var d Diagnosed
	if errors.As(err, &d) {
		return d.Diagnosis(), true
	}
	return Diagnosis{}, false
}
