package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sordini-go/sordini/integration/process"
)

func main() {
	full := flag.Bool("full", false, "with a hundred times as many records")
	verbose := flag.Bool("v", false, "print everything that the tests said, where one is not as listed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	err := run(ctx, *full, *verbose)
	cancel()
	stop()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func run(ctx context.Context, full, verbose bool) error {
	dir, err := os.MkdirTemp("", "sordini-franztests-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := process.Build(ctx, dir, "cmd/sordini"); err != nil {
		return err
	}
	if err := copyModules(ctx, dir); err != nil {
		return err
	}
	kgo, err := kgoSuite(ctx, dir, full)
	if err != nil {
		return err
	}
	kfake, err := kfakeSuite(dir)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	suites := []*suite{kgo, kfake}
	failed := make([]error, len(suites))
	for i, s := range suites {
		wg.Go(func() { failed[i] = s.run(ctx) })
	}
	wg.Wait()
	for i, s := range suites {
		failed[i] = errors.Join(failed[i], s.judge(verbose))
	}
	return errors.Join(failed...)
}

// suite is one package of tests.
type suite struct {
	name     string
	dir      string
	env      []string
	tests    map[string]string // those that are not run have a reason
	expected map[string]string // those that fail, by name, with the reason
	stop     func()

	results map[string]string // what became of each that was run
	output  string
	took    time.Duration
}

// run runs what is to be run.
func (s *suite) run(ctx context.Context) error {
	if s.stop != nil {
		defer s.stop()
	}
	var names []string
	for test, reason := range s.tests {
		if reason == "" {
			names = append(names, regexp.QuoteMeta(test))
		}
	}
	slices.Sort(names)
	bin := filepath.Join(filepath.Dir(s.dir), s.name+".test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", bin, ".")
	build.Dir, build.Env = s.dir, append(os.Environ(), "GOFLAGS=-mod=mod")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the tests of %s: %w\n%s", s.name, err, out)
	}
	began := time.Now()
	// Most of the time the tests wait.
	cmd := exec.CommandContext(ctx, bin, "-test.v", "-test.timeout=10m", "-test.parallel=8", "-test.run=^("+strings.Join(names, "|")+")$")
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), s.env...)
	cmd.WaitDelay = 10 * time.Second
	var log bytes.Buffer // apart from the results
	cmd.Stderr = &log
	out, err := cmd.Output()
	s.took = time.Since(began)
	s.output = string(out) + log.String()
	s.results = make(map[string]string)
	for _, m := range resultLine.FindAllSubmatch(out, -1) {
		s.results[string(m[2])] = strings.ToLower(string(m[1]))
	}
	if len(s.results) == 0 {
		return fmt.Errorf("%s: no test ran: %w\n%s", s.name, err, s.output)
	}
	return nil
}

// resultLine is what the testing package says of a test that is no part of another.
var resultLine = regexp.MustCompile(`--- (PASS|FAIL|SKIP): (Test\w+) \(`)

// judge compares what happened with what is listed.
func (s *suite) judge(verbose bool) error {
	count := make(map[string]int)
	var wrong []error
	for _, test := range slices.Sorted(maps.Keys(s.tests)) {
		reason := s.tests[test]
		if reason != "" {
			count["not run: "+reason]++
			continue
		}
		result := s.results[test]
		why, listed := s.expected[test]
		switch {
		case result == "pass" && !listed:
			count[result]++
		case result == "fail" && listed:
			count["expected failure"]++
			fmt.Printf("%s: %s fails as listed: %s\n", s.name, test, why)
		case listed:
			wrong = append(wrong, fmt.Errorf("%s: %s: %q, listed as failing: %s", s.name, test, result, why))
		default:
			if result == "" {
				result = "did not end"
			}
			wrong = append(wrong, fmt.Errorf("%s: %s: %s", s.name, test, result))
		}
	}
	for test := range s.expected {
		if _, exists := s.tests[test]; !exists {
			wrong = append(wrong, fmt.Errorf("%s: %s is listed and does not exist", s.name, test))
		}
	}
	fmt.Printf("%s: %d tests in %s\n", s.name, len(s.tests), s.took.Round(100*time.Millisecond))
	for _, what := range slices.Sorted(maps.Keys(count)) {
		fmt.Printf("  %4d %s\n", count[what], what)
	}
	if verbose && len(wrong) > 0 {
		fmt.Println(s.output)
	}
	return errors.Join(wrong...)
}
