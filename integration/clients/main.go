package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sordini-go/sordini/integration/process"
)

// checks counts what was asserted, for the closing line.
type checks struct{ passed, failed int }

func (c *checks) that(ok bool, format string, args ...any) {
	if ok {
		c.passed++
		return
	}
	c.failed++
	fmt.Printf("FAILED: "+format+"\n", args...)
}

// options are what the command line says.
type options struct {
	full, verbose, alone bool
	pages                bool // docs/clients alone
	clients              []string
}

func main() {
	var o options
	flag.BoolVar(&o.full, "full", false, "run the long scripts as well")
	flag.BoolVar(&o.verbose, "v", false, "print what the scripts saw on the reference broker")
	flag.BoolVar(&o.alone, "reference", false, "run on the reference broker alone, and compare nothing")
	flag.BoolVar(&o.pages, "pages", false, "run what docs/clients shows, and nothing else")
	only := flag.String("only", "", "run the scripts of these `clients`, separated by commas, and not the order-service's")
	flag.Parse()
	if *only != "" {
		o.clients = strings.Split(*only, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, 18*time.Minute)
	var c checks
	err := run(ctx, o, &c)
	cancel()
	stop()
	if err != nil {
		fmt.Println("FAILED:", err)
		c.failed++
	}
	fmt.Printf("clients: %d passed, %d failed\n", c.passed, c.failed)
	if c.failed > 0 {
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, c *checks) error {
	dir, err := os.MkdirTemp("", "sordini-clients-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := process.Build(ctx, dir, "cmd/sordini", "examples/order-service"); err != nil {
		return err
	}
	if o.pages {
		return runPages(ctx, "clients", dir, c)
	}
	if err := buildGo(ctx, dir); err != nil {
		return err
	}
	var all []program
	for _, p := range programs("clients", dir) {
		if p = p.only(o.clients); !o.full {
			p.full = nil
		}
		if !o.full || o.alone {
			p.across = nil
		}
		all = append(all, p)
	}
	ours, err := onTarget(ctx, o, all, dir, c, func(brokers int, secured bool) (*target, error) { return reference(ctx, dir, brokers, secured) })
	theirs, theirErr := ours, error(nil)
	if !o.alone {
		theirs, theirErr = onTarget(ctx, o, all, dir, c, func(brokers int, secured bool) (*target, error) { return kafka(ctx, brokers, secured) })
	}
	err = errors.Join(err, theirErr)
	if err == nil {
		err = across(ctx, dir, all, ours, theirs)
	}
	report(o, all, ours, theirs, c)
	if err != nil || len(o.clients) > 0 {
		return err
	}
	return runPages(ctx, "clients", dir, c)
}

// buildGo builds the program of the Go clients, which are a module of their own.
func buildGo(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, "golang"), ".")
	cmd.Dir = filepath.Join("clients", "golang")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the Go clients: %w\n%s", err, out)
	}
	return nil
}

// onTarget plays the order-service's scenario and all scripts on one kind of cluster.
func onTarget(ctx context.Context, o options, all []program, dir string, c *checks, start func(brokers int, secured bool) (*target, error)) (transcripts, error) {
	saw := transcripts{steps: map[string][]seen{}, failed: map[string]string{}, took: map[string]time.Duration{}}
	plain, err := start(3, false)
	if err != nil {
		return saw, err
	}
	defer plain.close()
	began := time.Now()
	if len(o.clients) == 0 {
		if err := scenario(ctx, plain.name, dir, plain.brokers, c); err != nil {
			return saw, err
		}
	}
	playAll(ctx, all, 3, plain, saw, func(p program) []string { return slices.Concat(p.plain, p.full) }, nil)
	fmt.Printf("%s: scripts done in %s\n", plain.name, time.Since(began).Round(100*time.Millisecond))

	restarts := func(p program) []string { return p.restart }
	parties := 0
	for _, p := range all {
		if len(restarts(p)) > 0 {
			parties++
		}
	}
	began = time.Now()
	b := newBarrier(parties, func() error {
		ids := []int{2}
		if o.full {
			ids = []int{1, 2, 3}
		}
		for _, id := range ids {
			if err := plain.restart(ctx, id); err != nil {
				return fmt.Errorf("%s: restart broker %d: %w", plain.name, id, err)
			}
		}
		return nil
	})
	playAll(ctx, all, len(all), plain, saw, restarts, b)
	fmt.Printf("%s: restarts done in %s\n", plain.name, time.Since(began).Round(100*time.Millisecond))
	plain.close()

	began = time.Now()
	secured, err := start(1, true)
	if err != nil {
		return saw, err
	}
	defer secured.close()
	playAll(ctx, all, 3, secured, saw, func(p program) []string { return p.secured }, nil)
	fmt.Printf("%s: secured scripts done in %s\n", secured.name, time.Since(began).Round(100*time.Millisecond))
	return saw, nil
}

