package realkafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"
)

// guardScript starts "$@" beside a guard that kills it as soon as the other end of file descriptor 3 closes without a word: when the process that started
// it is gone, whichever way it went. exec keeps the process id, so that signals go to the broker itself; the session is its own, so that a
// signal to the starter's process group does not end the guard first.
const guardScript = `(trap '' HUP INT TERM; read -r word <&3 || kill -9 $$) & exec 3<&-; exec "$@"`

// node is one broker process.
type node struct {
	id  int
	dir string // node-ID in the cluster's folder

	mu   sync.Mutex
	run  *run // nil while it is down
	stop bool // the cluster closes: no further start
}

// run is one life of a broker.
type run struct {
	process *os.Process
	guard   *os.File
	ended   chan struct{} // closed once the process has been waited for
}

func (n *node) logPath() string { return filepath.Join(n.dir, "kafka.log") }

// launch starts the process and returns where its part of the log begins.
func (n *node) launch(argv []string) (*run, int64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stop {
		return nil, 0, errors.New("the cluster is closed")
	}
	if n.run != nil {
		return nil, 0, errors.New("it already runs")
	}
	log, err := os.OpenFile(n.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, 0, err
	}
	defer log.Close()
	from, err := log.Seek(0, 2)
	if err != nil {
		return nil, 0, err
	}
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, 0, err
	}
	defer theirs.Close()
	cmd := exec.Command("sh", append([]string{"-c", guardScript, "sh"}, argv...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		ours.Close()
		return nil, 0, err
	}
	r := &run{process: cmd.Process, guard: ours, ended: make(chan struct{})}
	n.run = r
	go func() {
		_ = cmd.Wait() // how it ended is in its log; that it ended is what counts
		n.mu.Lock()
		if n.run == r {
			n.run = nil
		}
		n.mu.Unlock()
		_, _ = ours.WriteString("done\n") // the guard must not kill a process id that is no longer the broker's
		ours.Close()
		close(r.ended)
	}()
	return r, from, nil
}

var (
	startedLine = []byte("Kafka Server started")
	failLine    = regexp.MustCompile(`(?m)^.*(?:ERROR|Exception).*$`)
)

// waitStarted waits until the broker says that it serves, which in KRaft mode is after the controller unfenced it.
func (n *node) waitStarted(ctx context.Context, r *run, from int64) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(n.logPath())
		if err != nil {
			return err
		}
		text = text[min(int(from), len(text)):]
		if bytes.Contains(text, startedLine) {
			return nil
		}
		select {
		case <-r.ended:
			text, _ = os.ReadFile(n.logPath())
			found := failLine.FindAll(text[min(int(from), len(text)):], -1)
			found = found[max(0, len(found)-8):]
			return fmt.Errorf("it ended while starting, see %s\n%s", n.logPath(), bytes.Join(found, []byte("\n")))
		case <-ctx.Done():
			return fmt.Errorf("not started in time, see %s: %w", n.logPath(), ctx.Err())
		case <-tick.C:
		}
	}
}

func (n *node) current() *run {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.run
}

// signal sends sig to the running process.
func (n *node) signal(sig os.Signal) error {
	r := n.current()
	if r == nil {
		return fmt.Errorf("broker %d is down", n.id)
	}
	if err := r.process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("broker %d: %w", n.id, err)
	}
	return nil
}

// end brings the process down with sig, a paused one too, and after the grace with SIGKILL. It returns once the process is gone.
func (n *node) end(sig os.Signal, grace time.Duration) {
	r := n.current()
	if r == nil {
		return
	}
	_ = r.process.Signal(syscall.SIGCONT)
	_ = r.process.Signal(sig)
	select {
	case <-r.ended:
		return
	case <-time.After(grace):
	}
	_ = r.process.Kill()
	<-r.ended
}
