package broker_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

// contents returns a partition's records as text, oldest first.
func contents(t *testing.T, cluster *broker.Cluster, topic string) (out []string) {
	t.Helper()
	records, err := cluster.Records(topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		out = append(out, fmt.Sprintf("%d %s=%s", r.Offset, r.Key, r.Value))
	}
	return out
}

func TestADayOfCompaction(t *testing.T) {
	threeBrokers(t, broker.Config{}, func(t *testing.T, cluster *broker.Cluster) {
		create(t, dial(t, cluster, 1), "state", 1, 3, "cleanup.policy", "compact", "segment.ms", "3600000", "delete.retention.ms", "21600000",
			"min.compaction.lag.ms", "7200000", "min.cleanable.dirty.ratio", "0.1")
		leader, _ := cluster.Leader("state", 0)
		put := func(key, value string) {
			t.Helper()
			r := kv{key: []byte(key), value: []byte(value)}
			if value == "" {
				r.value = nil
			}
			if p := dial(t, cluster, int(leader)).produce("state", 0, seal(batchOf(r))); p.ErrorCode != 0 {
				t.Fatal(kerr.ErrorForCode(p.ErrorCode))
			}
		}
		put("gone", "1")
		put("gone", "")
		for hour := range 24 {
			put("counter", fmt.Sprint(hour))
			put(fmt.Sprint("hour ", hour), "x")
			if got := len(contents(t, cluster, "state")); hour == 1 && got != 6 {
				t.Errorf("after an hour %d records are left: nothing is old enough to go", got)
			}
			time.Sleep(61 * time.Minute)
		}
		got := contents(t, cluster, "state")
		counters, hours := 0, 0
		for _, r := range got {
			var o int
			var key string
			fmt.Sscanf(r, "%d %s", &o, &key)
			switch {
			case key == "hour":
				hours++
			case len(key) > 7 && key[:7] == "counter":
				counters++
			default:
				t.Errorf("%s is still there", r)
			}
		}
		// Those of the last two hours are too young to go, and the active segment's stays.
		if hours != 24 || counters > 4 || got[len(got)-2] != "48 counter=23" {
			t.Errorf("%d hours and %d counters are left: %v", hours, counters, got)
		}
		// Whoever leads next has compacted for itself.
		next := leader%3 + 1
		if err := cluster.MoveLeader("state", 0, next); err != nil {
			t.Fatal(err)
		}
		if then := contents(t, cluster, "state"); fmt.Sprint(then) != fmt.Sprint(got) {
			t.Errorf("on broker %d there is\n%v, on %d\n%v", next, then, leader, got)
		}
		// Offsets stay: a consumer that reads from the beginning finds the first record that is left.
		p := ask[*kmsg.FetchResponse](dial(t, cluster, int(next)), 11, fetchRequest("state", 0, 0)).Topics[0].Partitions[0]
		if p.ErrorCode != 0 || p.LogStartOffset != 0 || p.HighWatermark != 50 || len(p.RecordBatches) == 0 {
			t.Errorf("fetch from the beginning: %v, log from %d to %d", kerr.ErrorForCode(p.ErrorCode), p.LogStartOffset, p.HighWatermark)
		}
	})
}

func TestReadersAndWritersGoOnDuringCompaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster, err := broker.Start(broker.Config{Network: broker.NewNetwork(), Properties: map[string]string{"log.cleaner.backoff.ms": "1"}, Topics: []broker.Topic{{
			Name: "state", Configs: map[string]string{"cleanup.policy": "compact", "segment.ms": "1", "min.cleanable.dirty.ratio": "0", "delete.retention.ms": "0"},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		defer cluster.Close()
		const n = 2000
		done := make(chan map[string]string)
		go func() {
			w := dial(t, cluster, 1)
			state, next := make(map[string]string), int64(0)
			for next < n {
				req := fetchRequest("state", 0, next)
				req.MaxWaitMillis = 1000
				p := ask[*kmsg.FetchResponse](w, 11, req).Topics[0].Partitions[0]
				for raw := p.RecordBatches; len(raw) > 0; {
					var b kmsg.RecordBatch
					if err := b.ReadFrom(raw); err != nil {
						t.Error(err)
						break
					}
					raw = raw[12+b.Length:]
					if checksum(seal(&b)) != uint32(b.CRC) {
						t.Errorf("batch at %d is damaged", b.FirstOffset)
					}
					rest := b.Records
					for range b.NumRecords {
						var r kmsg.Record
						if err := r.ReadFrom(rest); err != nil {
							t.Error(err)
							break
						}
						rest = rest[len(r.AppendTo(nil)):]
						state[string(r.Key)] = string(r.Value)
					}
					next = b.FirstOffset + int64(b.LastOffsetDelta) + 1
				}
			}
			done <- state
		}()
		w := dial(t, cluster, 1)
		for i := range n {
			w.produce("state", 0, seal(batchOf(kv{[]byte(fmt.Sprint(i % 10)), []byte(fmt.Sprint(i))})))
			time.Sleep(time.Millisecond)
		}
		state := <-done
		for k := range 10 {
			if want := fmt.Sprint(n - 10 + k); state[fmt.Sprint(k)] != want {
				t.Errorf("a reader ends with %d=%s, want %s", k, state[fmt.Sprint(k)], want)
			}
		}
		time.Sleep(time.Second)
		if got := len(contents(t, cluster, "state")); got > 12 {
			t.Errorf("%d of %d records are left of ten keys", got, n)
		}
	})
}
