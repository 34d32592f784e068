//go:build !synctests

package guarantee_test

// virtual is false in an ordinary build: franz-go holds a sync.Mutex while it joins a group, and a commit that waits for it would stop a bubble's clock for
// ever. Scenarios in which a group may rebalance under load run in real time then; with -tags synctests, as in .ci/run, they do not.
const virtual = false
