package groups

import "github.com/twmb/franz-go/pkg/kerr"

// group is what goes by one group id: a classic group, a consumer group or a
// share group, and the offsets, which outlive the first two.
type group struct {
	name     string
	classic  *classic  // nil in the others
	consumer *consumer // nil in the others
	share    *share    // nil in the others; it never becomes one of them
	offsets  offsets
	staged   map[int64]offsets // by the producers of open transactions
	noted    bool              // members have been written down
	expiry   alarm             // of offsets, and in the end of the group
}

func (g *group) state() State {
	switch {
	case g.share != nil:
		return g.share.state()
	case g.consumer != nil:
		return g.consumer.state()
	}
	return g.classic.state
}

// kind is the group's type as ListGroups has it.
func (g *group) kind() string {
	switch {
	case g.share != nil:
		return typeShare
	case g.consumer != nil:
		return typeConsumer
	}
	return typeClassic
}

func (g *group) protocolType() string {
	switch {
	case g.share != nil:
		return typeShare
	case g.consumer != nil:
		return consumerProtocol
	}
	return g.classic.protocolType
}

func (m *Manager) closeGroup(g *group) {
	m.unset(&g.expiry)
	switch {
	case g.share != nil:
		g.share.close()
	case g.consumer != nil:
		g.consumer.close()
	default:
		g.classic.close(kerr.CoordinatorNotAvailable)
	}
}

// subscribedTo reports whether members read a topic.
func (g *group) subscribedTo(topic string) bool {
	switch {
	case g.share != nil:
		return g.share.subscribed()[topic]
	case g.consumer != nil:
		return g.consumer.subscribed()[topic]
	}
	return g.classic.subscribedTo(topic)
}
