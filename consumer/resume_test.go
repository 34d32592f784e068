package consumer_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
	"github.com/sordini-go/sordini/internal/admin"
)

// ahead is metadata of a commit of orders[0] at offset, which says that 3 and 4 are over, after change.
func (w *world) ahead(offset int64, change func(*commitmeta.Metadata)) string {
	w.t.Helper()
	meta, err := admin.Metadata(context.Background(), w.raw, "orders")
	if err != nil {
		w.t.Fatal(err)
	}
	m := commitmeta.Metadata{
		TopicID: meta.Topic("orders").ID, Base: offset, LeaderEpoch: -1, Completed: commitmeta.NewCompleted(-1, commitmeta.Range{From: 3, To: 5}), Incarnation: 1,
	}
	change(&m)
	s, err := m.Encode(commitmeta.Base64, 4096)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// laterVersion is what a release writes whose format nobody knows yet.
func laterVersion(s string) string {
	data, _ := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(s, "~s"))
	data[0]++
	table := crc32.MakeTable(crc32.Castagnoli)
	binary.BigEndian.PutUint32(data[1:], crc32.Update(crc32.Checksum(data[:1], table), table, data[5:]))
	return "~s" + base64.RawURLEncoding.EncodeToString(data)
}

// Metadata is believed only where it belongs to the commit that it is found with. What is not believed costs handling some records again, is said, and is replaced
// by the next commit.
func TestG7MetadataThatDoesNotMatchIsIgnoredAndReported(t *testing.T) {
	same := func(*commitmeta.Metadata) {}
	for name, c := range map[string]struct {
		metadata func(w *world) string
		why      string // "" where nothing is wrong
		believed bool
	}{
		"its own":                            {metadata: func(w *world) string { return w.ahead(2, same) }, believed: true},
		"offsets reset by a tool":            {metadata: func(*world) string { return "" }},
		"moved by a tool that keeps it":      {metadata: func(w *world) string { return w.ahead(1, same) }, why: "moved since the commit"},
		"copied from another cluster":        {metadata: func(w *world) string { return w.ahead(1, func(m *commitmeta.Metadata) { m.TopicID[0]++ }) }, why: "translated by a mirror"},
		"of a later version":                 {metadata: func(w *world) string { return laterVersion(w.ahead(2, same)) }, why: "version 2"},
		"cut":                                {metadata: func(w *world) string { s := w.ahead(2, same); return s[:len(s)-4] }, why: "corrupt"},
		"another client's":                   {metadata: func(*world) string { return "host-17/pid 4711" }, why: `foreign commit metadata: "host-17/pid 4711"`},
		"of Kafka Streams":                   {metadata: func(*world) string { return base64.StdEncoding.EncodeToString([]byte{2, 0, 0, 0, 0, 0, 0, 0, 9}) }, why: "Kafka Streams"},
		"of parallel-consumer, not expected": {metadata: func(*world) string { return pcRuns(1, 2, 1) }, why: "consumer.TakeOverParallelConsumer"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.put("a=0", "b=1", "c=2", "d=3", "e=4", "f=5")
				restore(w, "orders", 2, c.metadata(w))
				want := []string{"2", "3", "4", "5"}
				if c.believed {
					want = []string{"2", "5"}
				}
				got, group := newSeen(t), w.bare
				if !c.believed {
					group = w.group
				} else {
					w.history = nil // it does not know who handled the others
				}
				g := group(func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil })
				r := start(t, g)
				waitFor(t, "everything is committed", func() bool { return w.committed() == 6 })
				all := got.all()
				if slices.Sort(all); !slices.Equal(all, want) {
					t.Errorf("handled %v, want %v", all, want)
				}
				h := g.Health()
				said := slices.IndexFunc(h.Reasons, func(r consumer.Reason) bool { return r.Code == "metadata-ignored" })
				switch {
				case !h.OK:
					t.Errorf("the group is not well for it: %+v", h)
				case c.why == "" && said >= 0:
					t.Errorf("reported: %s", h.Reasons[said].Summary)
				case c.why != "" && (said < 0 || !strings.Contains(h.Reasons[said].Summary, c.why) || h.Reasons[said].Topic != "orders"):
					t.Errorf("health %+v, want a notice that says %q", h.Reasons, c.why)
				}
				r.cleanly()
				if _, text, _ := w.Committed("g", "orders", 0); !strings.HasPrefix(text, "~s") {
					t.Errorf("committed with %q", text)
				}
			})
		})
	}
}

// pcRuns is what parallel-consumer's run lengths look like, the first of them of offsets that are not over.
func pcRuns(lengths ...uint16) string {
	data := []byte{'n'}
	for _, n := range lengths {
		data = binary.BigEndian.AppendUint16(data, n)
	}
	return base64.StdEncoding.EncodeToString(data)
}

// A group of parallel-consumer goes on where that was stopped, in each of its encodings. Where its map can not be of this log, it is not believed.
func TestG7GroupOfParallelConsumerIsTakenOver(t *testing.T) {
	raw, err := os.ReadFile("internal/commitmeta/testdata/parallel-consumer-0.5.3.3.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Encoding, Text string
		Base           int64
	}
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	taken := 0
	for _, v := range vectors {
		if v.Base != 1000 {
			continue
		}
		taken++
		t.Run(v.Encoding, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, n := range []int{1020, 1008} { // the log, which the map may not be longer than: it goes on to 1010
					w := newWorld(t, 1)
					fill(w, n)
					restore(w, "orders", v.Base, v.Text)
					w.history = nil // it does not know who handled the others
					got := newSeen(t)
					g := w.bare(func(_ context.Context, m *consumer.Message[string]) error { got.add(m.Value); return nil }, consumer.TakeOverParallelConsumer())
					r := start(t, g)
					waitFor(t, "everything is committed", func() bool { return w.committed() == int64(n) })
					all := got.all()
					slices.Sort(all)
					want := []string{"1000", "1003", "1007", "1011", "1012", "1013", "1014", "1015", "1016", "1017", "1018", "1019"}
					if n == 1008 {
						want = []string{"1000", "1001", "1002", "1003", "1004", "1005", "1006", "1007"}
					}
					if !slices.Equal(all, want) || hasReason(g, "metadata-ignored") != (n == 1008) {
						t.Errorf("of %d records handled %v, want %v; health %+v", n, all, want, g.Health())
					}
					r.cleanly()
				}
			})
		})
	}
	if taken != 8 {
		t.Errorf("%d encodings, want 8", taken)
	}
}
