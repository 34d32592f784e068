package brokercommand

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestHealthIsWhatTheBrokersAnswer(t *testing.T) {
	cmd, ready := process(t, []string{"SORDINI_HEALTH=127.0.0.1:0"}, "-listen", "127.0.0.1:0", "-brokers", "2", "-tls", "-sasl-user", "alice:wonder")
	_, url, ok := strings.Cut(ready, " health http://")
	address, path, _ := strings.Cut(url, "/")
	if !ok || path != "healthz" {
		t.Fatalf("readiness line is %q", ready)
	}
	var out bytes.Buffer
	if err := Run(t.Context(), []string{"health", "-address", address}, &out, io.Discard); err != nil || out.String() != "ok\n" {
		t.Errorf("a broker that runs: %v %q", err, &out)
	}
	t.Setenv("SORDINI_HEALTH", strings.Replace(address, "127.0.0.1", "0.0.0.0", 1)) // as an image says it
	if err := Run(t.Context(), []string{"health"}, io.Discard, io.Discard); err != nil {
		t.Errorf("the same, by the environment: %v", err)
	}
	stop(t, cmd)
	if err := Run(t.Context(), []string{"health"}, io.Discard, io.Discard); err == nil {
		t.Error("a broker that has stopped is well")
	}
}

func TestHealthSaysWhatIsWrong(t *testing.T) {
	url, stop, err := serveHealth("127.0.0.1:0", func(context.Context) error { return errors.New("broker at x does not answer") })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	err = Run(t.Context(), []string{"health", "-address", strings.TrimSuffix(strings.TrimPrefix(url, "http://"), healthPath)}, io.Discard, io.Discard)
	if err == nil || err.Error() != "503 Service Unavailable: broker at x does not answer" {
		t.Errorf("health is %v", err)
	}
	t.Setenv("SORDINI_HEALTH", "")
	if err := Run(t.Context(), []string{"health"}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "$SORDINI_HEALTH must say") {
		t.Errorf("without an address: %v", err)
	}
}
