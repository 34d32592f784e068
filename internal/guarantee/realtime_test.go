//go:build !synctests

package guarantee_test

// virtual is false in an ordinary build: franz-go holds a sync.Mutex while it asks for a producer id, among others, and with a broker that does not answer
// whoever waits for that mutex would stop a bubble's clock for ever. Scenarios in which brokers fail run in real time then; with -tags synctests, as in
// .ci/run, they do not.
const virtual = false