// across runs the scripts that lead from one cluster to another: from the reference broker to Kafka, and back.
func across(ctx context.Context, dir string, all []program, ours, theirs transcripts) error {
	if !slices.ContainsFunc(all, func(p program) bool { return len(p.across) > 0 }) {
		return nil
	}
	began := time.Now()
	reference, err := reference(ctx, dir, 3, false)
	if err != nil {
		return err
	}
	defer reference.close()
	kafka, err := kafka(ctx, 3, false)
	if err != nil {
		return err
	}
	defer kafka.close()
	for _, way := range []struct {
		from, to *target
		saw      transcripts
	}{{reference, kafka, ours}, {kafka, reference, theirs}} {
		led := slices.Clone(all)
		for i := range led {
			led[i].env = []string{"ACROSS_TO=" + way.to.brokers}
		}
		playAll(ctx, led, 1, way.from, way.saw, func(p program) []string { return p.across }, nil)
	}
	fmt.Printf("scripts across done in %s\n", time.Since(began).Round(100*time.Millisecond))
	return nil
}

// playAll runs the chosen scripts of all programs, so many programs at once, and adds what they saw.
func playAll(ctx context.Context, all []program, atOnce int, t *target, saw transcripts, scripts func(program) []string, b *barrier) {
	var mu sync.Mutex
	var group sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for _, p := range all {
		chosen := scripts(p)
		if len(chosen) == 0 {
			continue
		}
		places <- struct{}{} // in the table's order: the longest come first
		group.Go(func() {
			defer func() { <-places }()
			asked := b == nil
			restart := func(context.Context) error { return errors.New("its cluster is not restarted") }
			if b != nil {
				restart = func(ctx context.Context) error { asked = true; return b.ask(ctx) }
			}
			heard := p.play(ctx, t.brokers, chosen, restart)
			if !asked {
				b.arrive()
			}
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(saw.steps, heard.steps)
			maps.Copy(saw.failed, heard.failed)
			maps.Copy(saw.took, heard.took)
		})
	}
	group.Wait()
}

// report compares all scripts and prints a line a client.
func report(o options, all []program, ours, theirs transcripts, c *checks) {
	scripts, observations := map[string]int{}, map[string]int{}
	for _, p := range all {
		for _, s := range slices.Concat(p.plain, p.full, p.restart, p.secured, p.across) {
			compare(s, ours, theirs, c)
			client, _, _ := strings.Cut(s, "/")
			scripts[client]++
			observations[client] += len(ours.steps[s])
			if o.verbose {
				fmt.Printf("--- %s: %s on the reference broker, %s on Apache Kafka\n", s, ours.took[s].Round(time.Millisecond), theirs.took[s].Round(time.Millisecond))
				for _, saw := range ours.steps[s] {
					fmt.Printf("    %s: %s\n", saw.step, saw.saw)
				}
			}
		}
	}
	for _, client := range slices.Sorted(maps.Keys(scripts)) {
		fmt.Printf("%-16s %2d scripts, %3d observations\n", client, scripts[client], observations[client])
	}
}
