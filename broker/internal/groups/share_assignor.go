package groups

import (
	"maps"
	"slices"
)

// simpleName is the assignor of share groups.
const simpleName = "simple"

// shareReader is a member as the simple assignor sees it.
type shareReader struct {
	id     string
	topics map[topicID]bool
	old    map[partition]bool // what it was to have until now
}

// assignSimple gives every partition that is known as many members as it takes
// for each member to have about as many partitions as any other, and moves as
// little as it can. Where all members read the same topics it looks at all
// partitions at once, else topic by topic, as Kafka's does; which of several
// members gets an odd partition is decided by order here and by chance there.
func assignSimple(members []shareReader, known map[partition]bool) map[string]map[partition]bool {
	result := make(map[string]map[partition]bool, len(members))
	topics := make(map[topicID]bool)
	alike := true
	for _, m := range members {
		result[m.id] = make(map[partition]bool)
		maps.Copy(topics, m.topics)
		alike = alike && maps.Equal(m.topics, members[0].topics)
	}
	if alike && len(members) > 0 {
		spreadShared(members, partitionsOf(known, members[0].topics), result)
		return result
	}
	for _, t := range slices.SortedFunc(maps.Keys(topics), byTopic) {
		readers := slices.DeleteFunc(slices.Clone(members), func(m shareReader) bool { return !m.topics[t] })
		spreadShared(readers, partitionsOf(known, map[topicID]bool{t: true}), result)
	}
	return result
}

func partitionsOf(known map[partition]bool, topics map[topicID]bool) []partition {
	return slices.DeleteFunc(sorted(known), func(p partition) bool { return !topics[p.topic] })
}

// spreadShared assigns partitions to readers, all of whom read them.
func spreadShared(readers []shareReader, partitions []partition, result map[string]map[partition]bool) {
	if len(partitions) == 0 {
		return
	}
	members, slots := len(readers), len(partitions)
	sharing := (members + slots - 1) / slots // how many members a partition is to have
	quota := func(i int) int {               // how many partitions a member is to have
		upTo := func(i int) int { return (sharing*slots*i + members - 1) / members }
		return upTo(i+1) - upTo(i)
	}
	of := make([]map[partition]bool, members)
	holders := make(map[partition]int, slots)
	for i, r := range readers {
		of[i] = make(map[partition]bool)
		for _, p := range partitions {
			if r.old[p] && len(of[i]) < quota(i) && holders[p] < sharing {
				of[i][p] = true
				holders[p]++
			}
		}
	}
	next := 0
	for _, p := range partitions {
		for tried := 0; holders[p] < sharing && tried < members; tried++ {
			i := next % members
			next++
			if !of[i][p] && len(of[i]) < quota(i) {
				of[i][p] = true
				holders[p]++
				tried = -1
			}
		}
	}
	for i, r := range readers {
		maps.Copy(result[r.id], of[i])
	}
}
