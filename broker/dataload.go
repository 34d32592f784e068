package broker

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/acl"
	"github.com/sordini-go/sordini/broker/internal/files"
	"github.com/sordini-go/sordini/broker/internal/metalog"
	"github.com/sordini-go/sordini/broker/internal/quotas"
	"github.com/sordini-go/sordini/broker/internal/sasl"
	"github.com/sordini-go/sordini/broker/internal/settings"
	"github.com/sordini-go/sordini/broker/internal/storage"
	"github.com/sordini-go/sordini/broker/internal/tokens"
	"github.com/sordini-go/sordini/broker/internal/txns"
)

// dynamic returns what was altered for all brokers, which with eligible leader replicas is never nothing.
func (s *store) dynamic(values settings.Broker) map[string]string {
	first := map[string]string{minISR: strconv.Itoa(values.Int(minISR))}
	if s == nil {
		return first
	}
	altered := s.configs(kmsg.ConfigResourceTypeBroker, "")
	if altered == nil {
		s.image.Apply(configRecords(kmsg.ConfigResourceTypeBroker, "", nil, first)...)
		return first
	}
	return altered
}

// restore makes the cluster what it was, but for its coordinators. Its brokers listen, and serve nobody yet.
func (c *Cluster) restore() error {
	s := c.store
	if s == nil {
		return nil
	}
	c.restoreSettings()
	c.restoreAccess()
	if err := s.tidy(); err != nil {
		return err
	}
	started := time.Now()
	cut, topics := int64(0), slices.SortedFunc(maps.Values(s.image.Topics), func(a, b *metalog.Topic) int { return cmp.Compare(a.Name, b.Name) })
	for _, known := range topics {
		n, err := c.restoreTopic(known)
		if err != nil {
			return fmt.Errorf("topic %s: %w", known.Name, err)
		}
		cut += n
	}
	if len(topics) > 0 {
		c.log.Info("data directory read", "directory", s.dir, "topics", len(topics), "took", time.Since(started), "in order", !slices.Contains(s.clean, false),
			"bytes cut off", cut)
	}
	if s.image.IDs != nil {
		c.lastPID.Store(s.image.IDs.Next - 1)
	}
	return nil
}

func (c *Cluster) restoreSettings() {
	s := c.store
	for _, n := range c.nodes {
		n.altered = s.configs(kmsg.ConfigResourceTypeBroker, strconv.Itoa(int(n.id)))
	}
	for of, values := range s.image.Configs {
		switch kmsg.ConfigResourceType(of.Type) {
		case kmsg.ConfigResourceTypeGroupConfig:
			c.groupSettings[of.Name] = maps.Clone(values)
		case kmsg.ConfigResourceTypeClientMetrics:
			c.clientMetrics[of.Name] = maps.Clone(values)
		}
	}
	c.applySettingsLocked(c.settings)
	for _, q := range s.image.Quotas {
		entity := make(quotas.Entity)
		for _, e := range q.Entity {
			entity[e.Type] = e.Name
		}
		c.quotas.Alter(entity, map[quotas.Key]float64{quotas.Key(q.Key): q.Value}, nil)
	}
}

func (c *Cluster) restoreAccess() {
	s := c.store
	for of, k := range s.image.Scram {
		c.security.scram[scramKey{of.User, sasl.Scram(of.Mechanism)}] = scramEntry{credential: sasl.Credential{Salt: k.Salt, StoredKey: k.StoredKey,
			ServerKey: k.ServerKey, Iterations: int(k.Iterations)}}
	}
	for _, t := range s.image.Tokens {
		c.delegated.Load(tokens.Token{ID: t.ID, Owner: t.Owner, Requester: t.Requester, Renewers: t.Renewers, Issued: t.Issued, Expires: t.Expires, Max: t.Max})
	}
	if c.authorizer == nil {
		return
	}
	var bindings []acl.Binding
	for _, a := range s.image.ACLs {
		bindings = append(bindings, acl.Binding{
			Pattern: acl.Pattern{Type: kmsg.ACLResourceType(a.Resource), Name: a.Name, Kind: kmsg.ACLResourcePatternType(a.Pattern)},
			Entry:   acl.Entry{Principal: a.Principal, Host: a.Host, Operation: kmsg.ACLOperation(a.Operation), Permission: kmsg.ACLPermissionType(a.Permission)},
		})
	}
	c.authorizer.Add(bindings...)
}

