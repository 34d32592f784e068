package broker

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// unknownOperations is what authorized operations are where they were not asked for (KIP-430).
const unknownOperations = -2147483648

func handleMetadata(r *request) answer {
	req := r.msg.(*kmsg.MetadataRequest)
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	c := r.node.cluster
	for _, n := range c.liveNodes() {
		b := kmsg.NewMetadataResponseBroker()
		e := r.endpoint(n)
		b.NodeID, b.Host, b.Port, b.Rack = n.id, e.host, e.port, n.rackOrNil()
		resp.Brokers = append(resp.Brokers, b)
	}
	resp.ControllerID = c.controllerID()
	resp.ClusterID = &c.id
	resp.AuthorizedOperations = unknownOperations

	if req.IncludeClusterAuthorizedOperations && req.Version >= 8 && req.Version <= 10 {
		resp.AuthorizedOperations = r.clusterOperations()
	}
	if refused := r.refuseMetadata(req); refused != nil {
		return answer{resp: refused}
	}
	all := req.Topics == nil || req.Version == 0 && len(req.Topics) == 0
	if all {
		c.mu.RLock()
		names := slices.Sorted(maps.Keys(c.topics))
		c.mu.RUnlock()
		for _, name := range names {
			if t := c.lookup(name); t != nil && r.sees(kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeTopic, name) {
				resp.Topics = append(resp.Topics, r.withFault(c.describeTopic(t)))
			}
		}
		return answer{resp: resp}
	}
	mayCreate := (req.Version < 4 || req.AllowAutoTopicCreation) && c.property().Bool("auto.create.topics.enable")
	byID := slices.ContainsFunc(req.Topics, func(q kmsg.MetadataRequestTopic) bool { return q.TopicID != (topicID{}) })
	asked := make(map[any]bool, len(req.Topics))
	for i := range req.Topics {
		if q := &req.Topics[i]; isNew(asked, q, byID) {
			resp.Topics = append(resp.Topics, r.withFault(r.metadataOf(q, mayCreate)))
		}
	}
	return answer{resp: resp}
}

// isNew says whether a topic is to be answered for: once, however often it is named, and by name only in a request that names none by its id.
func isNew(asked map[any]bool, q *kmsg.MetadataRequestTopic, byID bool) bool {
	var key any = q.TopicID
	if !byID {
		key = *q.Topic
	}
	if asked[key] || byID && q.TopicID == (topicID{}) {
		return false
	}
	asked[key] = true
	return true
}

// metadataOf answers for one topic that was asked for by name or by id. A topic that is created now is answered as unknown, as Kafka does: it has no
// leaders yet when Kafka answers, and clients ask again.
func (r *request) metadataOf(q *kmsg.MetadataRequestTopic, mayCreate bool) kmsg.MetadataResponseTopic {
	c := r.node.cluster
	t := kmsg.NewMetadataResponseTopic()
	t.AuthorizedOperations = unknownOperations
	if q.TopicID != (topicID{}) {
		known := c.lookupID(q.TopicID)
		if known == nil {
			t.TopicID, t.ErrorCode = q.TopicID, kerr.UnknownTopicID.Code
			return t
		}
		if !r.allowsTopic(kmsg.ACLOperationDescribe, known.name) { // ids are no secret, names are
			t.TopicID, t.ErrorCode = q.TopicID, kerr.TopicAuthorizationFailed.Code
			return t
		}
		return c.describeTopic(known)
	}
	var name string
	if q.Topic != nil {
		name = *q.Topic
	}
	t.Topic = &name
	if !r.allowsTopic(kmsg.ACLOperationDescribe, name) { // whether it exists or not
		t.ErrorCode = kerr.TopicAuthorizationFailed.Code
		return t
	}
	if known := c.lookup(name); known != nil {
		return c.describeTopic(known)
	}
	if mayCreate && !r.allowsCreate(name) {
		t.ErrorCode = kerr.TopicAuthorizationFailed.Code
		return t
	}
	t.ErrorCode = kerr.UnknownTopicOrPartition.Code
	if err := checkTopicName(name); err != nil {
		t.ErrorCode, _ = codeOf(err)
	} else if mayCreate && internalTopic(name) {
		c.provideInternal(name)
	} else if mayCreate {
		if _, err := c.createTopic(topicSpec{name: name, partitions: -1, replicas: -1}); err != nil {
			if code, _ := codeOf(err); code != kerr.TopicAlreadyExists.Code {
				t.ErrorCode = code
			}
		}
	}
	return t
}

