package broker

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// logDir is the directory that a broker holds its logs in, or would hold them in.
func (n *node) logDir() string {
	if s := n.cluster.store; s != nil {
		return s.brokerDir(n.id)
	}
	return fmt.Sprintf("/var/lib/kafka/broker-%d", n.id)
}

// handleDescribeLogDirs tells how much this broker holds (KIP-113, KIP-827).
func handleDescribeLogDirs(r *request) answer {
	req := r.msg.(*kmsg.DescribeLogDirsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	if !r.allowsCluster(kmsg.ACLOperationDescribe) {
		if req.Version >= 3 {
			resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		}
		return answer{resp: resp}
	}
	n := r.node
	d := kmsg.NewDescribeLogDirsResponseDir()
	d.Dir = n.logDir()
	if n.disk.failed.Load() {
		d.ErrorCode = kerr.KafkaStorageError.Code
		resp.Dirs = append(resp.Dirs, d)
		return answer{resp: resp}
	}
	asked := make(map[string]map[int32]bool)
	for _, t := range req.Topics {
		if asked[t.Topic] == nil {
			asked[t.Topic] = make(map[int32]bool)
		}
		for _, p := range t.Partitions {
			asked[t.Topic][p] = true
		}
	}
	used := int64(0)
	topics := make(map[string]*kmsg.DescribeLogDirsResponseDirTopic)
	for _, p := range n.cluster.everyPartition() {
		size, held := p.heldBy(n.id)
		used += size
		if !held || req.Topics != nil && !asked[p.topic.name][p.index] {
			continue
		}
		t := topics[p.topic.name]
		if t == nil {
			t = &kmsg.DescribeLogDirsResponseDirTopic{Topic: p.topic.name}
			topics[p.topic.name] = t
		}
		t.Partitions = append(t.Partitions, kmsg.DescribeLogDirsResponseDirTopicPartition{Partition: p.index, Size: size})
	}
	for _, t := range topics {
		slices.SortFunc(t.Partitions, func(a, b kmsg.DescribeLogDirsResponseDirTopicPartition) int {
			return cmp.Compare(a.Partition, b.Partition)
		})
		d.Topics = append(d.Topics, *t)
	}
	slices.SortFunc(d.Topics, func(a, b kmsg.DescribeLogDirsResponseDirTopic) int { return cmp.Compare(a.Topic, b.Topic) })
	d.TotalBytes, d.UsableBytes = n.disk.size(), max(n.disk.size()-used, 0)
	if n.disk.full.Load() {
		d.UsableBytes = 0
	}
	resp.Dirs = append(resp.Dirs, d)
	return answer{resp: resp}
}

// heldBy returns the size of what a broker holds of the partition.
func (p *partition) heldBy(broker int32) (size int64, held bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.copyLocked(broker); r != nil {
		return r.log.Bytes(), true
	}
	return 0, false
}

// handleAlterReplicaLogDirs moves replicas between directories. There is one: a replica that is to be in it is.
func handleAlterReplicaLogDirs(r *request) answer {
	req := r.msg.(*kmsg.AlterReplicaLogDirsRequest)
	resp := req.ResponseKind().(*kmsg.AlterReplicaLogDirsResponse)
	allowed := r.allowsCluster(kmsg.ACLOperationAlter)
	topics := make(map[string]int)
	for _, d := range req.Dirs {
		for _, q := range d.Topics {
			i, seen := topics[q.Topic]
			if !seen {
				i = len(resp.Topics)
				topics[q.Topic] = i
				resp.Topics = append(resp.Topics, kmsg.AlterReplicaLogDirsResponseTopic{Topic: q.Topic})
			}
			for _, index := range q.Partitions {
				e := kmsg.AlterReplicaLogDirsResponseTopicPartition{Partition: index}
				e.ErrorCode, _ = codeOf(r.moveLogDir(allowed, d.Dir, q.Topic, index))
				resp.Topics[i].Partitions = append(resp.Topics[i].Partitions, e)
			}
		}
	}
	return answer{resp: resp}
}

func (r *request) moveLogDir(allowed bool, dir, topic string, index int32) error {
	if !allowed {
		return kerr.ClusterAuthorizationFailed
	}
	if err := r.fault(topic, index); err != nil {
		return err
	}
	switch p := r.node.cluster.partition(topic, index); {
	case dir != r.node.logDir():
		return kerr.LogDirNotFound
	case p == nil:
		return kerr.UnknownTopicOrPartition
	case r.node.disk.failed.Load():
		return kerr.KafkaStorageError
	default:
		if _, held := p.heldBy(r.node.id); !held {
			return kerr.ReplicaNotAvailable
		}
		return nil
	}
}
