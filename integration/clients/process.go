package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// process is a program that runs beside the scenario, with its output as lines.
type process struct {
	cmd   *exec.Cmd
	lines chan string
	done  chan struct{}
	err   error
}

func start(ctx context.Context, name string, args ...string) (*process, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, lines: make(chan string, 10_000), done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		_ = w.Close()
		close(p.done)
	}()
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			select {
			case p.lines <- s.Text():
			default: // nobody reads that far
			}
		}
	}()
	return p, nil
}

// line waits for a line that matches and returns the first group.
func (p *process) line(ctx context.Context, pattern string) (string, error) {
	re := regexp.MustCompile(pattern)
	var seen []string
	timeout := time.After(60 * time.Second)
	for {
		select {
		case l, ok := <-p.lines:
			if !ok {
				return "", fmt.Errorf("%s ended (%v) without printing %s:\n%s", p.cmd.Path, p.err, pattern, strings.Join(seen, "\n"))
			}
			if m := re.FindStringSubmatch(l); m != nil {
				return m[1], nil
			}
			seen = append(seen, l)
		case <-timeout:
			return "", fmt.Errorf("%s did not print %s:\n%s", p.cmd.Path, pattern, strings.Join(seen, "\n"))
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// stop sends SIGTERM and returns how the process ended.
func (p *process) stop(ctx context.Context) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// rest returns what the process printed since the last line.
func (p *process) rest() string {
	var b strings.Builder
	for {
		select {
		case l, ok := <-p.lines:
			if !ok {
				return b.String()
			}
			b.WriteString(l + "\n")
		default:
			return b.String()
		}
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// output runs a program to its end.
func output(ctx context.Context, stdin, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, errs.String())
	}
	return string(out), nil
}

func join(addrs []string) string { return strings.Join(addrs, ",") }
