package dlt_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/dlt"
)

// write produces records as the runner does: to their own partition.
func write(t *testing.T, cluster sordini.Cluster, records ...*sordini.Record) {
	t.Helper()
	cl, err := cluster.NewClient(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for _, r := range records {
		x := &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers, Timestamp: r.Timestamp}
		if err := cl.ProduceSync(t.Context(), x).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// letter is a dead letter of the source topic and group.
func letter(t *testing.T, source, group string, partition int32, offset int64, class dlt.Class, err error) *sordini.Record {
	t.Helper()
	name, nameErr := dlt.TopicName(source, group)
	if nameErr != nil {
		t.Fatal(nameErr)
	}
	x := failure()
	x.Record.Topic, x.Record.Partition, x.Record.Offset = source, partition, offset
	x.Group, x.Class, x.Err = group, class, err
	x.Failed = lastFail.Add(time.Duration(offset) * time.Second)
	r, _ := dlt.Format{}.Record(name, x)
	return r
}

func TestReadYieldsWhatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := brokertest.New(t, brokertest.Topic("orders", 3), brokertest.Topic("orders.billing.dlt", 3), brokertest.Topic("parcels.billing.dlt", 1), brokertest.Topic("orders.shipping.dlt", 1))
		for i := range int64(30) {
			write(t, c.SDK(), letter(t, "orders", "billing", int32(i%3), i, dlt.Exhausted, errors.New("x")))
		}
		write(t, c.SDK(), letter(t, "parcels", "billing", 0, 1, dlt.Exhausted, errors.New("x")), letter(t, "orders", "shipping", 0, 1, dlt.Exhausted, errors.New("x")))
		for _, q := range []struct {
			query dlt.Query
			want  int
		}{
			{dlt.Query{}, 32},
			{dlt.Query{Group: "billing"}, 31},
			{dlt.Query{Group: "billing", Topic: "orders"}, 30},
			{dlt.Query{Topic: "orders"}, 31},
			{dlt.Query{Topics: []string{"parcels.billing.dlt"}}, 1},
			{dlt.Query{Group: "nobody"}, 0},
		} {
			n := 0
			next := map[int32]int64{}
			for l, err := range dlt.Read(context.Background(), c.SDK(), q.query) {
				if err != nil {
					t.Fatalf("%+v: %v", q.query, err)
				}
				if l.Topic == "orders" && l.Group == "billing" {
					if l.Partition != l.Record.Partition || l.Offset < next[l.Partition] {
						t.Fatalf("%s out of order", l.Identity())
					}
					next[l.Partition] = l.Offset
				}
				n++
			}
			if n != q.want {
				t.Errorf("%+v yields %d letters, want %d", q.query, n, q.want)
			}
		}
		for range dlt.Read(context.Background(), c.SDK(), dlt.Query{}) {
			break // leaves nothing behind: goleak and the bubble would say so
		}
	})
}

func TestReadSaysWhatItCanNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := brokertest.New(t)
		var last error
		for _, err := range dlt.Read(context.Background(), c.SDK(), dlt.Query{Topics: []string{"nowhere"}}) {
			last = err
		}
		if last == nil {
			t.Error("a topic that does not exist has no error")
		}
	})
}

func TestCausesGroupAndFold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := brokertest.New(t, brokertest.Topic("orders.billing.dlt", 2), brokertest.Topic("orders.shipping.dlt", 1))
		for i := range int64(5) {
			declined := letter(t, "orders", "billing", int32(i%2), i, dlt.Exhausted, fmt.Errorf("card %d declined", i))
			write(t, c.SDK(), declined, declined) // as a crash between the acknowledgement and the commit leaves it
		}
		undecodable := letter(t, "orders", "billing", 0, 7, dlt.Decode, errors.New("bad"))
		write(t, c.SDK(), undecodable, letter(t, "orders", "shipping", 0, 8, dlt.Decode, errors.New("bad")),
			&sordini.Record{Topic: "orders.billing.dlt", Partition: 1, Value: []byte("somebody's own")})
		causes, err := dlt.Causes(context.Background(), c.SDK(), dlt.Query{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, x := range causes {
			got = append(got, fmt.Sprintf("%d+%d %s/%s %s", x.Count, x.Duplicates, x.Group, x.Topic, x.Class))
		}
		want := []string{"5+5 billing/orders exhausted", "1+0 billing/orders decode", "1+0 billing/orders unreadable", "1+0 shipping/orders decode"}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
		if x := causes[0]; !x.Oldest.Equal(lastFail) || !x.Newest.Equal(lastFail.Add(4*time.Second)) || x.Example.Error != "card 4 declined" || x.Example.Offset != 4 ||
			x.Fingerprint != dlt.Fingerprint(dlt.Exhausted, errors.New("card 99 declined")) {
			t.Errorf("%+v", x)
		}
	})
}
