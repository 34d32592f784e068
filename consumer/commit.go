package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/consumer/internal/commitmeta"
	"github.com/sordini-go/sordini/internal/history"
)

// commitState is what is known of a partition's commits. The partition's mutex guards it.
type commitState struct {
	offset  int64 // the last one that was acknowledged, -1 where there is none
	failing time.Time
	err     error
}

// snapshot is what one commit says of one partition.
type snapshot struct {
	p       *partition
	log     *inboxLog // set where it is of an inbox
	offset  int64
	epoch   int32
	version uint64
	encoded
	counted  bool // it says that the partition has started
	courtesy bool // it only takes that back
	note     commitmeta.Note
	cut      bool  // not all of done is in it
	err      error // what the broker answered
}

// commitLoop commits what has changed, an interval after it changed first, until stop is closed. While nothing changes it sleeps.
func (e *engine) commitLoop(stop <-chan struct{}) {
	running, cancel := until(stop) // a commit that hangs does not delay the last one
	defer cancel()
	pause := time.NewTimer(0)
	<-pause.C
	defer pause.Stop()
	for {
		select {
		case <-stop:
			return
		case <-e.dirty:
		}
		e.clock.set()
		pause.Reset(e.commitInterval())
		var full chan struct{}
		if e.tx != nil {
			full = e.tx.full
		}
		select {
		case <-stop:
			return
		case <-full:
		case <-e.urgent:
		case <-pause.C:
		}
		ctx, cancel := context.WithTimeout(running, e.commitTimeout())
		err := e.commitParts(ctx, e.partitions(), false) // kept for health in each partition's state
		cancel()
		if err != nil {
			e.commitSoon()
		}
	}
}

// commitSoon tells the commit loop that there is something to say.
func (e *engine) commitSoon() {
	select {
	case e.dirty <- struct{}{}:
	default:
	}
}

// changed notes that a commit would say something new. p.mu is held.
func (p *partition) changed() {
	p.version++
	if !p.told {
		p.told = true
		p.e.commitSoon()
	}
}

// commitTimeout bounds one periodic commit: a rebalance may hold it up, and a broker that is away. A transaction that takes longer is aborted by its coordinator.
func (e *engine) commitTimeout() time.Duration {
	if e.tx != nil {
		return transactionTimeout
	}
	return 10 * time.Second
}

func (e *engine) commitInterval() time.Duration {
	if e.tx != nil {
		return cmp.Or(e.g.cfg.commitInterval, defaultTxInterval)
	}
	return cmp.Or(e.g.cfg.commitInterval, defaultCommitInterval)
}

// lastCommit is the commit before the member leaves.
func (e *engine) lastCommit() error {
	ctx, cancel := context.WithTimeout(context.Background(), lastCommitTimeout)
	defer cancel()
	return e.commitParts(ctx, e.partitions(), true)
}

