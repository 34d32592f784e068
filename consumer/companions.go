package consumer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/internal/admin"
	"github.com/sordini-go/sordini/internal/nearest"
)

// headroom is what a companion topic's records may be larger than their source's: headers, and the batch they are in.
const headroom = 64 << 10

// companions looks up the source topics and sees to it that each has its dead-letter topic and its inbox: with as many partitions, room for the source's
// largest record and the right to write there. What is missing it creates where it may; otherwise its error has the commands to run.
func (e *engine) companions(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var ask []string
	for _, t := range e.topics {
		ask = append(ask, t.name)
		ask = append(append(ask, t.companions()...), t.old.names()...)
	}
	meta, err := e.lookUp(ctx, ask)
	if err != nil {
		return fmt.Errorf("look up topics: %w", err)
	}
	var problems []problem
	var create []admin.NewTopic
	for _, t := range e.topics {
		src := meta.Topic(t.name)
		if err := usable(src); err != nil {
			problems = append(problems, e.missing(ctx, t.name, err))
			continue
		}
		t.id, t.parts = src.ID, len(src.Partitions)
		if !src.Operations.Allows(kmsg.ACLOperationRead) {
			problems = append(problems, problem{text: fmt.Sprintf("topic %q may not be read", t.name), fix: e.grant("Read", t.name), err: kerr.TopicAuthorizationFailed})
		}
	}
	if len(problems) > 0 {
		return refusal(problems)
	}
	if !e.g.cfg.deadLetters {
		return nil
	}
	sources, _, err := admin.TopicConfigs(ctx, e.side, ask, "max.message.bytes", "min.insync.replicas", "cleanup.policy")
	if err != nil {
		e.log.Warn("topic configurations can not be read: the sizes of companion topics are not checked", "error", err)
	}
	for _, t := range e.topics {
		src := meta.Topic(t.name)
		want := e.want(src, sources[t.name])
		for _, name := range t.companions() {
			have := meta.Topic(name)
			if errors.Is(have.Err, kerr.UnknownTopicOrPartition) {
				n := want
				n.Name = name
				create = append(create, n)
				continue
			}
			if have.Err != nil {
				problems = append(problems, problem{text: fmt.Sprintf("topic %q can not be used", name), fix: e.grant("Write", name), err: have.Err})
				continue
			}
			problems = append(problems, e.fits(have, sources[name], want, t.name)...)
		}
		missing, unfit := e.drains(t, meta, want)
		create, problems = append(create, missing...), append(problems, unfit...)
		t.grown.Store(int32(t.parts))
		t.deadMax, _ = strconv.Atoi(want.Configs["max.message.bytes"])
	}
	problems = append(problems, e.create(ctx, create)...)
	if len(problems) > 0 {
		return refusal(problems)
	}
	return e.settleCompanions(ctx, meta, create)
}

// settleTime is how long a source topic may be unknown before it is taken for missing.
const settleTime = 5 * time.Second

// lookUp asks for the topics until every source topic can be used, settleTime long at most: brokers learn of a new topic one after the other, so that a
// service which creates its topics and starts may ask one that does not know yet.
func (e *engine) lookUp(ctx context.Context, ask []string) (admin.Cluster, error) {
	began := time.Now()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		meta, err := admin.Metadata(ctx, e.side, ask...)
		if err != nil || time.Since(began) >= settleTime || !slices.ContainsFunc(e.topics, func(t *topicPlan) bool {
			err := usable(meta.Topic(t.name))
			return errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.LeaderNotAvailable)
		}) {
			return meta, err
		}
		select {
		case <-ctx.Done():
			return meta, nil
		case <-time.After(wait):
		}
	}
}

func (t *topicPlan) companions() []string {
	if t.deadName == "" {
		return nil
	}
	return []string{t.deadName, t.inbox}
}

// usable is why a source topic can not be read, nil when it can.
func usable(t admin.Topic) error {
	if t.Err != nil {
		return t.Err
	}
	if len(t.Partitions) == 0 {
		return kerr.UnknownTopicOrPartition
	}
	return nil
}

// want is how a companion of src has to be.
func (e *engine) want(src admin.Topic, cfg admin.Configs) admin.NewTopic {
	n := admin.NewTopic{Partitions: len(src.Partitions), Configs: map[string]string{
		"cleanup.policy": "delete",
		"retention.ms":   "-1", // nothing is lost by waiting
	}}
	if len(src.Partitions) > 0 && !e.g.cluster.Development {
		n.ReplicationFactor = len(src.Partitions[0].Replicas)
	}
	if size, ok := cfg.Int("max.message.bytes"); ok {
		n.Configs["max.message.bytes"] = strconv.FormatInt(size+headroom, 10)
	} else {
		n.Configs["max.message.bytes"] = strconv.Itoa(1<<20 + 12 + headroom)
	}
	if isr, ok := cfg.Text("min.insync.replicas"); ok && !e.g.cluster.Development {
		n.Configs["min.insync.replicas"] = isr
	}
	return n
}