func (c *Cluster) describeTopic(known *topic) kmsg.MetadataResponseTopic {
	t := kmsg.NewMetadataResponseTopic()
	t.Topic, t.TopicID, t.IsInternal = &known.name, known.id, known.internal()
	t.AuthorizedOperations = unknownOperations
	c.mu.RLock()
	partitions := known.partitions
	c.mu.RUnlock()
	t.Partitions = make([]kmsg.MetadataResponseTopicPartition, len(partitions))
	for i, part := range partitions {
		l := part.leadership()
		p := &t.Partitions[i]
		p.Default()
		p.Partition, p.Leader, p.LeaderEpoch, p.Replicas, p.ISR = part.index, l.leader, l.epoch, l.replicas, l.isr
		for _, id := range l.replicas {
			if !slices.Contains(l.isr, id) && (!c.node(id).isAlive() || c.node(id).disk.failed.Load()) {
				p.OfflineReplicas = append(p.OfflineReplicas, id)
			}
		}
		if l.leader == noLeader {
			p.ErrorCode = kerr.LeaderNotAvailable.Code
		}
	}
	return t
}

// refuseMetadata answers a request that names a topic in a way that its version does not know.
func (r *request) refuseMetadata(req *kmsg.MetadataRequest) *kmsg.MetadataResponse {
	code := kerr.InvalidRequest.Code
	wrong := func(t kmsg.MetadataRequestTopic) bool {
		if req.Version >= 10 && req.Version < 12 {
			return t.Topic == nil || t.TopicID != (topicID{})
		}
		return t.Topic == nil && t.TopicID == (topicID{})
	}
	if !slices.ContainsFunc(req.Topics, wrong) {
		return nil
	}
	if req.Version >= 12 {
		code = kerr.UnknownServerError.Code
	}
	return failMetadata(req, code)
}

// failMetadata answers a whole request with an error: for each topic, since most versions have no other place for it.
func failMetadata(req *kmsg.MetadataRequest, code int16) *kmsg.MetadataResponse {
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	resp.ControllerID, resp.ErrorCode, resp.AuthorizedOperations = noLeader, code, unknownOperations
	for _, q := range req.Topics {
		t := kmsg.NewMetadataResponseTopic()
		t.Topic, t.TopicID, t.ErrorCode, t.AuthorizedOperations = q.Topic, q.TopicID, code, unknownOperations
		if t.Topic == nil {
			t.Topic = new(string)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return resp
}

// withFault puts an injected error in place of a topic's description.
func (r *request) withFault(t kmsg.MetadataResponseTopic) kmsg.MetadataResponseTopic {
	name := ""
	if t.Topic != nil {
		name = *t.Topic
	}
	if err := r.fault(name, -1); err != nil {
		if t.ErrorCode, _ = codeOf(err); t.ErrorCode == kerr.UnknownTopicOrPartition.Code {
			t.TopicID = topicID{} // who does not know a topic does not know its id
		}
		t.Partitions = nil
	}
	if req := r.msg.(*kmsg.MetadataRequest); req.IncludeTopicAuthorizedOperations && t.ErrorCode == 0 {
		t.AuthorizedOperations = r.operations(kmsg.ACLResourceTypeTopic, name)
	}
	return t
}

// liveNodes returns the brokers that run, in the order of their ids.
func (c *Cluster) liveNodes() []*node {
	var live []*node
	for _, n := range c.nodes {
		if n.isAlive() {
			live = append(live, n)
		}
	}
	return live
}
