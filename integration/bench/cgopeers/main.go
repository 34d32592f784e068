//go:build cgo

// Command cgopeers does the tasks of the bench command with a Kafka library that needs cgo. It is a module of its own: nothing else wants a C compiler or
// the 60 MB that the library brings, and without cgo it still builds, as a command that says what it lacks.
package main

import "github.com/sordini-go/sordini/integration/bench/task"

func main() {
	task.Main(map[string]task.Side{
		"confluent-kafka-go noop": handled, "confluent-kafka-go produce": sent, "confluent-kafka-go sync": sentOneByOne,
	})
}
