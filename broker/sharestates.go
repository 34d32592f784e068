package broker

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/records"
	"github.com/sordini-go/sordini/broker/internal/settings"
	"github.com/sordini-go/sordini/broker/internal/sharegroups"
)

// The share coordinator keeps where share groups read (KIP-932). Kafka's brokers ask it by requests, which are served here too; the brokers of a cluster
// ask it at once. A share partition is coordinated by the leader of its partition of __share_group_state.

// newShareStates starts the share coordinator.
func (c *Cluster) newShareStates(p settings.Broker) *sharegroups.States {
	return sharegroups.NewStates(sharegroups.StatesConfig{
		Exists: func(topic [16]byte, partition int32) bool {
			_, found := c.partitionByID(topic, partition)
			return found != nil
		},
		Write:              c.writeShare,
		UpdatesPerSnapshot: p.Int("share.coordinator.snapshot.update.records.per.snapshot"),
	})
}

// shareStates is the share coordinator as the group coordinator knows it.
type shareStates struct{ *sharegroups.States }

// Initialize implements [groups.ShareStates].
func (s shareStates) Initialize(group string, topic [16]byte, partition, epoch int32, start int64) error {
	return s.States.Initialize(sharegroups.Key{Group: group, Topic: topic, Partition: partition}, epoch, start)
}

// Delete implements [groups.ShareStates].
func (s shareStates) Delete(group string, topic [16]byte, partition int32) error {
	return s.States.Delete(sharegroups.Key{Group: group, Topic: topic, Partition: partition})
}

// writeShare appends what is to be written down of a share partition.
func (c *Cluster) writeShare(e sharegroups.Entry) {
	c.writeOwn(shareStateTopic, c.shareStatePartition(e.Of), []records.Record{{Key: e.Key, Value: e.Value}}, nil)
}

// shareStatePartition is the partition of __share_group_state that a share partition belongs to.
func (c *Cluster) shareStatePartition(k sharegroups.Key) int32 {
	name := fmt.Sprintf("%s:%s:%d", k.Group, base64.RawURLEncoding.EncodeToString(k.Topic[:]), k.Partition)
	return javaHash(name) % int32(c.property().Int("share.coordinator.state.topic.num.partitions"))
}

// ofShare returns the broker that coordinates a share partition, noLeader where none can.
func (c *Cluster) ofShare(k sharegroups.Key) int32 {
	return c.coordinatorOf(shareStateTopic, int(c.shareStatePartition(k)), noLeader)
}

// parseShareKey reads the name that a share partition has for FindCoordinator: group:topic id:partition.
func parseShareKey(name string) (k sharegroups.Key, err error) {
	tokens := strings.Split(strings.TrimRight(name, ":"), ":")
	n := len(tokens)
	if n < 3 {
		return k, errors.New("not of the form group:topic id:partition")
	}
	k.Group = strings.Join(tokens[:n-2], ":")
	id, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(tokens[n-2], "="))
	if err != nil || len(id) != len(k.Topic) || strings.TrimSpace(k.Group) == "" {
		return k, errors.New("not of the form group:topic id:partition")
	}
	copy(k.Topic[:], id)
	num, err := strconv.ParseInt(tokens[n-1], 10, 32)
	k.Partition = int32(num)
	return k, err
}

// shareStateResult is what a partition of a request to the share coordinator comes to.
type shareStateResult struct {
	code int16
	text *string
}

// stateOf does something to the state of a share partition, where this broker coordinates it.
func (r *request) stateOf(group string, topic topicID, partition int32, what string, do func(sharegroups.Key) error) shareStateResult {
	k := sharegroups.Key{Group: group, Topic: topic, Partition: partition}
	c := r.node.cluster
	if c.ofShare(k) != r.node.id {
		code := kerr.NotCoordinator
		return shareStateResult{code.Code, kmsg.StringPtr(fmt.Sprintf("Unable to %s: %s", what, code.Description))}
	}
	err := do(k)
	if err == nil {
		return shareStateResult{}
	}
	code, text := kerrOf(err), err.Error()
	switch {
	case code == nil:
		code = kerr.UnknownServerError
	case error(code) == err:
		text = code.Description
	}
	return shareStateResult{code.Code, &text}
}

// brokersOnly answers a client that is no broker.
func (r *request) brokersOnly() (denied shareStateResult, ok bool) {
	if r.allowsCluster(kmsg.ACLOperationClusterAction) {
		return denied, true
	}
	return shareStateResult{kerr.ClusterAuthorizationFailed.Code, kmsg.StringPtr(kerr.ClusterAuthorizationFailed.Description)}, false
}

