package producer

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
)

// The vectors of org.apache.kafka.common.utils.UtilsTest.testMurmur2.
func TestMurmur2IsJavas(t *testing.T) {
	for key, want := range map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("murmur2(%q) = %d, want %d", key, got, want)
		}
	}
}

// franz-go's own default, which is measured to be Java's, places every key alike.
func TestKeysArePlacedAsFranzGoPlacesThem(t *testing.T) {
	theirs := kgo.StickyKeyPartitioner(nil).ForTopic("t")
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 10_000 {
		key := make([]byte, rng.IntN(20))
		for j := 0; j+4 <= len(key); j += 4 {
			binary.LittleEndian.PutUint32(key[j:], rng.Uint32())
		}
		n := 1 + i%50
		if got, want := partitionOf(key, n), theirs.Partition(&kgo.Record{Key: key}, n); got != want {
			t.Fatalf("key %x of %d partitions is placed in %d, franz-go places it in %d", key, n, got, want)
		}
	}
}

// What a producer is can not be configured away: this is what franz-go was told.
func TestG10FranzGoIsToldNothingWeaker(t *testing.T) {
	p, err := New(sordini.Cluster{Brokers: []string{"127.0.0.1:1"}}, Linger(0), MaxBuffered(10, 10))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, c := range []struct {
		option string
		want   any
	}{
		{"RequiredAcks", kgo.AllISRAcks()},
		{"DisableIdempotentWrite", false},
		{"AllowIdempotentProduceCancellation", false},
		{"RecordDeliveryTimeout", time.Duration(0)},
		{"RecordRetries", int64(math.MaxInt64)},
		{"UnknownTopicRetries", int64(-1)},
		{"AllowAutoTopicCreation", false},
		{"ManualFlushing", false},
		{"MaxBufferedBytes", 0}, // ours bounds; franz-go's would block or fail where we can not see it
	} {
		got := p.cl.OptValue(c.option)
		if v := reflect.ValueOf(got); v.CanInt() {
			if w := reflect.ValueOf(c.want); !w.CanInt() || v.Int() != w.Int() {
				t.Errorf("%s is %v, want %v", c.option, got, c.want)
			}
		} else if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s is %v, want %v", c.option, got, c.want)
		}
	}
	if got := reflect.ValueOf(p.cl.OptValue("MaxBufferedRecords")).Int(); got <= 10 {
		t.Errorf("franz-go buffers %d records and would block", got)
	}
}

func TestBackoffGrowsFrom100MillisecondsTo30Seconds(t *testing.T) {
	p := &Producer{}
	for fails, want := range map[int]time.Duration{1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 5: 1600 * time.Millisecond, 10: 30 * time.Second, 1000: 30 * time.Second} {
		for range 100 {
			if d := p.backoff(fails); d < want*8/10 || d > min(want*12/10, 30*time.Second) {
				t.Fatalf("after %d failures it waits %s, want about %s", fails, d, want)
			}
		}
	}
	p.alarm.next.Store(time.Now().Add(3 * time.Second).UnixNano())
	if d := p.backoff(1000); d > 3200*time.Millisecond {
		t.Errorf("it sleeps %s, past the moment at which a record's time is up", d)
	}
	p.takingBack.Add(1)
	if d := p.backoff(1000); d > 100*time.Millisecond {
		t.Errorf("it sleeps %s while records are to be taken back", d)
	}
}

func TestRecordsWithoutAKeyFillOnePartitionThenAnother(t *testing.T) {
	tp := newTopic(nil, "t")
	var parts []*partition
	for id := range int32(6) {
		parts = append(parts, newPartition(tp, id))
	}
	parts[3].taking = true // in trouble
	runs, last := map[int32]int{}, int32(-1)
	for range 64 * 200 { // KiB
		p := tp.next(parts, 1<<10)
		if p.id != last {
			runs[p.id]++
			last = p.id
		}
	}
	total := 0
	for id, n := range runs {
		total += n
		if id == 3 {
			t.Errorf("%d runs went to a partition in trouble", n)
		}
	}
	if len(runs) != 5 || total < 180 || total > 220 {
		t.Errorf("runs by partition: %v, want about 200 in all", runs)
	}
}
