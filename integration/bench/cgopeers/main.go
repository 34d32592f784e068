//go:build cgo

// Command cgopeers does the tasks of the bench command with a Kafka library that needs cgo. It is a module of its own: nothing else wants a C compiler or
// the 60 MB that the library brings, and without cgo it still builds, as a command that says what it lacks.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/sordini-go/sordini/integration/bench/task"
)

func main() {
	t := task.Flags(flag.CommandLine)
	flag.Parse()
	if err := run(*t); err != nil {
		fmt.Fprintf(os.Stderr, "%s, %s: %v\n", t.Side, t.Kind, err)
		os.Exit(1)
	}
}

func run(t task.Task) error {
	do := map[string]func(task.Task) (task.Sample, error){
		"confluent-kafka-go noop": handled, "confluent-kafka-go produce": sent, "confluent-kafka-go sync": sentOneByOne,
	}[t.Side+" "+t.Kind]
	if do == nil {
		return task.ErrUnknown
	}
	s, err := do(t)
	if err != nil {
		return err
	}
	return s.Print()
}
