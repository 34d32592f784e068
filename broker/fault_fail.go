package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// failRequest answers a whole request with an error. It returns nil for requests that name topics or partitions: those fail one by one.
func failRequest(req kmsg.Request, code int16) kmsg.Response {
	resp := req.ResponseKind()
	switch resp := resp.(type) {
	case *kmsg.JoinGroupResponse, *kmsg.HeartbeatResponse, *kmsg.LeaveGroupResponse, *kmsg.SyncGroupResponse, *kmsg.OffsetDeleteResponse,
		*kmsg.ConsumerGroupHeartbeatResponse, *kmsg.ShareGroupHeartbeatResponse, *kmsg.AlterShareGroupOffsetsResponse,
		*kmsg.DeleteShareGroupOffsetsResponse:
		return failWhole(req, code)
	case *kmsg.OffsetFetchResponse:
		q := req.(*kmsg.OffsetFetchRequest)
		if q.Version < 8 {
			return failWhole(req, code)
		}
		for _, g := range q.Groups {
			e := kmsg.NewOffsetFetchResponseGroup()
			e.Group, e.ErrorCode = g.Group, code
			resp.Groups = append(resp.Groups, e)
		}
	case *kmsg.FindCoordinatorResponse:
		q := req.(*kmsg.FindCoordinatorRequest)
		resp.ErrorCode, resp.NodeID, resp.Port = code, -1, -1
		for _, key := range q.CoordinatorKeys {
			co := kmsg.NewFindCoordinatorResponseCoordinator()
			co.Key, co.NodeID, co.Port, co.ErrorCode = key, -1, -1, code
			resp.Coordinators = append(resp.Coordinators, co)
		}
	case *kmsg.DescribeGroupsResponse:
		for _, g := range req.(*kmsg.DescribeGroupsRequest).Groups {
			e := kmsg.NewDescribeGroupsResponseGroup()
			e.Group, e.ErrorCode = g, code
			resp.Groups = append(resp.Groups, e)
		}
	case *kmsg.ConsumerGroupDescribeResponse:
		for _, g := range req.(*kmsg.ConsumerGroupDescribeRequest).Groups {
			e := kmsg.NewConsumerGroupDescribeResponseGroup()
			e.Group, e.ErrorCode = g, code
			resp.Groups = append(resp.Groups, e)
		}
	case *kmsg.ShareGroupDescribeResponse:
		for _, g := range req.(*kmsg.ShareGroupDescribeRequest).GroupIDs {
			e := kmsg.NewShareGroupDescribeResponseGroup()
			e.GroupID, e.ErrorCode = g, code
			resp.Groups = append(resp.Groups, e)
		}
	case *kmsg.DescribeShareGroupOffsetsResponse:
		for _, g := range req.(*kmsg.DescribeShareGroupOffsetsRequest).Groups {
			e := kmsg.NewDescribeShareGroupOffsetsResponseGroup()
			e.GroupID, e.ErrorCode = g.GroupID, code
			resp.Groups = append(resp.Groups, e)
		}
	case *kmsg.ShareFetchResponse:
		resp.ErrorCode = code
	case *kmsg.ShareAcknowledgeResponse:
		resp.ErrorCode = code
	case *kmsg.DeleteGroupsResponse:
		for _, g := range req.(*kmsg.DeleteGroupsRequest).Groups {
			e := kmsg.NewDeleteGroupsResponseGroup()
			e.Group, e.ErrorCode = g, code
			resp.Groups = append(resp.Groups, e)
		}
	case *kmsg.DescribeTopicPartitionsResponse:
		for _, t := range req.(*kmsg.DescribeTopicPartitionsRequest).Topics {
			e := kmsg.NewDescribeTopicPartitionsResponseTopic()
			e.Topic, e.ErrorCode = kmsg.StringPtr(t.Topic), code
			resp.Topics = append(resp.Topics, e)
		}
	case *kmsg.ListGroupsResponse:
		resp.ErrorCode = code
	case *kmsg.DescribeLogDirsResponse:
		resp.ErrorCode = code
	case *kmsg.DescribeACLsResponse:
		resp.ErrorCode = code
	case *kmsg.CreateACLsResponse:
		for range req.(*kmsg.CreateACLsRequest).Creations {
			resp.Results = append(resp.Results, kmsg.CreateACLsResponseResult{ErrorCode: code})
		}
	case *kmsg.DeleteACLsResponse:
		for range req.(*kmsg.DeleteACLsRequest).Filters {
			resp.Results = append(resp.Results, kmsg.DeleteACLsResponseResult{ErrorCode: code})
		}
	case *kmsg.DescribeUserSCRAMCredentialsResponse:
		resp.ErrorCode = code
	case *kmsg.AlterUserSCRAMCredentialsResponse:
		for _, u := range req.(*kmsg.AlterUserSCRAMCredentialsRequest).Upsertions {
			resp.Results = append(resp.Results, kmsg.AlterUserSCRAMCredentialsResponseResult{User: u.Name, ErrorCode: code})
		}
		for _, d := range req.(*kmsg.AlterUserSCRAMCredentialsRequest).Deletions {
			resp.Results = append(resp.Results, kmsg.AlterUserSCRAMCredentialsResponseResult{User: d.Name, ErrorCode: code})
		}
	case *kmsg.SASLHandshakeResponse:
		resp.ErrorCode = code
	case *kmsg.SASLAuthenticateResponse:
		resp.ErrorCode = code
	case *kmsg.ElectLeadersResponse:
		resp.ErrorCode = code
	case *kmsg.AlterPartitionAssignmentsResponse:
		resp.ErrorCode = code
	case *kmsg.ListPartitionReassignmentsResponse:
		resp.ErrorCode = code
	case *kmsg.DescribeQuorumResponse:
		resp.ErrorCode = code
	case *kmsg.UnregisterBrokerResponse:
		resp.ErrorCode = code
	case *kmsg.ApiVersionsResponse:
		resp.ErrorCode = code
	case *kmsg.InitProducerIDResponse:
		resp.ErrorCode, resp.ProducerID, resp.ProducerEpoch = code, -1, -1
	case *kmsg.AddOffsetsToTxnResponse:
		resp.ErrorCode = code
	case *kmsg.EndTxnResponse:
		resp.ErrorCode, resp.ProducerID, resp.ProducerEpoch = code, -1, -1
	case *kmsg.ListTransactionsResponse:
		resp.ErrorCode = code
	case *kmsg.DescribeTransactionsResponse:
		for _, id := range req.(*kmsg.DescribeTransactionsRequest).TransactionalIDs {
			s := kmsg.NewDescribeTransactionsResponseTransactionState()
			s.TransactionalID, s.ErrorCode = id, code
			resp.TransactionStates = append(resp.TransactionStates, s)
		}
	case *kmsg.DescribeClusterResponse:
		resp.ErrorCode = code
	case *kmsg.UpdateFeaturesResponse:
		resp.ErrorCode = code
	case *kmsg.GetTelemetrySubscriptionsResponse:
		resp.ErrorCode = code
	case *kmsg.PushTelemetryResponse:
		resp.ErrorCode = code
	case *kmsg.DescribeClientQuotasResponse:
		resp.ErrorCode, resp.Entries = code, nil
	case *kmsg.ListConfigResourcesResponse:
		resp.ErrorCode = code
	default:
		return nil
	}
	return resp
}

