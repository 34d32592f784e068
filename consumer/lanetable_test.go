package consumer

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The table finds what is in it and nothing else, while it grows and shrinks, and does not stay large for what is gone.
func TestLaneTableKnowsItsLanesAndStaysSmall(t *testing.T) {
	table := newLaneTable()
	model := map[string]*lane{}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 100_000 {
		key := fmt.Sprint(r.IntN(1000))
		if phase := i / 10_000; phase%2 == 1 { // all but a few go
			key = fmt.Sprint(r.IntN(1000) / 100 * 100)
			for k, l := range model {
				if k != key && len(model) > 5 {
					table.remove(l)
					delete(model, k)
				}
			}
		}
		l, hash := table.find([]byte(key))
		if l != model[key] {
			t.Fatalf("step %d: found %v for key %s, want %v", i, l, key, model[key])
		}
		if l == nil {
			l = &lane{head: &task{rec: &kgo.Record{Key: []byte(key)}}}
			table.add(l, hash)
			model[key] = l
		} else if r.IntN(2) == 0 {
			table.remove(l)
			delete(model, key)
		}
		if n := len(model); table.n != n || len(table.slots) > max(leastSlots, 8*n+8) || len(table.slots) < n {
			t.Fatalf("step %d: %d lanes of %d in %d slots", i, table.n, n, len(table.slots))
		}
	}
	seen := 0
	table.each(func(l *lane) {
		if seen++; model[string(l.head.rec.Key)] != l {
			t.Errorf("the table has a lane of key %s that was taken out", l.head.rec.Key)
		}
	})
	if seen != len(model) {
		t.Errorf("each shows %d of %d lanes", seen, len(model))
	}
	table.clear()
	for _, l := range model {
		table.remove(l) // as a partition does that is given up
	}
	if table.n != 0 {
		t.Errorf("%d lanes are in an empty table", table.n)
	}
}
