package broker

import (
	"bytes"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/sasl"
)

// handleDescribeUserSCRAMCredentials says which users have SCRAM credentials, and how strong they are (KIP-554).
func handleDescribeUserSCRAMCredentials(r *request) answer {
	req := r.msg.(*kmsg.DescribeUserSCRAMCredentialsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeUserSCRAMCredentialsResponse)
	if !r.allowsCluster(kmsg.ACLOperationDescribe) {
		resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		for range req.Users { // whose names Kafka leaves out
			res := kmsg.NewDescribeUserSCRAMCredentialsResponseResult()
			res.ErrorCode = resp.ErrorCode
			resp.Results = append(resp.Results, res)
		}
		return answer{resp: resp}
	}
	resp.ErrorMessage = new(string)
	known := r.node.cluster.security.scramUsers()
	asked := make(map[string]int)
	for _, u := range req.Users {
		asked[u.Name]++
	}
	if len(req.Users) == 0 {
		for name := range known {
			asked[name] = 1
		}
	}
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		res := kmsg.NewDescribeUserSCRAMCredentialsResponseResult()
		res.User = name
		var err error
		switch {
		case asked[name] > 1:
			err = codef(kerr.DuplicateResource, "Cannot describe SCRAM credentials for the same user twice in a single request: %s", name)
		case len(known[name]) == 0:
			err = codef(kerr.ResourceNotFound, "Attempt to describe a user credential that does not exist: %s", name)
		default:
			res.CredentialInfos = known[name]
		}
		if res.ErrorCode, res.ErrorMessage = codeOf(err); err == nil {
			res.ErrorMessage = new(string)
		}
		resp.Results = append(resp.Results, res)
	}
	return answer{resp: resp}
}

// scramUsers returns what there is to say about credentials, by user.
func (s *security) scramUsers() map[string][]kmsg.DescribeUserSCRAMCredentialsResponseResultCredentialInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	users := make(map[string][]kmsg.DescribeUserSCRAMCredentialsResponseResultCredentialInfo)
	for _, mechanism := range []sasl.Scram{sasl.SHA256, sasl.SHA512} {
		for key, e := range s.scram {
			if key.mechanism != mechanism {
				continue
			}
			info := kmsg.NewDescribeUserSCRAMCredentialsResponseResultCredentialInfo()
			info.Mechanism, info.Iterations = int8(mechanism), sasl.MinIterations
			if e.user == nil {
				info.Iterations = int32(e.credential.Iterations)
			}
			users[key.user] = append(users[key.user], info)
		}
	}
	return users
}

// handleAlterUserSCRAMCredentials adds, replaces and deletes credentials: each user at most once in a request (KIP-554).
func handleAlterUserSCRAMCredentials(r *request) answer {
	req := r.msg.(*kmsg.AlterUserSCRAMCredentialsRequest)
	resp := req.ResponseKind().(*kmsg.AlterUserSCRAMCredentialsResponse)
	s := r.node.cluster.security
	s.mu.Lock()
	defer s.mu.Unlock()
	outcome := make(map[string]error)
	changes := make(map[string]func()) // of users without an error
	var order []string
	alter := func(user string, check func() error, change func()) {
		if _, seen := outcome[user]; !seen {
			order = append(order, user)
		} else if outcome[user] != nil { // the first error holds
			return
		} else {
			delete(changes, user)
			outcome[user] = codef(kerr.DuplicateResource, "A user credential cannot be altered twice in the same request")
			return
		}
		if outcome[user] = check(); outcome[user] == nil {
			changes[user] = change
		}
	}
	for _, d := range req.Deletions {
		key := scramKey{d.Name, sasl.Scram(d.Mechanism)}
		alter(d.Name, func() error { return s.checkDeletionLocked(d) }, func() {
			delete(s.scram, key)
			r.node.cluster.store.noteScram(key.user, key.mechanism, nil)
		})
	}
	for _, u := range req.Upsertions {
		alter(u.Name, func() error { return checkUpsertion(u) }, func() {
			mechanism := sasl.Scram(u.Mechanism)
			c := mechanism.NewCredential(bytes.Clone(u.Salt), u.SaltedPassword, int(u.Iterations))
			s.scram[scramKey{u.Name, mechanism}] = scramEntry{credential: c}
			r.node.cluster.store.noteScram(u.Name, mechanism, &c)
		})
	}
	allowed := r.allowsCluster(kmsg.ACLOperationAlter)
	for _, user := range order {
		err := outcome[user]
		switch {
		case !allowed:
			err = clusterDenied(kmsg.ACLOperationAlter)
		case err == nil:
			changes[user]()
			r.node.cluster.log.Info("SCRAM credential altered", "user", user, "by", r.conn.principal)
		}
		res := kmsg.NewAlterUserSCRAMCredentialsResponseResult()
		res.User = user
		res.ErrorCode, res.ErrorMessage = codeOf(err)
		resp.Results = append(resp.Results, res)
	}
	return answer{resp: resp}
}

func checkScramUser(user string, mechanism int8) error {
	if user == "" {
		return codef(kerr.UnacceptableCredential, "Username must not be empty")
	}
	if m := sasl.Scram(mechanism); m != sasl.SHA256 && m != sasl.SHA512 {
		return codef(kerr.UnsupportedSaslMechanism, "Unknown SCRAM mechanism")
	}
	return nil
}

func (s *security) checkDeletionLocked(d kmsg.AlterUserSCRAMCredentialsRequestDeletion) error {
	if err := checkScramUser(d.Name, d.Mechanism); err != nil {
		return err
	}
	if _, ok := s.scram[scramKey{d.Name, sasl.Scram(d.Mechanism)}]; !ok {
		return codef(kerr.ResourceNotFound, "Attempt to delete a user credential that does not exist")
	}
	return nil
}

func checkUpsertion(u kmsg.AlterUserSCRAMCredentialsRequestUpsertion) error {
	if err := checkScramUser(u.Name, u.Mechanism); err != nil {
		return err
	}
	switch {
	case u.Iterations < sasl.MinIterations:
		return codef(kerr.UnacceptableCredential, "Too few iterations")
	case u.Iterations > sasl.MaxIterations:
		return codef(kerr.UnacceptableCredential, "Too many iterations")
	}
	return nil
}