// fits says what is wrong with a companion that exists.
func (e *engine) fits(have admin.Topic, cfg admin.Configs, want admin.NewTopic, source string) (ps []problem) {
	if len(have.Partitions) < want.Partitions {
		ps = append(ps, problem{
			text: fmt.Sprintf("topic %q has %d partitions and %q has %d: a dead letter keeps its partition", have.Name, len(have.Partitions), source, want.Partitions),
			fix:  fmt.Sprintf("kafka-topics --bootstrap-server %s --alter --topic %s --partitions %d", e.g.cluster.Brokers[0], have.Name, want.Partitions),
		})
	}
	need, _ := strconv.ParseInt(want.Configs["max.message.bytes"], 10, 64)
	if size, ok := cfg.Int("max.message.bytes"); ok && size < need {
		ps = append(ps, problem{
			text: fmt.Sprintf("topic %q takes records of up to %d bytes; dead letters of %q need %d", have.Name, size, source, need),
			fix: fmt.Sprintf("kafka-configs --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config max.message.bytes=%d",
				e.g.cluster.Brokers[0], have.Name, need),
		})
	}
	if policy, ok := cfg.Text("cleanup.policy"); ok && strings.Contains(policy, "compact") {
		ps = append(ps, problem{
			text: fmt.Sprintf("topic %q is compacted: of several dead letters of a key only the last would be kept", have.Name),
			fix: fmt.Sprintf("kafka-configs --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config cleanup.policy=delete",
				e.g.cluster.Brokers[0], have.Name),
		})
	}
	if !have.Operations.Allows(kmsg.ACLOperationWrite) {
		ps = append(ps, problem{text: fmt.Sprintf("topic %q may not be written", have.Name), fix: e.grant("Write", have.Name), err: kerr.TopicAuthorizationFailed})
	}
	return ps
}

// create makes what is missing. A broker that goes away meanwhile is no reason to give up, settleTime long at most.
func (e *engine) create(ctx context.Context, topics []admin.NewTopic) (ps []problem) {
	if len(topics) == 0 {
		return nil
	}
	began := time.Now()
	made, err := admin.CreateTopics(ctx, e.side, false, topics...)
	for wait := 50 * time.Millisecond; err != nil && ctx.Err() == nil && time.Since(began) < settleTime; wait = min(2*wait, time.Second) {
		if refused := (*kerr.Error)(nil); errors.As(err, &refused) {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		made, err = admin.CreateTopics(ctx, e.side, false, topics...)
	}
	for _, t := range topics {
		failed := err
		if err == nil {
			failed = made[t.Name].Err
		}
		if failed == nil {
			e.log.Info("created companion topic", "topic", t.Name, "partitions", t.Partitions)
			continue
		}
		if errors.Is(failed, kerr.TopicAlreadyExists) {
			continue // another member was faster
		}
		ps = append(ps, problem{text: fmt.Sprintf("topic %q does not exist and can not be created", t.Name), fix: e.createCommand(t), err: failed})
	}
	return ps
}

func (e *engine) createCommand(t admin.NewTopic) string {
	var b strings.Builder
	fmt.Fprintf(&b, "kafka-topics --bootstrap-server %s --create --topic %s --partitions %d", e.g.cluster.Brokers[0], t.Name, t.Partitions)
	if t.ReplicationFactor > 0 {
		fmt.Fprintf(&b, " --replication-factor %d", t.ReplicationFactor)
	}
	for _, k := range slices.Sorted(maps.Keys(t.Configs)) {
		fmt.Fprintf(&b, " --config %s=%s", k, t.Configs[k])
	}
	return b.String()
}

func (e *engine) grant(operation, topic string) string {
	return fmt.Sprintf("kafka-acls --bootstrap-server %s --add --allow-principal User:<this service> --operation %s --topic %s", e.g.cluster.Brokers[0], operation, topic)
}

// missing explains a source topic that is not there.
func (e *engine) missing(ctx context.Context, name string, why error) problem {
	if !errors.Is(why, kerr.UnknownTopicOrPartition) {
		return problem{text: fmt.Sprintf("topic %q can not be used", name), fix: e.grant("Read", name), err: why}
	}
	p := problem{
		text: fmt.Sprintf("topic %q does not exist", name),
		fix:  fmt.Sprintf("kafka-topics --bootstrap-server %s --create --topic %s --partitions 12 --replication-factor 3 --config min.insync.replicas=2, or sordini.EnsureTopics", e.g.cluster.Brokers[0], name),
		err:  why,
	}
	if all, err := admin.Metadata(ctx, e.side); err == nil {
		if near, ok := nearest.Name(name, all.Names()); ok {
			p.text += fmt.Sprintf("; did you mean %q?", near)
		}
	}
	return p
}

// problem is one thing that keeps a group from starting, and what to do about it.
type problem struct {
	text, fix string
	err       error
}

func refusal(ps []problem) error {
	var b strings.Builder
	errs := []error{ErrTopics}
	for i, p := range ps {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(p.text)
		if p.err != nil {
			fmt.Fprintf(&b, " (%v)", p.err)
			errs = append(errs, p.err)
		}
		if p.fix != "" {
			fmt.Fprintf(&b, ", run: %s", p.fix)
		}
	}
	return &topicsError{text: b.String(), errs: errs}
}

// topicsError says what is wrong with topics, and matches ErrTopics and the brokers' errors.
type topicsError struct {
	text string
	errs []error
}

func (e *topicsError) Error() string   { return ErrTopics.Error() + ": " + e.text }
func (e *topicsError) Unwrap() []error { return e.errs }

func topicNames(topics []admin.NewTopic) []string {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.Name
	}
	return names
}
