package consumer

import "github.com/sordini-go/sordini/consumer/internal/commitmeta"

// What an inbox has to say goes into the same request as its source partition, and is read in the same moment: a record that was handed off is over at its
// source before, or when, its copy is.

// inboxSnapshots reads what the partition's inboxes have to say. p.mu is held.
func (p *partition) inboxSnapshots(limit int) (snaps []*snapshot) {
	for _, x := range p.logs {
		if x.ix == nil {
			continue
		}
		s := &snapshot{p: p, log: x, version: p.version, offset: x.ix.Mark(), epoch: -1, done: x.ix.Completed()}
		s.metadata, s.done = encode(commitmeta.Metadata{TopicID: x.id, Base: s.offset, LeaderEpoch: -1, Completed: s.done}, limit)
		snaps = append(snaps, s)
	}
	return snaps
}

// place is what a snapshot is of.
func (s *snapshot) place() tp {
	if s.log != nil {
		return tp{s.log.topic, s.log.partition}
	}
	return tp{s.p.topic.name, s.p.id}
}

func (s *snapshot) topicID() [16]byte {
	if s.log != nil {
		return s.log.id
	}
	return s.p.topic.id
}
