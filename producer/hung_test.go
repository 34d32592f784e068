package producer_test

import (
	"context"
	"testing"
	"time"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
)

// A broker that hangs takes connections and answers nothing. The others have taken over after a second; what is measured is how long the client holds on to it.
func TestHungLeaderIsLeftWithinTenSeconds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, []brokertest.Option{brokertest.Brokers(3), brokertest.Properties(map[string]string{"broker.session.timeout.ms": "1000"}),
			brokertest.Topics(broker.Topic{Name: "orders", Partitions: 1, ReplicationFactor: 3})})
		f.warm()
		leader, _ := f.Leader("orders", 0)
		if err := f.PauseBroker(leader); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := f.pub.Send(context.Background(), order{ID: "a"}); err != nil {
			t.Fatal(err)
		}
		within(t, began, 10*time.Second)
		if now, _ := f.Leader("orders", 0); now == leader {
			t.Fatal("the leader did not change: nothing is shown")
		}
	})
}

// The same where the leader answers everything but what is produced.
func TestProduceThatHangsIsSentAgainWithinTenSeconds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := start(t, nil)
		f.warm()
		f.Inject(broker.Fault{API: broker.APIProduce, Stall: true, Count: 1})
		began := time.Now()
		if err := f.pub.Send(context.Background(), order{ID: "a"}); err != nil {
			t.Fatal(err)
		}
		within(t, began, 10*time.Second)
		if got := f.ids(); len(got) != 1 {
			t.Errorf("the log has %q", got)
		}
	})
}
