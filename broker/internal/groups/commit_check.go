package groups

import "github.com/twmb/franz-go/pkg/kerr"

// mayCommit finds the group of a commit, making a so-called simple group, which
// has offsets and never members, for clients that are in none. Where check is
// not nil it decides over each partition.
func (m *Manager) mayCommit(req commitRequest) (g *group, check func(partition) *kerr.Error, err *kerr.Error) {
	switch {
	case m.closed:
		return nil, nil, kerr.CoordinatorNotAvailable
	case req.producer != nil && req.group == "":
		return nil, nil, kerr.InvalidGroupID
	}
	g = m.groups[req.group]
	switch {
	case g == nil && req.generation < 0:
		g = m.create(req.group)
	case g == nil && req.producer == nil && req.version >= 9:
		return nil, nil, kerr.GroupIDNotFound
	case g == nil:
		return nil, nil, kerr.IllegalGeneration
	}
	if g.share != nil {
		return nil, nil, kerr.GroupIDNotFound
	}
	if g.consumer != nil {
		check, err = g.consumer.mayCommit(req)
		return g, check, err
	}
	return g, nil, g.classic.mayCommit(req)
}

// mayCommit says whether a member, or a client that is none, may commit now.
// While members are joining the previous generation may still commit what it
// has done; once they have joined, what they commit could be another's. A
// transaction need not be a member's, and is not held up by a rebalance.
func (c *classic) mayCommit(req commitRequest) *kerr.Error {
	txn := req.producer != nil
	if req.generation < 0 && c.state == Empty {
		return nil
	}
	if req.generation < 0 && req.member == "" && req.instance == nil {
		if txn {
			return nil
		}
		return kerr.UnknownMemberID
	}
	mb, err := c.check(req.member, req.instance)
	switch {
	case err != nil:
		return err
	case req.generation != c.generation:
		return kerr.IllegalGeneration
	case txn:
		return nil
	case c.state == CompletingRebalance:
		return kerr.RebalanceInProgress
	}
	c.beat(mb, mb.session) // a commit is as good as a heartbeat
	return nil
}

// mayCommit says whether a member, or a client that is none, may commit in a
// member epoch. In an older one it may commit what it has had since then.
func (c *consumer) mayCommit(req commitRequest) (func(partition) *kerr.Error, *kerr.Error) {
	txn, epoch := req.producer != nil, req.generation
	if epoch < 0 && len(c.members) == 0 || txn && epoch == -1 && req.member == "" && req.instance == nil {
		return nil, nil
	}
	mb := c.members[req.member]
	if mb == nil {
		return nil, kerr.UnknownMemberID
	}
	stale := kerr.StaleMemberEpoch
	if mb.classic != nil || txn {
		stale = kerr.IllegalGeneration
	}
	switch {
	case mb.classic == nil && !txn && req.version < 9: // cannot be told of its epoch
		return nil, kerr.UnsupportedVersion
	case epoch == mb.epoch:
		return nil, nil
	case epoch > mb.epoch:
		return nil, stale
	}
	return func(p partition) *kerr.Error {
		since, ok := mb.assigned[p]
		if !ok {
			since, ok = mb.revoking[p]
		}
		if !ok || epoch < since {
			return stale
		}
		return nil
	}, nil
}

// mayFetch says whether a client may read offsets: a member in its epoch, or
// one that does not say that it is a member.
func (c *consumer) mayFetch(id *string, epoch int32) *kerr.Error {
	if id == nil && epoch < 0 {
		return nil
	}
	var mb *consumerMember
	if id != nil {
		mb = c.members[*id]
	}
	switch {
	case mb == nil:
		return kerr.UnknownMemberID
	case epoch == mb.epoch:
		return nil
	case mb.classic != nil:
		return kerr.IllegalGeneration
	}
	return kerr.StaleMemberEpoch
}
