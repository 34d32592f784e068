package groups

import (
	"cmp"
	"maps"
	"slices"
)

// The assignors of Kafka's coordinator.
const (
	uniformName = "uniform"
	rangeName   = "range"
)

// An assignor decides which member is to have what. What it returns, and what it
// is given as old, nobody changes any more.
var assignors = map[string]func(assignorSpec) map[string]map[partition]bool{
	uniformName: assignUniform,
	rangeName:   assignRange,
}

// assignorSpec is what an assignor decides from.
type assignorSpec struct {
	members    []specMember
	partitions map[topicID]int32 // of every topic that a member subscribes to
}

type specMember struct {
	id       string
	instance *string
	topics   map[topicID]bool
	old      map[partition]bool // what it was to have until now
}

func byTopic(a, b topicID) int { return slices.Compare(a[:], b[:]) }

func (s assignorSpec) topics() []topicID {
	return slices.SortedFunc(maps.Keys(s.partitions), byTopic)
}

// sorted lists partitions by topic and number.
func sorted(ps map[partition]bool) []partition {
	return slices.SortedFunc(maps.Keys(ps), func(a, b partition) int {
		return cmp.Or(byTopic(a.topic, b.topic), cmp.Compare(a.num, b.num))
	})
}

// assignRange gives each member consecutive partitions of each topic, static
// members first, so that topics with as many partitions are split alike.
func assignRange(s assignorSpec) map[string]map[partition]bool {
	members := slices.Clone(s.members)
	slices.SortFunc(members, func(a, b specMember) int {
		switch {
		case a.instance != nil && b.instance != nil:
			return cmp.Compare(*a.instance, *b.instance)
		case a.instance != nil:
			return -1
		case b.instance != nil:
			return 1
		}
		return cmp.Compare(a.id, b.id)
	})
	result := make(map[string]map[partition]bool, len(members))
	for _, m := range members {
		result[m.id] = make(map[partition]bool)
	}
	for topic, n := range s.partitions {
		var readers []specMember
		for _, m := range members {
			if m.topics[topic] {
				readers = append(readers, m)
			}
		}
		from := int32(0)
		for i, m := range readers {
			to := from + n/int32(len(readers))
			if int32(i) < n%int32(len(readers)) {
				to++
			}
			for p := from; p < to; p++ {
				result[m.id][partition{topic, p}] = true
			}
			from = to
		}
	}
	return result
}

// assignUniform gives all members as many partitions, to within one, and moves
// as few as that takes.
func assignUniform(s assignorSpec) map[string]map[partition]bool {
	for _, m := range s.members[min(1, len(s.members)):] {
		if !maps.Equal(m.topics, s.members[0].topics) {
			return newSpread(s).assign()
		}
	}
	return assignEvenly(s)
}

// assignEvenly is assignUniform for members that all read the same topics.
// Members are looked at in turn. Each keeps what it has up to its share; the
// shares that are one larger go to those who have as much already and, if there
// are not enough of them, to the last.
func assignEvenly(s assignorSpec) map[string]map[partition]bool {
	total, taken := 0, make(map[topicID][]bool, len(s.partitions))
	for topic, n := range s.partitions {
		taken[topic] = make([]bool, n)
		total += int(n)
	}
	for _, m := range s.members {
		for p := range m.old {
			if of := taken[p.topic]; int(p.num) < len(of) {
				of[p.num] = true
			}
		}
	}
	var free []partition
	for _, topic := range s.topics() {
		for num, is := range taken[topic] {
			if !is {
				free = append(free, partition{topic, int32(num)})
			}
		}
	}

	result := make(map[string]map[partition]bool, len(s.members))
	missing := make([]int, len(s.members))
	larger := 0
	if len(s.members) > 0 {
		larger = total % len(s.members)
	}
	for i, m := range s.members {
		share, isLarger := total/len(s.members), larger > 0
		if isLarger {
			share++
		}
		keep := m.keep(share, &free)
		if len(keep) < share && isLarger && len(s.members)-i > larger {
			share--
			isLarger = false
		}
		if isLarger {
			larger--
		}
		result[m.id], missing[i] = keep, share-len(keep)
	}
	for i, m := range s.members {
		n := min(missing[i], len(free))
		if n == 0 {
			continue
		}
		more := make(map[partition]bool, len(result[m.id])+n)
		maps.Copy(more, result[m.id])
		for _, p := range free[:n] {
			more[p] = true
		}
		result[m.id], free = more, free[n:]
	}
	return result
}

