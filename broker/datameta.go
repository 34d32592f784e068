package broker

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/acl"
	"github.com/sordini-go/sordini/broker/internal/metalog"
	"github.com/sordini-go/sordini/broker/internal/quotas"
	"github.com/sordini-go/sordini/broker/internal/sasl"
	"github.com/sordini-go/sordini/broker/internal/tokens"
)

// What the controllers know is written down record by record, as it changes. An answer waits until that is on the disk, see [store.settle].

// record writes changes down before they are made. It fails with KAFKA_STORAGE_ERROR, with nothing written, where the disk does not take them.
func (s *store) record(all ...metalog.Record) error {
	if s == nil {
		return nil
	}
	s.metaMu.Lock()
	defer s.metaMu.Unlock()
	if s.meta != nil {
		if err := s.meta.Append(all, nowMillis(), false); err != nil {
			return because(kerr.KafkaStorageError, err)
		}
		s.promise()
	}
	s.image.Apply(all...)
	return nil
}

// note writes down changes that have been made. What the disk does not take now is written before anything else is promised.
func (s *store) note(all ...metalog.Record) {
	if s == nil || len(all) == 0 {
		return
	}
	s.metaMu.Lock()
	defer s.metaMu.Unlock()
	if s.meta != nil {
		if err := s.meta.Append(all, nowMillis(), true); err != nil {
			s.cluster.log.Error("metadata not written yet", "error", err)
		}
		s.promise()
	}
	s.image.Apply(all...)
}

// partitionRecord is what the partition is now.
func (p *partition) recordLocked() *metalog.Partition {
	r := &metalog.Partition{Partition: p.index, Topic: p.topic.id, Replicas: slices.Clone(p.replicas), ISR: slices.Clone(p.isr), Removing: slices.Clone(p.removing),
		Adding: slices.Clone(p.adding), Leader: p.leader, LeaderEpoch: p.epoch, PartitionEpoch: p.version, ELR: slices.Clone(p.elr), LastELR: slices.Clone(p.lastELR)}
	for _, id := range p.replicas {
		r.Directories = append(r.Directories, p.cluster.store.ids[id-1])
	}
	return r
}

// noteLocked writes down what has become of the partition.
func (p *partition) noteLocked() {
	if s := p.cluster.store; s != nil && !p.deleted {
		s.note(p.recordLocked())
	}
}

// recordTopic writes a topic down that is about to be created.
func (s *store) recordTopic(t *topic) error {
	if s == nil {
		return nil
	}
	all := append([]metalog.Record{&metalog.Topic{Name: t.name, ID: t.id}}, partitionRecords(t.partitions)...)
	return s.record(append(all, configRecords(kmsg.ConfigResourceTypeTopic, t.name, nil, t.overrides)...)...)
}

// recordPartitions writes partitions down that are about to be added to a topic.
func (s *store) recordPartitions(added []*partition) error {
	if s == nil {
		return nil
	}
	return s.record(partitionRecords(added)...)
}

func partitionRecords(added []*partition) (all []metalog.Record) {
	for _, p := range added {
		p.mu.Lock()
		all = append(all, p.recordLocked())
		p.mu.Unlock()
	}
	return all
}

// recordRemoval writes down that a topic is deleted.
func (s *store) recordRemoval(t *topic) error { return s.record(&metalog.RemoveTopic{ID: t.id}) }

// rename keeps flushes from going on while directories get other names, until what it returns is called.
func (s *store) rename() (done func()) {
	if s == nil {
		return func() {}
	}
	s.passing.Lock()
	return s.passing.Unlock
}

// removeLocked gets the files of a deleted partition out of the way of a topic that may have its name next.
func (p *partition) removeLocked() {
	s := p.cluster.store
	if s == nil {
		return
	}
	for _, r := range p.copies {
		if !r.log.Made() {
			continue
		}
		from := r.log.Dir().Path()
		to := filepath.Join(filepath.Dir(from), fmt.Sprintf("%.200s-%d.%x%s", p.topic.name, p.index, p.topic.id, deletedDir))
		if err := s.fs.Rename(from, to); err != nil {
			s.cluster.log.Error("directory of a deleted partition not removed", "directory", from, "error", err)
			continue
		}
		s.metaMu.Lock()
		s.remove = append(s.remove, to)
		s.metaMu.Unlock()
	}
	s.promise()
}

// noteConfigs writes down how the settings of a resource have changed.
func (s *store) noteConfigs(kind kmsg.ConfigResourceType, name string, before, after map[string]string) {
	if s != nil {
		s.note(configRecords(kind, name, before, after)...)
	}
}

