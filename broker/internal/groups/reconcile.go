package groups

import "maps"

// reconcile takes a member one step further to its target. A partition goes to
// its new member only when its old one has given it up, and until a member has
// given up what it must it stays in its epoch: that is how no two members ever
// read one partition.
//
// has is what the member says that it reads, nil where it does not say.
// changed tells that it subscribes to something else than before.
func (c *consumer) reconcile(d *memberData, has map[partition]bool, changed bool) {
	r := reconciler{c: c, d: d, has: has}
	switch {
	case d.state == reconciled && d.epoch == c.assignmentEpoch:
		if changed {
			r.unsubscribe()
		}
	case d.state == unrevoked && r.still(d.revoking):
		if changed {
			r.unsubscribe()
		}
	default:
		r.next()
	}
}

type reconciler struct {
	c   *consumer
	d   *memberData
	has map[partition]bool
}

// still reports whether the member has yet to give up any of ps. One that does
// not say what it reads has.
func (r *reconciler) still(ps owned) bool {
	if r.has == nil {
		return true
	}
	for p := range r.has {
		if _, ok := ps[p]; ok {
			return true
		}
	}
	return false
}

// wants reports whether the member subscribes to the topic of p.
func (r *reconciler) wants(p partition) bool {
	t, ok := r.c.m.image.byID[p.topic]
	return ok && r.c.subscription(r.d)[t.Name]
}

// to moves the member to an epoch and a state.
func (r *reconciler) to(epoch int32, s memberState, assigned, revoking owned) {
	r.d.previous, r.d.epoch = r.d.epoch, epoch
	r.d.state, r.d.assigned, r.d.revoking = s, assigned, revoking
}

// unsubscribe takes from the member what it no longer subscribes to, within its
// epoch.
func (r *reconciler) unsubscribe() {
	keep, revoking := make(owned), maps.Clone(r.d.revoking)
	if revoking == nil {
		revoking = make(owned)
	}
	for p, epoch := range r.d.assigned {
		if r.wants(p) {
			keep[p] = epoch
		} else {
			revoking[p] = epoch
		}
	}
	switch {
	case len(keep) == len(r.d.assigned):
	case r.still(revoking):
		r.to(r.d.epoch, unrevoked, keep, revoking)
	default: // it has given them up already
		r.to(r.d.epoch, r.d.state, keep, r.d.revoking)
	}
}

// next takes the member to the target, or to where it must give something up
// first.
func (r *reconciler) next() {
	target := r.c.target[r.d.id]
	keep, revoking := make(owned), make(owned)
	for p, epoch := range r.d.assigned {
		if target[p] && r.wants(p) {
			keep[p] = epoch
		} else {
			revoking[p] = epoch
		}
	}
	if len(revoking) > 0 && r.still(revoking) {
		r.to(r.d.epoch, unrevoked, keep, revoking)
		return
	}
	s := reconciled
	for p := range target {
		if _, ok := keep[p]; ok || !r.wants(p) {
			continue
		}
		// What it gives up itself is as good as free.
		if by, taken := r.c.owner[p]; taken && by != r.d.id {
			s = unreleased
			continue
		}
		keep[p] = r.c.assignmentEpoch
	}
	r.to(r.c.assignmentEpoch, s, keep, nil)
}
