package guarantee

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/internal/admin"
	"github.com/sordini-go/sordini/internal/history"
)

// found is a record as the independent reader found it.
type found struct {
	*kgo.Record
	source place // of a dead letter: where its headers say it came from
	group  string
}

// read reads topics from their start to their end with a plain franz-go client, and nothing of the SDK, and records what it found. It waits for transactions that
// are open: Kafka writes the markers of one after it has said that it is committed.
func (sc *scene) read(topics ...string) {
	sc.t.Helper()
	ctx, cancel := sc.patience()
	defer cancel()
	starts, ends := sc.offsets(ctx, topics, -2, readUncommitted), sc.offsets(ctx, topics, -1, readUncommitted)
	err := sc.readFrom(ctx, starts, ends, func(f found) {
		sc.log.Record(f.event())
		if sc.inspect != nil {
			sc.inspect(f)
		}
	})
	if err != nil {
		sc.t.Fatalf("independent reader: %v", err)
	}
	for at, end := range ends {
		if starts[at] < end {
			sc.log.Record(history.Event{Kind: history.Scanned, Topic: at.topic, Partition: at.partition, Ranges: []history.Range{{From: starts[at], To: end}}})
		}
	}
}

// readFrom reads partitions from their starts to their ends and calls f for each record that is committed.
func (sc *scene) readFrom(ctx context.Context, starts, ends map[place]int64, f func(found)) error {
	sc.t.Helper()
	positions, left := map[string]map[int32]kgo.Offset{}, 0
	for at, end := range ends {
		if starts[at] < end {
			if positions[at.topic] == nil {
				positions[at.topic] = map[int32]kgo.Offset{}
			}
			positions[at.topic][at.partition] = kgo.NewOffset().At(starts[at])
			left++
		}
	}
	if left == 0 {
		return nil
	}
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(sc.target.Direct.Brokers...), kgo.ClientID("independent-reader"), kgo.ConsumePartitions(positions),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.KeepControlRecords(), // a transaction's end is the last of its partition
		dialer(sc.target.Direct.Dial),
	)
	if err != nil {
		sc.t.Fatalf("independent reader: %v", err)
	}
	defer cl.Close()
	for left > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("%d partitions are not at their end: %w", left, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			end := ends[place{r.Topic, r.Partition, 0}]
			if r.Offset >= end {
				return
			}
			if r.Offset == end-1 {
				left--
			}
			if r.Attrs.IsControl() {
				return // the end of a transaction, which may be the last there is
			}
			f(understand(r))
		})
	}
	return nil
}

// understand reads who the record is: of a dead letter and of an inbox's record, from the headers. A dead letter's own come after those that its record had,
// and so do an inbox's.
func understand(r *kgo.Record) found {
	f := found{Record: r, source: place{r.Topic, r.Partition, r.Offset}}
	for i := len(r.Headers) - 1; i >= 0; i-- {
		prefix, ok := strings.CutSuffix(r.Headers[i].Key, "-topic")
		if !ok || prefix != "dlt" && prefix != "inbox" {
			continue
		}
		h := headers(r.Headers[i:])
		partition, err1 := strconv.ParseInt(h[prefix+"-partition"], 10, 32)
		offset, err2 := strconv.ParseInt(h[prefix+"-offset"], 10, 64)
		if err1 == nil && err2 == nil {
			f.source, f.group = place{h[prefix+"-topic"], int32(partition), offset}, h[prefix+"-group"]
		}
		break
	}
	return f
}

// id is the identity that its producer gave it.
func (f found) id() string {
	var it Item
	if err := json.Unmarshal(f.Value, &it); err == nil && it.ID != "" {
		return it.ID
	}
	return headers(f.Headers)["id"]
}

func (f found) event() history.Event {
	e := history.Event{
		Kind: history.Found, Topic: f.source.topic, Partition: f.source.partition, Offset: f.source.offset, Group: f.group, ID: f.id(), Key: f.Key,
		Hash: history.HashValue(f.Value),
	}
	if f.group != "" {
		e.Via = &history.Place{Topic: f.Topic, Partition: f.Partition, Offset: f.Offset}
	}
	return e
}

// headers by name; of several with one name, the first.
func headers(all []kgo.RecordHeader) map[string]string {
	m := map[string]string{}
	for _, h := range all {
		if _, ok := m[h.Key]; !ok {
			m[h.Key] = string(h.Value)
		}
	}
	return m
}

// Isolation levels: with the first a partition ends at its high watermark, with the other at its last stable offset.
const (
	readUncommitted = 0
	readCommitted   = 1
)

// offsets lists each partition's offset: -2 is the earliest, -1 the end.
func (sc *scene) offsets(ctx context.Context, topics []string, timestamp int64, isolation int8) map[place]int64 {
	sc.t.Helper()
	meta := kmsg.NewPtrMetadataRequest()
	for _, name := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		meta.Topics = append(meta.Topics, t)
	}
	resp, err := meta.RequestWith(ctx, sc.admin)
	if err != nil {
		sc.t.Fatalf("independent reader: %v", err)
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.IsolationLevel = isolation
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			sc.t.Fatalf("independent reader: topic %v: %v", t.Topic, err)
		}
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic = *t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewListOffsetsRequestTopicPartition()
			rp.Partition, rp.Timestamp = p.Partition, timestamp
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
	}
	for {
		offsets, err := sc.listOffsets(ctx, req)
		if err == nil {
			return offsets
		}
		if !kerr.IsRetriable(err) || ctx.Err() != nil {
			sc.t.Fatalf("independent reader: %v", err)
		}
		sc.hold(100 * time.Millisecond) // a leader that has just been elected does not know its end yet
	}
}

