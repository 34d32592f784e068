// Command peers does the tasks of the bench command with other Kafka libraries for Go. It is a module of its own, so that nothing else has what they need.
package main

import (
	"errors"

	"github.com/sordini-go/sordini/integration/bench/task"
)

func main() {
	task.Main(map[string]task.Side{
		"sarama noop": saramaHandled, "sarama produce": saramaSent,
		"kafka-go noop": kafkaGoHandled, "kafka-go produce": kafkaGoSent,
		"watermill noop": watermillHandled,
	})
}

var errEnded = errors.New("the consumer ended early")
