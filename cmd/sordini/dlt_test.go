package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/serde"
)

// noEnvironment makes a test independent of the machine's settings, and of those that flags make.
func noEnvironment(t *testing.T) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "KAFKA_") {
			t.Setenv(name, "")
		}
	}
	for _, v := range clusterVariables {
		t.Setenv(v.variable, "")
	}
}

// deadLetters starts a broker with four dead letters of two causes.
func deadLetters(t *testing.T) *brokertest.Cluster {
	t.Helper()
	c := brokertest.New(t, brokertest.Topic("orders.billing.dlt", 2))
	cl, err := c.SDK().NewClient(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	at := time.Date(2026, 11, 23, 17, 0, 0, 0, time.UTC)
	for i := range int64(4) {
		x := dlt.Failure{
			Record: &sordini.Record{Topic: "orders", Partition: int32(i % 2), Offset: i, Key: []byte("k"), Value: []byte("v")},
			Group:  "billing", Class: dlt.Exhausted, Err: errors.New("card declined\x1b[2J"), Attempts: 6, Failed: at.Add(time.Duration(i) * time.Minute),
		}
		if i == 3 {
			x.Class, x.Err = dlt.Decode, errors.New("bad")
		}
		r, _ := dlt.Format{}.Record("orders.billing.dlt", x)
		if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestDLTListsByCause(t *testing.T) {
	noEnvironment(t)
	c := deadLetters(t)
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"dlt", "ls", "-brokers", strings.Join(c.Addrs(), ","), "-group", "billing"}, &out, &errs); code != 0 {
		t.Fatalf("exit status %d\n%s", code, &errs)
	}
	lines := strings.Split(out.String(), "\n")
	for i, want := range [][]string{
		{"COUNT", "FINGERPRINT", "OLDEST", "NEWEST", "EXAMPLE"},
		{"3 ", "billing", "orders", "exhausted", "2026-11-23 17:00:00", "2026-11-23 17:02:00", "orders[0]@2: card declined\uFFFD[2J"},
		{"1 ", "decode", "2026-11-23 17:03:00", "orders[1]@3: bad"},
		{},
		{"4 dead letters, 2 causes"},
	} {
		for _, w := range want {
			if !strings.Contains(lines[i], w) {
				t.Errorf("line %d has no %q:\n%s", i+1, w, &out)
			}
		}
	}
}

func TestDLTListsAsJSON(t *testing.T) {
	noEnvironment(t)
	c := deadLetters(t)
	t.Setenv("KAFKA_BROKERS", strings.Join(c.Addrs(), ","))
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"dlt", "ls", "-json"}, &out, &errs); code != 0 {
		t.Fatalf("exit status %d\n%s", code, &errs)
	}
	var got []causeJSON
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if len(got) != 2 || got[0].Count != 3 || got[0].Class != "exhausted" || got[0].Example.ID != "billing/AAAAAAAAAAAAAAAAAAAAAA/orders/0/2" || got[1].Count != 1 {
		t.Errorf("%s", &out)
	}
	out.Reset()
	if code := run(t.Context(), []string{"dlt", "ls", "-json", "-group", "nobody"}, &out, &errs); code != 0 || strings.TrimSpace(out.String()) != "[]" {
		t.Errorf("no dead letters: exit status %d, %q", code, &out)
	}
}

func TestDLTUsage(t *testing.T) {
	noEnvironment(t)
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"dlt", 2, "usage: sordini dlt ls|redrive"},
		{"dlt help", 0, "usage: sordini dlt ls|redrive"},
		{"dlt rm", 2, `unknown command "rm"`},
		{"dlt ls -h", 0, "KAFKA_BROKERS"},
		{"dlt ls extra", 2, `unexpected argument "extra"`},
		{"dlt ls", 1, "KAFKA_BROKERS is not set"},
		{"dlt ls -brokers nowhere", 1, "nowhere"},
		{"dlt redrive -brokers nowhere:1 -group billing", 1, "give the IDs of the dead letters, or All"},
		{"dlt redrive -brokers nowhere:1 -all", 1, "name the group"},
		{"dlt redrive -h", 0, "-dry-run"},
		{"dlt ls -password secret", 2, "flag provided but not defined"},
	} {
		var out bytes.Buffer
		if code := run(t.Context(), strings.Fields(c.args), &out, &out); code != c.code || !strings.Contains(out.String(), c.says) {
			t.Errorf("sordini %s: exit status %d, want %d with %q\n%s", c.args, code, c.code, c.says, &out)
		}
	}
}

func TestDLTRedrives(t *testing.T) {
	noEnvironment(t)
	c := deadLetters(t)
	t.Setenv("KAFKA_BROKERS", strings.Join(c.Addrs(), ","))
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"dlt", "redrive", "-group", "billing", "-all"}, &out, &errs); code != 1 || !strings.Contains(errs.String(), "orders.billing.retry") {
		t.Errorf("without an inbox: exit status %d\n%s", code, &errs)
	}
	if err := sordini.EnsureTopics(t.Context(), c.SDK(), sordini.Topic[string]{
		Name: "orders.billing.retry", Key: sordini.Unkeyed[string](), Value: serde.String(), Config: sordini.TopicConfig{Partitions: 2},
	}); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		args  string
		count int
		end   int64 // of both partitions of the inbox together
	}{
		{"-all -dry-run", 4, 0},
		{"-id billing/AAAAAAAAAAAAAAAAAAAAAA/orders/0/2", 1, 1},
		{"-all", 4, 5},
		{"-all -fingerprint nothing", 0, 5},
	} {
		out.Reset()
		if code := run(t.Context(), append([]string{"dlt", "redrive", "-json", "-group", "billing"}, strings.Fields(x.args)...), &out, &errs); code != 0 {
			t.Fatalf("%s: exit status %d\n%s", x.args, code, &errs)
		}
		var got redrivenJSON
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Count != x.count || got.Operation == "" {
			t.Errorf("%s: %s (%v)", x.args, &out, err)
		}
		var end int64
		for p := range int32(2) {
			records, err := c.Records("orders.billing.retry", p)
			if err != nil {
				t.Fatal(err)
			}
			end += int64(len(records))
		}
		if end != x.end {
			t.Errorf("%s: the inbox has %d records, want %d", x.args, end, x.end)
		}
	}
}
