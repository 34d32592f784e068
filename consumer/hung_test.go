package consumer_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/consumer"
)

// A broker that hangs takes connections and answers nothing. The others have taken over after a second; what is measured is how long the group holds on to it.
func TestHungBrokerIsLeftWithinTenSeconds(t *testing.T) {
	for name, which := range map[string]func(w *world) int32{
		"the leader":      func(w *world) int32 { id, _ := w.Leader("orders", 0); return id },
		"the coordinator": func(w *world) int32 { return w.Coordinator("g") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, brokertest.Brokers(3), brokertest.Properties(map[string]string{
					"broker.session.timeout.ms": "1000", "default.replication.factor": "3",
				}))
				got := newSeen(t)
				r := start(t, w.group(func(_ context.Context, m *consumer.Message[string]) error {
					got.add(m.Value)
					return nil
				}, consumer.CommitInterval(100*time.Millisecond)))
				w.put("k=first")
				got.wait(1)
				for w.committed() != 1 {
					time.Sleep(100 * time.Millisecond) // virtual
				}
				time.Sleep(time.Second) // virtual: a fetch waits at the leader
				hung := which(w)
				began := time.Now()
				if err := w.PauseBroker(hung); err != nil {
					t.Fatal(err)
				}
				time.Sleep(1500 * time.Millisecond) // virtual: until the others have taken over
				others := w.sdk()
				others.Brokers = slices.Delete(w.Addrs(), int(hung)-1, int(hung))
				cl, err := others.NewClient()
				if err != nil {
					t.Fatal(err)
				}
				defer cl.Close()
				if err := cl.ProduceSync(t.Context(), record("k=second")).FirstErr(); err != nil {
					t.Fatal(err)
				}
				if time.Since(began) > 3*time.Second {
					t.Fatal("sent too late: nothing is measured")
				}
				got.wait(2)
				handled := time.Since(began)
				for w.committed() != 2 {
					time.Sleep(100 * time.Millisecond) // virtual
				}
				committed := time.Since(began)
				if handled > 10*time.Second || committed > 12*time.Second {
					t.Errorf("handled after %v, committed after %v", handled, committed)
				}
				if err := w.ResumeBroker(hung); err != nil {
					t.Fatal(err)
				}
				r.cleanly()
			})
		})
	}
}
