package broker

import (
	"regexp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/txns"
)

// handleDescribeTransactions says what is known of transactional ids (KIP-664).
func handleDescribeTransactions(r *request) answer {
	req := r.msg.(*kmsg.DescribeTransactionsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeTransactionsResponse)
	for _, id := range req.TransactionalIDs {
		s := kmsg.NewDescribeTransactionsResponseTransactionState()
		s.TransactionalID = id
		if err := r.describeTransaction(id, &s); err != nil {
			s.ErrorCode = err.Code
		}
		resp.TransactionStates = append(resp.TransactionStates, s)
	}
	return answer{resp: resp}
}

func (r *request) describeTransaction(id string, s *kmsg.DescribeTransactionsResponseTransactionState) *kerr.Error {
	c := r.node.cluster
	switch {
	case !r.allowsTxn(kmsg.ACLOperationDescribe, id):
		return kerr.TransactionalIDAuthorizationFailed
	case id == "":
		return kerr.InvalidRequest
	case c.ofTxn(id) != r.node.id:
		return kerr.NotCoordinator
	}
	t, ok := c.txns.Transaction(id)
	if !ok {
		return kerr.TransactionalIDNotFound
	}
	s.ProducerID, s.ProducerEpoch, s.State = t.Producer.ID, t.Producer.Epoch, string(t.State)
	s.TimeoutMillis, s.StartTimestamp = int32(t.Timeout.Milliseconds()), millisOf(t.Started)
	for _, p := range t.Partitions {
		if !r.sees(kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeTopic, p.Topic) {
			continue
		}
		if n := len(s.Topics); n == 0 || s.Topics[n-1].Topic != p.Topic {
			s.Topics = append(s.Topics, kmsg.DescribeTransactionsResponseTransactionStateTopic{Topic: p.Topic})
		}
		last := &s.Topics[len(s.Topics)-1]
		last.Partitions = append(last.Partitions, p.Partition)
	}
	return nil
}

// millisOf is a moment as Kafka writes it, -1 for none.
func millisOf(t time.Time) int64 {
	if t.IsZero() {
		return -1
	}
	return t.UnixMilli()
}

// handleListTransactions lists the transactional ids that this broker coordinates (KIP-664; by age, KIP-994; by name, KIP-1152).
func handleListTransactions(r *request) answer {
	req := r.msg.(*kmsg.ListTransactionsRequest)
	resp := req.ResponseKind().(*kmsg.ListTransactionsResponse)
	var pattern *regexp.Regexp
	if req.TransactionalIDPattern != nil && *req.TransactionalIDPattern != "" {
		var err error
		if pattern, err = regexp.Compile(`^(?:` + *req.TransactionalIDPattern + `)$`); err != nil {
			resp.ErrorCode = kerr.InvalidRegularExpression.Code
			return answer{resp: resp}
		}
	}
	for _, s := range req.StateFilters {
		if !txns.State(s).Known() {
			resp.UnknownStateFilters = append(resp.UnknownStateFilters, s)
		}
	}
	c, now := r.node.cluster, time.Now().UnixMilli()
	for _, t := range c.txns.Transactions() {
		switch {
		case c.ofTxn(t.TransactionalID) != r.node.id,
			len(req.ProducerIDFilters) > 0 && !slices.Contains(req.ProducerIDFilters, t.Producer.ID),
			len(req.StateFilters) > 0 && !slices.Contains(req.StateFilters, string(t.State)),
			req.DurationFilterMillis >= 0 && now-millisOf(t.Started) <= req.DurationFilterMillis,
			pattern != nil && !pattern.MatchString(t.TransactionalID),
			!r.sees(kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeTransactionalId, t.TransactionalID):
			continue
		}
		s := kmsg.NewListTransactionsResponseTransactionState()
		s.TransactionalID, s.ProducerID, s.TransactionState = t.TransactionalID, t.Producer.ID, string(t.State)
		resp.TransactionStates = append(resp.TransactionStates, s)
	}
	return answer{resp: resp}
}
