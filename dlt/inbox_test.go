package dlt_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/dlt"
)

func waiting() dlt.InboxRecord {
	x := failure()
	return dlt.InboxRecord{
		Record: x.Record, TopicID: x.TopicID, Group: x.Group, Due: lastFail.Add(10 * time.Minute), Attempts: 6, Round: 1, FirstFailed: firstFail, Error: "charge order 17",
	}
}

func TestInboxGolden(t *testing.T) {
	behind := waiting()
	behind.Attempts, behind.Round, behind.FirstFailed, behind.Error = 0, 0, time.Time{}, ""
	redriven := waiting()
	redriven.Operation, redriven.Record.Key, redriven.Record.Value = "op-1", nil, nil
	for name, x := range map[string]dlt.InboxRecord{"retry": waiting(), "behind": behind, "redriven": redriven} {
		t.Run(name, func(t *testing.T) {
			r := x.Encode("orders.billing.retry")
			got, path := golden(r, dlt.Whole), filepath.Join("testdata", "inbox-v1-"+name+".golden")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("the format has changed:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// Property: what Encode writes, ParseInbox reads, and the source record comes back byte for byte, also when it has headers of the same names.
func TestParseInboxGivesBackWhatEncodeWrote(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		x := waiting()
		x.Record = &sordini.Record{Topic: "orders", Partition: rng.Int32(), Offset: rng.Int64(), LeaderEpoch: -1, Timestamp: time.UnixMilli(rng.Int64N(1 << 50)).UTC(), Key: []byte("k"), Value: []byte("v")}
		for range rng.IntN(4) {
			x.Record.Headers.Add([]string{"a", dlt.HeaderInboxVersion, dlt.HeaderInboxDue, dlt.HeaderTopic}[rng.IntN(4)], []byte("user's own"))
		}
		x.Attempts, x.Round = rng.IntN(9), rng.IntN(3)
		if rng.IntN(2) == 0 {
			x.Operation, x.FirstFailed, x.Error = "op", time.Time{}, ""
		}
		got, err := dlt.ParseInbox(x.Encode("inbox"))
		if err != nil {
			t.Fatal(err)
		}
		sameRecord(t, got.Record, x.Record)
		if got.Identity() != x.Identity() || got.Identity() != (dlt.Failure{Record: x.Record, TopicID: x.TopicID, Group: x.Group}).Identity() {
			t.Fatalf("identity %s, want %s", got.Identity(), x.Identity())
		}
		got.Record, x.Record = nil, nil
		if fmt.Sprint(got) != fmt.Sprint(x) {
			t.Fatalf("got %v, want %v", got, x)
		}
	}
}

func TestDueTimeIsNeverRoundedDown(t *testing.T) {
	x := waiting()
	x.Due = x.Due.Add(time.Nanosecond)
	got, err := dlt.ParseInbox(x.Encode("inbox"))
	if err != nil || got.Due.Before(x.Due) || got.Due.Sub(x.Due) > time.Millisecond {
		t.Errorf("due %v became %v, %v", x.Due, got.Due, err)
	}
}

func TestInboxRecordOfALaterVersionIsNotGuessedAt(t *testing.T) {
	r := waiting().Encode("inbox")
	at := slices.IndexFunc(r.Headers, func(h sordini.Header) bool { return h.Key == dlt.HeaderInboxVersion })
	r.Headers[at].Value = []byte("2")
	if _, err := dlt.ParseInbox(r); !errors.Is(err, dlt.ErrMalformed) {
		t.Errorf("version 2 was read: %v", err)
	}
	if _, err := dlt.ParseInbox(&sordini.Record{}); !errors.Is(err, dlt.ErrNotInboxRecord) {
		t.Errorf("a record without headers was read: %v", err)
	}
	for i := range waiting().Encode("inbox").Headers[at:] {
		r := waiting().Encode("inbox")
		r.Headers[at+i].Value = []byte("!")
		if _, err := dlt.ParseInbox(r); err == nil {
			switch r.Headers[at+i].Key {
			case dlt.HeaderInboxTopic, dlt.HeaderInboxGroup, dlt.HeaderInboxError:
			default:
				t.Errorf("header %s may be anything", r.Headers[at+i].Key)
			}
		}
	}
}
