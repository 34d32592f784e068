package main

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// state is what a cluster tells clients.
type state struct {
	topics    map[string]string   // ids by name
	records   map[string][]string // by partition: committed records, with their offsets
	committed map[string]int64    // of the group billing, by partition
	other     map[string]string   // settings, quotas, users and ACLs
}

// compare says what another cluster tells otherwise.
func (s state) compare(o state) error {
	for p, want := range s.records {
		have := o.records[p]
		for i := range want {
			if i >= len(have) || have[i] != want[i] {
				return fmt.Errorf("%s: record %d of %d is not %.80s; there are %d", p, i, len(want), want[i], len(have))
			}
		}
		if len(have) != len(want) {
			return fmt.Errorf("%s has %d records, had %d", p, len(have), len(want))
		}
	}
	for what, maps := range map[string][2]string{
		"topics":    {fmt.Sprint(s.topics), fmt.Sprint(o.topics)},
		"offsets":   {fmt.Sprint(s.committed), fmt.Sprint(o.committed)},
		"the rest":  {fmt.Sprint(s.other), fmt.Sprint(o.other)},
		"partition": {fmt.Sprint(len(s.records)), fmt.Sprint(len(o.records))},
	} {
		if maps[0] != maps[1] {
			return fmt.Errorf("%s: had %s, has %s", what, maps[0], maps[1])
		}
	}
	return nil
}

// look asks a cluster for everything.
func look(ctx context.Context, addrs []string) (s state, err error) {
	s = state{topics: make(map[string]string), records: make(map[string][]string), committed: make(map[string]int64), other: make(map[string]string)}
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ConsumeTopics("orders", "prices"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(200*time.Millisecond))
	if err != nil {
		return s, err
	}
	defer cl.Close()
	meta, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, cl)
	if err != nil {
		return s, err
	}
	ends := make(map[string]int64)
	list := kmsg.NewPtrListOffsetsRequest()
	list.IsolationLevel = 1
	for _, t := range meta.Topics {
		s.topics[*t.Topic] = fmt.Sprintf("%x with %d partitions", t.TopicID, len(t.Partitions))
		if strings.HasPrefix(*t.Topic, "__") {
			continue
		}
		lt := kmsg.NewListOffsetsRequestTopic()
		lt.Topic = *t.Topic
		for _, p := range t.Partitions {
			lp := kmsg.NewListOffsetsRequestTopicPartition()
			lp.Partition, lp.Timestamp = p.Partition, -1
			lt.Partitions = append(lt.Partitions, lp)
		}
		list.Topics = append(list.Topics, lt)
	}
	listed, err := list.RequestWith(ctx, cl)
	if err != nil {
		return s, err
	}
	for _, t := range listed.Topics {
		for _, p := range t.Partitions {
			ends[fmt.Sprintf("%s-%d", t.Topic, p.Partition)] = p.Offset
		}
	}
	if err := s.read(ctx, cl, ends); err != nil {
		return s, err
	}
	return s, s.ask(ctx, cl)
}

// read consumes to the ends. Where the last thing is a marker a record of its own says nothing, so that it waits until nothing more comes.
func (s *state) read(ctx context.Context, cl *kgo.Client, ends map[string]int64) error {
	positions := make(map[string]int64)
	quiet := 0
	for quiet < 3 {
		one, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		fetches := cl.PollFetches(one)
		cancel()
		if ctx.Err() != nil {
			return fmt.Errorf("read to %v of %v: %w", positions, ends, ctx.Err())
		}
		quiet++
		fetches.EachRecord(func(r *kgo.Record) {
			quiet = 0
			p := fmt.Sprintf("%s-%d", r.Topic, r.Partition)
			positions[p] = r.Offset + 1
			s.records[p] = append(s.records[p], fmt.Sprintf("%d %d %s=%s", r.Offset, r.Timestamp.UnixMilli(), r.Key, r.Value))
		})
		if maps.Equal(positions, ends) {
			return nil
		}
	}
	return nil
}

// ask asks for what is not records.
func (s *state) ask(ctx context.Context, cl *kgo.Client) error {
	fetch := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = "billing"
	fetch.Groups = append(fetch.Groups, g)
	offsets, err := fetch.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	for _, g := range offsets.Groups {
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				s.committed[fmt.Sprintf("%s-%d", t.Topic, p.Partition)] = p.Offset
			}
		}
	}
	describe := kmsg.NewPtrDescribeConfigsRequest()
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceTypeTopic, "prices", []string{"cleanup.policy", "max.message.bytes"}
	describe.Resources = append(describe.Resources, r)
	configs, err := describe.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	for _, r := range configs.Resources {
		for _, c := range r.Configs {
			s.other[c.Name] = *c.Value
		}
	}
	quotas, err := kmsg.NewPtrDescribeClientQuotasRequest().RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	for _, e := range quotas.Entries {
		s.other["quota of "+*e.Entity[0].Name] = fmt.Sprint(e.Values[0].Key, e.Values[0].Value)
	}
	users, err := kmsg.NewPtrDescribeUserSCRAMCredentialsRequest().RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	for _, u := range users.Results {
		s.other["user "+u.User] = fmt.Sprint(u.CredentialInfos[0].Mechanism, u.CredentialInfos[0].Iterations)
	}
	acls := kmsg.NewPtrDescribeACLsRequest()
	acls.ResourceType, acls.ResourcePatternType = kmsg.ACLResourceTypeAny, kmsg.ACLResourcePatternTypeAny
	acls.Operation, acls.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
	access, err := acls.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	for _, r := range access.Resources {
		for _, a := range r.ACLs {
			s.other["acl of "+r.ResourceName] = fmt.Sprint(a.Principal, a.Operation, a.PermissionType)
		}
	}
	return nil
}
