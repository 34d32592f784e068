package realregistry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Registry is a running Apicurio Registry.
type Registry struct {
	url   string
	dir   string
	cmd   *exec.Cmd
	guard *os.File
	ended chan struct{}
}

// guardScript starts "$@" beside a guard that kills it as soon as the other end of file descriptor 3 closes: when the process that started it is gone,
// whichever way it went.
const guardScript = `(trap '' HUP INT TERM; read -r word <&3 || kill -9 $$) & exec 3<&-; exec "$@"`

// startTimeout bounds how long a start may take once everything has been fetched.
const startTimeout = 2 * time.Minute

// Start starts a registry and returns when it answers. The global compatibility level, which Apicurio sets to NONE, is set to Confluent's default.
func Start(ctx context.Context) (*Registry, error) {
	app, err := fetchApp(ctx)
	if err != nil {
		return nil, fmt.Errorf("real registry: %w", err)
	}
	java, err := findJava(ctx)
	if err != nil {
		return nil, fmt.Errorf("real registry: %w", err)
	}
	dir, err := os.MkdirTemp("", "real-registry-")
	if err != nil {
		return nil, fmt.Errorf("real registry: %w", err)
	}
	r := &Registry{dir: dir, ended: make(chan struct{})}
	if err := r.start(ctx, java, app); err != nil {
		log, readErr := os.ReadFile(filepath.Join(dir, "registry.log"))
		return nil, fmt.Errorf("real registry: %w", errors.Join(err, r.Close(), readErr, errors.New(lastLines(string(log), 15))))
	}
	return r, nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func (r *Registry) start(ctx context.Context, java, app string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(r.dir, "registry.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	theirs, ours, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirs.Close()
	r.guard = ours
	r.cmd = exec.Command("sh", "-c", guardScript, "sh", java, "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dquarkus.http.host=127.0.0.1", "-Dquarkus.http.port="+strconv.Itoa(port), "-Dquarkus.management.host=127.0.0.1", "-Dquarkus.management.port=0",
		"-Dquarkus.http.access-log.enabled=false", "-Dquarkus.log.level=WARN",
		"-Dapicurio.rest.deletion.artifact.enabled=true", "-Dapicurio.rest.deletion.artifact-version.enabled=true",
		"-jar", filepath.Join(app, "quarkus-run.jar"))
	r.cmd.Dir, r.cmd.Stdout, r.cmd.Stderr = r.dir, log, log
	r.cmd.ExtraFiles = []*os.File{theirs}
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := r.cmd.Start(); err != nil {
		r.cmd = nil
		return err
	}
	go func() {
		_ = r.cmd.Wait() // how it ended is in its log
		close(r.ended)
	}()
	r.url = fmt.Sprintf("http://127.0.0.1:%d/apis", port)
	return r.await(ctx)
}

// await asks until the registry answers.
func (r *Registry) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := r.setCompatibility(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-r.ended:
			return errors.New("it has ended")
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (r *Registry) setCompatibility(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, r.URL()+"/config", strings.NewReader(`{"compatibility":"BACKWARD"}`))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	return nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// URL is where the registry speaks Confluent's API.
func (r *Registry) URL() string { return r.url + "/ccompat/v7" }

// CoreURL is where the registry speaks its own API.
func (r *Registry) CoreURL() string { return r.url + "/registry/v3" }

// Close ends the registry and removes what it kept.
func (r *Registry) Close() error {
	if r.cmd != nil {
		_ = r.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-r.ended:
		case <-time.After(10 * time.Second):
			_ = r.cmd.Process.Kill()
			<-r.ended
		}
	}
	if r.guard != nil {
		r.guard.Close()
	}
	return os.RemoveAll(r.dir)
}
