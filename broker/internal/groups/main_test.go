package groups

import (
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a Manager under test. Requests and responses pass through the wire
// format of their version, so that a test sees what a client would.
type bench struct {
	t *testing.T
	*Manager
	client Client

	mu  sync.Mutex
	all []*asked
}

// asked is a request and, some time, its answer.
type asked struct {
	b    *bench
	req  kmsg.Request
	resp kmsg.Response
}

// inBubble runs a test in virtual time on a Manager of its own. When it ends,
// every request must have been answered, once.
func inBubble(t *testing.T, cfg Config, test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, Manager: New(cfg), client: Client{ID: "app", Host: "/127.0.0.1"}}
		defer func() {
			b.Close()
			for _, a := range b.all {
				if a.answer() == nil {
					t.Errorf("%T was never answered: %+v", a.req, a.req)
				}
			}
		}()
		test(b)
	})
}

func rewire(t *testing.T, v, to interface {
	AppendTo([]byte) []byte
	ReadFrom([]byte) error
	SetVersion(int16)
	GetVersion() int16
},
) {
	t.Helper()
	to.SetVersion(v.GetVersion())
	if err := to.ReadFrom(v.AppendTo(nil)); err != nil {
		t.Errorf("%T v%d cannot be read back: %v", v, v.GetVersion(), err)
	}
}

// send hands a request in.
func (b *bench) send(req kmsg.Request) *asked {
	b.t.Helper()
	in := reflect.New(reflect.TypeOf(req).Elem()).Interface().(kmsg.Request)
	rewire(b.t, req, in)
	a := &asked{b: b, req: in}
	b.mu.Lock()
	b.all = append(b.all, a)
	b.mu.Unlock()
	b.Handle(b.client, in, func(resp kmsg.Response) {
		out := in.ResponseKind()
		if resp.GetVersion() != in.GetVersion() {
			b.t.Errorf("%T v%d answered in version %d", in, in.GetVersion(), resp.GetVersion())
		}
		rewire(b.t, resp, out)
		b.mu.Lock()
		defer b.mu.Unlock()
		if a.resp != nil {
			b.t.Errorf("%T answered twice: %+v, then %+v", in, a.resp, out)
		}
		a.resp = out
	})
	return a
}

func (a *asked) answer() kmsg.Response {
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	return a.resp
}

// got is the answer to a request that must have been answered by now.
func got[R kmsg.Response](a *asked) R {
	a.b.t.Helper()
	synctest.Wait()
	resp, ok := a.answer().(R)
	if !ok {
		a.b.t.Fatalf("%T is not answered: %+v", a.req, a.req)
	}
	return resp
}

// waits asserts that a request has not been answered yet.
func (a *asked) waits() {
	a.b.t.Helper()
	synctest.Wait()
	if r := a.answer(); r != nil {
		a.b.t.Fatalf("%T was answered already: %+v", a.req, r)
	}
}

// wantCode asserts an answer's error code.
func wantCode(t *testing.T, what string, code int16, want *kerr.Error) {
	t.Helper()
	if have := kerr.TypedErrorForCode(code); have != want {
		t.Fatalf("%s: %v, want %v", what, have, want)
	}
}

// joiner is a member as a client sees itself.
type joiner struct {
	b          *bench
	group      string
	version    int16
	id         string
	instance   *string
	protocols  []kmsg.JoinGroupRequestProtocol
	session    time.Duration
	rebalance  time.Duration
	generation int32
}

func subscription(topics ...string) []byte {
	m := kmsg.NewConsumerMemberMetadata()
	m.Version = 3
	m.Topics = topics
	return m.AppendTo(nil)
}

func offer(names ...string) []kmsg.JoinGroupRequestProtocol {
	ps := make([]kmsg.JoinGroupRequestProtocol, len(names))
	for i, n := range names {
		ps[i] = kmsg.JoinGroupRequestProtocol{Name: n, Metadata: subscription("orders")}
	}
	return ps
}

func (b *bench) joiner(group string) *joiner {
	return &joiner{b: b, group: group, version: 9, session: 10 * time.Second, rebalance: time.Minute, protocols: offer("range"), generation: -1}
}

func (b *bench) static(group, instance string) *joiner {
	j := b.joiner(group)
	j.instance = &instance
	return j
}

func (j *joiner) joinRequest() *kmsg.JoinGroupRequest {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID = j.version, j.group, j.id, j.instance
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = int32(j.session.Milliseconds()), int32(j.rebalance.Milliseconds())
	req.ProtocolType, req.Protocols = "consumer", j.protocols
	return req
}