// keep is what a member keeps of what it has, up to share; what is over is
// free. Where that is all, which it is of most members most of the time, it is
// the same map.
func (m specMember) keep(share int, free *[]partition) map[partition]bool {
	all := len(m.old) <= share
	for p := range m.old {
		all = all && m.topics[p.topic]
	}
	if all {
		return m.old
	}
	keep := make(map[partition]bool, share)
	for _, p := range sorted(m.old) {
		switch {
		case !m.topics[p.topic]:
		case len(keep) < share:
			keep[p] = true
		default:
			*free = append(*free, p)
		}
	}
	return keep
}

// spread assigns to members that read different topics.
type spread struct {
	assignorSpec
	readers map[topicID][]int // members, by place
	owner   map[partition]int
	load    []int // how many partitions each member has
}

func newSpread(s assignorSpec) *spread {
	a := &spread{assignorSpec: s, readers: make(map[topicID][]int), owner: make(map[partition]int), load: make([]int, len(s.members))}
	for i, m := range s.members {
		for topic := range m.topics {
			a.readers[topic] = append(a.readers[topic], i)
		}
		for p := range m.old {
			if m.topics[p.topic] {
				a.owner[p] = i
				a.load[i]++
			}
		}
	}
	return a
}

// rounds bounds how often all topics are looked at. Where topics are read by
// the same members one is enough; where readers overlap it comes close.
const rounds = 16

func (a *spread) assign() map[string]map[partition]bool {
	// The topics with most partitions a reader leave the least choice: they go
	// first.
	topics := a.topics()
	slices.SortStableFunc(topics, func(x, y topicID) int {
		return cmp.Or(
			cmp.Compare(float64(a.partitions[y])/float64(len(a.readers[y])), float64(a.partitions[x])/float64(len(a.readers[x]))),
			cmp.Compare(len(a.readers[x]), len(a.readers[y])),
		)
	})
	for _, topic := range topics {
		for num := range a.partitions[topic] {
			p := partition{topic, num}
			if _, taken := a.owner[p]; !taken {
				a.give(p, a.least(topic))
			}
		}
	}
	for moved, i := true, 0; moved && i < rounds; i++ {
		moved = false
		for _, topic := range topics {
			for a.level(topic) {
				moved = true
			}
		}
	}
	result := make(map[string]map[partition]bool, len(a.members))
	for _, m := range a.members {
		result[m.id] = make(map[partition]bool)
	}
	for p, i := range a.owner {
		result[a.members[i].id][p] = true
	}
	return result
}

func (a *spread) give(p partition, to int) {
	if from, ok := a.owner[p]; ok {
		a.load[from]--
	}
	a.owner[p] = to
	a.load[to]++
}

// least is the reader of a topic that has least.
func (a *spread) least(topic topicID) int {
	return slices.MinFunc(a.readers[topic], func(x, y int) int { return cmp.Compare(a.load[x], a.load[y]) })
}

// level moves one partition of a topic from the reader that has most, of those
// that have any of it, to the one that has least, if that makes them more alike.
func (a *spread) level(topic topicID) bool {
	from, last := -1, partition{}
	for num := range a.partitions[topic] {
		p := partition{topic, num}
		if i := a.owner[p]; from < 0 || a.load[i] > a.load[from] || i == from {
			from, last = i, p
		}
	}
	if from < 0 {
		return false
	}
	to := a.least(topic)
	if a.load[from]-a.load[to] <= 1 {
		return false
	}
	a.give(last, to)
	return true
}
