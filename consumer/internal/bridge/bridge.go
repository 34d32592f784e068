// Package bridge lets consumertest reach the runner's own code for one record, without a broker and without exporting it.
package bridge

import (
	"context"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/dlt"
)

// Result is how a record ended.
type Result struct {
	Handled, Skipped bool
	Class            dlt.Class // of the dead letter that the record becomes, "" when it does not
	DeadLetter       *sordini.Record
	Attempts         int
	Err              error // of the last attempt
}

// Deliver takes a *consumer.Group and gives a record to its handler until it ended, without waiting between attempts. Package consumer sets it.
var Deliver func(ctx context.Context, group any, r *sordini.Record) (Result, error)
