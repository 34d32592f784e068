package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// line is what a program writes.
type line struct {
	Script string          `json:"script"`
	Step   string          `json:"step"`
	Saw    json.RawMessage `json:"saw"`
	Ask    string          `json:"ask"`
	End    bool            `json:"end"`
}

// seen is an observation of a script, in the order in which it was made.
type seen struct{ step, saw string }

// transcripts are what each script saw on one cluster, and why it did not come to its end if it did not.
type transcripts struct {
	steps  map[string][]seen
	failed map[string]string
	took   map[string]time.Duration
}

// scriptsTake is the time in which all scripts of a program have to be through.
const scriptsTake = 6 * time.Minute

// play runs scripts of a program, and restart whenever one asks for it.
func (p program) play(ctx context.Context, brokers string, scripts []string, restart func(context.Context) error) transcripts {
	t := transcripts{steps: map[string][]seen{}, failed: map[string]string{}, took: map[string]time.Duration{}}
	err := p.run(ctx, brokers, scripts, restart, &t)
	for _, s := range scripts {
		if _, through := t.took[s]; !through {
			t.failed[s] = fmt.Sprintf("did not come to its end: %v", err)
		}
	}
	return t
}

func (p program) run(ctx context.Context, brokers string, scripts []string, restart func(context.Context) error, t *transcripts) (err error) {
	ctx, cancel := context.WithTimeout(ctx, scriptsTake)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.argv[0], slices.Concat(p.argv[1:], []string{brokers}, scripts)...)
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = append(os.Environ(), p.env...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	answers, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	reading := t.read(ctx, out, answers, restart)
	if reading != nil {
		cancel()
	}
	if err := cmd.Wait(); err != nil || reading != nil {
		return fmt.Errorf("%w; the end of its standard error:\n%s", errors.Join(reading, err), lastLines(errs.String(), 40))
	}
	return nil
}

func (t *transcripts) read(ctx context.Context, out io.Reader, answers io.Writer, restart func(context.Context) error) error {
	began := time.Now()
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil || l.Script == "" {
			continue // a library that prints
		}
		switch {
		case l.End:
			t.took[l.Script] = time.Since(began)
			began = time.Now()
		case l.Ask == "restart":
			if err := restart(ctx); err != nil {
				return fmt.Errorf("%s asked for a restart: %w", l.Script, err)
			}
			if _, err := io.WriteString(answers, "done\n"); err != nil {
				return fmt.Errorf("%s does not listen: %w", l.Script, err)
			}
		case l.Ask != "":
			return fmt.Errorf("%s asks for %q", l.Script, l.Ask)
		default:
			t.steps[l.Script] = append(t.steps[l.Script], seen{l.Step, normalise(l.Saw)})
		}
	}
	return lines.Err()
}

func lastLines(s string, n int) string {
	all := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}
