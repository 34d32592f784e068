//go:build synctests

package guarantee_test

// virtual says that franz-go's locks are channels (its build tag synctests), so that a goroutine that waits for one lets virtual time go on. Then every
// scenario runs in a bubble of testing/synctest.
const virtual = true
