package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sordini-go/sordini/broker/brokertest"
)

// balance is what the demo promises: every order of the ledger ended once in every group.
func balance(t *testing.T, r report) {
	t.Helper()
	for _, g := range groups {
		dead := 0
		for _, n := range r.DeadLettered[g.name] {
			dead += n
		}
		if in, out := r.Accepted+r.Injected, r.Handled[g.name]+dead+r.Skipped; in != out {
			t.Errorf("group %s: %d went in, %d came out", g.name, in, out)
		}
	}
	if r.Lost != 0 || r.Duplicates != 0 {
		t.Errorf("lost %d, duplicates %d", r.Lost, r.Duplicates)
	}
}

func TestDemoBalances(t *testing.T) {
	var out bytes.Buffer
	code, err := run(t.Context(), []string{"-demo", "400", "-json", "-listen", "127.0.0.1:0"}, &out, io.Discard)
	if code != 0 || err != nil {
		t.Fatalf("status %d, %v", code, err)
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v in %s", err, &out)
	}
	balance(t, r)
	if r.Accepted != 396 || r.Injected != 4 || r.Skipped != 4 || r.DeadLettered[paymentGroup]["exhausted"] != 3 || r.DeadLettered[paymentGroup]["permanent"] != 4 ||
		r.DeadLettered[shippingGroup]["permanent"] != 4 || r.DeadLettered[shippingGroup]["decode"] != 4 || r.Retried == 0 {
		t.Errorf("the demo made %s", &out)
	}
}

func TestInterruptedDemoEndsEveryAcceptedOrder(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stop := &trigger{pattern: regexp.MustCompile(`orders at http`), then: func() { time.AfterFunc(150*time.Millisecond, cancel) }}
	var out bytes.Buffer
	code, err := run(ctx, []string{"-demo", "20000", "-json", "-listen", "127.0.0.1:0"}, &out, stop)
	if code != 0 || err != nil {
		t.Fatalf("status %d, %v", code, err)
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v in %s", err, &out)
	}
	balance(t, r)
}

func TestVerifyNamesAnOrderThatIsNotOnTheTopics(t *testing.T) {
	b := brokertest.New(t)
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	l, err := openLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newService(t.Context(), b.SDK(), l)
	if err != nil {
		t.Fatal(err)
	}
	p := newProgress()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- s.run(ctx) }()
	go func() { done <- followWhenReady(ctx, p, b.SDK()) }()
	p.expect("here")
	if err := s.place(ctx, Order{ID: "here", Card: "4000"}); err != nil {
		t.Fatal(err)
	}
	if err := l.write(entry{ID: "gone", Kind: accepted}); err != nil {
		t.Fatal(err)
	}
	if n := p.settled(ctx); n != 0 {
		t.Fatalf("%d orders have not ended", n)
	}
	r, err := verify(ctx, b.SDK(), path)
	if err != nil {
		t.Fatal(err)
	}
	if r.Lost != 2 || len(r.lostIDs) != 2 || !strings.Contains(fmt.Sprint(r.lostIDs), "gone") {
		t.Errorf("lost %d %v, want order gone in both groups", r.Lost, r.lostIDs)
	}
	stop()
	<-done
	<-done
	if err := s.producer.Close(); err != nil {
		t.Error(err)
	}
	if err := l.close(); err != nil {
		t.Error(err)
	}
}

func TestOrderIsAcceptedHandledAndFollowed(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	base := make(chan string, 1)
	found := regexp.MustCompile(`orders at (http://\S+)/orders`)
	out := &trigger{pattern: found, match: base}
	ended := make(chan int, 1)
	go func() {
		code, err := run(ctx, []string{"-listen", "127.0.0.1:0"}, out, io.Discard)
		if err != nil {
			t.Error(err)
		}
		ended <- code
	}()
	url := <-base
	defer func() {
		cancel()
		if code := <-ended; code != 0 {
			t.Errorf("status %d", code)
		}
	}()

	answer := func(method, path, body string) (int, string) {
		req, err := http.NewRequestWithContext(ctx, method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	if code, body := answer("POST", "/orders", `{"nonsense": true}`); code != http.StatusBadRequest {
		t.Errorf("a body that is no order: %d %s", code, body)
	}
	if code, body := answer("GET", "/orders/nobody", ""); code != http.StatusNotFound {
		t.Errorf("an order that nobody placed: %d %s", code, body)
	}
	if code, body := answer("POST", "/orders", `{"id": "17", "card": "declined", "country": "Norway", "cents": 5}`); code != http.StatusAccepted {
		t.Fatalf("an order: %d %s", code, body)
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		code, body := answer("GET", "/orders/17", "")
		if code == http.StatusOK && strings.Contains(body, `"payment":"dead"`) && strings.Contains(body, `"shipping":"shipped"`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("order 17: %d %s", code, body)
		}
	}
	if code, body := answer("GET", "/healthz", ""); code != http.StatusOK {
		t.Errorf("health: %d %s", code, body)
	}
	http.DefaultClient.CloseIdleConnections()
}

// trigger is a writer that acts on the first line that matches.
type trigger struct {
	pattern *regexp.Regexp
	then    func()
	match   chan string
}

func (w *trigger) Write(p []byte) (int, error) {
	if m := w.pattern.FindSubmatch(p); m != nil {
		if w.then != nil {
			w.then()
		}
		if w.match != nil {
			w.match <- string(m[1])
		}
	}
	return len(p), nil
}
