package broker

// Careless makes the high watermark not wait for followers, which is the mistake that the test of the model must find.
func (c *Cluster) Careless() { c.careless = true }

// ReplicaState is what one broker holds of a partition.
type ReplicaState struct {
	ID      int32
	HW, End int64
	Values  map[int64]string // by offset
	Epochs  map[int64]int32
}

// ReplicaStates returns what the replicas hold, and how often a leader was elected that need not hold what was acknowledged.
func (c *Cluster) ReplicaStates(topic string, partition int32) (all []ReplicaState, unclean int) {
	p := c.partition(topic, partition)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.copies {
		s := ReplicaState{ID: r.id, HW: r.hw, End: r.log.End(), Values: make(map[int64]string), Epochs: make(map[int64]int32)}
		for b := range r.log.Batches(r.log.Start()) {
			for rec, err := range b.Records() {
				if err != nil {
					panic(err)
				}
				s.Values[rec.Offset], s.Epochs[rec.Offset] = string(rec.Value), b.LeaderEpoch()
			}
		}
		all = append(all, s)
	}
	return all, p.unclean
}

// ReleaseAndShrink lets followers fetch and takes them out of the in-sync replicas before anybody who waits for them has looked.
func (c *Cluster) ReleaseAndShrink(topic string, partition int32) {
	for _, n := range c.nodes {
		n.held.Store(false)
	}
	p := c.partition(topic, partition)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.replicateLocked()
	for _, f := range p.copies {
		f.held = true
	}
	p.changeLocked(change{isr: []int32{p.leader}})
}
