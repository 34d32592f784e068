//go:build race

package wire

// instrumented says that the race detector is on, with which more is allocated.
const instrumented = true
