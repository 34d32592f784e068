// Golang runs scripts of two Go clients, IBM/sarama and segmentio/kafka-go, as the package clients describes.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
	"time"
)

// say reports what a script saw.
type say string

var answers = bufio.NewReader(os.Stdin)

type line struct {
	Script string `json:"script"`
	Step   string `json:"step,omitempty"`
	Saw    any    `json:"saw,omitempty"`
	Ask    string `json:"ask,omitempty"`
	End    bool   `json:"end,omitempty"`
}

func print(l line) {
	if err := json.NewEncoder(os.Stdout).Encode(l); err != nil {
		panic(err)
	}
}

func (s say) saw(step string, what any) {
	if what == nil {
		what = "nothing"
	}
	print(line{Script: string(s), Step: step, Saw: what})
}

// outcome reports the text of an error, or "done".
func (s say) outcome(step string, err error) {
	if err != nil {
		s.saw(step, err.Error())
		return
	}
	s.saw(step, "done")
}

// restart asks for brokers to be restarted, and returns when they are.
func (s say) restart() error {
	print(line{Script: string(s), Ask: "restart"})
	if answer, err := answers.ReadString('\n'); err != nil || answer != "done\n" {
		return errors.New("the suite has gone")
	}
	return nil
}

// until waits until something is so.
func until(what string, condition func() (bool, error)) error {
	deadline := time.Now().Add(90 * time.Second)
	for {
		is, err := condition()
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if is {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not come to be", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

var scripts = map[string]func(brokers []string, s say) error{
	"sarama/produce":      saramaProduce,
	"sarama/groups":       saramaGroups,
	"sarama/transactions": saramaTransactions,
	"sarama/admin":        saramaAdmin,
	"sarama/errors":       saramaErrors,
	"sarama/restart":      saramaRestart,
	"sarama/rights":       saramaRights,
	"kafka-go/produce":    kafkaGoProduce,
	"kafka-go/groups":     kafkaGoGroups,
	"kafka-go/admin":      kafkaGoAdmin,
	"kafka-go/errors":     kafkaGoErrors,
	"kafka-go/restart":    kafkaGoRestart,
	"kafka-go/rights":     kafkaGoRights,
}

func main() {
	time.AfterFunc(340*time.Second, func() { // which is where a script hangs
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		os.Exit(2)
	})
	for _, name := range os.Args[2:] {
		script, ok := scripts[name]
		if !ok {
			fmt.Fprintf(os.Stderr, "no script %s\n", name)
			os.Exit(1)
		}
		if err := script(strings.Split(os.Args[1], ","), say(name)); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			os.Exit(1)
		}
		print(line{Script: name, End: true})
	}
}
