package groups

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// specOf makes a spec of topics with so many partitions each, and of members
// that read so many of them: the first ones.
func specOf(partitions []int32, reads []int) assignorSpec {
	s := assignorSpec{partitions: make(map[topicID]int32)}
	for i, n := range reads {
		m := specMember{id: fmt.Sprintf("m%03d", i), topics: make(map[topicID]bool), old: make(map[partition]bool)}
		for t := range n {
			m.topics[topicID{byte(t + 1)}] = true
			s.partitions[topicID{byte(t + 1)}] = partitions[t]
		}
		s.members = append(s.members, m)
	}
	return s
}

// keep makes an assignment the old one of a spec.
func (s assignorSpec) keep(a map[string]map[partition]bool) {
	for i := range s.members {
		s.members[i].old = a[s.members[i].id]
	}
}

// wantComplete asserts that every partition is given to one member that reads
// its topic.
func wantComplete(t *testing.T, s assignorSpec, a map[string]map[partition]bool) {
	t.Helper()
	given := make(map[partition]string)
	for _, m := range s.members {
		for p := range a[m.id] {
			if given[p] != "" {
				t.Fatalf("%v is given to %s and %s", p, given[p], m.id)
			}
			given[p] = m.id
			if !m.topics[p.topic] || p.num < 0 || p.num >= s.partitions[p.topic] {
				t.Fatalf("%s is given %v", m.id, p)
			}
		}
	}
	for topic, n := range s.partitions {
		for num := range n {
			if given[partition{topic, num}] == "" {
				t.Fatalf("%v of %x is given to nobody", num, topic)
			}
		}
	}
}

func loads(a map[string]map[partition]bool) (least, most int) {
	first := true
	for _, ps := range a {
		if first || len(ps) < least {
			least = len(ps)
		}
		most = max(most, len(ps))
		first = false
	}
	return least, most
}

// moved counts the partitions that go from one member to another that both are
// still there.
func moved(from, to map[string]map[partition]bool) (n int) {
	for id, ps := range from {
		for p := range ps {
			if to[id] != nil && !to[id][p] {
				n++
			}
		}
	}
	return n
}

func TestUniformIsEvenAndMovesLittle(t *testing.T) {
	for range 300 {
		topics := []int32{int32(rand.IntN(20)), int32(rand.IntN(20)), int32(rand.IntN(20))}
		n := 1 + rand.IntN(8)
		reads := slices.Repeat([]int{3}, n)
		s := specOf(topics, reads)
		a := assignUniform(s)
		wantComplete(t, s, a)
		if least, most := loads(a); most-least > 1 {
			t.Fatalf("%d partitions each to %d", least, most)
		}

		s.keep(a)
		if again := assignUniform(s); moved(a, again) > 0 {
			t.Fatalf("%d partitions move for nothing", moved(a, again))
		}

		// One more: it gets its share, and nothing else moves.
		more := specOf(topics, append(reads, 3))
		more.keep(a)
		b := assignUniform(more)
		wantComplete(t, more, b)
		if least, most := loads(b); most-least > 1 {
			t.Fatalf("%d partitions each to %d", least, most)
		}
		if last := len(b[more.members[n].id]); moved(a, b) > last {
			t.Fatalf("%d partitions move to give the new member %d", moved(a, b), last)
		}

		// One less: only what it had moves.
		less := specOf(topics, reads)
		less.members = less.members[:n-1]
		less.keep(a)
		if n > 1 {
			c := assignUniform(less)
			wantComplete(t, less, c)
			if moved(a, c) > 0 {
				t.Fatalf("%d partitions move that need not", moved(a, c))
			}
		}
	}
}

func TestUniformIsEvenWhereMembersReadDifferentTopics(t *testing.T) {
	for range 300 {
		topics := []int32{int32(1 + rand.IntN(30)), int32(1 + rand.IntN(30)), int32(1 + rand.IntN(30))}
		reads := []int{3}
		for range rand.IntN(8) {
			reads = append(reads, 1+rand.IntN(3))
		}
		s := specOf(topics, reads)
		a := assignUniform(s)
		wantComplete(t, s, a)
		s.keep(a)
		b := assignUniform(s)
		wantComplete(t, s, b)
		if n := moved(a, b); n > 0 {
			t.Fatalf("%d partitions move for nothing", n)
		}
		// No partition could make two members more alike by moving.
		for _, from := range s.members {
			for p := range a[from.id] {
				for _, to := range s.members {
					if to.topics[p.topic] && len(a[from.id])-len(a[to.id]) > 1 {
						t.Fatalf("%s has %d and %s %d, and both read %x", from.id, len(a[from.id]), to.id, len(a[to.id]), p.topic)
					}
				}
			}
		}
		s.members[0].topics = map[topicID]bool{{1}: true} // no longer wants the others
		s.partitions = map[topicID]int32{{1}: topics[0]}
		for _, m := range s.members {
			for topic := range m.topics {
				s.partitions[topic] = topics[topic[0]-1]
			}
		}
		wantComplete(t, s, assignUniform(s))
	}
}

func TestUniformAssignsNothingToNobody(t *testing.T) {
	if a := assignUniform(assignorSpec{}); len(a) > 0 {
		t.Errorf("assigned %v", a)
	}
	if a := assignRange(assignorSpec{}); len(a) > 0 {
		t.Errorf("assigned %v", a)
	}
	s := specOf(nil, []int{0, 0})
	if a := assignUniform(s); len(a["m000"])+len(a["m001"]) > 0 {
		t.Errorf("assigned %v", a)
	}
}

func TestRangeSplitsTopicsAlike(t *testing.T) {
	s := specOf([]int32{7, 7, 2}, []int{3, 3, 3})
	i := "z" // static members go first
	s.members[2].instance = &i
	a := assignRange(s)
	wantComplete(t, s, a)
	want := map[string][]int32{"m002": {0, 1, 2}, "m000": {3, 4}, "m001": {5, 6}}
	for id, nums := range want {
		for _, topic := range []topicID{{1}, {2}} {
			var have []int32
			for _, p := range sorted(a[id]) {
				if p.topic == topic {
					have = append(have, p.num)
				}
			}
			if !slices.Equal(have, nums) {
				t.Errorf("%s has %v of %x, want %v", id, have, topic[0], nums)
			}
		}
	}
	if !a["m002"][partition{topicID{3}, 0}] || !a["m000"][partition{topicID{3}, 1}] {
		t.Errorf("the small topic: %v", a)
	}
	if b := assignRange(s); !maps.EqualFunc(a, b, func(x, y map[partition]bool) bool { return maps.Equal(x, y) }) {
		t.Error("it is not the same twice")
	}
}

func BenchmarkUniform1000Members10000Partitions(b *testing.B) {
	s := specOf([]int32{5000, 5000}, slices.Repeat([]int{2}, 1000))
	for b.Loop() {
		s.keep(assignUniform(s))
	}
}
