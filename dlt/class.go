package dlt

// Class is why a record is dead: the first thing that somebody who looks at dead letters asks. It is the dlt-error-class header.
type Class string

// The classes.
const (
	Decode    Class = "decode"    // the bytes do not decode and never will
	Permanent Class = "permanent" // the handler said so (consumer.Permanent)
	Exhausted Class = "exhausted" // every retry failed
	Panic     Class = "panic"     // the last attempt panicked
	TooLarge  Class = "too-large" // what the record was to be handed on as does not fit
	Crash     Class = "crash"     // the record ended the process several times
)
