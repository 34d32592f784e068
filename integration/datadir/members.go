package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// members are of a KIP-848 group and of a share group. They say nothing but that they are there, so that a coordinator which does not know them is found out.
type members struct{ epochs map[string]int32 }

// groupOf are the groups that members have.
var groupOf = map[string]string{"clerk": "billing-next", "temp": "billing-next", "picker": "pickers"}

// join makes the members, or has those that there are go on.
func (m *members) join(ctx context.Context, addrs []string) error {
	if m.epochs == nil {
		m.epochs = map[string]int32{"clerk": 0, "temp": 0, "picker": 0}
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
	if err != nil {
		return err
	}
	defer cl.Close()
	for range 3 { // until all are led to what they have
		for id := range groupOf {
			if err := m.beat(ctx, cl, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// beat is one heartbeat of a member, which must not be fenced.
func (m *members) beat(ctx context.Context, cl *kgo.Client, id string) error {
	epoch := m.epochs[id]
	var code int16
	var now int32
	var message *string
	if id == "picker" {
		req := kmsg.NewPtrShareGroupHeartbeatRequest()
		req.GroupID, req.MemberID, req.MemberEpoch = groupOf[id], id, epoch
		if epoch == 0 {
			req.SubscribedTopicNames = []string{"orders"}
		}
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return err
		}
		code, now, message = resp.ErrorCode, resp.MemberEpoch, resp.ErrorMessage
	} else {
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Group, req.MemberID, req.MemberEpoch = groupOf[id], id, epoch
		if epoch == 0 {
			req.RebalanceTimeoutMillis, req.Topics = int32(time.Minute/time.Millisecond), []kmsg.ConsumerGroupHeartbeatRequestTopic{}
			req.SubscribedTopicNames = []string{"orders"}
			if id == "temp" {
				req.InstanceID, req.SubscribedTopicNames, req.SubscribedTopicRegex = kmsg.StringPtr("desk"), nil, kmsg.StringPtr("pri.*")
			}
		}
		if id == "temp" {
			req.InstanceID = kmsg.StringPtr("desk")
		}
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return err
		}
		code, now, message = resp.ErrorCode, resp.MemberEpoch, resp.ErrorMessage
	}
	if err := kerr.ErrorForCode(code); err != nil {
		if message != nil {
			err = fmt.Errorf("%w: %s", err, *message)
		}
		return fmt.Errorf("heartbeat of %s in epoch %d: %w", id, epoch, err)
	}
	m.epochs[id] = now
	return nil
}

// leave ends a member, so that what was written of it is taken back.
func (m *members) leave(ctx context.Context, addrs []string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
	if err != nil {
		return err
	}
	defer cl.Close()
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch, req.RebalanceTimeoutMillis = groupOf["temp"], "gone", 0, 60_000
	req.Topics, req.SubscribedTopicNames = []kmsg.ConsumerGroupHeartbeatRequestTopic{}, []string{"orders", "prices"}
	for _, epoch := range []int32{0, -1} {
		req.MemberEpoch = epoch
		resp, err := req.RequestWith(ctx, cl)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if err != nil {
			return fmt.Errorf("heartbeat of one who leaves: %w", err)
		}
	}
	return nil
}