func handleInitializeShareGroupState(r *request) answer {
	req := r.msg.(*kmsg.InitializeShareGroupStateRequest)
	resp := req.ResponseKind().(*kmsg.InitializeShareGroupStateResponse)
	result, allowed := r.brokersOnly()
	r.node.cluster.provideInternal(shareStateTopic)
	for _, t := range req.Topics {
		if allowed && (req.GroupID == "" || len(t.Partitions) == 0) {
			return answer{resp: req.ResponseKind()}
		}
		rt := kmsg.NewInitializeShareGroupStateResponseTopic()
		rt.TopicID = t.TopicID
		for _, p := range t.Partitions {
			rp := kmsg.NewInitializeShareGroupStateResponseTopicPartition()
			if allowed {
				result = r.stateOf(req.GroupID, t.TopicID, p.Partition, "initialize share group state", func(k sharegroups.Key) error {
					return r.node.cluster.shareStates.Initialize(k, p.StateEpoch, p.StartOffset)
				})
			}
			rp.Partition, rp.ErrorCode, rp.ErrorMessage = p.Partition, result.code, result.text
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return answer{resp: resp}
}

func handleReadShareGroupState(r *request) answer {
	req := r.msg.(*kmsg.ReadShareGroupStateRequest)
	resp := req.ResponseKind().(*kmsg.ReadShareGroupStateResponse)
	result, allowed := r.brokersOnly()
	for _, t := range req.Topics {
		if allowed && (req.GroupID == "" || len(t.Partitions) == 0) {
			return answer{resp: req.ResponseKind()}
		}
		rt := kmsg.NewReadShareGroupStateResponseTopic()
		rt.TopicID = t.TopicID
		for _, p := range t.Partitions {
			rp := kmsg.NewReadShareGroupStateResponseTopicPartition()
			if allowed {
				result = r.stateOf(req.GroupID, t.TopicID, p.Partition, "read share group state", func(k sharegroups.Key) error {
					st, err := r.node.cluster.shareStates.Read(k, p.LeaderEpoch)
					if err != nil {
						return err
					}
					rp.StateEpoch, rp.StartOffset = st.StateEpoch, st.Start
					for _, b := range st.Batches {
						rb := kmsg.NewReadShareGroupStateResponseTopicPartitionStateBatch()
						rb.FirstOffset, rb.LastOffset, rb.DeliveryState, rb.DeliveryCount = b.First, b.Last, int8(b.State), b.Deliveries
						rp.StateBatches = append(rp.StateBatches, rb)
					}
					return nil
				})
			}
			rp.Partition, rp.ErrorCode, rp.ErrorMessage = p.Partition, result.code, result.text
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return answer{resp: resp}
}

func handleWriteShareGroupState(r *request) answer {
	req := r.msg.(*kmsg.WriteShareGroupStateRequest)
	resp := req.ResponseKind().(*kmsg.WriteShareGroupStateResponse)
	result, allowed := r.brokersOnly()
	for _, t := range req.Topics {
		if allowed && (req.GroupID == "" || len(t.Partitions) == 0) {
			return answer{resp: req.ResponseKind()}
		}
		rt := kmsg.NewWriteShareGroupStateResponseTopic()
		rt.TopicID = t.TopicID
		for _, p := range t.Partitions {
			rp := kmsg.NewWriteShareGroupStateResponseTopicPartition()
			if allowed {
				u := sharegroups.Update{StateEpoch: p.StateEpoch, LeaderEpoch: p.LeaderEpoch, Start: p.StartOffset, Completed: p.DeliveryCompleteCount}
				for _, b := range p.StateBatches {
					u.Batches = append(u.Batches, sharegroups.StateBatch{First: b.FirstOffset, Last: b.LastOffset, State: sharegroups.RecordState(b.DeliveryState), Deliveries: b.DeliveryCount})
				}
				result = r.stateOf(req.GroupID, t.TopicID, p.Partition, "write share group state", func(k sharegroups.Key) error {
					return r.node.cluster.shareStates.Write(k, u)
				})
			}
			rp.Partition, rp.ErrorCode, rp.ErrorMessage = p.Partition, result.code, result.text
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return answer{resp: resp}
}

func handleDeleteShareGroupState(r *request) answer {
	req := r.msg.(*kmsg.DeleteShareGroupStateRequest)
	resp := req.ResponseKind().(*kmsg.DeleteShareGroupStateResponse)
	result, allowed := r.brokersOnly()
	for _, t := range req.Topics {
		if allowed && (req.GroupID == "" || len(t.Partitions) == 0) {
			return answer{resp: req.ResponseKind()}
		}
		rt := kmsg.NewDeleteShareGroupStateResponseTopic()
		rt.TopicID = t.TopicID
		for _, p := range t.Partitions {
			rp := kmsg.NewDeleteShareGroupStateResponseTopicPartition()
			if allowed {
				result = r.stateOf(req.GroupID, t.TopicID, p.Partition, "delete share group state", r.node.cluster.shareStates.Delete)
			}
			rp.Partition, rp.ErrorCode, rp.ErrorMessage = p.Partition, result.code, result.text
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return answer{resp: resp}
}

func handleReadShareGroupStateSummary(r *request) answer {
	req := r.msg.(*kmsg.ReadShareGroupStateSummaryRequest)
	resp := req.ResponseKind().(*kmsg.ReadShareGroupStateSummaryResponse)
	result, allowed := r.brokersOnly()
	for _, t := range req.Topics {
		if allowed && (req.GroupID == "" || len(t.Partitions) == 0) {
			return answer{resp: req.ResponseKind()}
		}
		rt := kmsg.NewReadShareGroupStateSummaryResponseTopic()
		rt.TopicID = t.TopicID
		for _, p := range t.Partitions {
			rp := kmsg.NewReadShareGroupStateSummaryResponseTopicPartition()
			if allowed {
				result = r.stateOf(req.GroupID, t.TopicID, p.Partition, "read share group state summary", func(k sharegroups.Key) error {
					st, err := r.node.cluster.shareStates.Summary(k)
					if err == nil {
						rp.StateEpoch, rp.LeaderEpoch, rp.StartOffset, rp.DeliveryCompleteCount = st.StateEpoch, st.LeaderEpoch, st.Start, st.Completed
					}
					return err
				})
			}
			rp.Partition, rp.ErrorCode, rp.ErrorMessage = p.Partition, result.code, result.text
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return answer{resp: resp}
}
