package groups

import (
	"maps"
	"slices"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// supports reports whether a member that offers ps under protocolType can be
// taken in: one of ps must be offered by everyone who is there.
func (c *classic) supports(protocolType string, ps []kmsg.JoinGroupRequestProtocol) bool {
	if c.state == Empty {
		return protocolType != "" && len(ps) > 0
	}
	return protocolType == c.protocolType && slices.ContainsFunc(ps, func(p kmsg.JoinGroupRequestProtocol) bool {
		return c.offered[p.Name] == len(c.members)
	})
}

// vote chooses the protocol of the next generation: each member votes for the
// first of its own that all offer, and most votes win. Between equals it is
// Kafka's hash table that decides, so that the answer is the same there.
func (c *classic) vote() string {
	votes := make(map[string]int)
	for _, mb := range c.members {
		for _, p := range mb.protocols {
			if c.offered[p.name] == len(c.members) {
				votes[p.name]++
				break
			}
		}
	}
	best := ""
	for i, name := range javaOrder(slices.Sorted(maps.Keys(votes))) {
		if i == 0 || votes[name] > votes[best] {
			best = name
		}
	}
	return best
}

// javaOrder sorts names as a java.util.HashMap with these keys lists them.
func javaOrder(names []string) []string {
	size := uint32(16)
	for uint32(len(names)) > size*3/4 {
		size *= 2
	}
	bucket := func(s string) uint32 {
		var h uint32
		for _, u := range utf16.Encode([]rune(s)) {
			h = h*31 + uint32(u)
		}
		return (h ^ h>>16) & (size - 1)
	}
	slices.SortStableFunc(names, func(a, b string) int { return int(bucket(a)) - int(bucket(b)) })
	return names
}

// topics returns what the members of a consumer group are subscribed to, nil
// where that cannot be known: another protocol type, or metadata that does not
// parse.
func (c *classic) topics() map[string]bool {
	if c.protocolType != consumerProtocol {
		return nil
	}
	topics := make(map[string]bool)
	for _, mb := range c.members {
		b := slices.Clone(mb.metadata(*c.protocol))
		if len(b) < 2 {
			return nil
		}
		b[0], b[1] = 0, 0 // version 0 is a prefix of every version
		var sub kmsg.ConsumerMemberMetadata
		if sub.ReadFrom(b) != nil {
			return nil
		}
		for _, t := range sub.Topics {
			topics[t] = true
		}
	}
	return topics
}

// subscribedTo reports whether offsets of a topic are in use by members. A
// consumer group that is not understood is taken to use all.
func (c *classic) subscribedTo(topic string) bool {
	if c.subscribed == nil {
		return c.protocolType == consumerProtocol
	}
	return c.subscribed[topic]
}
