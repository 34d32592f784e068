package consumer

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// GroupProtocol is how the members of a group share out partitions.
type GroupProtocol uint8

const (
	// ClassicProtocol, the default, has a member share them out, with the cooperative sticky assignor: a rebalance stops only the partitions that move. Every
	// Kafka has it.
	ClassicProtocol GroupProtocol = iota

	// ConsumerProtocol is KIP-848's: the broker shares them out, and members that keep their partitions notice nothing of a rebalance. It needs Kafka 4.0, or
	// better 4.3, with the feature group.version (the default of new clusters). Session timeout and heartbeats are the broker's to set (group.consumer.*). A running
	// group goes over from one protocol to the other member by member.
	ConsumerProtocol
)

// Protocol sets how the members of the group share out partitions: ClassicProtocol unless said otherwise. Run fails with the fix where the cluster has no
// ConsumerProtocol: there is no falling back in silence.
func Protocol(p GroupProtocol) Option {
	return groupOption(func(c *config) {
		if p > ConsumerProtocol {
			c.errs = append(c.errs, refuse("Protocol(%d): use ClassicProtocol or ConsumerProtocol", p))
		}
		c.protocol = p
	})
}

// StaticMember makes the member a static one (KIP-345) with that group.instance.id, which has to be another one for each instance of the service: the name of
// a stateful set's pod, for instance. Such a member does not leave the group when Run ends, so that one which is back within the session timeout (30 s; of the
// ConsumerProtocol, the broker's, 45 s) has its partitions again and nobody else notices, but for the leader of
// a classic group, whose return has every member confirm what it has. The price: those of one that does not come back stand still for
// as long.
//
// When two members of a classic group run with one id, the one that joined last has its place: the other one commits nothing more, and its Run ends with an
// error that wraps kerr.FencedInstanceID. In ConsumerProtocol the place is the first one's until it has stopped, or its session is over: the second waits for
// it, unhealthy with the reason "group-session" (UNRELEASED_INSTANCE_ID). So one that was killed, and is back, waits there for its last session's end. A first one
// that was away for longer waits for the second in its turn, or its Run ends as in a classic group.
func StaticMember(instance string) Option {
	return groupOption(func(c *config) {
		switch {
		case instance == "":
			c.errs = append(c.errs, refuse("StaticMember: the id is empty; give each instance of the service its own"))
		case len(instance) > maxInstanceID:
			c.errs = append(c.errs, refuse("StaticMember: the id has %d bytes; Kafka takes up to %d", len(instance), maxInstanceID))
		}
		c.static = instance
	})
}

// maxInstanceID is what Kafka's brokers take (JoinGroupRequest.MAX_GROUP_INSTANCE_ID_LENGTH).
const maxInstanceID = 249

// Rack says where the member is, under the name that brokers there have as broker.rack. Brokers with replica.selector.class set to RackAwareReplicaSelector then
// have it fetch from a replica nearby (KIP-392), which saves the traffic between zones and may lag a little behind the leader; without, it changes
// nothing.
func Rack(name string) Option {
	return groupOption(func(c *config) {
		if name == "" {
			c.errs = append(c.errs, refuse("Rack: the name is empty; leave the option out"))
		}
		c.rack = name
	})
}

// membershipOptions are the client's.
func (c *config) membershipOptions() []kgo.Opt {
	opts := []kgo.Opt{
		kgo.SessionTimeout(sessionTimeout),
		kgo.HeartbeatInterval(heartbeatInterval),
		kgo.RebalanceTimeout(rebalanceTimeout),
	}
	if c.protocol == ConsumerProtocol {
		opts = append(opts, kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()), // which asks for the uniform assignor
			kgo.WithHooks(unhurried{}))
	} else {
		opts = append(opts, kgo.Balancers(kgo.CooperativeStickyBalancer()))
	}
	if c.static != "" {
		opts = append(opts, kgo.InstanceID(c.static))
	}
	if c.rack != "" {
		opts = append(opts, kgo.Rack(c.rack))
	}
	return opts
}

// unhurried has a client wait for a moment where it can not reach a broker. When the coordinator of a group of KIP-848's protocol is gone while a member asks what
// is committed, franz-go 1.22.2 begins the session again at once and asks the same broker (manage848 in consumer_group_848.go), as fast as it can, until it
// happens to look at the cluster.
type unhurried struct{}

// OnBrokerConnect is called by the goroutine that dialled.
func (unhurried) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err != nil {
		time.Sleep(50 * time.Millisecond)
	}
}

// instance is the group.instance.id as requests carry it.
func (c *config) instanceID() *string {
	if c.static == "" {
		return nil
	}
	return &c.static
}

// checkProtocol asks whether the cluster has the group's protocol. The client would fall back to the classic one.
func (e *engine) checkProtocol(ctx context.Context) error {
	if e.g.cfg.protocol != ConsumerProtocol {
		return nil
	}
	resp, err := kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, e.side)
	if err != nil {
		return fmt.Errorf("ask for the cluster's features: %w", err)
	}
	for _, f := range resp.FinalizedFeatures {
		if f.Name == "group.version" && f.MaxVersionLevel >= 1 {
			return nil
		}
	}
	return refuse("Protocol(ConsumerProtocol): the cluster has not got it: its feature group.version is not finalised at level 1; run kafka-features.sh "+
		"--bootstrap-server %s upgrade --feature group.version=1, or leave the option out", e.g.cluster.Brokers[0])
}

// leaveForAWhile tells the broker that a static member of the consumer protocol has stopped, so that the one that comes back gets its place before the session
// is over. franz-go 1.22.2 leaves out the instance id, and is refused (leave848 in consumer_group_848.go). The client that beats the heart is closed.
func (e *engine) leaveForAWhile(m membership) {
	if e.g.cfg.static == "" || e.g.cfg.protocol != ConsumerProtocol || m.id == "" {
		return
	}
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.InstanceID, req.MemberEpoch = e.g.name, m.id, e.g.cfg.instanceID(), staticLeave
	resp, err := req.RequestWith(context.Background(), e.side) // ends with the client at the latest
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		e.log.Warn("the broker did not hear that the static member stopped: one with its id can join when the session is over", "instance", e.g.cfg.static, "error", err)
	}
}

// staticLeave is the member epoch that says so.
const staticLeave = -2
