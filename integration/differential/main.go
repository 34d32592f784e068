package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	err := run(ctx, os.Args[1:], os.Stdout)
	cancel()
	stop()
	if err != nil {
		fmt.Println("FAILED:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, w io.Writer) error {
	flags := flag.NewFlagSet("differential", flag.ContinueOnError)
	only := flags.String("only", "", "run scenarios whose name begins so")
	keep := flags.String("keep", "", "write Apache Kafka's answers to this `file`")
	against := flags.String("against", "", "compare with the answers in this `file`")
	slow = flags.Bool("slow", false, "say which requests took long")
	most := flags.Int("most", 1000, "print at most so many differences")
	if err := flags.Parse(args); err != nil {
		return err
	}
	began := time.Now()
	var chosen []scenario
	for _, sc := range scenarios() {
		if strings.HasPrefix(sc.name, *only) {
			chosen = append(chosen, sc)
		}
	}
	var kafka, ours record
	kafka.Base = began.Add(-2 * time.Hour).Truncate(time.Second)
	var kafkaErr, oursErr error
	if *against != "" {
		all, err := readRecord(*against)
		if err != nil {
			return err
		}
		kafka.Base = all.Base
		for _, sc := range chosen {
			for _, t := range all.Transcripts {
				if t.Scenario == sc.name {
					kafka.Transcripts = append(kafka.Transcripts, t)
				}
			}
		}
	}
	ours.Base = kafka.Base
	var wg sync.WaitGroup
	if *against == "" {
		wg.Go(func() { kafka.Transcripts, kafkaErr = runAll(ctx, chosen, startKafka, kafka.Base) })
	}
	wg.Go(func() { ours.Transcripts, oursErr = runAll(ctx, chosen, startReference, ours.Base) })
	wg.Wait()
	if err := errors.Join(kafkaErr, oursErr); err != nil {
		return err
	}
	if *keep != "" {
		if err := kafka.write(*keep); err != nil {
			return err
		}
	}
	if len(kafka.Transcripts) != len(ours.Transcripts) {
		return fmt.Errorf("%d scenarios of Apache Kafka's answers, %d of the reference broker's", len(kafka.Transcripts), len(ours.Transcripts))
	}
	v, tallies := judgeAll(kafka, ours)
	report(w, tallies, mine)
	fmt.Fprintf(w, "feature levels of the Kafka cluster: %v\n", features)
	for i, e := range expectations {
		fmt.Fprintf(w, "expected, %4d fields: %s\n", len(v.expected[i]), e.Why)
	}
	problems := append(faultsOf("Kafka", kafka), faultsOf("reference broker", ours)...)
	if *only == "" {
		problems = append(problems, incomplete(v, expectations, tallies)...)
	}
	problems = append(problems, summary(v.unexpected, *most)...)
	for _, p := range problems {
		fmt.Fprintln(w, p)
	}
	fmt.Fprintf(w, "differential: %d scenarios, %d differing fields, %d of them unexpected, in %s\n", len(chosen), v.all(), len(v.unexpected), time.Since(began).Round(100*time.Millisecond))
	if len(problems) > 0 {
		return fmt.Errorf("%d problems", len(problems))
	}
	return nil
}

// judgeAll compares two runs of the same scenarios.
func judgeAll(kafka, ours record) (verdict, map[int16]*tally) {
	var all []difference
	for i := range kafka.Transcripts {
		all = append(all, compare(kafka.Transcripts[i], ours.Transcripts[i])...)
	}
	return judge(all, expectations), counted(kafka.Transcripts, all, expectations)
}

// faultsOf says what of a side's run proves nothing.
func faultsOf(side string, r record) (problems []string) {
	for _, t := range r.Transcripts {
		for _, f := range t.faults() {
			problems = append(problems, side+", "+t.Scenario+": "+f)
		}
	}
	return problems
}

// slow says that requests that take long are to be printed.
var slow = new(bool)

// mine is what the reference broker lists, for the report.
var mine = map[kmsg.Key]span{}

// runAll runs the scenarios against one side, whose clusters it starts and ends.
func runAll(ctx context.Context, chosen []scenario, start func(context.Context, pair) (*side, error), base time.Time) ([]transcript, error) {
	sides := map[pair]*side{}
	defer func() {
		for _, s := range sides {
			s.close()
		}
	}()
	var all []transcript
	for _, sc := range chosen {
		sd := sides[sc.on]
		if sd == nil {
			var err error
			if sd, err = start(ctx, sc.on); err != nil {
				return nil, err
			}
			sides[sc.on] = sd
			if err := sd.check(ctx); err != nil {
				return nil, err
			}
		}
		s := &session{ctx: ctx, side: sd, log: &transcript{Scenario: sc.name}, symbols: newSymbols(sd), client: "differential", base: base, idle: map[caller]net.Conn{}}
		began := time.Now()
		s.perform(sc)
		s.close()
		if *slow {
			fmt.Printf("slow: %v in all: %s, real %t\n", time.Since(began).Round(time.Millisecond), sc.name, sd.real)
		}
		all = append(all, *s.log)
	}
	return all, nil
}

// check compares what the cluster lists with what the tables say, or writes down what the reference broker lists.
func (s *side) check(ctx context.Context) error {
	req := kmsg.NewPtrApiVersionsRequest()
	req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = 4, "differential", "1"
	probe := &session{ctx: ctx, side: s, log: &transcript{}, symbols: newSymbols(s), idle: map[caller]net.Conn{}}
	defer probe.close()
	resp := ask[*kmsg.ApiVersionsResponse](probe, "", req)
	if !s.real {
		for _, k := range resp.ApiKeys {
			mine[kmsg.Key(k.ApiKey)] = span{k.MinVersion, k.MaxVersion}
		}
		return nil
	}
	return checkServed(resp)
}

// perform runs the scenario; what it panics with, an answer that is not as it needs it, ends it alone.
func (s *session) perform(sc scenario) {
	defer func() {
		if r := recover(); r != nil {
			s.log.Failed = fmt.Sprint(r)
		}
	}()
	sc.run(s)
}
