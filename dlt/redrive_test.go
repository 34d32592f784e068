package dlt_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/dlt"
)

// inbox returns what is in orders' inbox of billing.
func inbox(t *testing.T, c *brokertest.Cluster, partitions int) (all []dlt.InboxRecord) {
	t.Helper()
	for p := range partitions {
		records, err := c.Records("orders.billing.retry", int32(p))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			var h sordini.Headers
			for _, x := range r.Headers {
				h = append(h, sordini.Header{Key: x.Key, Value: x.Value})
			}
			x, err := dlt.ParseInbox(&sordini.Record{Topic: "orders.billing.retry", Partition: int32(p), Offset: r.Offset, Key: r.Key, Value: r.Value, Headers: h})
			if err != nil {
				t.Fatal(err)
			}
			if x.Record.Partition != int32(p) {
				t.Errorf("%s is in partition %d", x.Identity(), p)
			}
			all = append(all, x)
		}
	}
	return all
}

// redriving is a cluster with five dead letters of orders and one of another group's.
func redriving(t *testing.T, opts ...brokertest.Option) (*brokertest.Cluster, []string) {
	t.Helper()
	c := brokertest.New(t, append(opts, brokertest.Topic("orders", 2), brokertest.Topic("orders.billing.dlt", 2), brokertest.Topic("orders.shipping.dlt", 2), brokertest.Topic("orders.billing.retry", 2))...)
	var ids []string
	for i := range int64(5) {
		r := letter(t, "orders", "billing", int32(i%2), i, dlt.Exhausted, fmt.Errorf("cause %d", i%2))
		write(t, c.SDK(), r)
		l, err := dlt.Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, l.Identity())
	}
	write(t, c.SDK(), letter(t, "orders", "shipping", 0, 0, dlt.Exhausted, errors.New("x")))
	return c, ids
}

func identities(all []dlt.InboxRecord) (ids []string) {
	for _, x := range all {
		ids = append(ids, x.Identity())
	}
	slices.Sort(ids)
	return ids
}

func TestRedriveCopiesWhatWasChosen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ids := redriving(t)
		for _, x := range []struct {
			name   string
			choice dlt.Redriving
			want   []string // identities
			result dlt.Redriven
		}{
			{"by id", dlt.Redriving{IDs: []string{ids[3], ids[0], "billing/AAAA/orders/0/99"}}, []string{ids[0], ids[3]}, dlt.Redriven{Missing: []string{"billing/AAAA/orders/0/99"}}},
			{"all", dlt.Redriving{All: true}, ids, dlt.Redriven{}},
			{"all of a topic that has none", dlt.Redriving{All: true, Topic: "parcels"}, nil, dlt.Redriven{}},
			{"those of a cause", dlt.Redriving{All: true, Match: func(l *dlt.Letter) bool { return l.Error == "cause 1" }}, []string{ids[1], ids[3]}, dlt.Redriven{}},
			{"none that does not match", dlt.Redriving{IDs: ids[:1], Match: func(*dlt.Letter) bool { return false }}, nil, dlt.Redriven{}},
		} {
			x.choice.Group, x.choice.Operation = "billing", x.name
			before := len(inbox(t, c, 2))
			x.choice.DryRun = true
			got, err := dlt.Redrive(t.Context(), c.SDK(), x.choice)
			if n := len(inbox(t, c, 2)); err != nil || got.Count != len(x.want) || n != before {
				t.Errorf("%s, dry run: %+v, %v; %d records were written", x.name, got, err, n-before)
			}
			x.choice.DryRun = false
			got, err = dlt.Redrive(t.Context(), c.SDK(), x.choice)
			if err != nil || got.Count != len(x.want) || got.Operation != x.name || !slices.Equal(got.Missing, x.result.Missing) {
				t.Errorf("%s: %+v, %v", x.name, got, err)
			}
			var of []dlt.InboxRecord
			for _, r := range inbox(t, c, 2) {
				if r.Operation == x.name {
					of = append(of, r)
				}
			}
			slices.Sort(x.want)
			if got := identities(of); !slices.Equal(got, x.want) {
				t.Errorf("%s: the inbox has %v, want %v", x.name, got, x.want)
			}
			for _, r := range of {
				if src := failure().Record; string(r.Record.Value) != string(src.Value) || r.Group != "billing" || r.Attempts != 0 || len(r.Record.Headers) != len(src.Headers) {
					t.Errorf("%s: the inbox has %+v", x.name, r)
				}
			}
		}
	})
}

func TestRedriveFoldsCopiesAndLeavesWhatIsNotWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ids := redriving(t)
		write(t, c.SDK(), letter(t, "orders", "billing", 0, 0, dlt.Exhausted, errors.New("cause 0"))) // as a crash leaves one
		x := failure()
		x.Record.Topic, x.Record.Partition, x.Record.Offset, x.Group = "orders", 1, 77, "billing"
		x.Record.Value = []byte(strings.Repeat("v", 5000))
		cut, how := dlt.Format{Limit: 2000}.Record("orders.billing.dlt", x)
		if how < dlt.WithoutValue {
			t.Fatalf("the letter is %v", how)
		}
		write(t, c.SDK(), cut)
		got, err := dlt.Redrive(t.Context(), c.SDK(), dlt.Redriving{Group: "billing", All: true})
		if err != nil || got.Count != 5 || got.Duplicates != 1 || len(got.Truncated) != 1 || !strings.HasSuffix(got.Truncated[0], "/orders/1/77") || got.Operation == "" {
			t.Errorf("%+v, %v", got, err)
		}
		slices.Sort(ids)
		if all := identities(inbox(t, c, 2)); !slices.Equal(all, ids) {
			t.Errorf("the inbox has %v", all)
		}
	})
}

func TestRedriveSaysWhatStandsInItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ids := redriving(t)
		for _, x := range []dlt.Redriving{
			{All: true}, {Group: "billing"}, {Group: "billing", All: true, IDs: ids}, {Group: "billing", IDs: []string{""}}, {Group: "billing", All: true, Operation: "a\nb"},
		} {
			if _, err := dlt.Redrive(t.Context(), c.SDK(), x); !errors.Is(err, dlt.ErrSelection) {
				t.Errorf("%+v: %v", x, err)
			}
		}
		if _, err := dlt.Redrive(t.Context(), c.SDK(), dlt.Redriving{Group: "shipping", All: true}); !errors.Is(err, dlt.ErrNoInbox) || !strings.Contains(err.Error(), "orders.shipping.retry") {
			t.Errorf("without an inbox: %v", err)
		}
		write(t, c.SDK(), letter(t, "orders", "billing", 1, 9, dlt.Exhausted, errors.New("x")))
		refuse := c.Inject(broker.Fault{API: broker.APIProduce, Topic: "orders.billing.retry", Partitions: []int32{1}, Fail: kerr.TopicAuthorizationFailed.Code})
		got, err := dlt.Redrive(t.Context(), c.SDK(), dlt.Redriving{Group: "billing", All: true, Operation: "op"})
		if !errors.Is(err, kerr.TopicAuthorizationFailed) || got.Count != 3 || !strings.Contains(err.Error(), "operation op; 3 letters") {
			t.Errorf("refused: %+v, %v", got, err)
		}
		refuse.Remove()
		if got, err = dlt.Redrive(t.Context(), c.SDK(), dlt.Redriving{Group: "billing", All: true, Operation: "op"}); err != nil || got.Count != 6 {
			t.Errorf("repeated: %+v, %v", got, err)
		}
	})
}
