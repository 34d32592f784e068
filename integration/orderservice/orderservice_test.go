// Package orderservice stops the order-service on Apache Kafka, hard and cleanly, in the middle of its work, and lets its own verifier judge.
package orderservice

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sordini-go/sordini/integration/process"
	"github.com/sordini-go/sordini/integration/realkafka"
)

type report struct {
	Accepted, Injected, Skipped, Lost, Duplicates int
	Handled                                       map[string]int
	DeadLettered                                  map[string]map[string]int `json:"dead_lettered"`
}

var (
	program string
	brokers string
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		dir, err := os.MkdirTemp("", "sordini-orderservice-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		if err := process.Build(ctx, dir, "examples/order-service"); err != nil {
			panic(err)
		}
		program = filepath.Join(dir, "order-service")
		k, err := realkafka.Start(ctx, realkafka.Config{Brokers: 3})
		if err != nil {
			panic(err)
		}
		defer k.Close()
		brokers = strings.Join(k.Addrs(), ",")
		return m.Run()
	}())
}

// start starts the service with a demo of n orders (none when 0) and waits until it published some.
func start(t *testing.T, ledger string, demo string, until string) *process.Process {
	t.Helper()
	p, err := process.Start(t.Context(), program, "-brokers", brokers, "-listen", "127.0.0.1:0", "-ledger", ledger, "-demo", demo)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	if _, err := p.Line(t.Context(), until); err != nil {
		t.Fatal(err)
	}
	return p
}

// verified asks the service's verifier until nothing is outstanding any more.
func verified(t *testing.T, ledger string) report {
	t.Helper()
	var r report
	for deadline := time.Now().Add(3 * time.Minute); ; {
		out, err := process.Output(t.Context(), "", program, "-brokers", brokers, "-verify", ledger, "-json")
		if jsonErr := json.Unmarshal([]byte(out), &r); jsonErr != nil {
			t.Fatalf("%v %v in %q", err, jsonErr, out)
		}
		if r.Lost == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("lost: %+v", r)
		}
	}
	for group, handled := range r.Handled {
		dead := 0
		for _, n := range r.DeadLettered[group] {
			dead += n
		}
		if in, out := r.Accepted+r.Injected, handled+dead+r.Skipped; in != out || in == 0 {
			t.Errorf("group %s: %d went in, %d came out", group, in, out)
		}
	}
	return r
}

func TestTerminatedServiceLosesAndRepeatsNothing(t *testing.T) {
	ledger := filepath.Join(t.TempDir(), "ledger.jsonl")
	for range 2 {
		p := start(t, ledger, "8000", `(ended in payment [1-9]\d*)`)
		if err := p.Stop(t.Context()); err != nil {
			t.Fatalf("SIGTERM in mid-demo: %v\n%s", err, p.Rest())
		}
	}
	start(t, ledger, "0", `(orders at)`)
	r := verified(t, ledger)
	t.Logf("%+v", r)
	if r.Duplicates != 0 {
		t.Errorf("%d outcomes are there twice after clean stops", r.Duplicates)
	}
}

func TestKilledServiceLosesNothing(t *testing.T) {
	ledger := filepath.Join(t.TempDir(), "ledger.jsonl")
	start(t, ledger, "8000", `(ended in payment [1-9]\d*)`).Kill()
	start(t, ledger, "0", `(orders at)`) // joins when the dead member's session has expired
	r := verified(t, ledger)
	t.Logf("%+v", r)
	if inFlight := 2 * 10_000; r.Duplicates > inFlight {
		t.Errorf("%d outcomes are there twice; at most what was in flight may be", r.Duplicates)
	}
}
