// Command bench measures the reference broker beside franz-go's kfake, both in the same run and one after the other by turns.
//
//	go run ./bench -list                  what is measured
//	go run ./bench                        everything, five samples each
//	go run ./bench -row produce -json     one row, for a program
//
// Each sample is taken in a process of its own, with a broker and a client that talk over the loopback interface. What is said is the median of
// the samples and the ratio of the medians, ours by kfake's. Rows that say CPU count user and system time of the whole process, client and broker
// together (getrusage): they are what can be compared on a machine that others use, too. The load of the machine before and after is said with it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// result is what one row measured.
type result struct {
	Row     string    `json:"row"`
	Unit    string    `json:"unit"`
	Sordini []float64 `json:"sordini"`
	Kfake   []float64 `json:"kfake"`
	// Medians, and ours by theirs. 0 where an engine has no sample.
	SordiniMedian float64 `json:"sordini_median"`
	KfakeMedian   float64 `json:"kfake_median"`
	Ratio         float64 `json:"ratio"`
	Failed        string  `json:"failed,omitempty"`
	LoadBefore    string  `json:"load_before"`
	LoadAfter     string  `json:"load_after"`
}

func main() {
	list := flag.Bool("list", false, "say what is measured")
	only := flag.String("row", "", "measure this `row` only")
	samples := flag.Int("n", 5, "`how many` samples of each engine")
	asJSON := flag.Bool("json", false, "print one JSON object a row")
	limit := flag.Duration("timeout", 3*time.Minute, "how long one sample may take")
	engine := flag.String("engine", "", "take one sample of one row with this `engine` in this process (what the command starts itself with)")
	flag.Parse()
	switch {
	case *list:
		for _, r := range rows {
			fmt.Printf("%-16s %-10s %s\n", r.name, r.unit, r.what)
		}
		return
	case *engine != "":
		if err := sample(*engine, *only); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	found := false
	for _, r := range rows {
		if *only != "" && r.name != *only {
			continue
		}
		found = true
		res := measure(r, *samples, *limit)
		if *asJSON {
			if err := json.NewEncoder(os.Stdout).Encode(res); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			continue
		}
		fmt.Printf("%-16s sordini %10.4g   kfake %10.4g %-10s ratio %.2f   (load %s, %s) %s\n",
			res.Row, res.SordiniMedian, res.KfakeMedian, res.Unit, res.Ratio, res.LoadBefore, res.LoadAfter, res.Failed)
	}
	if !found {
		fmt.Fprintf(os.Stderr, "bench: no row %q; -list says which there are\n", *only)
		os.Exit(2)
	}
}

// sample measures in this process and prints the number.
func sample(engine, name string) error {
	for _, r := range rows {
		if r.name != name {
			continue
		}
		v, err := r.measure(engine)
		if err != nil {
			return fmt.Errorf("%s on %s: %w", name, engine, err)
		}
		fmt.Println(v)
		return nil
	}
	return fmt.Errorf("no row %q", name)
}

// measure takes the samples of both engines by turns. An engine that fails once is not asked again.
func measure(r row, n int, limit time.Duration) result {
	res := result{Row: r.name, Unit: r.unit, LoadBefore: load()}
	failed := map[string]bool{}
	for range n {
		for _, engine := range []string{"sordini", "kfake"} {
			if failed[engine] {
				continue
			}
			v, err := child(engine, r.name, limit)
			switch {
			case err != nil:
				failed[engine] = true
				res.Failed += fmt.Sprintf("%s: %v; ", engine, err)
			case engine == "sordini":
				res.Sordini = append(res.Sordini, v)
			default:
				res.Kfake = append(res.Kfake, v)
			}
		}
	}
	res.SordiniMedian, res.KfakeMedian = median(res.Sordini), median(res.Kfake)
	if res.KfakeMedian > 0 {
		res.Ratio = res.SordiniMedian / res.KfakeMedian
	}
	res.LoadAfter = load()
	return res
}

// child takes one sample in a process of its own.
func child(engine, row string, limit time.Duration) (float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, self, "-engine", engine, "-row", row)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return 0, fmt.Errorf("not done after %v", limit)
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, lastLine(stderr.String()))
	}
	return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

func median(vs []float64) float64 {
	if len(vs) == 0 {
		return 0
	}
	vs = slices.Sorted(slices.Values(vs))
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
