package broker

import (
	"errors"
	"slices"
	"time"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/records"
	"github.com/sordini-go/sordini/broker/internal/sharegroups"
	"github.com/sordini-go/sordini/broker/internal/storage"
)

// shareMember is who makes a request of a share group.
type shareMember struct {
	session sharegroups.Session
	epoch   int32
	renews  bool // the request renews locks, and does nothing else
}

// shareMember checks who makes a request, and returns the code to refuse it with.
func (r *request) shareMember(group, member *string, epoch int32, renews bool) (m shareMember, code int16) {
	switch {
	case group == nil:
		return m, kerr.InvalidRequest.Code
	case !r.allowsGroup(kmsg.ACLOperationRead, *group):
		return m, kerr.GroupAuthorizationFailed.Code
	case member == nil || !validMember(*member):
		return m, kerr.InvalidRequest.Code
	}
	return shareMember{sharegroups.Session{Group: *group, Member: *member}, epoch, renews}, 0
}

// validMember says whether a member of a share group may call itself so.
func validMember(id string) bool { return id != "" && len(utf16.Encode([]rune(id))) <= 36 }

// sharedFetch is one partition that a share fetch reads.
type sharedFetch struct {
	tp   sharegroups.TopicPartition
	part *partition
	err  error

	now     *shared
	from    int64
	batches []records.Batch
	aborted []storage.Aborted
	bytes   int
	runs    []sharegroups.Run
	done    bool // it is in the answer
}

// shareFetch is one share fetch under way.
type shareFetch struct {
	r     *request
	req   *kmsg.ShareFetchRequest
	by    shareMember
	set   sharegroups.Settings
	parts []*sharedFetch
	limit int // bytes
}

func handleShareFetch(r *request) answer {
	req := r.msg.(*kmsg.ShareFetchRequest)
	resp := req.ResponseKind().(*kmsg.ShareFetchResponse)
	refuse := func(code int16) answer {
		resp.ErrorCode = code
		return answer{resp: resp}
	}
	by, code := r.shareMember(req.GroupID, req.MemberID, req.ShareSessionEpoch, req.Version >= 2 && req.IsRenewAck)
	if code != 0 {
		return refuse(code)
	}
	if by.renews && (req.MaxBytes != 0 || req.MinBytes != 0 || req.MaxRecords != 0 || req.MaxWaitMillis != 0) {
		return refuse(kerr.InvalidRequest.Code)
	}
	acks := acknowledgedByFetch(req)
	tps, err := r.shareSession(req, by, len(acks) > 0)
	switch {
	case errors.Is(err, kerr.ShareSessionLimitReached):
		if !r.conn.wait(nil, time.Duration(req.MaxWaitMillis)*time.Millisecond) {
			return answer{close: true}
		}
		return refuse(kerr.ShareSessionLimitReached.Code)
	case err != nil:
		code, _ := codeOf(err)
		return refuse(code)
	}
	said := r.acknowledgeAll(by, acks)
	f := &shareFetch{r: r, req: req, by: by, set: r.node.cluster.shareSettings(by.session.Group)}
	if !by.renews {
		f.resolve(tps)
		if !f.wait() {
			return answer{close: true}
		}
	}
	f.answer(resp)
	mergeAcknowledged(resp, said)
	resp.AcquisitionLockTimeoutMillis = int32(f.set.Lock.Milliseconds())
	if by.epoch == sharegroups.FinalEpoch {
		r.node.endShareSession(by.session)
	}
	return answer{resp: resp}
}

// shareSession finds or opens the session of a fetch, and returns the partitions that it reads.
func (r *request) shareSession(req *kmsg.ShareFetchRequest, by shareMember, acknowledges bool) ([]sharegroups.TopicPartition, error) {
	sessions := &r.node.shares.sessions
	var named, forgotten []sharegroups.TopicPartition
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			named = append(named, sharegroups.TopicPartition{Topic: req.Topics[i].TopicID, Partition: req.Topics[i].Partitions[j].Partition})
		}
	}
	for i := range req.ForgottenTopicsData {
		for _, num := range req.ForgottenTopicsData[i].Partitions {
			forgotten = append(forgotten, sharegroups.TopicPartition{Topic: req.ForgottenTopicsData[i].TopicID, Partition: num})
		}
	}
	switch by.epoch {
	case sharegroups.FinalEpoch:
		return nil, sessions.Step(by.session, by.epoch)
	case sharegroups.FirstEpoch:
		if acknowledges {
			return nil, kerr.InvalidRequest
		}
		if r.conn.shareGroups == nil {
			r.conn.shareGroups = make(map[string]bool)
		}
		r.conn.shareGroups[by.session.Group] = true
		return named, sessions.Open(by.session, named, r.node.cluster.property().Int("group.share.max.share.sessions"), r.conn)
	}
	return sessions.Use(by.session, by.epoch, named, forgotten)
}

