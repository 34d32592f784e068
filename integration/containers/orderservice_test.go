package containers

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/kafka"

	"github.com/sordini-go/sordini/broker/container"
	"github.com/sordini-go/sordini/integration/process"
)

func TestOrderServiceOnApacheKafka(t *testing.T) {
	t.Parallel() // most of it is waiting for the sessions of what was killed
	ctr, err := kafka.Run(t.Context(), kafkaImage)
	testcontainers.CleanupContainer(t, ctr, testcontainers.StopTimeout(0))
	if err != nil {
		t.Fatal(err)
	}
	brokers, err := ctr.Brokers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	orderService(t, brokers)
}

func TestOrderServiceOnTheReferenceBroker(t *testing.T) {
	t.Parallel()                                         // most of it is waiting for the sessions of what was killed
	ctr, err := container.Run(t.Context(), sordiniImage) // the one line that differs
	testcontainers.CleanupContainer(t, ctr, testcontainers.StopTimeout(0))
	if err != nil {
		t.Fatal(err)
	}
	brokers, err := ctr.Brokers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	orderService(t, brokers)
}

// The module that was written for Confluent's image comes in by a shell, edits files and waits for Kafka's words.
func TestOrderServiceOnTheReferenceBrokerByKafkasModule(t *testing.T) {
	t.Parallel() // most of it is waiting for the sessions of what was killed
	ctr, err := kafka.Run(t.Context(), sordiniImage)
	testcontainers.CleanupContainer(t, ctr, testcontainers.StopTimeout(0))
	if err != nil {
		t.Fatal(err)
	}
	brokers, err := ctr.Brokers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	orderService(t, brokers)
}

// report is what the order-service's verifier prints.
type report struct {
	Accepted, Injected, Skipped, Lost, Duplicates, Retried int
	Handled                                                map[string]int
	DeadLettered                                           map[string]map[string]int `json:"dead_lettered"`
}

// start starts the order-service and waits for a line of its output, whose first group it returns.
func start(t *testing.T, brokers []string, ledger, demo, line string) (*process.Process, string) {
	t.Helper()
	p, err := process.Start(t.Context(), orderServiceProgram, "-brokers", strings.Join(brokers, ","), "-development", "-listen", "127.0.0.1:0", "-ledger", ledger, "-demo", demo)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	found, err := p.Line(t.Context(), line)
	if err != nil {
		t.Fatal(err)
	}
	return p, found
}

// place has the service accept one more order.
func place(t *testing.T, url string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(`{"card": "4000", "country": "Norway", "cents": 1700}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("an order is answered with %s", resp.Status)
	}
}

// orderService is the order-service's whole scenario: orders are published and handled by two groups, some of which can not be decoded, are declined for
// good, or fail for a while; the service is stopped in the middle, started again, killed, and started again. Then its verifier finds every order, and each
// ended once as far as a crash allows it: handled, skipped or dead-lettered for its reason.
func orderService(t *testing.T, brokers []string) {
	t.Helper()
	ledger := filepath.Join(t.TempDir(), "ledger.jsonl")
	p, _ := start(t, brokers, ledger, "2000", `(ended in payment [1-9]\d*)`)
	if err := p.Stop(t.Context()); err != nil {
		t.Fatalf("SIGTERM in mid-demo: %v", err)
	}
	p, _ = start(t, brokers, ledger, "2000", `(ended in payment [1-9]\d*)`)
	p.Kill()
	_, url := start(t, brokers, ledger, "0", `orders at (http://\S+/orders)`)

	var r report
	for deadline := time.Now().Add(2 * time.Minute); ; {
		// Cards that broke may be all that a group has left. That looks like an outage of the bank, in which nothing is dead-lettered until an order succeeds.
		place(t, url)
		out, err := process.Output(t.Context(), "", orderServiceProgram, "-brokers", strings.Join(brokers, ","), "-development", "-verify", ledger, "-json")
		if jsonErr := json.Unmarshal([]byte(out), &r); jsonErr != nil {
			t.Fatalf("%v, %v in %q", err, jsonErr, out)
		}
		if r.Lost == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("lost: %+v", r)
		}
	}
	t.Logf("%+v", r)
	if r.Accepted == 0 || r.Injected == 0 || r.Skipped == 0 || r.Retried == 0 {
		t.Errorf("the scenario had too little in it: %+v", r)
	}
	for group, handled := range r.Handled {
		dead := 0
		for _, n := range r.DeadLettered[group] {
			dead += n
		}
		if in, out := r.Accepted+r.Injected, handled+dead+r.Skipped; in != out {
			t.Errorf("group %s: %d went in, %d came out", group, in, out)
		}
		if r.DeadLettered[group]["decode"] == 0 || r.DeadLettered[group]["permanent"] == 0 {
			t.Errorf("group %s: dead letters are %v, want some of decode and of permanent", group, r.DeadLettered[group])
		}
	}
	if len(r.Handled) != 2 {
		t.Errorf("groups are %v", r.Handled)
	}
}