func (sc *scene) listOffsets(ctx context.Context, req *kmsg.ListOffsetsRequest) (map[place]int64, error) {
	listed, err := req.RequestWith(ctx, sc.admin)
	if err != nil {
		return nil, err
	}
	offsets := map[place]int64{}
	for _, t := range listed.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, fmt.Errorf("%s[%d]: %w", t.Topic, p.Partition, err)
			}
			offsets[place{t.Topic, p.Partition, 0}] = p.Offset
		}
	}
	return offsets, nil
}

// committed asks the group's coordinator what is committed, with no help of the SDK: -1 where nothing is.
func (sc *scene) committed(group string, tp *topic) []int64 {
	sc.t.Helper()
	ctx, cancel := sc.patience()
	defer cancel()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = group
	rt := kmsg.NewOffsetFetchRequestTopic()
	rt.Topic = tp.Name
	rg := kmsg.NewOffsetFetchRequestGroup()
	rg.Group = group
	gt := kmsg.NewOffsetFetchRequestGroupTopic()
	gt.Topic = tp.Name
	for p := range tp.partitions {
		rt.Partitions = append(rt.Partitions, int32(p))
		gt.Partitions = append(gt.Partitions, int32(p))
	}
	cluster, err := admin.Metadata(ctx, sc.admin, tp.Name)
	if err != nil {
		sc.t.Fatalf("fetch the offsets of %s: %v", group, err)
	}
	gt.TopicID = cluster.Topic(tp.Name).ID
	req.Topics, rg.Topics = []kmsg.OffsetFetchRequestTopic{rt}, []kmsg.OffsetFetchRequestGroupTopic{gt}
	req.Groups = append(req.Groups, rg)
	offsets := make([]int64, tp.partitions)
	for {
		resp, err := admin.AskCoordinator(ctx, sc.admin, req.RequestWith)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if err == nil {
			for _, g := range resp.Groups {
				if err = kerr.ErrorForCode(g.ErrorCode); err != nil {
					break
				}
				for _, t := range g.Topics {
					for _, p := range t.Partitions {
						offsets[p.Partition] = p.Offset
					}
				}
			}
			for _, t := range resp.Topics {
				for _, p := range t.Partitions {
					offsets[p.Partition] = p.Offset
				}
			}
		}
		if err == nil {
			return offsets
		}
		var refused *kerr.Error // else the broker went away before it answered
		if errors.As(err, &refused) && !refused.Retriable || ctx.Err() != nil {
			sc.t.Fatalf("fetch the offsets of %s: %v", group, err)
		}
		sc.hold(50 * time.Millisecond)
	}
}

// judge ends the services, reads the topics and their dead letters, and lets the checker judge the history.
func (sc *scene) judge() {
	sc.t.Helper()
	if sc.judged {
		return
	}
	sc.judged = true
	for _, in := range sc.injected {
		in.Remove()
	}
	for i := len(sc.repairs) - 1; i >= 0; i-- {
		sc.repairs[i]()
	}
	sc.repairs = nil
	for _, m := range sc.members {
		m.abandon()
	}
	for _, s := range sc.sources {
		s.abandon()
	}
	topics := map[string]bool{}
	for _, tp := range sc.topics {
		topics[tp.Name] = true
	}
	for _, name := range sc.companions() {
		topics[name] = true
	}
	if len(topics) > 0 {
		sc.read(slices.Sorted(maps.Keys(topics))...)
	}
	var report history.Report
	if sc.checker != nil {
		report = sc.checker.Report()
	} else {
		report = history.Check(sc.log.Events(), sc.judgement)
	}
	if sc.report != nil {
		sc.report(report)
	}
	if err := report.Err(); err != nil {
		sc.t.Errorf("%v", err)
	}
}

// forget deletes the scene's topics, on a cluster that goes on.
func (sc *scene) forget() {
	sc.t.Helper()
	ctx, cancel := sc.patience()
	defer cancel()
	req := kmsg.NewPtrDeleteTopicsRequest()
	for _, name := range append(topicNames(sc.topics), sc.companions()...) {
		t := kmsg.NewDeleteTopicsRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics, req.TopicNames = append(req.Topics, t), append(req.TopicNames, name)
	}
	if _, err := req.RequestWith(ctx, sc.admin); err != nil {
		sc.t.Fatalf("delete topics: %v", err)
	}
}

// companions returns the dead-letter topics and inboxes of the scene's groups that are there.
func (sc *scene) companions() (names []string) {
	sc.t.Helper()
	ctx, cancel := sc.patience()
	defer cancel()
	resp, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, sc.admin)
	if err != nil {
		sc.t.Fatalf("list topics: %v", err)
	}
	for _, t := range resp.Topics {
		for _, g := range sc.judgement.Groups {
			for _, tp := range sc.topics {
				if t.Topic != nil && (*t.Topic == sc.deadLetters(tp, g.Name) || *t.Topic == sc.inbox(tp, g.Name)) {
					names = append(names, *t.Topic)
				}
			}
		}
	}
	return names
}

// deadLetters is the name of a group's dead-letter topic; the scene's names need no escaping.
func (sc *scene) deadLetters(tp *topic, group string) string {
	return fmt.Sprintf("%s.%s.dlt", tp.Name, group)
}

// inbox is the name of a group's inbox.
func (sc *scene) inbox(tp *topic, group string) string {
	return fmt.Sprintf("%s.%s.retry", tp.Name, group)
}

func dialer(dial func(ctx context.Context, network, address string) (net.Conn, error)) kgo.Opt {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return kgo.Dialer(dial)
}
