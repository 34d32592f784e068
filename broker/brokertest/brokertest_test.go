package brokertest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSDKReachesTheClusterInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := brokertest.New(t, brokertest.Brokers(3), brokertest.Topic("orders", 3))
		client, err := cluster.SDK().NewClient()
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		start := time.Now()
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: []byte("one")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		if err := cluster.WaitRecords(t.Context(), "orders", 1); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d < 24*time.Hour {
			t.Errorf("%v passed", d)
		}
	})
}

func TestClusterIsGoneWhenTheTestEnds(t *testing.T) {
	var addr string
	t.Run("inner", func(t *testing.T) {
		addr = brokertest.New(t).Addrs()[0]
	})
	again, err := broker.Start(broker.Config{Listen: addr})
	if err != nil {
		t.Fatalf("the port is still taken: %v", err)
	}
	again.Close()
}

// failingTB is a test that has failed: what it logs is kept, its clean-ups are run by hand.
type failingTB struct {
	testing.TB
	cleanups []func()
	logged   strings.Builder
}

func (f *failingTB) Helper()                   {}
func (f *failingTB) Failed() bool              { return true }
func (f *failingTB) Cleanup(fn func())         { f.cleanups = append(f.cleanups, fn) }
func (f *failingTB) Logf(m string, a ...any)   { fmt.Fprintf(&f.logged, m, a...) }
func (f *failingTB) Fatalf(m string, a ...any) { f.TB.Fatalf(m, a...) }

// passingTB is a test that has not failed.
type passingTB struct{ failingTB }

func (*passingTB) Failed() bool { return false }

func TestPassedTestShowsNothing(t *testing.T) {
	passing := &passingTB{failingTB{TB: t}}
	cluster := brokertest.New(passing, brokertest.Topic("orders", 1))
	for _, fn := range passing.cleanups {
		fn()
	}
	if text := passing.logged.String(); text != "" {
		t.Errorf("a passed test shows %s", text)
	}
	if err := cluster.WaitRecords(t.Context(), "orders", 1); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("the cluster of a test that has ended: %v", err)
	}
}

func TestRacksAreOnePerBroker(t *testing.T) {
	cluster := brokertest.New(t, brokertest.Racks("a", "b", "c"), brokertest.Topics(broker.Topic{Name: "orders", ReplicationFactor: 3}))
	if p, err := cluster.Partition("orders", 0); err != nil || len(p.InSync) != 3 || len(cluster.Addrs()) != 3 {
		t.Errorf("%v, %v", p, err)
	}
	var dump strings.Builder
	cluster.Dump(&dump)
	if !strings.Contains(dump.String(), "running, rack c") {
		t.Errorf("dump %s", &dump)
	}
}

func TestFailedTestShowsLogAndContents(t *testing.T) {
	failing := &failingTB{TB: t}
	cluster := brokertest.New(failing, brokertest.Topic("orders", 1))
	client, err := cluster.SDK().NewClient()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Key: []byte("k"), Value: []byte("forty-two")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	client.Close()
	for _, fn := range failing.cleanups {
		fn()
	}
	for _, want := range []string{"orders[0] leader 1", "key=k value=forty-two", "topic created"} {
		if !strings.Contains(failing.logged.String(), want) {
			t.Errorf("%q is not in what a failed test shows:\n%s", want, failing.logged.String())
		}
	}
	if err := cluster.WaitRecords(context.Background(), "orders", 2); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("waiting on a closed cluster: %v", err)
	}
}