// tidy gets out of the way what belongs to no partition: what was deleted goes, what nobody knows is renamed, as in Kafka.
func (s *store) tidy() error {
	for i := range s.ids {
		broker := int32(i + 1)
		dir := s.brokerDir(broker)
		names, err := s.fs.ReadDir(dir)
		if err != nil {
			return err
		}
		expected := s.expected(broker)
		changed := false
		for _, entry := range names {
			name, isDir := files.IsDir(entry)
			if !isDir || name == metalog.Dir || strings.HasSuffix(name, strayDir) {
				continue
			}
			path := filepath.Join(dir, name)
			id, said := storage.TopicID(s.fs, path)
			if want, known := expected[name]; known && (!said || id == want) {
				continue
			}
			changed = true
			if err := s.misplaced(dir, name, id, said, expected, names); err != nil {
				return err
			}
		}
		if changed {
			if err := s.fs.SyncDir(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// strayDir is the end of the name of a directory that belongs to no partition, as in Kafka.
const strayDir = "-stray"

// expected are the directories that a broker may have, with their topics.
func (s *store) expected(broker int32) map[string]topicID {
	all := make(map[string]topicID)
	for id, partitions := range s.image.Partitions {
		for _, p := range partitions {
			if t := s.image.Topics[id]; t != nil && slices.Contains(p.Replicas, broker) {
				all[fmt.Sprintf("%s-%d", t.Name, p.Partition)] = id
			}
		}
	}
	return all
}

// misplaced deals with a directory that is of no partition, or of another topic than its name says. A deletion that nobody was told of, because the
// machine ended before, is taken back.
func (s *store) misplaced(dir, name string, id topicID, said bool, expected map[string]topicID, names []string) error {
	path := filepath.Join(dir, name)
	if before, deleted := strings.CutSuffix(name, deletedDir); deleted && said {
		if i := strings.LastIndexByte(before, '.'); i > 0 {
			was := before[:i]
			if want, known := expected[was]; known && want == id && !slices.Contains(names, was+"/") {
				return s.fs.Rename(path, filepath.Join(dir, was))
			}
		}
		return s.fs.RemoveAll(path)
	}
	if s.image.Removed[id] {
		return s.fs.RemoveAll(path)
	}
	to := filepath.Join(dir, fmt.Sprintf("%.200s.%s%s", name, hex.EncodeToString(id[:]), strayDir))
	s.cluster.log.Warn("directory is of no partition", "directory", path, "renamed to", to)
	return s.fs.Rename(path, to)
}

// restoreTopic reads a topic's partitions. It returns how many bytes had to be cut off.
func (c *Cluster) restoreTopic(known *metalog.Topic) (cut int64, err error) {
	s := c.store
	t := &topic{name: known.Name, id: known.ID, overrides: s.configs(kmsg.ConfigResourceTypeTopic, known.Name)}
	if t.overrides == nil {
		t.overrides = map[string]string{}
	}
	resolved, err := settings.ParseTopic(t.overrides, c.settings)
	if err != nil {
		return 0, err
	}
	t.settings.Store(&resolved)
	partitions := s.image.Partitions[known.ID]
	for index := range int32(len(partitions)) {
		r := partitions[index]
		if r == nil {
			return 0, fmt.Errorf("there are %d partitions, and nothing is known of number %d: %w", len(partitions), index, storage.ErrCorrupt)
		}
		p, n, err := c.restorePartition(t, r)
		if err != nil {
			return 0, err
		}
		cut += n
		t.partitions = append(t.partitions, p)
	}
	c.topics[t.name] = t
	c.topicByID[t.id] = t
	c.collapsed[collapse(t.name)] = t.name
	c.topicsChanged()
	return cut, nil
}

// restorePartition reads the logs of a partition and has a leader elected, in a new epoch: that all the brokers have ended is no reason for a record to
// have the epoch of one from before.
func (c *Cluster) restorePartition(t *topic, r *metalog.Partition) (*partition, int64, error) {
	s := c.store
	p := &partition{cluster: c, topic: t, index: r.Partition, leader: noLeader, epoch: max(r.LeaderEpoch, 0)}
	p.assignment = assignment{replicas: r.Replicas, isr: r.ISR, elr: r.ELR, lastELR: r.LastELR, adding: r.Adding, removing: r.Removing, version: r.PartitionEpoch}
	p.mu.Lock()
	defer p.mu.Unlock()
	cut := int64(0)
	for _, id := range r.Replicas {
		if c.node(id) == nil {
			return nil, 0, fmt.Errorf("partition %d has a replica on broker %d, there are %d", r.Partition, id, len(c.nodes))
		}
		of := storage.TopicPartition{Topic: t.name, Partition: r.Partition}
		known := storage.Known{Start: s.known[logStarts][id-1][of], Recovered: s.known[recoveryPoints][id-1][of], Clean: s.clean[id-1], Now: nowMillis()}
		log, found, err := storage.Open(s.newDir(p, id), known)
		if err != nil {
			return nil, 0, err
		}
		if found.Cut > 0 {
			cut += found.Cut
			c.log.Warn("log was not whole at its end", "topic", t.name, "partition", p.index, "broker", id, "bytes cut off", found.Cut, "log end", log.End())
		}
		f := newReplica(id)
		f.log, f.caughtUp = log, time.Now()
		f.hw = max(min(s.known[highWatermarks][id-1][of], log.End()), log.Start())
		p.epoch = max(p.epoch, log.LatestEpoch())
		p.copies = append(p.copies, f)
	}
	if len(p.copies) == 0 {
		return nil, 0, fmt.Errorf("partition %d has no replicas: %w", r.Partition, storage.ErrCorrupt)
	}
	p.lead = p.copies[0]
	p.log = p.lead.log
	p.changeLocked(change{election: electOnline})
	p.noteLocked()
	if len(p.copies) == 1 {
		p.lead.hw = p.log.Synced()
	}
	p.replicateLocked()
	p.overdue = true // it may be
	return p, cut, nil
}

// restoreGroups makes the groups what their coordinators have written down.
func (c *Cluster) restoreGroups() error {
	t := c.lookup(offsetsTopic)
	if c.store == nil || t == nil {
		return nil
	}
	if n := len(c.coordinators.leads); len(t.partitions) != n {
		return fmt.Errorf("offsets.topic.num.partitions is %d, there are %d: groups would not be found", n, len(t.partitions))
	}
	for _, p := range t.partitions {
		for b := range p.log.Batches(0) {
			producer := b.ProducerID()
			if m, ok := b.Marker(); ok {
				c.groups.EndTxns(func(group string) bool { return c.offsetsPartition(group) == p.index }, producer, m.Commit)
				continue
			}
			var of *int64
			if b.Transactional() {
				of = &producer
			}
			for r, err := range b.Records() {
				if err == nil && !b.Control() {
					err = c.groups.Load(r.Key, r.Value, of)
				}
				if err != nil {
					return fmt.Errorf("%s-%d: %w", t.name, p.index, err)
				}
			}
		}
	}
	if err := c.restoreShares(); err != nil {
		return err
	}
	c.groups.Loaded()
	return nil
}

// restoreShares makes the state of share partitions what the share coordinator has written down.
func (c *Cluster) restoreShares() error {
	t := c.lookup(shareStateTopic)
	if t == nil {
		return nil
	}
	if n := c.property().Int("share.coordinator.state.topic.num.partitions"); len(t.partitions) != n {
		return fmt.Errorf("share.coordinator.state.topic.num.partitions is %d, there are %d: share groups would not be found", n, len(t.partitions))
	}
	for _, p := range t.partitions {
		for b := range p.log.Batches(0) {
			for r, err := range b.Records() {
				if err == nil {
					err = c.shareStates.Replay(r.Key, r.Value)
				}
				if err != nil {
					return fmt.Errorf("%s-%d: %w", t.name, p.index, err)
				}
			}
		}
	}
	for k, epoch := range c.shareStates.Known {
		c.groups.LoadShare(k.Group, k.Topic, k.Partition, epoch)
	}
	return nil
}

// restoreTxns makes the transactional ids what their coordinator has written down, and sees to it that no transaction stays open that nobody would end.
func (c *Cluster) restoreTxns() error {
	if c.store == nil {
		return nil
	}
	newest := int32(storage.NoEpoch)
	for _, p := range c.everyPartition() {
		for _, known := range p.log.Producers() {
			newest = max(newest, known.Coordinator)
			c.lastPID.Store(max(c.lastPID.Load(), known.ID))
		}
	}
	for i := range c.txnCoordinators.terms { // whoever coordinates next does so in an epoch that no log has seen
		c.txnCoordinators.terms[i].epoch = newest
	}
	t := c.lookup(transactionsTopic)
	if t == nil {
		return nil
	}
	if n := len(c.txnCoordinators.terms); len(t.partitions) != n {
		return fmt.Errorf("transaction.state.log.num.partitions is %d, there are %d: transactional ids would not be found", n, len(t.partitions))
	}
	for _, p := range t.partitions {
		for b := range p.log.Batches(0) {
			for r, err := range b.Records() {
				if err == nil {
					err = c.txns.Load(r.Key, r.Value)
				}
				if err != nil {
					return fmt.Errorf("%s-%d: %w", t.name, p.index, err)
				}
			}
		}
	}
	for _, p := range c.everyPartition() {
		c.adoptTxns(p, newest)
	}
	c.txns.Loaded()
	return nil
}

// adoptTxns has the transactions ended that are open in a partition: by their coordinator, which may not have had the time to write down that the partition
// is part of them, or at once where it knows of none.
func (c *Cluster) adoptTxns(p *partition, coordinator int32) {
	for _, known := range p.log.Producers() {
		if known.TxnStart == storage.NoOffset || c.txns.Join(txns.Producer{ID: known.ID, Epoch: known.Epoch}, txns.Partition{Topic: p.topic.name, Partition: p.index}) {
			continue
		}
		m := storage.Marker{Producer: known.ID, Epoch: known.Epoch, Coordinator: coordinator}
		c.log.Info("transaction is aborted: its coordinator does not know of it", "topic", p.topic.name, "partition", p.index, "producer id", known.ID)
		if p.topic.name == offsetsTopic {
			c.endOffsets(p.index, m)
			continue
		}
		p.mu.Lock()
		if _, err := p.markLocked(m, c.node(p.leader).now()); err != nil {
			c.log.Warn("transaction not aborted", "topic", p.topic.name, "partition", p.index, "producer id", known.ID, "error", err)
		}
		p.mu.Unlock()
	}
}

// keep begins to write down what becomes of the cluster: the controllers' log is written anew, with what there is now.
func (c *Cluster) keep() (err error) {
	s := c.store
	if s == nil {
		return nil
	}
	for _, f := range features {
		s.image.Apply(&metalog.Feature{Name: f.name, Level: f.level})
	}
	for _, n := range c.nodes {
		s.image.Apply(n.registration())
	}
	s.metaMu.Lock()
	s.meta, err = metalog.Create(s.fs, s.brokerDir(1), s.image.Records(), nowMillis())
	s.metaMu.Unlock()
	if err != nil {
		return fmt.Errorf("%w %s: %w", ErrDataDir, s.dir, err)
	}
	s.metaSafe = s.meta.End()
	c.wg.Go(func() { s.run(c.done) })
	return nil
}