// resolve finds the partitions that are read, each once, in an order that begins with another one each time.
func (f *shareFetch) resolve(tps []sharegroups.TopicPartition) {
	c := f.r.node.cluster
	seen := make(map[sharegroups.TopicPartition]bool, len(tps))
	var failed []*sharedFetch
	for _, tp := range tps {
		if seen[tp] {
			continue
		}
		seen[tp] = true
		s := &sharedFetch{tp: tp}
		t, p := c.partitionByID(tp.Topic, tp.Partition)
		switch {
		case t == nil:
			s.err = kerr.UnknownTopicID
		case !f.r.allowsTopic(kmsg.ACLOperationRead, t.name):
			s.err = kerr.TopicAuthorizationFailed
		case p == nil:
			s.err = kerr.UnknownTopicOrPartition
		default:
			s.part = p
			f.parts = append(f.parts, s)
			continue
		}
		s.done = true
		failed = append(failed, s)
	}
	if n := len(f.parts); n > 1 && f.by.epoch > 0 {
		at := int(f.by.epoch) % n
		f.parts = slices.Concat(f.parts[at:], f.parts[:at])
	}
	f.limit = f.r.fetchLimit(min(int(f.req.MaxBytes), c.property().Int("fetch.max.bytes")))
	if f.req.MaxBytes == 0 || f.maxRecords() == 0 {
		f.parts = nil
	}
	f.parts = append(f.parts, failed...)
}

// maxRecords is how many records the member wants.
func (f *shareFetch) maxRecords() int { return max(int(f.req.MaxRecords), 0) }

// wait reads until there is enough, or the time is up, and acquires. It reports false when the connection ended meanwhile.
func (f *shareFetch) wait() bool {
	deadline := time.Now().Add(time.Duration(f.req.MaxWaitMillis) * time.Millisecond)
	w := newWaiter()
	watched := make(map[*shared]bool)
	defer func() {
		for s := range watched {
			s.removeWaiter(w)
		}
		for _, p := range f.parts {
			if p.part != nil {
				p.part.removeWaiter(w)
			}
		}
	}()
	for first := true; f.open(); first = false {
		due, left := f.look(first), time.Until(deadline)
		if due || left <= 0 {
			break
		}
		unwatched := first // what was not watched while it was looked at is looked at again
		for _, p := range f.parts {
			if first && p.part != nil {
				p.part.addWaiter(w)
			}
			if p.now != nil && !watched[p.now] {
				watched[p.now], unwatched = true, true
				p.now.addWaiter(w)
			}
		}
		if !unwatched && !f.r.conn.wait(w.changed, left) {
			return false
		}
	}
	if wrong := f.acquire(); wrong {
		return f.r.conn.wait(nil, errorDelay)
	}
	return true
}

// open says whether there is a partition that may still have something.
func (f *shareFetch) open() bool {
	return slices.ContainsFunc(f.parts, func(p *sharedFetch) bool { return !p.done })
}

// look finds out what could be acquired. It reports whether the answer is due: there is as much as the member waits for, or something has gone wrong. What
// is wrong from the first is answered beside what the others have.
func (f *shareFetch) look(first bool) (due bool) {
	ready := 0
	for _, p := range f.parts {
		p.batches, p.aborted, p.bytes = nil, nil, 0
		if p.done {
			continue
		}
		p.now, p.err = nil, f.r.fault(p.part.topic.name, p.tp.Partition)
		if p.err == nil {
			p.now, p.err = f.r.node.share(f.by.session.Group, p.part)
		}
		switch {
		case p.err != nil:
			p.done, due = true, due || !first
		case p.now.Acquirable():
			ready++
		default:
			continue
		}
	}
	bytes := 0
	for _, p := range f.parts {
		if p.done || !p.now.Acquirable() {
			continue
		}
		p.from = p.now.Next()
		p.batches, p.aborted, p.bytes, p.err = p.part.readShared(f.r.node.id, p.from, f.set.ReadCommitted, f.limit/max(ready, 1), bytes == 0)
		bytes += p.bytes
		due = due || p.err != nil
	}
	return due || ready > 0 && bytes >= min(int(f.req.MinBytes), f.limit)
}

// acquire takes records of what was read. It reports whether nothing was taken because something is wrong.
func (f *shareFetch) acquire() (wrong bool) {
	left := f.maxRecords()
	for _, p := range f.parts {
		switch {
		case errors.Is(p.err, kerr.OffsetOutOfRange): // the log begins later now
			p.now.MoveStart(p.part.logStart())
			p.err, p.done, wrong = nil, true, true
		case p.err != nil:
			p.done, wrong = true, true
		case p.done || p.now == nil || !p.now.Acquirable():
		default:
			p.done = true
			p.runs = p.now.Acquire(sharegroups.Request{
				Member: f.by.session.Member, Max: left, Exact: f.req.ShareAcquireMode == 1, BatchSize: int(f.req.BatchSize),
			}, p.from, p.batches, p.aborted)
			for _, run := range p.runs {
				left -= int(run.Last - run.First + 1)
			}
		}
	}
	return wrong && left == f.maxRecords()
}

