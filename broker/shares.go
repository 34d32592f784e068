package broker

import (
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/sordini-go/sordini/broker/internal/groups"
	"github.com/sordini-go/sordini/broker/internal/records"
	"github.com/sordini-go/sordini/broker/internal/settings"
	"github.com/sordini-go/sordini/broker/internal/sharegroups"
	"github.com/sordini-go/sordini/broker/internal/storage"
)

// shares are the partitions that share groups read from one broker. They are gone with its process: what was written down of them the next leader finds
// in the cluster's share states.
type shares struct {
	sessions sharegroups.Sessions

	mu  sync.Mutex // guards what follows; held while a partition is taken up
	all map[sharegroups.Key]*shared
}

// shared is one partition that a share group reads, and the fetches that wait for it.
type shared struct {
	*sharegroups.Partition
	of *partition

	mu      sync.Mutex // guards what follows; taken last
	waiting map[*waiter]struct{}
}

// changed wakes the fetches: something may be acquired that could not be before.
func (s *shared) changed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.waiting {
		w.signal()
	}
}

func (s *shared) addWaiter(w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == nil {
		s.waiting = make(map[*waiter]struct{})
	}
	s.waiting[w] = struct{}{}
}

func (s *shared) removeWaiter(w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, w)
}

// share returns a partition as a group reads it, which is taken up where this broker leads it and has not read it for the group yet.
func (n *node) share(group string, p *partition) (*shared, error) {
	key := sharegroups.Key{Group: group, Topic: p.topic.id, Partition: p.index}
	n.shares.mu.Lock()
	defer n.shares.mu.Unlock()
	s, err := n.sharedLocked(key, p)
	if s != nil || err != nil {
		return s, err
	}
	l := p.leadership()
	st, err := n.cluster.shareStates.Read(key, l.epoch)
	if err != nil {
		return nil, sharegroups.Reported(err)
	}
	s = &shared{of: p}
	s.Partition, err = sharegroups.NewPartition(sharegroups.PartitionConfig{
		Key: key, LeaderEpoch: l.epoch,
		Settings: func() sharegroups.Settings { return n.cluster.shareSettings(group) },
		Write:    func(u sharegroups.Update) error { return n.cluster.shareStates.Write(key, u) },
		Changed:  s.changed,
	}, st, p.end(), p.resetFor)
	if err != nil {
		return nil, err
	}
	if n.shares.all == nil {
		n.shares.all = make(map[sharegroups.Key]*shared)
	}
	n.shares.all[key] = s
	return s, nil
}

// sharedNow is share for what is read already: nil where it is not, or where another broker leads it now.
func (n *node) sharedNow(group string, p *partition) *shared {
	n.shares.mu.Lock()
	defer n.shares.mu.Unlock()
	s, _ := n.sharedLocked(sharegroups.Key{Group: group, Topic: p.topic.id, Partition: p.index}, p)
	return s
}

func (n *node) sharedLocked(key sharegroups.Key, p *partition) (*shared, error) {
	s := n.shares.all[key]
	err := p.checkLeader(n.id)
	if s != nil && (err != nil || s.LeaderEpoch() != p.leadership().epoch) {
		n.shares.dropLocked(key)
		s = nil
	}
	return s, err
}

// fencedShare drops a partition after an error that says that it is not this broker's any more.
func (n *node) fencedShare(s *shared, group string, err error) {
	if !errors.Is(err, kerr.NotLeaderForPartition) && !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return
	}
	key := sharegroups.Key{Group: group, Topic: s.of.topic.id, Partition: s.of.index}
	n.shares.mu.Lock()
	defer n.shares.mu.Unlock()
	if n.shares.all[key] == s {
		n.shares.dropLocked(key)
	}
}

func (ss *shares) dropLocked(key sharegroups.Key) {
	ss.all[key].Close()
	delete(ss.all, key)
}

// clear forgets everything, as a broker that ends does.
func (ss *shares) clear() {
	ss.sessions.Clear()
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for key := range ss.all {
		ss.dropLocked(key)
	}
}

// forget drops the partitions of a group none of whose members has a session.
func (ss *shares) forget(group string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if !ss.sessions.Unused(group) {
		return
	}
	for key := range ss.all {
		if key.Group == group {
			ss.dropLocked(key)
		}
	}
}

