package broker

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// pending is an append that the in-sync replicas have not all acknowledged.
type pending struct {
	part  *partition
	epoch int32 // of the leader that appended
	end   int64 // the offset after the last record
	p     *kmsg.ProduceResponseTopicPartition
}

// acknowledgedLocked says whether every in-sync replica has what an append brought. An error says that it never will be acknowledged, or not as it was
// asked for: the leader is another one now, which may or may not have it, or fewer replicas are in sync than min.insync.replicas asks for.
func (p *partition) acknowledgedLocked(node, epoch int32, end int64) (bool, error) {
	switch {
	case p.deleted:
		return true, kerr.UnknownTopicOrPartition
	case p.leader != node || p.epoch != epoch && p.log.EpochAt(end-1) != epoch:
		return true, kerr.NotLeaderForPartition
	case p.lead.hw < end:
		return false, nil
	case len(p.isr) < p.minISRLocked():
		return true, kerr.NotEnoughReplicasAfterAppend
	}
	return true, nil
}

// awaitAcknowledged blocks until every append is acknowledged or cannot be any more, at most for so long: what is not acknowledged then is answered with
// REQUEST_TIMED_OUT, and may still be later. It reports false when the connection ended meanwhile.
func (r *request) awaitAcknowledged(all []pending, timeout time.Duration) bool {
	if len(all) == 0 {
		return true
	}
	deadline := time.Now().Add(timeout)
	w := newWaiter()
	for _, a := range all {
		a.part.addWaiter(w)
		defer a.part.removeWaiter(w)
	}
	for {
		rest := all[:0]
		for _, a := range all {
			a.part.mu.Lock()
			done, err := a.part.acknowledgedLocked(r.node.id, a.epoch, a.end)
			a.part.mu.Unlock()
			if !done {
				rest = append(rest, a)
				continue
			}
			a.p.ErrorCode, a.p.ErrorMessage = codeOf(err)
		}
		if all = rest; len(all) == 0 {
			return true
		}
		left := time.Until(deadline)
		if left <= 0 {
			for _, a := range all {
				a.p.ErrorCode = kerr.RequestTimedOut.Code
			}
			return true
		}
		if !r.conn.wait(w.changed, left) {
			return false
		}
	}
}