// slice is what of the batches a member needs to have: those with records that it has acquired.
func (p *sharedFetch) slice() (raw []byte) {
	if len(p.runs) == 0 {
		return nil
	}
	first, last := p.runs[0].First, p.runs[len(p.runs)-1].Last
	for _, b := range p.batches {
		if len(p.batches) == 1 || b.LastOffset() >= first && b.BaseOffset() <= last {
			raw = append(raw, b...)
		}
	}
	return raw
}

// answer says what was acquired. A session is told only what it has to know.
func (f *shareFetch) answer(resp *kmsg.ShareFetchResponse) {
	parts := slices.DeleteFunc(slices.Clone(f.parts), func(p *sharedFetch) bool { return !p.done })
	if f.by.epoch > 0 {
		tps := make([]sharegroups.TopicPartition, len(parts))
		for i, p := range parts {
			tps[i] = p.tp
		}
		told, err := f.r.node.shares.sessions.Answer(f.by.session, f.by.epoch, tps,
			func(i int) bool { return len(parts[i].runs) > 0 }, func(i int) bool { return parts[i].err != nil })
		if err != nil {
			resp.ErrorCode, _ = codeOf(err)
			return
		}
		kept := parts[:0:0]
		for i, p := range parts {
			if told[i] {
				kept = append(kept, p)
			}
		}
		parts = kept
	}
	topics := make(map[topicID]int)
	for _, p := range parts {
		rp := kmsg.NewShareFetchResponseTopicPartition()
		rp.Partition = p.tp.Partition
		rp.ErrorCode, _ = codeOf(p.err)
		rp.Records = []byte{}
		if raw := p.slice(); raw != nil {
			rp.Records = raw
		}
		for _, run := range p.runs {
			ra := kmsg.NewShareFetchResponseTopicPartitionAcquiredRecord()
			ra.FirstOffset, ra.LastOffset, ra.DeliveryCount = run.First, run.Last, run.Deliveries
			rp.AcquiredRecords = append(rp.AcquiredRecords, ra)
		}
		if l, ok := f.r.hintFor(p.part, p.err); ok {
			rp.CurrentLeader.LeaderID, rp.CurrentLeader.LeaderEpoch = l.leader, l.epoch
			if n := f.r.node.cluster.node(l.leader); n != nil && !slices.ContainsFunc(resp.NodeEndpoints, func(e kmsg.ShareFetchResponseNodeEndpoint) bool { return e.NodeID == n.id }) {
				e := kmsg.NewShareFetchResponseNodeEndpoint()
				at := f.r.endpoint(n)
				e.NodeID, e.Host, e.Port, e.Rack = n.id, at.host, at.port, n.rackOrNil()
				resp.NodeEndpoints = append(resp.NodeEndpoints, e)
			}
		}
		at := sharedTopic(resp, topics, p.tp.Topic)
		resp.Topics[at].Partitions = append(resp.Topics[at].Partitions, rp)
	}
}

// hintFor is who leads a partition that a client has asked the wrong broker for.
func (r *request) hintFor(p *partition, err error) (leadership, bool) {
	if p == nil || !errors.Is(err, kerr.NotLeaderForPartition) && !errors.Is(err, kerr.FencedLeaderEpoch) {
		return leadership{}, false
	}
	return p.leadership(), true
}

// sharedTopic is where a topic stands in an answer, which is given a place where it has none.
func sharedTopic(resp *kmsg.ShareFetchResponse, topics map[topicID]int, id topicID) int {
	at, known := topics[id]
	if !known {
		at = len(resp.Topics)
		topics[id] = at
		rt := kmsg.NewShareFetchResponseTopic()
		rt.TopicID = id
		resp.Topics = append(resp.Topics, rt)
	}
	return at
}

// mergeAcknowledged puts what acknowledgements have come to beside what was fetched.
func mergeAcknowledged(resp *kmsg.ShareFetchResponse, said []acknowledged) {
	if len(said) == 0 {
		return
	}
	topics, parts := make(map[topicID]int), make(map[sharegroups.TopicPartition]int)
	for i := range resp.Topics {
		id := topicID(resp.Topics[i].TopicID)
		topics[id] = i
		for j := range resp.Topics[i].Partitions {
			parts[sharegroups.TopicPartition{Topic: id, Partition: resp.Topics[i].Partitions[j].Partition}] = j
		}
	}
	for _, a := range said {
		at := sharedTopic(resp, topics, a.tp.Topic)
		t := &resp.Topics[at]
		i, known := parts[a.tp]
		if !known {
			i = len(t.Partitions)
			parts[a.tp] = i
			rp := kmsg.NewShareFetchResponseTopicPartition()
			rp.Partition, rp.Records = a.tp.Partition, []byte{}
			t.Partitions = append(t.Partitions, rp)
		}
		t.Partitions[i].AcknowledgeErrorCode, t.Partitions[i].AcknowledgeErrorMessage = a.outcome()
	}
}