// join sends a JoinGroup, with the id that the coordinator asks for if it asks.
func (j *joiner) join() *asked {
	j.b.t.Helper()
	a := j.b.send(j.joinRequest())
	synctest.Wait()
	if r, ok := a.answer().(*kmsg.JoinGroupResponse); ok && r.ErrorCode == kerr.MemberIDRequired.Code {
		j.id = r.MemberID
		a = j.b.send(j.joinRequest())
	}
	return a
}

// joined takes a successful answer to a join in.
func (j *joiner) joined(a *asked) *kmsg.JoinGroupResponse {
	j.b.t.Helper()
	r := got[*kmsg.JoinGroupResponse](a)
	wantCode(j.b.t, "join", r.ErrorCode, nil)
	j.id, j.generation = r.MemberID, r.Generation
	return r
}

func (j *joiner) syncRequest(assign map[string]string) *kmsg.SyncGroupRequest {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID, req.Generation = 5, j.group, j.id, j.instance, j.generation
	req.ProtocolType, req.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr(j.protocols[0].Name)
	for id, a := range assign {
		req.GroupAssignment = append(req.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: id, MemberAssignment: []byte(a)})
	}
	return req
}

func (j *joiner) sync(assign map[string]string) *asked {
	j.b.t.Helper()
	return j.b.send(j.syncRequest(assign))
}

func (j *joiner) beat() *kerr.Error {
	j.b.t.Helper()
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID, req.Generation = 4, j.group, j.id, j.instance, j.generation
	return kerr.TypedErrorForCode(got[*kmsg.HeartbeatResponse](j.b.send(req)).ErrorCode)
}

func (j *joiner) leave() *kerr.Error {
	j.b.t.Helper()
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Version, req.Group = 5, j.group
	req.Members = []kmsg.LeaveGroupRequestMember{{MemberID: j.id, InstanceID: j.instance}}
	return kerr.TypedErrorForCode(got[*kmsg.LeaveGroupResponse](j.b.send(req)).Members[0].ErrorCode)
}

func (j *joiner) commitRequest(offset int64) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID, req.Generation = 9, j.group, j.id, j.instance, j.generation
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = offset
	req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "orders", Partitions: []kmsg.OffsetCommitRequestTopicPartition{p}}}
	return req
}

func (j *joiner) commit(offset int64) *kerr.Error {
	j.b.t.Helper()
	r := got[*kmsg.OffsetCommitResponse](j.b.send(j.commitRequest(offset)))
	return kerr.TypedErrorForCode(r.Topics[0].Partitions[0].ErrorCode)
}

func (b *bench) wantState(group string, want State) Info {
	b.t.Helper()
	synctest.Wait()
	info, _ := b.Group(group)
	if info.State != want && !(want == Dead && info.State == "") {
		b.t.Fatalf("group %q is %s, want %s", group, info.State, want)
	}
	return info
}

// stable lets members join an empty group and gives each its own name as its
// assignment. The leader comes first in what it returns.
func (b *bench) stable(js ...*joiner) []*joiner {
	b.t.Helper()
	joins := make([]*asked, len(js))
	for i, j := range js {
		joins[i] = j.join()
	}
	synctest.Wait()
	// The first may have been let in alone: whoever is told to joins again.
	for range js {
		for i, j := range js {
			if r, ok := joins[i].answer().(*kmsg.JoinGroupResponse); ok {
				wantCode(b.t, "join", r.ErrorCode, nil)
				j.id, j.generation = r.MemberID, r.Generation
				if j.beat() == kerr.RebalanceInProgress {
					joins[i] = j.join()
				}
			}
		}
		synctest.Wait()
	}
	assign := make(map[string]string)
	var leader *joiner
	for i, j := range js {
		r := j.joined(joins[i])
		if r.LeaderID == r.MemberID {
			leader = j
			for _, m := range r.Members {
				assign[m.MemberID] = m.MemberID
			}
		}
	}
	for _, j := range js {
		var mine map[string]string
		if j == leader {
			mine = assign
		}
		a := j.sync(mine)
		defer func() {
			if r := got[*kmsg.SyncGroupResponse](a); r.ErrorCode == 0 && string(r.MemberAssignment) != j.id {
				b.t.Errorf("%s is assigned %q", j.id, r.MemberAssignment)
			}
		}()
	}
	b.wantState(js[0].group, Stable)
	slices.SortFunc(js, func(a, c *joiner) int {
		switch leader {
		case a:
			return -1
		case c:
			return 1
		}
		return 0
	})
	return js
}
