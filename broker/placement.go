package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// place spreads partitions over the brokers as Kafka's striped placer does, but for its random beginning: replicas of a partition lie in different racks
// while there are some left, leaders go round the racks and within a rack round its brokers, and brokers that are fenced follow but do not lead. first is
// how many partitions there are already.
func (c *Cluster) place(first, count, replicas int) ([][]int32, error) {
	var names []string
	racks := make(map[string]*placementRack)
	registered, live := 0, 0
	for _, n := range c.nodes {
		if n.forgotten.Load() {
			continue
		}
		k := racks[n.rack]
		if k == nil {
			k = new(placementRack)
			racks[n.rack] = k
			names = append(names, n.rack)
		}
		registered++
		if n.isAlive() {
			k.unfenced.ids = append(k.unfenced.ids, n.id)
			live++
		} else {
			k.fenced.ids = append(k.fenced.ids, n.id)
		}
	}
	switch {
	case live == 0:
		return nil, codef(kerr.InvalidReplicationFactor, "Unable to replicate the partition %d time(s): All brokers are currently fenced or have all their log directories cordoned.", replicas)
	case replicas > registered:
		return nil, codef(kerr.InvalidReplicationFactor,
			"Unable to replicate the partition %d time(s): The target replication factor of %d cannot be reached because only %d broker(s) are registered or some brokers have all their log directories cordoned.",
			replicas, replicas, registered)
	}
	slices.Sort(names)
	p := placement{replicas: replicas}
	for _, name := range names {
		p.racks = append(p.racks, racks[name])
	}
	out := make([][]int32, 0, count)
	for i := range first + count {
		if assigned := p.next(); i >= first {
			out = append(out, assigned)
		}
	}
	return out, nil
}

// placement places one partition after another.
type placement struct {
	racks    []*placementRack // by name
	replicas int
	epoch    int // how many partitions have been placed
}

type placementRack struct{ unfenced, fenced stripe }

// stripe hands out a list of brokers, each once a partition, beginning one further each time.
type stripe struct {
	ids                  []int32
	epoch, index, offset int
}

func (s *stripe) next(epoch int) (int32, bool) {
	if len(s.ids) == 0 {
		return 0, false
	}
	if s.epoch != epoch {
		s.epoch, s.index, s.offset = epoch, 0, (s.offset+1)%len(s.ids)
	}
	if s.index >= len(s.ids) {
		return 0, false
	}
	id := s.ids[(s.index+s.offset)%len(s.ids)]
	s.index++
	return id, true
}

func (p *placement) next() []int32 {
	start := p.epoch % len(p.racks)
	out := make([]int32, 0, p.replicas)
	leading := start
	for len(out) == 0 {
		if id, ok := p.racks[leading].unfenced.next(p.epoch); ok {
			out = append(out, id)
			break
		}
		leading = (leading + 1) % len(p.racks)
	}
	for i := start; len(out) < p.replicas; i = (i + 1) % len(p.racks) {
		if i == leading {
			leading = -1 // once around the others before a second replica in the leader's rack
			continue
		}
		id, ok := p.racks[i].unfenced.next(p.epoch)
		if !ok {
			id, ok = p.racks[i].fenced.next(p.epoch)
		}
		if ok {
			out = append(out, id)
		}
	}
	p.epoch++
	return out
}
