package commitmeta

import "fmt"

// Matches reports whether the metadata belongs to the commit it was read with: the topic's id now, and the offset and leader epoch that the broker
// returned (-1 where it keeps none). Its errors are ErrTopicRecreated, ErrTranslated, ErrOffsetMoved and ErrLeaderEpoch. Metadata that does not match
// is ignored and reported: believing it could take records for completed that were never handled, while ignoring it costs at most handling
// some of them again.
func (m Metadata) Matches(topicID [16]byte, committed int64, committedLeaderEpoch int32) error {
	switch {
	case topicID != m.TopicID && committed != m.Base:
		return fmt.Errorf("%w: written at offset %d of topic id %x, found at offset %d of topic id %x", ErrTranslated, m.Base, m.TopicID, committed, topicID)
	case topicID != m.TopicID:
		return fmt.Errorf("%w: written for topic id %x, found at topic id %x", ErrTopicRecreated, m.TopicID, topicID)
	case committed != m.Base:
		return fmt.Errorf("%w: written at offset %d, found at offset %d", ErrOffsetMoved, m.Base, committed)
	case committedLeaderEpoch >= 0 && committedLeaderEpoch != m.LeaderEpoch:
		return fmt.Errorf("%w: written with epoch %d, found with epoch %d", ErrLeaderEpoch, m.LeaderEpoch, committedLeaderEpoch)
	}
	return nil
}
