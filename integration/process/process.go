// Package process runs the project's programs and foreign clients beside a scenario.
package process

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// Process is a program that runs beside the scenario, with its output as lines.
type Process struct {
	cmd   *exec.Cmd
	lines chan string
	done  chan struct{}
	err   error
}

// Start starts a program. It is killed when ctx ends.
func Start(ctx context.Context, name string, args ...string) (*Process, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, lines: make(chan string, 10_000), done: make(chan struct{})}
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

// Line waits for a line that matches, a minute at most, and returns the first group.
func (p *Process) Line(ctx context.Context, pattern string) (string, error) {
	return p.LineWithin(ctx, time.Minute, pattern)
}

// LineWithin is Line with another limit.
func (p *Process) LineWithin(ctx context.Context, limit time.Duration, pattern string) (string, error) {
	re := regexp.MustCompile(pattern)
	var seen []string
	timeout := time.After(limit)
	for {
		select {
		case l, ok := <-p.lines:
			if !ok {
				return "", fmt.Errorf("%s ended (%w) without printing %s:\n%s", p.cmd.Path, p.err, pattern, strings.Join(seen, "\n"))
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

// Stop sends SIGTERM and returns how the process ended.
func (p *Process) Stop(ctx context.Context) error {
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

// Rest returns what the process printed since the last line.
func (p *Process) Rest() string {
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

// Kill sends SIGKILL and waits for the end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Output runs a program to its end, 90 seconds at most, and returns what it wrote to its standard output.
func Output(ctx context.Context, stdin, name string, args ...string) (string, error) {
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

// Build builds packages of the root module into dir, each under its folder's name.
func Build(ctx context.Context, dir string, packages ...string) error {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/sordini-go/sordini").Output()
	if err != nil {
		return fmt.Errorf("find the root module: %w", err)
	}
	for _, pkg := range packages {
		cmd := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, path.Base(pkg)), "./"+pkg)
		cmd.Dir = strings.TrimSpace(string(root))
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
	}
	return nil
}
