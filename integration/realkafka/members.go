package realkafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ExpireMember takes the members with this client id out of a group of either protocol, by leaving in their name: to them it is as if their sessions had
// timed out. It fails where the group has no such member.
func (c *Cluster) ExpireMember(ctx context.Context, group, client string) error {
	a, err := c.adminClient()
	if err != nil {
		return err
	}
	expired := 0
	for _, leave := range []func(context.Context, *adminClient, string, string) (int, error){leaveConsumer, leaveClassic} {
		n, err := leave(ctx, a, group, client)
		if err != nil {
			return fmt.Errorf("expire %s of group %q: %w", client, group, err)
		}
		expired += n
	}
	if expired == 0 {
		return fmt.Errorf("expire %s of group %q: %w", client, group, kerr.UnknownMemberID)
	}
	return nil
}

// leaveConsumer ends the memberships of a KIP-848 group with a last heartbeat of epoch -1.
func leaveConsumer(ctx context.Context, a *adminClient, group, client string) (n int, _ error) {
	describe := kmsg.NewPtrConsumerGroupDescribeRequest()
	describe.Groups = []string{group}
	for _, shard := range a.RequestSharded(ctx, describe) {
		if shard.Err != nil {
			return n, shard.Err
		}
		for _, g := range shard.Resp.(*kmsg.ConsumerGroupDescribeResponse).Groups {
			for _, m := range g.Members { // none where it is no such group
				if m.ClientID != client {
					continue
				}
				leave := kmsg.NewPtrConsumerGroupHeartbeatRequest()
				leave.Group, leave.MemberID, leave.MemberEpoch = group, m.MemberID, -1
				resp, err := leave.RequestWith(ctx, a.Client)
				if err == nil {
					err = kerr.ErrorForCode(resp.ErrorCode)
				}
				if err != nil {
					return n, err
				}
				n++
			}
		}
	}
	return n, nil
}

// leaveClassic ends the memberships of a classic group.
func leaveClassic(ctx context.Context, a *adminClient, group, client string) (n int, _ error) {
	describe := kmsg.NewPtrDescribeGroupsRequest()
	describe.Groups = []string{group}
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group = group
	for _, shard := range a.RequestSharded(ctx, describe) {
		if shard.Err != nil {
			return 0, shard.Err
		}
		for _, g := range shard.Resp.(*kmsg.DescribeGroupsResponse).Groups {
			for _, m := range g.Members {
				if m.ClientID == client {
					gone := kmsg.NewLeaveGroupRequestMember()
					gone.MemberID = m.MemberID
					leave.Members = append(leave.Members, gone)
				}
			}
		}
	}
	if len(leave.Members) == 0 {
		return 0, nil
	}
	resp, err := leave.RequestWith(ctx, a.Client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err != nil {
		return 0, err
	}
	for _, m := range resp.Members {
		if err := kerr.ErrorForCode(m.ErrorCode); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
