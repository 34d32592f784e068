package history

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestNoHistoryMakesTheCheckerPanic(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for seed := range uint64(60) {
		events := newWorld(seed).run(40)
		if seed%3 == 0 {
			events = txWorld(seed, 20)
		}
		for range 30 { // drop, repeat, displace, distort
			i, j := r.IntN(len(events)), r.IntN(len(events))
			switch r.IntN(6) {
			case 0:
				events = slices.Delete(events, i, i+1)
			case 1:
				events = slices.Insert(events, j, events[i])
			case 2:
				events[i], events[j] = events[j], events[i]
			case 3:
				events[i].Kind = Kind(r.IntN(int(Scanned) + 2))
			case 4:
				events[i].Offset, events[i].Ranges = r.Int64()-1<<62, []Range{{5, 2}, {-4, 9}, {3, 1 << 62}}
			case 5:
				events[i].Member, events[i].Fence, events[i].To, events[i].Via = events[j].Member, events[j].Fence, events[j].To, events[j].Via
			}
		}
		if r := Check(events, worldOptions()); r.OK() {
			t.Errorf("seed %d: nothing is wrong with thirty distortions", seed)
		}
	}
}

func TestInboxesThatNameEachOtherEnd(t *testing.T) {
	a, b := Place{"a", 0, 1}, Place{"b", 0, 1}
	r := Check([]Event{
		{Kind: Assigned, Group: "g", Member: "m", Topic: "a", Fence: 1},
		{Kind: Ended, Outcome: Skipped, Group: "g", Member: "m", Topic: "a", Offset: 1, Via: &b},
		{Kind: Ended, Outcome: Skipped, Group: "g", Member: "m", Topic: "b", Offset: 1, Via: &a},
		{Kind: CommitStart, Group: "g", Member: "m", Topic: "a", Offset: 2},
		{Kind: Commit, Group: "g", Member: "m", Topic: "a", Offset: 2},
	}, Options{})
	if r.Events != 5 {
		t.Error(r)
	}
}

// Whatever can be read can be written, and is the same when read again; and can be judged.
func FuzzRead(f *testing.F) {
	for _, e := range []Event{full(), {Kind: Accepted}, {Kind: Scanned, Ranges: []Range{{1, 2}}}, {Kind: Found, Key: []byte{0xff}}} {
		line, err := json.Marshal(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		events, _ := Read(bytes.NewReader(append(line, '\n')))
		Check(events, Options{})
		for _, e := range events {
			if e.Kind == 0 {
				continue
			}
			once, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			var again Event
			if err := json.Unmarshal(once, &again); err != nil {
				t.Fatalf("%s: %v", once, err)
			}
			twice, err := json.Marshal(again)
			if err != nil || !bytes.Equal(once, twice) {
				t.Fatalf("%s\n%s (%v)", once, twice, err)
			}
		}
	})
}