// failCommits takes the partitions that a fault fails out of a commit, so that they are not committed, and returns their answers.
func (r *request) failCommits(req *kmsg.OffsetCommitRequest) []kmsg.OffsetCommitResponseTopic {
	if len(r.met) == 0 {
		return nil
	}
	var failed []kmsg.OffsetCommitResponseTopic
	for i := range req.Topics {
		q := &req.Topics[i]
		name := r.topicName(q.Topic, q.TopicID)
		t := kmsg.NewOffsetCommitResponseTopic()
		t.Topic, t.TopicID = q.Topic, q.TopicID
		q.Partitions = slices.DeleteFunc(q.Partitions, func(p kmsg.OffsetCommitRequestTopicPartition) bool {
			err := r.fault(name, p.Partition)
			if err == nil {
				return false
			}
			e := kmsg.NewOffsetCommitResponseTopicPartition()
			e.Partition = p.Partition
			e.ErrorCode, _ = codeOf(err)
			t.Partitions = append(t.Partitions, e)
			return true
		})
		if len(t.Partitions) > 0 {
			failed = append(failed, t)
		}
	}
	return failed
}

// failFetched puts injected errors in place of committed offsets.
func (r *request) failFetched(resp *kmsg.OffsetFetchResponse) {
	if len(r.met) == 0 {
		return
	}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			if err := r.fault(t.Topic, p.Partition); err != nil {
				p.Offset, p.LeaderEpoch = -1, -1
				p.ErrorCode, _ = codeOf(err)
			}
		}
	}
	for i := range resp.Groups {
		for j := range resp.Groups[i].Topics {
			t := &resp.Groups[i].Topics[j]
			for k := range t.Partitions {
				p := &t.Partitions[k]
				if err := r.fault(r.topicName(t.Topic, t.TopicID), p.Partition); err != nil {
					p.Offset, p.LeaderEpoch = -1, -1
					p.ErrorCode, _ = codeOf(err)
				}
			}
		}
	}
}
