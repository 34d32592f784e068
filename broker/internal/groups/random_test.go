package groups

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var seed = flag.Uint64("seed", 0, "run only the random test with this `seed`")

// TestRandomMembersKeepTheRules lets members do what they like, sensible or
// not, and holds every answer against what a group promises. In the end time
// passes until every session is over: each request must have been answered by
// then, without the help of Close.
func TestRandomMembersKeepTheRules(t *testing.T) {
	seeds := []uint64{*seed}
	if *seed == 0 {
		seeds = seeds[:0]
		for range 40 {
			seeds = append(seeds, rand.Uint64())
		}
	}
	for _, seed := range seeds {
		ok := t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			cfg := Config{MaxSize: rnd.IntN(2) * 5, InitialRebalanceDelay: time.Duration(rnd.IntN(2)) * time.Second}
			inBubble(t, cfg, func(b *bench) {
				w := &world{bench: b, rnd: rnd, generations: make(map[int32]*generation)}
				w.run(400)
			})
		})
		if !ok {
			break
		}
	}
}

// world is one group, its members, and what they have been told.
type world struct {
	*bench
	rnd         *rand.Rand
	members     []*actor
	generations map[int32]*generation
	highest     int32
}

// actor is a member that asks one thing at a time, as a client does, or two.
type actor struct {
	*joiner
	waiting []*asked
}

// generation is what its members have been told of it.
type generation struct {
	leader   string
	assigned map[string]bool // assignments that were handed out, by who made them
}

func (w *world) run(ops int) {
	for i := range 7 {
		j := w.joiner("g")
		j.rebalance = time.Duration(1+w.rnd.IntN(30)) * time.Second
		j.session = time.Duration(6+w.rnd.IntN(30)) * time.Second
		if i < 3 {
			j.instance = kmsg.StringPtr(fmt.Sprint("i", i))
		}
		w.members = append(w.members, &actor{joiner: j})
	}
	for range ops {
		w.step()
		synctest.Wait()
		w.listen()
		w.check()
	}
	time.Sleep(time.Hour)
	synctest.Wait()
	w.listen()
	for _, a := range w.members {
		for _, r := range a.waiting {
			w.t.Errorf("%T was not answered in an hour: %+v", r.req, r.req)
		}
	}
	if g, ok := w.Group("g"); ok && g.State != Empty {
		w.t.Errorf("nobody speaks for an hour, and the group is %s", g.State)
	}
}

func (w *world) step() {
	a := w.members[w.rnd.IntN(len(w.members))]
	if len(a.waiting) > 0 && w.rnd.IntN(10) > 0 {
		time.Sleep(time.Duration(w.rnd.IntN(3000)) * time.Millisecond)
		return
	}
	send := func(req kmsg.Request) { a.waiting = append(a.waiting, w.send(req)) }
	switch w.rnd.IntN(20) {
	case 0, 1, 2, 3, 4:
		send(a.joinRequest())
	case 5, 6, 7, 8, 9:
		req := a.syncRequest(nil)
		for _, o := range w.members {
			if o.id != "" && w.rnd.IntN(5) > 0 {
				made := fmt.Sprintf("%d by %s", a.generation, a.id)
				req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: o.id, MemberAssignment: []byte(made)})
			}
		}
		send(req)
	case 10, 11, 12:
		hb := kmsg.NewPtrHeartbeatRequest()
		hb.Version, hb.Group, hb.MemberID, hb.InstanceID, hb.Generation = 4, a.group, a.id, a.instance, a.generation
		send(hb)
	case 13:
		w.commitAs(a)
	case 14:
		l := kmsg.NewPtrLeaveGroupRequest()
		l.Version, l.Group = 5, a.group
		l.Members = []kmsg.LeaveGroupRequestMember{{MemberID: a.id, InstanceID: a.instance}}
		send(l)
	case 15: // restarted: it does not know its id any more
		a.id, a.generation = "", -1
	case 16: // subscribes to something else
		topics := []string{"orders", "payments"}[:1+w.rnd.IntN(2)]
		a.protocols = with([][]kmsg.JoinGroupRequestProtocol{offer("range"), offer("range", "sticky"), offer("sticky", "range")}[w.rnd.IntN(3)], subscription(topics...))
	case 17:
		switch w.rnd.IntN(4) {
		case 3:
			if w.Moved("g") { // generations that were not written down come again
				w.generations, w.highest = make(map[int32]*generation), 0
			}
		case 0:
			w.Rebalance("g")
		case 1:
			w.Evict("g", a.id)
		case 2:
			del := kmsg.NewPtrDeleteGroupsRequest()
			del.Groups = []string{"g"}
			if got[*kmsg.DeleteGroupsResponse](w.send(del)).Groups[0].ErrorCode == 0 {
				w.generations, w.highest = make(map[int32]*generation), 0
			}
		}
	default:
		time.Sleep(time.Duration(w.rnd.IntN(4000)) * time.Millisecond)
	}
}

// commitAs commits, and checks that only members of the current generation may,
// and only while no newer one is being made.
func (w *world) commitAs(a *actor) {
	before, _ := w.Group("g")
	err := a.commit(1)
	current := a.generation == before.Generation
	member := false
	for _, m := range before.Members {
		member = member || m.ID == a.id
	}
	switch {
	case before.State == Empty && a.generation < 0, before.State == "" && a.generation < 0:
		member, current = true, true
	case before.State == CompletingRebalance:
		member = false
	}
	if (err == nil) != (member && current) {
		w.t.Errorf("commit of %s in generation %d: %v, with the group being %+v", a.id, a.generation, err, before)
	}
}

