package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/acl"
	"github.com/sordini-go/sordini/broker/internal/records"
)

// clusterResource is the name of the one resource of type CLUSTER.
const clusterResource = "kafka-cluster"

// allows decides whether the client may do something with a resource; everything where no authorizer is configured. What is denied is logged, as
// Kafka's authorizer does.
func (r *request) allows(op kmsg.ACLOperation, kind kmsg.ACLResourceType, name string) bool {
	if r.sees(op, kind, name) {
		return true
	}
	r.node.cluster.log.Info("denied", "broker", r.node.id, "client", r.client, "principal", r.conn.principal, "host", r.conn.ip(),
		"operation", op.String(), "resource", kind.String(), "name", name, "request", kmsg.NameForKey(r.key))
	return false
}

// sees is allows without a line in the log: what is not allowed is left out of an answer, and nobody has asked for it by name.
func (r *request) sees(op kmsg.ACLOperation, kind kmsg.ACLResourceType, name string) bool {
	a := r.node.cluster.authorizer
	return a == nil || a.Allows(r.conn.principal, r.conn.ip(), op, kind, name)
}

// allowsTopic decides about a topic by its name.
func (r *request) allowsTopic(op kmsg.ACLOperation, name string) bool {
	return r.allows(op, kmsg.ACLResourceTypeTopic, name)
}

// allowsCluster decides about the cluster as a whole.
func (r *request) allowsCluster(op kmsg.ACLOperation) bool {
	return r.allows(op, kmsg.ACLResourceTypeCluster, clusterResource)
}

// allowsCreate decides whether the client may create a topic: any, or this one.
func (r *request) allowsCreate(topic string) bool {
	return r.sees(kmsg.ACLOperationCreate, kmsg.ACLResourceTypeCluster, clusterResource) || r.allowsTopic(kmsg.ACLOperationCreate, topic)
}

// denials are what Kafka says where it answers a denial with a message.
var denials = map[*kerr.Error]string{
	kerr.TopicAuthorizationFailed:           "Topic authorization failed.",
	kerr.GroupAuthorizationFailed:           "Group authorization failed.",
	kerr.ClusterAuthorizationFailed:         "Cluster authorization failed.",
	kerr.TransactionalIDAuthorizationFailed: "Transactional Id authorization failed.",
}

// denied is a denial that is answered with its message.
func denied(code *kerr.Error) error { return codef(code, "%s", denials[code]) }

// clusterDenied is the error for a request about the whole cluster.
func clusterDenied(op kmsg.ACLOperation) error {
	return codef(kerr.ClusterAuthorizationFailed, "Request needs %s permission.", op)
}

// deniesTransaction says that a produce request has batches of a transaction whose id the client may not write with.
func (r *request) deniesTransaction(req *kmsg.ProduceRequest) bool {
	if r.node.cluster.authorizer == nil || req.TransactionID == nil {
		return false
	}
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			if b, _, err := records.Parse(req.Topics[i].Partitions[j].Records); err == nil && b.Transactional() {
				return !r.allowsTxn(kmsg.ACLOperationWrite, *req.TransactionID)
			}
		}
	}
	return false
}

// allowsIdempotence decides whether the client may have a producer id without a transactional id: if it may write at all (KIP-679).
func (r *request) allowsIdempotence() bool {
	a := r.node.cluster.authorizer
	return a == nil || a.Allows(r.conn.principal, r.conn.ip(), kmsg.ACLOperationIdempotentWrite, kmsg.ACLResourceTypeCluster, clusterResource) ||
		a.AllowsAny(r.conn.principal, r.conn.ip(), kmsg.ACLOperationWrite, kmsg.ACLResourceTypeTopic)
}

// operations returns what the client may do with a resource, as the bits of KIP-430.
func (r *request) operations(kind kmsg.ACLResourceType, name string) int32 {
	return acl.Operations(kind, func(op kmsg.ACLOperation) bool { return r.sees(op, kind, name) })
}

// clusterOperations is operations for the cluster: none for who may not describe it.
func (r *request) clusterOperations() int32 {
	if !r.allowsCluster(kmsg.ACLOperationDescribe) {
		return 0
	}
	return r.operations(kmsg.ACLResourceTypeCluster, clusterResource)
}

// allowsPartitionsOf decides whether the client may do with a topic what a request that names partitions does. Brokers may ask one another for epochs.
func (r *request) allowsPartitionsOf(topic string) bool {
	op := kmsg.ACLOperationDescribe
	switch kmsg.Key(r.key) {
	case kmsg.Produce:
		op = kmsg.ACLOperationWrite
	case kmsg.Fetch:
		if r.fetch.replica >= 0 {
			return r.allowsCluster(kmsg.ACLOperationClusterAction)
		}
		op = kmsg.ACLOperationRead
	case kmsg.DeleteRecords:
		op = kmsg.ACLOperationDelete
	case kmsg.OffsetForLeaderEpoch:
		if r.sees(kmsg.ACLOperationClusterAction, kmsg.ACLResourceTypeCluster, clusterResource) {
			return true
		}
	}
	return r.allowsTopic(op, topic)
}