func configRecords(kind kmsg.ConfigResourceType, name string, before, after map[string]string) (all []metalog.Record) {
	for _, key := range slices.Sorted(maps.Keys(after)) {
		value := after[key]
		if was, set := before[key]; !set || was != value {
			all = append(all, &metalog.Config{Type: metalog.ResourceType(kind), Name: name, Key: key, Value: &value})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, set := after[key]; !set {
			all = append(all, &metalog.Config{Type: metalog.ResourceType(kind), Name: name, Key: key})
		}
	}
	return all
}

// configs returns the settings of a resource that were written down.
func (s *store) configs(kind kmsg.ConfigResourceType, name string) map[string]string {
	return maps.Clone(s.image.Configs[metalog.Resource{Type: metalog.ResourceType(kind), Name: name}])
}

// noteQuotas writes down how an entity's quotas have changed.
func (s *store) noteQuotas(e quotas.Entity, set map[quotas.Key]float64, remove []quotas.Key) {
	if s == nil {
		return
	}
	var entity []metalog.QuotaEntity
	for _, kind := range slices.Sorted(maps.Keys(e)) {
		entity = append(entity, metalog.QuotaEntity{Type: kind, Name: e[kind]})
	}
	var all []metalog.Record
	for _, key := range slices.Sorted(maps.Keys(set)) {
		all = append(all, &metalog.Quota{Entity: entity, Key: string(key), Value: set[key]})
	}
	for _, key := range remove {
		all = append(all, &metalog.Quota{Entity: entity, Key: string(key), Remove: true})
	}
	s.note(all...)
}

// aclRecord is a binding as it is written down. Its id is made of what it says, so that the one that is deleted is found.
func aclRecord(b acl.Binding) *metalog.ACL {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %q %d %q %q %d %d", b.Type, b.Name, b.Kind, b.Principal, b.Host, b.Operation, b.Permission))
	return &metalog.ACL{ID: [16]byte(sum[:16]), Resource: int8(b.Type), Name: b.Name, Pattern: int8(b.Kind), Principal: b.Principal, Host: b.Host,
		Operation: int8(b.Operation), Permission: int8(b.Permission)}
}

func (s *store) noteACLs(created, deleted []acl.Binding) {
	if s == nil {
		return
	}
	var all []metalog.Record
	for _, b := range created {
		all = append(all, aclRecord(b))
	}
	for _, b := range deleted {
		all = append(all, &metalog.RemoveACL{ID: aclRecord(b).ID})
	}
	s.note(all...)
}

func (s *store) noteScram(user string, mechanism sasl.Scram, c *sasl.Credential) {
	switch {
	case s == nil:
	case c == nil:
		s.note(&metalog.RemoveScram{User: user, Mechanism: int8(mechanism)})
	default:
		s.note(&metalog.Scram{User: user, Mechanism: int8(mechanism), Salt: c.Salt, StoredKey: c.StoredKey, ServerKey: c.ServerKey, Iterations: int32(c.Iterations)})
	}
}

func (s *store) noteToken(t tokens.Token, gone bool) {
	switch {
	case s == nil:
	case gone:
		s.note(&metalog.RemoveToken{ID: t.ID})
	default:
		s.note(&metalog.Token{Owner: t.Owner, Requester: t.Requester, Renewers: t.Renewers, Issued: t.Issued, Max: t.Max, Expires: t.Expires, ID: t.ID})
	}
}

// producerIDs is how many producer ids are written down at once, as in Kafka.
const producerIDs = 1000

// notePID writes down that a producer id, and the others of its block, may have been given out.
func (s *store) notePID(id int64) {
	if s == nil {
		return
	}
	s.metaMu.Lock()
	known := s.image.IDs != nil && id < s.image.IDs.Next
	s.metaMu.Unlock()
	if !known { // two may find that at once, which writes the same twice
		s.note(&metalog.ProducerIDs{Broker: 1, Next: id - id%producerIDs + producerIDs})
	}
}

// brokerEpoch is the epoch of every broker's registration, as it is written down for who reads it.
const brokerEpoch = 1

// registration is what is written down of a broker.
func (n *node) registration() *metalog.RegisterBroker {
	protocols := map[string]int16{"PLAINTEXT": 0, "SSL": 1, "SASL_PLAINTEXT": 2, "SASL_SSL": 3}
	name := n.cluster.security.protocol()
	r := &metalog.RegisterBroker{Broker: n.id, Incarnation: n.cluster.store.ids[n.id-1], Epoch: brokerEpoch, Listener: name, Host: n.endpoints[0].host, Port: uint16(n.endpoints[0].port),
		Protocol: protocols[name], Rack: n.rackOrNil()}
	for _, f := range features {
		r.Features = append(r.Features, metalog.FeatureRange{Name: f.name, Min: f.supported[0], Max: f.supported[1]})
	}
	slices.SortFunc(r.Features, func(a, b metalog.FeatureRange) int { return cmp.Compare(a.Name, b.Name) })
	return r
}
