// Command chaos runs random records, members and faults on a cluster and lets the checker judge what happened.
//
//	go run ./chaos -records 50000 -faults 60 -json              on three reference brokers in this process
//	go run ./chaos -records 50000 -faults 60 -kills 20 -kafka   on three brokers of Apache Kafka that it starts, behind a proxy that breaks requests
//	go run ./chaos -brokers host:port,host:port -records 50000  on a cluster that runs: its brokers are not killed, all else happens
//
// It prints one JSON object (with -json) or a line for people, and its exit status is 1 when a guarantee was broken or the run could not end. The seed
// decides what is done and in which order; it is printed, and given again with -seed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/sordini-go/sordini/internal/guarantee"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// settings are the command's flags.
type settings struct {
	chaos    guarantee.Chaos
	brokers  string
	kafka    bool
	asJSON   bool
	history  string
	patience time.Duration
}

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&s.chaos.Records, "records", 50_000, "records to send")
	flags.IntVar(&s.chaos.Faults, "faults", 60, "faults to inject")
	flags.IntVar(&s.chaos.Kills, "kills", 0, "how many of the faults kill a broker, at least")
	flags.Uint64Var(&s.chaos.Seed, "seed", 0, "seed of the run; a random one when 0")
	flags.IntVar(&s.chaos.Round, "round", 0, "records of a round, which has topics and groups of its own; 250,000 when 0")
	flags.DurationVar(&s.chaos.Calm, "calm", 500*time.Millisecond, "longest wait after a fault; some faults last 20 times that")
	flags.Func("work", "kinds of work, separated by commas; all when empty", func(names string) error {
		s.chaos.Work = strings.Split(names, ",")
		return nil
	})
	flags.StringVar(&s.brokers, "brokers", "", "host:port of a running cluster of three brokers, separated by commas")
	flags.BoolVar(&s.kafka, "kafka", false, "start three brokers of Apache Kafka, and kill them")
	flags.BoolVar(&s.asJSON, "json", false, "print one JSON object")
	flags.StringVar(&s.history, "history", "", "folder to write each round's history to, as lines of JSON")
	flags.DurationVar(&s.patience, "patience", 3*time.Minute, "longest wait for what must happen")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	switch {
	case flags.NArg() > 0:
		return s, fmt.Errorf("what is %q?", flags.Arg(0))
	case s.kafka && s.brokers != "":
		return s, errors.New("-kafka starts a cluster and -brokers names one: give one of them")
	case s.brokers != "" && s.chaos.Kills > 0:
		return s, errors.New("the brokers of -brokers are not this command's to kill: leave -kills out")
	case s.chaos.Records < 1 || s.chaos.Faults < 0 || s.chaos.Kills > s.chaos.Faults:
		return s, errors.New("give at least one record, and no more kills than faults")
	}
	if s.chaos.Seed == 0 {
		s.chaos.Seed = 1 + rand.Uint64N(1<<53) // readers of JSON keep so many bits
	}
	if s.history != "" {
		if err := os.MkdirAll(s.history, 0o755); err != nil {
			return s, err
		}
		s.chaos.History = func(round int) (io.WriteCloser, error) {
			return os.Create(fmt.Sprintf("%s/round-%d.jsonl", s.history, round+1))
		}
	}
	return s, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, err := parse(args, stderr)
	if err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		fmt.Fprintln(stderr, "chaos:", err)
		return 2
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	c, err := s.start(ctx, log)
	if err != nil {
		fmt.Fprintln(stderr, "chaos:", err)
		return 2
	}
	defer c.close()
	t := &trial{ctx: ctx, log: stderr}
	var result guarantee.Result
	t.run(func() { s.chaos.Run(t, c.target, &result) })
	if t.Failed() {
		c.dump(stderr)
	}
	if n := t.failures(); n > 0 && len(result.Violations) == 0 {
		result.Violations["run"] = int64(n) // a wait without an end, an error of Run: what the history does not show
	}
	if s.asJSON {
		if err := json.NewEncoder(stdout).Encode(&result); err != nil {
			fmt.Fprintln(stderr, "chaos:", err)
			return 1
		}
	} else {
		fmt.Fprintln(stdout, strings.TrimSpace(result.String()))
	}
	if t.Failed() || len(result.Violations) > 0 {
		return 1
	}
	return 0
}