// endShareSession ends a member's session, and gives back what the member has acquired of its partitions.
func (n *node) endShareSession(id sharegroups.Session) {
	parts, ok := n.shares.sessions.Close(id)
	if !ok {
		return
	}
	for _, tp := range parts {
		if _, p := n.cluster.partitionByID(tp.Topic, tp.Partition); p != nil {
			if s := n.sharedNow(id.Group, p); s != nil {
				n.fencedShare(s, id.Group, s.ReleaseAll(id.Member))
			}
		}
	}
}

// hangUpShares ends the sessions of a connection that has ended. A broker that has ended has none.
func (c *conn) hangUpShares() {
	if len(c.shareGroups) == 0 {
		return
	}
	for _, id := range c.node.shares.sessions.Disconnected(c) {
		c.node.endShareSession(id)
	}
	for group := range c.shareGroups {
		c.node.shares.forget(group)
	}
}

func (p *partition) end() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.End()
}

// resetFor is where a group begins that has not read the partition yet.
func (p *partition) resetFor(r sharegroups.Reset) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Kind == sharegroups.ResetEarliest {
		return p.log.Start(), nil
	}
	hw := p.highWatermarkLocked()
	if hw < p.epochStart { // a new leader does not know yet how much of what it holds is committed
		return 0, kerr.OffsetNotAvailable
	}
	if r.Kind == sharegroups.ResetLatest {
		return hw, nil
	}
	pos, err := p.log.ByTime(p.cluster.node(p.leader).now().Add(-r.Back).UnixMilli(), hw)
	switch {
	case err != nil:
		return 0, codef(kerr.CorruptMessage, "%v", err)
	case pos.Offset < 0:
		return 0, kerr.OffsetNotAvailable
	}
	return pos.Offset, nil
}

// readShared reads what a share group may acquire from an offset on.
func (p *partition) readShared(node int32, offset int64, committed bool, maxBytes int, must bool) (batches []records.Batch, aborted []storage.Aborted, bytes int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.checkLeaderLocked(node, -1); err != nil {
		return nil, nil, 0, err
	}
	if offset < p.log.Start() || offset > p.log.End() {
		return nil, nil, 0, kerr.OffsetOutOfRange
	}
	end := p.highWatermarkLocked()
	if committed {
		end = p.lastStableLocked()
	}
	if offset >= end || maxBytes <= 0 && !must {
		return nil, nil, 0, nil
	}
	batches, bytes = p.log.Read(nil, offset, end, maxBytes, must)
	if n := len(batches); committed && n > 0 {
		aborted = p.log.AppendAborted(nil, offset, batches[n-1].LastOffset()+1)
	}
	return batches, aborted, bytes, nil
}

// logStart is where the partition's log begins.
func (p *partition) logStart() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Start()
}

// shareSettings are what a share group has of the brokers' settings and of its own, for those who read its records.
func (c *Cluster) shareSettings(group string) sharegroups.Settings {
	known := c.groupConfigs.Load()
	own := known.groups[group]
	number := func(name string) int { return settings.GroupInt(name, own, known.brokers) }
	reset, err := sharegroups.ParseReset(settings.GroupString("share.auto.offset.reset", own))
	if err != nil {
		reset = sharegroups.Reset{} // the setting was checked when it was made
	}
	return sharegroups.Settings{
		Lock:          time.Duration(number("share.record.lock.duration.ms")) * time.Millisecond,
		DeliveryLimit: number("share.delivery.count.limit"),
		MaxLocks:      number("share.partition.max.record.locks"),
		Renew:         settings.GroupString("share.renew.acknowledge.enable", own) == "true",
		ReadCommitted: settings.GroupString("share.isolation.level", own) == "read_committed",
		Reset:         reset,
	}
}

// shareConfig is what a share group has of the brokers' settings and of its own, for its coordinator.
func (c *Cluster) shareConfig(group string, of groups.ShareConfig) groups.ShareConfig {
	known := c.groupConfigs.Load()
	own := known.groups[group]
	millis := func(name string) time.Duration {
		return time.Duration(settings.GroupInt(name, own, known.brokers)) * time.Millisecond
	}
	of.Session = millis("share.session.timeout.ms")
	of.Heartbeat = millis("share.heartbeat.interval.ms")
	of.AssignmentInterval = millis("share.assignment.interval.ms")
	return of
}
