package guarantee

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/admin"
)

// prices is a compacted topic that a day writes to all the time: the last value of each key has to stay, and the log must not grow. Now and then a key is
// deleted.
type prices struct {
	topic   string
	cluster sordini.Cluster
	client  *kgo.Client
	last    map[string]string // what was acknowledged last; "" is a tombstone
	sent    int
}

const (
	pricesPerTick = 20
	pricesKeys    = 30
	pricesSize    = 600 // bytes of a value
)

func newPrices(t T, target *Target) *prices {
	t.Helper()
	p := &prices{topic: "prices", cluster: target.Direct, last: map[string]string{}}
	var err error
	p.client, err = target.Direct.NewClient(kgo.DefaultProduceTopic(p.topic), kgo.ProducerLinger(0), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), target.Patience)
	defer cancel()
	created, err := admin.CreateTopics(ctx, p.client, false, admin.NewTopic{Name: p.topic, Partitions: 3, ReplicationFactor: 3, Configs: map[string]string{
		"cleanup.policy": "compact", "segment.ms": "300000", "min.cleanable.dirty.ratio": "0.1", "delete.retention.ms": "600000", "min.insync.replicas": "2",
	}})
	if err == nil {
		err = created[p.topic].Err
	}
	if err != nil {
		t.Fatalf("create %s: %v", p.topic, err)
	}
	return p
}

func (p *prices) close() { p.client.Close() }

// send writes new prices. One whose outcome is not known is written again until it is.
func (p *prices) send(ctx context.Context) {
	var rs []*kgo.Record
	for range pricesPerTick {
		p.sent++
		r := &kgo.Record{Key: fmt.Appendf(nil, "k%d", p.sent*7%pricesKeys)}
		if p.sent%101 != 0 {
			r.Value = fmt.Appendf(nil, "%0*d", pricesSize, p.sent)
		}
		rs = append(rs, r)
	}
	p.client.ProduceSync(ctx, rs...)
	for _, r := range rs { // the client does not give up before ctx does
		p.last[string(r.Key)] = string(r.Value)
	}
}

// check reads the whole topic: it has the last value of every key, and little else.
func (p *prices) check(t T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	found, records := map[string]string{}, 0
	err := p.cluster.Read(ctx, func(r *sordini.Record) error {
		found[string(r.Key)] = string(r.Value)
		records++
		return nil
	}, p.topic)
	if err != nil {
		t.Fatalf("read %s: %v", p.topic, err)
	}
	for key, value := range p.last {
		if got := found[key]; got != value {
			t.Errorf("price of %s is %q, written last was %q", key, got, value)
		}
	}
	if most := pricesPerTick*int(20*time.Minute/dayTick) + pricesKeys; p.sent > 2*most && records > most {
		t.Errorf("the compacted topic holds %d records for %d keys, %d were written", records, len(p.last), p.sent)
	}
}
