package guarantee_test

import (
	"bytes"
	"flag"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/internal/guarantee"
	"github.com/sordini-go/sordini/internal/guarantee/reference"
)

func TestMain(m *testing.M) {
	// Scenarios mostly wait, in virtual or in real time: more of them than processors may run.
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// onReference runs a guarantee's scenarios on the reference broker, in virtual time where that can be, several at the same time.
func onReference(t *testing.T, name string) {
	t.Helper()
	scenarios := guarantee.Scenarios(name, guarantee.Reference)
	if len(scenarios) == 0 {
		t.Fatalf("%s has no scenario", name)
	}
	t.Parallel()
	var wg sync.WaitGroup
	for _, s := range scenarios {
		wg.Go(func() {
			t.Run(s.Name, func(t *testing.T) {
				if virtual || !s.BrokersFail() {
					synctest.Test(t, func(t *testing.T) { s.Run(t, onBrokers(t, 10*time.Minute)) })
				} else {
					s.Run(t, onBrokers(t, time.Minute))
				}
			})
		})
	}
	wg.Wait()
}

// onBrokers starts three brokers in memory.
func onBrokers(t *testing.T, patience time.Duration) *guarantee.Target {
	t.Helper()
	c, err := broker.Start(broker.Config{Brokers: 3, Network: broker.NewNetwork()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			var held bytes.Buffer
			c.Dump(&held)
			t.Logf("the brokers held:\n%s", held.Bytes()[:min(held.Len(), 16<<10)])
			t.Logf("and their groups were:\n%s", held.Bytes()[max(0, held.Len()-8<<10):])
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return reference.Target(c, 3, patience)
}

func TestG1NoLoss(t *testing.T)       { onReference(t, "G1") }
func TestG2CommitSafety(t *testing.T) { onReference(t, "G2") }
func TestG3KeyOrder(t *testing.T)     { onReference(t, "G3") }
func TestG4Isolation(t *testing.T)    { onReference(t, "G4") }
func TestG5Ownership(t *testing.T)    { onReference(t, "G5") }
func TestG6Drain(t *testing.T)        { onReference(t, "G6") }
func TestG7Restart(t *testing.T)      { onReference(t, "G7") }
func TestG8Bounded(t *testing.T)      { onReference(t, "G8") }
func TestG9Poison(t *testing.T)       { onReference(t, "G9") }
func TestG10Producer(t *testing.T)    { onReference(t, "G10") }
func TestG11ExactlyOnce(t *testing.T) { onReference(t, "G11") }
func TestG12BoundedStop(t *testing.T) { onReference(t, "G12") }
func TestG13Truth(t *testing.T)       { onReference(t, "G13") }
func TestG14Secrecy(t *testing.T)     { onReference(t, "G14") }
