package broker_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/broker/internal/files/crashfs"
)

func TestAShareGroupGoesOnAfterTheEndOfTheProcess(t *testing.T) {
	cfg := broker.Config{Topics: []broker.Topic{{Name: "orders", Partitions: 2}}, Properties: map[string]string{"offsets.topic.num.partitions": "2",
		"transaction.state.log.num.partitions": "2", "share.coordinator.state.topic.num.partitions": "2"}}
	disk := crashfs.New()
	cluster := startOn(t, cfg, disk)
	setGroup(t, cluster, "pickers", "share.auto.offset.reset", "earliest")
	fill(t, cluster, 2, 10)
	cl := sharer(t, cluster, "pickers")
	polled(t, cl, 10, accept)
	cl.Close() // which sends what was accepted
	cluster = startOn(t, cfg, disk.Crash(disk.Ops(), crashfs.Nothing, 0))
	fill(t, cluster, 2, 4)
	cl = sharer(t, cluster, "pickers")
	polled(t, cl, 4, func(_ int, r *kgo.Record) {
		if r.Offset < 5 {
			t.Errorf("offset %d of partition %d is delivered again, it was accepted", r.Offset, r.Partition)
		}
		r.Ack(kgo.AckAccept)
	})
	for p := range int32(2) {
		if end := cluster.EndOffset("orders", p); end != 7 {
			t.Errorf("partition %d ends at %d", p, end)
		}
	}
}
