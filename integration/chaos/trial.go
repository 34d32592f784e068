package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/sordini-go/sordini/internal/guarantee"
)

// trial is what a run of the suite reports to outside of a test.
type trial struct {
	ctx context.Context

	mu     sync.Mutex // guards what follows
	log    io.Writer
	failed int
}

var _ guarantee.T = (*trial)(nil)

// run runs f in a goroutine of its own, which Fatal ends.
func (t *trial) run(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

func (t *trial) say(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.log, "%s %s\n", time.Now().Format("15:04:05.000"), what)
}

func (t *trial) fail(what string) {
	t.say(what)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed++
}

func (t *trial) failures() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

// Helper is for tests, which say where they failed.
func (t *trial) Helper() {}

// Context ends with the command.
func (t *trial) Context() context.Context { return t.ctx }

// Failed reports whether anything has failed.
func (t *trial) Failed() bool { return t.failures() > 0 }

// Logf prints.
func (t *trial) Logf(format string, args ...any) { t.say(fmt.Sprintf(format, args...)) }

// Error prints and fails.
func (t *trial) Error(args ...any) { t.fail(fmt.Sprint(args...)) }

// Errorf prints and fails.
func (t *trial) Errorf(format string, args ...any) { t.fail(fmt.Sprintf(format, args...)) }

// Fatal prints, fails and ends the run.
func (t *trial) Fatal(args ...any) {
	t.fail(fmt.Sprint(args...))
	runtime.Goexit()
}

// Fatalf prints, fails and ends the run.
func (t *trial) Fatalf(format string, args ...any) {
	t.fail(fmt.Sprintf(format, args...))
	runtime.Goexit()
}
