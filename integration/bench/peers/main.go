// Command peers does the tasks of the bench command with other Kafka libraries for Go. It is a module of its own, so that nothing else has what they need.
package main

import (
	"context"
	"errors"
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
	do := map[string]func(context.Context, task.Task) (task.Sample, error){
		"sarama noop": saramaHandled, "sarama produce": saramaSent,
		"kafka-go noop": kafkaGoHandled, "kafka-go produce": kafkaGoSent,
		"watermill noop": watermillHandled,
	}[t.Side+" "+t.Kind]
	if do == nil {
		return task.ErrUnknown
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := do(ctx, t)
	if err != nil {
		return err
	}
	return s.Print()
}

var errEnded = errors.New("the consumer ended early")