// commitParts commits the partitions that have something new to say. Where it insists, it does so again for those that the broker refused for a reason that
// passes, until ctx ends.
func (e *engine) commitParts(ctx context.Context, parts []*partition, insist bool) error {
	select { // not a mutex: who waits for a commit that hangs waits no longer than it may, and virtual time goes on meanwhile
	case e.committing <- struct{}{}:
		defer func() { <-e.committing }()
	case <-ctx.Done():
		return fmt.Errorf("wait for a commit that is out: %w", ctx.Err())
	}
	if e.tx != nil {
		return e.tx.commit(ctx, parts, insist)
	}
	var err error
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		m := e.membership() // before the snapshots: see send
		snaps := e.snapshots(parts)
		if len(snaps) == 0 {
			return nil
		}
		again := false
		if err, again = e.send(ctx, m, snaps); !again || !insist {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// snapshots reads what the partitions have to say, those that have nothing new left out. e.committing is held.
func (e *engine) snapshots(parts []*partition) []*snapshot {
	var snaps []*snapshot
	for _, p := range parts {
		p.mu.Lock()
		p.told = false
		if p.lost || p.version == p.acked && !p.pends() {
			p.mu.Unlock()
			continue
		}
		s := &snapshot{p: p, version: p.version}
		offset, epoch, done := p.win.Ahead()
		inboxes := p.inboxSnapshots()
		attempts, incarnation := p.attempts(offset), p.incarnation
		starts, note := p.starts(offset)
		s.counted, s.courtesy = p.crash.counted, p.crash.courtesy
		if to := p.target; to != nil { // it is being moved: what was over beyond the mark is not over for who is sent back
			offset, epoch, done, attempts, incarnation = to.offset, -1, commitmeta.Completed{}, nil, to.incarnation
			starts, note = 0, commitmeta.Note{}
		}
		p.mu.Unlock()
		meta := commitmeta.Metadata{
			TopicID: p.topic.id, Base: offset, LeaderEpoch: epoch, Completed: done, Attempts: attempts, Incarnation: incarnation,
			Generation: p.generation, Starts: starts, Noted: note,
		}
		s.offset, s.epoch, s.note = offset, epoch, note
		s.encode(meta)
		snaps = append(snaps, s)
		snaps = append(snaps, inboxes...)
	}
	slices.SortFunc(snaps, func(a, b *snapshot) int {
		return cmp.Or(cmp.Compare(a.place().topic, b.place().topic), cmp.Compare(a.place().partition, b.place().partition))
	})
	return snaps
}

// encode writes what a snapshot says beside its offset.
func (s *snapshot) encode(meta commitmeta.Metadata) {
	s.encoded = s.p.e.metadata.encode(meta)
	s.cut = s.done.Len() != meta.Completed.Len()
}

// send commits the snapshots in one request and checks the answer for every partition. again says that some were refused for a reason that passes.
//
// The request is the runner's own rather than franz-go's CommitOffsetsSync, for two reasons. That one reads the generation when it sends, so that a snapshot
// from before a rebalance could overwrite what a new owner has committed since; here the broker refuses it. And it waits for a mutex while the member joins,
// which stops virtual time. What it adds, joining again at once after a fatal answer, the next heartbeat does.
func (e *engine) send(ctx context.Context, m membership, snaps []*snapshot) (err error, again bool) {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = e.g.name, m.id, m.generation, e.g.cfg.instanceID()
	find := map[tp]*snapshot{}
	snaps = slices.DeleteFunc(snaps, func(s *snapshot) bool { return !s.begin("") })
	if len(snaps) == 0 {
		return nil, false
	}
	for _, s := range snaps {
		at := s.place()
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != at.topic {
			t := kmsg.NewOffsetCommitRequestTopic()
			t.Topic, t.TopicID = at.topic, s.topicID()
			req.Topics = append(req.Topics, t)
		}
		t := &req.Topics[len(req.Topics)-1]
		part := kmsg.NewOffsetCommitRequestTopicPartition()
		part.Partition, part.Offset, part.LeaderEpoch, part.Metadata = at.partition, s.offset, s.epoch, &s.text
		t.Partitions = append(t.Partitions, part)
		find[at] = s
		s.err = errNoAnswer
	}
	resp, failed := req.RequestWith(ctx, e.cl)
	if failed != nil {
		for _, s := range snaps {
			s.err = failed
		}
	} else {
		for _, t := range resp.Topics {
			name := t.Topic
			if name == "" { // from version 10 on, topics are named by id
				name = e.topicByID(t.TopicID)
			}
			for _, part := range t.Partitions {
				if s := find[tp{name, part.Partition}]; s != nil {
					s.err = kerr.ErrorForCode(part.ErrorCode)
				}
			}
		}
	}
	now := time.Now()
	for _, s := range snaps {
		e.metadata.learn(s.probe, s.err)
		s.p.mu.Lock()
		if s.log != nil {
			if s.err == nil {
				s.log.committed, s.log.committedAt = s.offset, now
				s.p.started(s)
			} else {
				s.p.changed() // together again
			}
		} else if s.err == nil {
			s.p.acked = s.version
			s.p.commits = commitState{offset: s.offset}
			if s.p.hold&holdFence != 0 {
				s.p.hold &^= holdFence
				s.p.dispatch()
			}
			s.p.started(s)
		} else if s.p.commits.err = s.err; s.p.commits.failing.IsZero() {
			s.p.commits.failing = now
		}
		if s.err != nil {
			s.p.notStarted()
		}
		s.p.mu.Unlock()
		if s.err == nil {
			e.stats.commits.Add(1)
			e.record(s.event(history.Commit))
			continue
		}
		if s.courtesy {
			continue
		}
		e.stats.commitFailures.Add(1)
		again = again || passes(s.err)
		if err == nil {
			err = fmt.Errorf("commit %s at %d: %w", s.place(), s.offset, s.err)
		}
	}
	return err, again
}

// membership is who the member is in its group, at one moment.
type membership struct {
	id         string
	generation int32 // the member epoch, in KIP-848's protocol
}

func (e *engine) membership() membership {
	id, generation := e.cl.GroupMetadata()
	return membership{id, generation}
}

// errNoAnswer says that the broker's answer leaves a partition out.
var errNoAnswer = errors.New("the broker's answer does not mention the partition")

// passes says whether a commit that failed so is worth repeating at once.
func passes(err error) bool {
	for _, e := range []*kerr.Error{
		kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.StaleMemberEpoch, kerr.OffsetMetadataTooLarge, kerr.CoordinatorLoadInProgress,
		kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.RequestTimedOut,
		kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, // the coordinator has not heard yet of a topic that was just created
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// begin says that the snapshot is about to be sent. It reports false where the partition was lost meanwhile: its next owner may have begun.
func (s *snapshot) begin(tx string) bool {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.p.lost {
		return false
	}
	s.p.e.record(func() history.Event { ev := s.event(history.CommitStart)(); ev.Tx = tx; return ev })
	return true
}

func (s *snapshot) event(k history.Kind) func() history.Event {
	return func() history.Event {
		at := s.place()
		ev := history.Event{Kind: k, Topic: at.topic, Partition: at.partition, Offset: s.offset, Fence: s.p.fence}
		for r := range s.done.All() {
			ev.Ranges = append(ev.Ranges, history.Range{From: r.From, To: r.To})
		}
		return ev
	}
}

func (p *partition) event(k history.Kind) func() history.Event {
	return func() history.Event {
		return history.Event{Kind: k, Topic: p.topic.name, Partition: p.id, Fence: p.fence}
	}
}
