package groups

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
)

// topicID is how the protocol names a topic for good.
type topicID = [16]byte

// Topic is a topic as consumer groups and share groups have to know it.
type Topic struct {
	Name       string
	ID         [16]byte
	Partitions int32
}

// image is all topics at one moment.
type image struct {
	byName map[string]Topic
	byID   map[topicID]Topic
}

// Changed tells the Manager that topics were created, deleted or given more
// partitions: it asks [Config].Topics for all of them, forgets the offsets of
// those that are gone, and lets consumer groups assign anew at the next
// heartbeat. It must not be called with a lock held that Topics takes.
func (m *Manager) Changed() {
	if m.cfg.Topics == nil {
		return
	}
	m.imaging.Lock() // so that an older answer never replaces a newer one
	defer m.imaging.Unlock()
	img := image{byName: make(map[string]Topic), byID: make(map[topicID]Topic)}
	for _, t := range m.cfg.Topics() {
		img.byName[t.Name], img.byID[t.ID] = t, t
	}

	m.mu.Lock()
	defer m.unlock()
	old := m.image
	m.image = img
	for id := range img.byID {
		if _, known := old.byID[id]; !known {
			m.newTopics++
			break
		}
	}
	for id, t := range old.byID {
		if _, still := img.byID[id]; !still {
			m.forgetTopic(t.Name)
		}
	}
	for _, g := range m.groups {
		switch {
		case g.share != nil:
			g.share.refresh = true
			g.share.forgetTopics()
			g.share.notes()
		case g.consumer != nil:
			g.consumer.refresh = true
		}
	}
}

// TopicDeleted forgets what all groups have committed for a topic: one of the
// same name that is created later must not inherit its offsets. A broker that
// calls [Manager.Changed] after deleting one need not.
func (m *Manager) TopicDeleted(topic string) {
	m.mu.Lock()
	defer m.unlock()
	m.forgetTopic(topic)
}

func (m *Manager) forgetTopic(topic string) {
	for _, g := range m.groups {
		for _, staged := range g.staged {
			delete(staged, topic)
		}
		if g.offsets[topic] != nil {
			for num := range g.offsets[topic] {
				m.forgets(g.name, topic, num)
			}
			delete(g.offsets, topic)
			m.watch(g)
		}
	}
}

// fingerprint describes topics so that it differs when any of them has been
// created, deleted, recreated or grown, and is 0 for none. It is written down
// where Kafka has what it calls the metadata hash. The function is not Kafka's,
// whose coordinator then finds another one, and begins an epoch with the
// assignment that there was.
func (img image) fingerprint(topics map[string]bool) int64 {
	h, none := fnv.New64a(), true
	for _, name := range slices.Sorted(maps.Keys(topics)) {
		if t, ok := img.byName[name]; ok {
			fmt.Fprintf(h, "%s %x %d\n", name, t.ID, t.Partitions)
			none = false
		}
	}
	if none {
		return 0
	}
	return int64(h.Sum64())
}
