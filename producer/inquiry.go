package producer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/admin"
)

// known is what was found out about a topic.
type known struct {
	partitions int
	limit      int32
	compacted  bool
}

// resolve finds the topic out and sends what waits for it. It goes on until the topic is known, the producer closes or nothing waits any more.
func (t *topic) resolve() {
	var unknown time.Time // since when brokers say so
	for fails := 0; ; {
		k, err := t.look(fails)
		switch {
		case err == nil:
			t.open(k)
			return
		case errors.Is(err, ErrUnknownTopic):
			if unknown.IsZero() {
				unknown = time.Now()
			}
			if time.Since(unknown) >= unknownFor {
				t.fail(t.withNearest(err))
				return
			}
		case t.p.ctx.Err() != nil:
			t.fail(ErrClosed)
			return
		case final(err):
			t.fail(t.explain(err))
			return
		}
		fails++
		err = t.explain(err)
		t.trouble.Store(&err)
		if t.givenUp() {
			return
		}
		wait := t.p.backoff(fails)
		if !unknown.IsZero() {
			wait = min(wait, unknownFor/8)
		}
		timer := time.NewTimer(wait)
		select {
		case <-t.p.ctx.Done():
			timer.Stop()
			t.fail(ErrClosed)
			return
		case <-timer.C:
		}
	}
}

// givenUp ends resolving when nothing waits for it any more.
func (t *topic) givenUp() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.resolving = t.pending.n > 0
	return !t.resolving
}

// final reports whether asking again is no use.
func final(err error) bool {
	var k *kerr.Error
	return errors.Is(err, kgo.ErrClientClosed) || errors.As(err, &k) && !k.Retriable
}

// look asks the cluster about the topic, and goes on without its settings when they can not be had after some tries.
func (t *topic) look(fails int) (known, error) {
	ctx, cancel := context.WithTimeout(t.p.ctx, 10*time.Second)
	defer cancel()
	found, err := t.metadata(ctx)
	if err != nil {
		return known{}, err
	}
	k := known{partitions: len(found.Partitions), limit: defaultLimit}
	configs, err := t.configs(ctx)
	switch {
	case err == nil:
	case fails < configTries && !errors.Is(err, kerr.TopicAuthorizationFailed):
		return known{}, err
	default:
		// Describing needs a permission that writing does not. The broker has the last word then.
		t.p.log.Warn("the topic's max.message.bytes can not be seen and is taken to be Kafka's default", "topic", t.name, "bytes", defaultLimit, "error", err)
		return k, nil
	}
	if n, ok := configs.Int("max.message.bytes"); ok && n > 0 {
		k.limit = int32(min(n, 1<<30))
	}
	policy, _ := configs.Text("cleanup.policy")
	k.compacted = strings.Contains(policy, "compact") // also beside "delete": a record without a key is refused
	return k, nil
}

func (t *topic) metadata(ctx context.Context) (admin.Topic, error) {
	cluster, err := admin.Metadata(ctx, t.p.cl, t.name)
	if err != nil {
		return admin.Topic{}, err
	}
	found := cluster.Topic(t.name)
	switch {
	case errors.Is(found.Err, kerr.UnknownTopicOrPartition):
		return admin.Topic{}, fmt.Errorf("%w %q", ErrUnknownTopic, t.name)
	case found.Err != nil:
		return admin.Topic{}, found.Err
	case len(found.Partitions) == 0:
		return admin.Topic{}, fmt.Errorf("topic %q has no partition yet: %w", t.name, kerr.LeaderNotAvailable)
	}
	return found, nil
}

func (t *topic) configs(ctx context.Context) (admin.Configs, error) {
	all, failed, err := admin.TopicConfigs(ctx, t.p.cl, []string{t.name}, "max.message.bytes", "cleanup.policy", "min.insync.replicas")
	if err != nil {
		return nil, err
	}
	return all[t.name], failed[t.name]
}

// inquire finds out, in the background, why the topic's records are not acknowledged, for the text of their error.
func (t *topic) inquire() {
	if !t.asking.CompareAndSwap(false, true) {
		return
	}
	if !t.p.background(func() {
		defer t.asking.Store(false)
		ctx, cancel := context.WithTimeout(t.p.ctx, 3*time.Second)
		defer cancel()
		if err := t.ails(ctx); err != nil {
			err = t.explain(err)
			t.trouble.Store(&err)
		} else {
			t.trouble.Store(nil)
		}
	}) {
		t.asking.Store(false)
	}
}

// ails returns what is wrong with the partitions that have waited longest, as far as metadata shows it.
func (t *topic) ails(ctx context.Context) error {
	found, err := t.metadata(ctx)
	if err != nil {
		return err
	}
	configs, err := t.configs(ctx)
	minISR, ok := configs.Int("min.insync.replicas")
	if err != nil || !ok {
		minISR = 1
	}
	slow := t.overdue()
	for _, p := range found.Partitions {
		switch {
		case !slices.Contains(slow, p.ID):
		case p.Err != nil && p.Leader < 0:
			return p.Err
		case p.Leader < 0:
			return fmt.Errorf("partition %s[%d] has no leader: %w", t.name, p.ID, kerr.LeaderNotAvailable)
		case len(p.ISR) < int(minISR):
			return fmt.Errorf("partition %s[%d] has %d replicas in sync and min.insync.replicas is %d: %w", t.name, p.ID, len(p.ISR), minISR, kerr.NotEnoughReplicas)
		}
	}
	return nil
}

// overdue returns the partitions that have a record which took more than half of its time.
func (t *topic) overdue() (ids []int32) {
	now := time.Now()
	for _, p := range t.all() {
		if p.overdue(now) {
			ids = append(ids, p.id)
		}
	}
	return ids
}

func (t *topic) explain(err error) error {
	return sordini.Explain(err, sordini.About{Operation: "produce", Topic: t.name, Principal: t.p.cluster.Principal()})
}

// withNearest adds the name that was probably meant.
func (t *topic) withNearest(err error) error {
	ctx, cancel := context.WithTimeout(t.p.ctx, 5*time.Second)
	defer cancel()
	about := sordini.About{Operation: "produce", Topic: t.name}
	if all, metaErr := admin.Metadata(ctx, t.p.cl); metaErr == nil {
		about.Names = all.Names()
	}
	return sordini.ExplainAs(err, sordini.CodeUnknownTopic, about)
}

// reopen finds a topic out again that was deleted and made again: franz-go does not send to it until it has forgotten the old one.
func (t *topic) reopen() {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.parts.Load()
	if old == nil || t.resolving {
		return
	}
	t.resolving = true
	if !t.p.background(func() {
		t.p.cl.PurgeTopicsFromProducing(t.name)
		t.resolve()
	}) {
		t.resolving = false
		return
	}
	t.p.log.Warn("the topic was deleted and made again; records that were on their way may be on neither", "topic", t.name)
	t.parts.Store(nil)
	t.count.Store(0)
	t.old = append(t.old, *old...)
}
