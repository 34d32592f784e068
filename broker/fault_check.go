package broker

import (
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrFault says that a fault can not happen to any request.
var ErrFault = errors.New("fault can not happen")

// check says why the fault can not happen in a cluster of so many brokers.
func (f *Fault) check(brokers int32) error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrFault}, args...)...)
	}
	key := int16(f.API) - 1
	served, known := apiOf(key)
	drops := f.DropResponse || f.CutResponse
	switch {
	case f.API != AnyAPI && (!known || served == nil):
		return bad("there is no request %d", int16(f.API))
	case f.Broker < 0 || f.Broker > brokers:
		return fmt.Errorf("%w: broker %d: %w", ErrFault, f.Broker, ErrUnknownBroker)
	case f.Count < 0 || f.Delay < 0 || f.Jitter < 0 || f.BytesPerSecond < 0 || f.CutAfter < 0:
		return bad("a number is negative")
	case !(f.Probability >= 0 && f.Probability <= 1):
		return bad("the probability %v is not between 0 and 1", f.Probability)
	case f.Topic == "" && f.Partitions != nil && len(f.Partitions) == 0:
		return bad("it names no partition; leave Partitions nil for all")
	case slices.ContainsFunc(f.Partitions, func(p int32) bool { return p < 0 }):
		return bad("partition %d", slices.Min(f.Partitions))
	case f.CutAfter > 0 && !f.CutResponse:
		return bad("CutAfter needs CutResponse")
	case f.DropResponse && f.CutResponse:
		return bad("a response is dropped or cut, not both")
	case f.DropRequest && (drops || f.Fail != 0):
		return bad("a request that is dropped has no response")
	case f.Stall && f.Delay+f.Jitter > 0:
		return bad("a request is delayed or stalled, not both")
	case f.RefuseConnections:
		only := Fault{RefuseConnections: true, Broker: f.Broker, Count: f.Count, Probability: f.Probability, Seed: f.Seed}
		if f.String() != only.String() || f.Partitions != nil {
			return bad("RefuseConnections is scoped by Broker, Count and Probability, and does nothing to requests")
		}
	case f.API == AnyAPI:
	case f.Topic != "" && !slices.Contains(namesTopics, kmsg.Key(key)) && !slices.Contains(namesPartitions, kmsg.Key(key)):
		return bad("%s names no topics", f.API)
	case f.Partitions != nil && !slices.Contains(namesPartitions, kmsg.Key(key)):
		return bad("%s names no partitions", f.API)
	case f.Group != "" && !slices.Contains(namesGroups, kmsg.Key(key)):
		return bad("%s names no group", f.API)
	case f.TransactionalID != "" && !slices.Contains(namesTransactionalIDs, kmsg.Key(key)):
		return bad("%s names no transactional id", f.API)
	}
	return nil
}

// What requests name: those of [request.targets], [request.groups] and [request.transactionalIDs].
var (
	namesPartitions = []kmsg.Key{
		kmsg.Produce, kmsg.Fetch, kmsg.ListOffsets, kmsg.OffsetForLeaderEpoch, kmsg.DeleteRecords, kmsg.OffsetCommit, kmsg.OffsetFetch,
		kmsg.AddPartitionsToTxn, kmsg.WriteTxnMarkers, kmsg.TxnOffsetCommit, kmsg.DescribeProducers, kmsg.ShareFetch, kmsg.ShareAcknowledge,
		kmsg.AlterShareGroupOffsets,
	}
	namesTopics = []kmsg.Key{
		kmsg.Metadata, kmsg.CreateTopics, kmsg.CreatePartitions, kmsg.DeleteTopics, kmsg.DescribeConfigs, kmsg.AlterConfigs, kmsg.IncrementalAlterConfigs,
	}
	namesGroups = []kmsg.Key{
		kmsg.OffsetCommit, kmsg.OffsetFetch, kmsg.FindCoordinator, kmsg.JoinGroup, kmsg.Heartbeat, kmsg.LeaveGroup, kmsg.SyncGroup, kmsg.DescribeGroups,
		kmsg.DeleteGroups, kmsg.OffsetDelete, kmsg.ConsumerGroupHeartbeat, kmsg.ConsumerGroupDescribe, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit,
		kmsg.ShareGroupHeartbeat, kmsg.ShareGroupDescribe, kmsg.ShareFetch, kmsg.ShareAcknowledge, kmsg.DescribeShareGroupOffsets, kmsg.AlterShareGroupOffsets,
		kmsg.DeleteShareGroupOffsets,
	}
	namesTransactionalIDs = []kmsg.Key{
		kmsg.Produce, kmsg.InitProducerID, kmsg.FindCoordinator, kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.EndTxn, kmsg.TxnOffsetCommit,
		kmsg.DescribeTransactions,
	}
)

// String says what the fault does, and to how many requests it has happened.
func (in *Injected) String() string { return fmt.Sprintf("%s, happened to %d", in.fault, in.Hits()) }
