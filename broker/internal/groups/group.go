package groups

import "github.com/twmb/franz-go/pkg/kerr"

// group is what goes by one group id: a classic group or a consumer group, and
// the offsets, which outlive both.
type group struct {
	name     string
	classic  *classic  // nil in a consumer group
	consumer *consumer // nil in a classic group
	offsets  offsets
	staged   map[int64]offsets // by the producers of open transactions
	noted    bool              // members have been written down
	expiry   alarm             // of offsets, and in the end of the group
}

func (g *group) state() State {
	if g.consumer != nil {
		return g.consumer.state()
	}
	return g.classic.state
}

// kind is the group's type as ListGroups has it.
func (g *group) kind() string {
	if g.consumer != nil {
		return typeConsumer
	}
	return typeClassic
}

func (g *group) protocolType() string {
	if g.consumer != nil {
		return consumerProtocol
	}
	return g.classic.protocolType
}

func (m *Manager) closeGroup(g *group) {
	m.unset(&g.expiry)
	if g.consumer != nil {
		g.consumer.close()
	} else {
		g.classic.close(kerr.CoordinatorNotAvailable)
	}
}

// subscribedTo reports whether members read a topic.
func (g *group) subscribedTo(topic string) bool {
	if g.consumer != nil {
		return g.consumer.subscribed()[topic]
	}
	return g.classic.subscribedTo(topic)
}
