// Command bench measures Sordini beside its peers, in the same run and by turns.
//
//	go run ./bench -list                   what is measured, by whom, and what is wanted
//	go run ./bench                         everything, five samples of each side
//	go run ./bench -row noop -n 15 -json   one row, for a program; raw samples included
//	go run ./bench -row 'ways-.*' -kafka   rows by a regular expression, on a broker of Apache Kafka that it starts
//
// Each sample is taken in a process of its own. Rows of the broker compare it with franz-go's kfake; there client and broker share the process. All others
// have the broker in a process of its own: the reference broker, or Apache Kafka with -kafka, or what -brokers names. What is said is the median of the
// samples, and for each peer the median of the ratios of samples that were taken next to each other, with its 95 % interval (from six pairs on; else the
// smallest and the largest). cpu (µs of user and system time of the client's process a record) and allocs can be compared on a machine that others use, too; rates
// less so. The load of the machine before and after is said with it.
//
// sarama, kafka-go and watermill are programs of a module of their own (bench/peers), and so is confluent-kafka-go (bench/cgopeers), since it needs a C
// compiler; parallel-consumer is a Java program (Driver.java) whose jars Maven fetches. A side that fails, or cannot be built or fetched, is left out of its row
// and said to be, with the reason; with -strict the command then ends with status 1. zkafka and kafka-konsumer are not served by the module proxy:
// docs/benchmarks.md has what is known of them.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sordini-go/sordini/integration/bench/task"
)

// result is what one row measured.
type result struct {
	Row        string                      `json:"row"`
	What       string                      `json:"what"`
	Bar        string                      `json:"bar,omitempty"`
	Metric     string                      `json:"metric"` // what the row is judged by first
	Broker     string                      `json:"broker"`
	Samples    map[string][]task.Sample    `json:"samples"`
	Medians    map[string]task.Sample      `json:"medians"`
	Ratios     map[string]map[string]ratio `json:"ratios"` // by peer and metric, Sordini's by the peer's
	Failed     map[string]string           `json:"failed,omitempty"`
	LoadBefore string                      `json:"load_before"`
	LoadAfter  string                      `json:"load_after"`
}

type ratio struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var (
		list    = flag.Bool("list", false, "say what is measured")
		only    = flag.String("row", "", "measure the rows whose whole name this `expression` matches")
		samples = flag.Int("n", 5, "`how many` samples of each side")
		asJSON  = flag.Bool("json", false, "print one JSON object a row")
		out     = flag.String("out", "", "append each row's JSON object to this `file` as well")
		kafka   = flag.Bool("kafka", false, "start a broker of Apache Kafka")
		sides   = flag.String("sides", "", "measure these of a row's sides only")
		strict  = flag.Bool("strict", false, "end with status 1 when a side failed, after all rows")
		limit   = flag.Duration("timeout", 5*time.Minute, "how long one sample may take")
		serve   = flag.Bool("serve", false, "be the broker of a row (what the command starts itself with)")
	)
	t := task.Flags(flag.CommandLine)
	flag.Parse()
	switch {
	case *list:
		for _, r := range rows() {
			fmt.Printf("%-18s %s; %s", r.name, r.what, strings.Join(r.sides, ", "))
			if r.bar != "" {
				fmt.Printf("; wanted: %s", r.bar)
			}
			fmt.Println()
		}
		return nil
	case *serve:
		return serveBroker()
	case t.Side != "":
		return sample(*only, *t)
	}
	match, err := regexp.Compile("^(" + *only + ")$")
	if err != nil {
		return err
	}
	b := &bench{samples: *samples, limit: *limit, kafka: *kafka, brokers: t.Brokers, sides: *sides}
	defer b.close()
	found := false
	var failed []string
	for _, r := range rows() {
		if *only != "" && !match.MatchString(r.name) {
			continue
		}
		found = true
		res, err := b.measure(ctx, r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		for side := range res.Failed {
			failed = append(failed, r.name+" of "+side)
		}
		if *out != "" {
			if err := appendTo(*out, res); err != nil {
				return err
			}
		}
		if *asJSON {
			err = json.NewEncoder(os.Stdout).Encode(res)
		} else {
			err = res.print(os.Stdout, r)
		}
		if err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("no row %q; -list says which there are", *only)
	}
	if *strict && len(failed) > 0 {
		slices.Sort(failed)
		return fmt.Errorf("failed: %s", strings.Join(failed, ", "))
	}
	return nil
}

// sample measures in this process and prints what it found.
func sample(name string, t task.Task) error {
	if name == "" {
		s, err := client(t)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", t.Side, t.Kind, err)
		}
		return s.Print()
	}
	for _, r := range rows() {
		if r.name == name && r.engine != nil {
			v, err := r.engine(t.Side)
			if err != nil {
				return fmt.Errorf("%s on %s: %w", name, t.Side, err)
			}
			return task.Sample{r.metric: v}.Print()
		}
	}
	return fmt.Errorf("no row %q of the broker", name)
}

func appendTo(name string, res result) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	err = json.NewEncoder(f).Encode(res)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// print is the result for people.
func (res result) print(w io.Writer, r row) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s (%s, load %s, %s)\n", res.Row, res.What, res.Broker, res.LoadBefore, res.LoadAfter)
	if res.Bar != "" {
		fmt.Fprintf(&b, "  wanted: %s\n", res.Bar)
	}
	for _, side := range r.sides {
		m, ok := res.Medians[side]
		if !ok {
			if why := res.Failed[side]; why != "" {
				fmt.Fprintf(&b, "  %-18s failed: %s\n", side, why)
			}
			continue
		}
		fmt.Fprintf(&b, "  %-18s", side)
		for _, k := range metrics(m, r.metric) {
			fmt.Fprintf(&b, " %s %.4g", k, m[k])
			if q, ok := res.Ratios[side][k]; ok {
				fmt.Fprintf(&b, " (×%.2f, %.2f to %.2f)", q.Median, q.Low, q.High)
			}
			b.WriteString("  ")
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// metrics are a sample's, the row's own first.
func metrics(s task.Sample, first string) []string {
	var names []string
	for k := range s {
		if k != first {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	return append([]string{first}, names...)
}

func sorted(vs []float64) []float64 { return slices.Sorted(slices.Values(vs)) }

func median(vs []float64) float64 {
	if len(vs) == 0 {
		return 0
	}
	vs = sorted(vs)
	if n := len(vs); n%2 == 0 {
		return (vs[n/2-1] + vs[n/2]) / 2
	}
	return vs[len(vs)/2]
}

// load is the machine's load average of the last minute, where it is known.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}