// listen takes in what has been answered.
func (w *world) listen() {
	for _, a := range w.members {
		waiting := a.waiting
		a.waiting = nil
		for _, r := range waiting {
			switch resp := r.answer().(type) {
			case nil:
				a.waiting = append(a.waiting, r)
			case *kmsg.JoinGroupResponse:
				w.heardJoin(a, r.req.(*kmsg.JoinGroupRequest), resp)
			case *kmsg.SyncGroupResponse:
				w.heardSync(a, r.req.(*kmsg.SyncGroupRequest), resp)
			}
		}
	}
}

func (w *world) heardJoin(a *actor, req *kmsg.JoinGroupRequest, r *kmsg.JoinGroupResponse) {
	switch kerr.TypedErrorForCode(r.ErrorCode) {
	case nil:
	case kerr.MemberIDRequired:
		a.id = r.MemberID
		return
	case kerr.UnknownMemberID, kerr.FencedInstanceID:
		if a.id == req.MemberID {
			a.id, a.generation = "", -1
		}
		return
	default:
		return
	}
	a.id, a.generation = r.MemberID, r.Generation
	g := w.generations[r.Generation]
	if g == nil {
		if r.Generation <= w.highest {
			w.t.Errorf("generation %d begins after %d", r.Generation, w.highest)
		}
		w.highest = r.Generation
		g = &generation{leader: r.LeaderID, assigned: make(map[string]bool)}
		w.generations[r.Generation] = g
	}
	if len(r.Members) > 0 && r.LeaderID != r.MemberID {
		w.t.Errorf("%s is told the members and does not lead", r.MemberID)
	}
	if g.leader != r.LeaderID && (a.instance == nil || r.LeaderID != r.MemberID) && !w.replaced(g.leader) {
		w.t.Errorf("generation %d is led by %s and by %s", r.Generation, g.leader, r.LeaderID)
	}
	g.leader = r.LeaderID
}

// replaced reports whether id is of a static member: another may have taken its
// place in the same generation.
func (w *world) replaced(id string) bool { return id != "" && id[0] == 'i' }

func (w *world) heardSync(a *actor, req *kmsg.SyncGroupRequest, r *kmsg.SyncGroupResponse) {
	if r.ErrorCode != 0 || len(r.MemberAssignment) == 0 {
		return
	}
	var generation int32
	var by string
	fmt.Sscanf(string(r.MemberAssignment), "%d by %s", &generation, &by)
	if generation != req.Generation {
		w.t.Errorf("asked for an assignment of generation %d and got that of %d", req.Generation, generation)
	}
	if g := w.generations[generation]; g != nil {
		g.assigned[by] = true
		if len(g.assigned) > 1 {
			w.t.Errorf("generation %d has assignments by %v", generation, g.assigned)
		}
	}
}

// check looks at the group from inside.
func (w *world) check() {
	w.Manager.mu.Lock()
	defer w.Manager.mu.Unlock()
	g := w.groups["g"]
	if g == nil {
		return
	}
	c := g.classic
	fail := func(format string, args ...any) { w.t.Fatalf("%s: "+format, append([]any{c.state}, args...)...) }
	joining, static := 0, 0
	offered := make(map[string]int)
	for _, mb := range c.members {
		if c.byID[mb.id] != mb || c.pending[mb.id] != nil {
			fail("%s is not known by its id alone", mb.id)
		}
		if mb.join != nil {
			joining++
		}
		if mb.instance != nil {
			static++
			if c.static[*mb.instance] != mb {
				fail("%s is not known by its instance", mb.id)
			}
		}
		for _, p := range mb.protocols {
			offered[p.name]++
		}
		if mb.heartbeat.call == nil && mb.join == nil && mb.sync == nil {
			fail("nothing will ever happen to %s", mb.id)
		}
		if mb.join != nil && c.state != PreparingRebalance || mb.sync != nil && c.state != CompletingRebalance {
			fail("%s waits", mb.id)
		}
	}
	if joining != c.joining || static != len(c.static) || len(c.byID) != len(c.members) {
		fail("%d joining, counted %d; %d static, counted %d; %d members, counted %d", joining, c.joining, static, len(c.static), len(c.members), len(c.byID))
	}
	for p, n := range c.offered {
		if n != offered[p] {
			fail("%s is offered by %d, counted %d", p, offered[p], n)
		}
	}
	if (c.leader == "") != (len(c.members) == 0) || c.leader != "" && c.byID[c.leader] == nil {
		fail("led by %q", c.leader)
	}
	switch {
	case c.state == Empty && len(c.members) > 0,
		(c.state == Stable || c.state == CompletingRebalance) && len(c.members) == 0:
		fail("%d members", len(c.members))
	case c.state == PreparingRebalance && c.join.call == nil,
		c.state == CompletingRebalance && c.sync.call == nil && len(c.unsynced) > 0:
		fail("it will never end")
	}
	if limit := w.cfg.MaxSize; limit > 0 && c.joining > limit {
		fail("%d members are joining", c.joining)
	}
}
