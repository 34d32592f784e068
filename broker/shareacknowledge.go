package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/sharegroups"
)

// acknowledged is what a member says of the records of one partition, and what that comes to.
type acknowledged struct {
	tp    sharegroups.TopicPartition
	acks  []sharegroups.Acknowledgement
	part  *partition
	err   error
	whole bool // the code alone is answered
	empty bool // nothing is said
}

// outcome is how the answer says it.
func (a *acknowledged) outcome() (int16, *string) {
	code, text := codeOf(a.err)
	if a.err == nil || a.whole {
		return code, nil
	}
	if text == nil {
		said := a.err.Error()
		if plain := kerrOf(a.err); a.err == error(plain) {
			said = plain.Description
		}
		text = &said
	}
	return code, text
}

// acknowledgedByFetch is what a fetch says of records that were fetched before.
func acknowledgedByFetch(req *kmsg.ShareFetchRequest) (all []acknowledged) {
	said := false
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			a := acknowledged{tp: sharegroups.TopicPartition{Topic: t.TopicID, Partition: t.Partitions[j].Partition}}
			for _, b := range t.Partitions[j].AcknowledgementBatches {
				a.acks = append(a.acks, sharegroups.Acknowledgement{First: b.FirstOffset, Last: b.LastOffset, Types: b.AcknowledgeTypes})
			}
			said = said || len(a.acks) > 0
			all = append(all, a)
		}
	}
	if !said {
		return nil
	}
	return all
}

func handleShareAcknowledge(r *request) answer {
	req := r.msg.(*kmsg.ShareAcknowledgeRequest)
	resp := req.ResponseKind().(*kmsg.ShareAcknowledgeResponse)
	by, code := r.shareMember(req.GroupID, req.MemberID, req.ShareSessionEpoch, req.Version >= 2 && req.IsRenewAck)
	if code == 0 {
		code, _ = codeOf(r.node.shares.sessions.Step(by.session, by.epoch))
	}
	if code != 0 {
		resp.ErrorCode = code
		return answer{resp: resp}
	}
	var all []acknowledged
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			a := acknowledged{tp: sharegroups.TopicPartition{Topic: t.TopicID, Partition: t.Partitions[j].Partition}}
			for _, b := range t.Partitions[j].AcknowledgementBatches {
				a.acks = append(a.acks, sharegroups.Acknowledgement{First: b.FirstOffset, Last: b.LastOffset, Types: b.AcknowledgeTypes})
			}
			all = append(all, a)
		}
	}
	topics := make(map[topicID]int)
	for _, a := range r.acknowledgeAll(by, all) {
		rp := kmsg.NewShareAcknowledgeResponseTopicPartition()
		rp.Partition = a.tp.Partition
		rp.ErrorCode, rp.ErrorMessage = a.outcome()
		if l, ok := r.hintFor(a.part, a.err); ok {
			rp.CurrentLeader.LeaderID, rp.CurrentLeader.LeaderEpoch = l.leader, l.epoch
			if n := r.node.cluster.node(l.leader); n != nil && !slices.ContainsFunc(resp.NodeEndpoints, func(e kmsg.ShareAcknowledgeResponseNodeEndpoint) bool { return e.NodeID == n.id }) {
				e := kmsg.NewShareAcknowledgeResponseNodeEndpoint()
				at := r.endpoint(n)
				e.NodeID, e.Host, e.Port, e.Rack = n.id, at.host, at.port, n.rackOrNil()
				resp.NodeEndpoints = append(resp.NodeEndpoints, e)
			}
		}
		at, known := topics[a.tp.Topic]
		if !known {
			at = len(resp.Topics)
			topics[a.tp.Topic] = at
			rt := kmsg.NewShareAcknowledgeResponseTopic()
			rt.TopicID = a.tp.Topic
			resp.Topics = append(resp.Topics, rt)
		}
		resp.Topics[at].Partitions = append(resp.Topics[at].Partitions, rp)
	}
	resp.AcquisitionLockTimeoutMillis = int32(r.node.cluster.shareSettings(by.session.Group).Lock.Milliseconds())
	if by.epoch == sharegroups.FinalEpoch {
		r.node.endShareSession(by.session)
	}
	return answer{resp: resp}
}

// acknowledgeAll takes over what a member says of records, and returns what is to be answered. A partition of which nothing is said is answered only
// beside others, as Kafka does.
func (r *request) acknowledgeAll(by shareMember, all []acknowledged) (answered []acknowledged) {
	said := false
	for i := range all {
		a := &all[i]
		t, p := r.node.cluster.partitionByID(a.tp.Topic, a.tp.Partition)
		a.whole = true
		switch {
		case t == nil:
			a.err = kerr.UnknownTopicID
		case !validAcknowledgements(a.acks, r.msg.GetVersion() >= 2, by.renews):
			a.err = kerr.InvalidRequest
		case !r.allowsTopic(kmsg.ACLOperationRead, t.name):
			a.err = kerr.TopicAuthorizationFailed
		case p == nil:
			a.err = kerr.UnknownTopicOrPartition
		case len(a.acks) == 0:
			a.empty = true
		default:
			said, a.part, a.whole = true, p, false
			if a.err = r.fault(t.name, a.tp.Partition); a.err != nil {
				continue
			}
			s := r.node.sharedNow(by.session.Group, p)
			if s == nil {
				a.err = kerr.UnknownTopicOrPartition
				continue
			}
			a.err = s.Acknowledge(by.session.Member, a.acks)
			r.node.fencedShare(s, by.session.Group, a.err)
		}
	}
	return slices.DeleteFunc(all, func(a acknowledged) bool { return a.empty && !said })
}

// validAcknowledgements says whether runs of records are in order and what is said of them is something that there is.
func validAcknowledgements(acks []sharegroups.Acknowledgement, renewable, renews bool) bool {
	end := int64(-1)
	for _, a := range acks {
		n := len(a.Types)
		if a.First > a.Last || a.First < end || n == 0 || n > 1 && a.Last-a.First != int64(n-1) {
			return false
		}
		for _, t := range a.Types {
			if t < sharegroups.Gap || t > sharegroups.Renew || t == sharegroups.Renew && !(renewable && renews) {
				return false
			}
		}
		end = a.Last
	}
	return true
}
