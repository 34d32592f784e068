package groups

import (
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// typeConsumer is how ListGroups calls a consumer group.
const typeConsumer = "consumer"

// topicPartitions are partitions of one topic, in order.
type topicPartitions struct {
	id         topicID
	partitions []int32
}

func grouped[V any](ps map[partition]V) []topicPartitions {
	by := make(map[topicID][]int32)
	for p := range ps {
		by[p.topic] = append(by[p.topic], p.num)
	}
	var ts []topicPartitions
	for _, id := range slices.SortedFunc(maps.Keys(by), byTopic) {
		slices.Sort(by[id])
		ts = append(ts, topicPartitions{id, by[id]})
	}
	return ts
}

func (m *Manager) describeConsumers(c call, req *kmsg.ConsumerGroupDescribeRequest) {
	m.mu.Lock()
	defer m.unlock()
	resp := new(kmsg.ConsumerGroupDescribeResponse)
	for _, name := range req.Groups {
		d := kmsg.NewConsumerGroupDescribeResponseGroup()
		d.Group = name
		refuse := func(err *kerr.Error, text string) {
			d.ErrorCode = err.Code
			if text != "" {
				d.ErrorMessage = &text
			}
		}
		switch g := m.groups[name]; {
		case m.closed:
			refuse(kerr.CoordinatorNotAvailable, "")
		case name == "":
			refuse(kerr.InvalidGroupID, "")
		case g == nil:
			refuse(kerr.GroupIDNotFound, fmt.Sprintf("Group %s not found.", name))
		case g.consumer == nil:
			refuse(kerr.GroupIDNotFound, fmt.Sprintf("Group %s is not a consumer group.", name))
		default:
			g.consumer.describe(&d)
		}
		resp.Groups = append(resp.Groups, d)
	}
	m.answer(c, resp)
}

func (c *consumer) describe(d *kmsg.ConsumerGroupDescribeResponseGroup) {
	d.State, d.Epoch, d.AssignmentEpoch, d.AssignorName = string(c.state()), c.epoch, c.assignmentEpoch, c.assignor()
	for _, id := range javaOrder(slices.Sorted(maps.Keys(c.members))) {
		mb := c.members[id]
		dm := kmsg.NewConsumerGroupDescribeResponseGroupMember()
		dm.MemberID, dm.InstanceID, dm.RackID, dm.MemberEpoch = id, mb.instance, mb.rack, mb.epoch
		dm.ClientID, dm.ClientHost = mb.client.ID, mb.client.Host
		dm.SubscribedTopics = slices.Sorted(maps.Keys(mb.topics))
		dm.SubscribedTopicRegex = kmsg.StringPtr(mb.regex)
		dm.Assignment.TopicPartitions = c.named(grouped(mb.has()))
		dm.TargetAssignment.TopicPartitions = c.named(grouped(c.target[id]))
		dm.MemberType = 1
		if mb.classic != nil {
			dm.MemberType = 0
		}
		d.Members = append(d.Members, dm)
	}
}

// has is what a member answers for: also for what it has to give up, until it
// has.
func (d *memberData) has() owned {
	all := make(owned)
	maps.Copy(all, d.assigned)
	maps.Copy(all, d.revoking)
	return all
}

func (c *consumer) named(ts []topicPartitions) (as []kmsg.AssignmentTopicPartition) {
	for _, t := range ts {
		if topic, ok := c.m.image.byID[t.id]; ok {
			as = append(as, kmsg.AssignmentTopicPartition{TopicID: t.id, Topic: topic.Name, Partitions: t.partitions})
		}
	}
	return as
}
