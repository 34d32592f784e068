package groups

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (m *Manager) offsetDelete(c call, req *kmsg.OffsetDeleteRequest) {
	exists := make([][]bool, len(req.Topics))
	for i, t := range req.Topics {
		exists[i] = make([]bool, len(t.Partitions))
		for j, p := range t.Partitions {
			exists[i][j] = m.cfg.TopicExists(t.Topic, p.Partition)
		}
	}

	m.mu.Lock()
	defer m.unlock()
	g, err := m.lookup(req.Group, kerr.GroupIDNotFound)
	if err == nil && g.state() != Empty && g.protocolType() != consumerProtocol {
		err = kerr.NonEmptyGroup
	}
	resp := &kmsg.OffsetDeleteResponse{ErrorCode: code(err)}
	if err == nil {
		for i, t := range req.Topics {
			rt := kmsg.OffsetDeleteResponseTopic{Topic: t.Topic}
			for j, p := range t.Partitions {
				var err *kerr.Error
				switch {
				case !exists[i][j]:
					err = kerr.UnknownTopicOrPartition
				case g.subscribedTo(t.Topic):
					err = kerr.GroupSubscribedToTopic
				default:
					m.forget(g, t.Topic, p.Partition)
					for _, staged := range g.staged {
						staged.remove(t.Topic, p.Partition)
					}
				}
				rt.Partitions = append(rt.Partitions, kmsg.OffsetDeleteResponseTopicPartition{Partition: p.Partition, ErrorCode: code(err)})
			}
			resp.Topics = append(resp.Topics, rt)
		}
		m.watch(g)
	}
	m.answer(c, resp)
}
