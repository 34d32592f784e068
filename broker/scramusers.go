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
		resp.ErrorCode, resp.ErrorMessage = codeOf(codef(kerr.ClusterAuthorizationFailed, "Cluster authorization failed."))
		return answer{resp: resp}
	}
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
		res.ErrorCode, res.ErrorMessage = codeOf(err)
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
	times := make(map[string]int)
	var order []string
	name := func(user string) {
		if times[user]++; times[user] == 1 {
			order = append(order, user)
		}
	}
	for _, d := range req.Deletions {
		name(d.Name)
	}
	for _, u := range req.Upsertions {
		name(u.Name)
	}
	result := func(user string, err error) {
		res := kmsg.NewAlterUserSCRAMCredentialsResponseResult()
		res.User = user
		res.ErrorCode, res.ErrorMessage = codeOf(err)
		resp.Results = append(resp.Results, res)
		if err == nil {
			r.node.cluster.log.Info("SCRAM credential altered", "user", user, "by", r.conn.principal)
		}
	}
	if !r.allowsCluster(kmsg.ACLOperationAlter) {
		for _, user := range order {
			result(user, codef(kerr.ClusterAuthorizationFailed, "Cluster authorization failed."))
		}
		return answer{resp: resp}
	}
	s := r.node.cluster.security
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range req.Deletions {
		if times[d.Name] == 1 {
			result(d.Name, s.deleteScramLocked(d))
		}
	}
	for _, u := range req.Upsertions {
		if times[u.Name] == 1 {
			result(u.Name, s.upsertScramLocked(u))
		}
	}
	for _, user := range order {
		if times[user] > 1 {
			result(user, codef(kerr.DuplicateResource, "A user credential cannot be altered twice in the same request"))
		}
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

func (s *security) deleteScramLocked(d kmsg.AlterUserSCRAMCredentialsRequestDeletion) error {
	if err := checkScramUser(d.Name, d.Mechanism); err != nil {
		return err
	}
	key := scramKey{d.Name, sasl.Scram(d.Mechanism)}
	if _, ok := s.scram[key]; !ok {
		return codef(kerr.ResourceNotFound, "Attempt to delete a user credential that does not exist")
	}
	delete(s.scram, key)
	return nil
}

func (s *security) upsertScramLocked(u kmsg.AlterUserSCRAMCredentialsRequestUpsertion) error {
	if err := checkScramUser(u.Name, u.Mechanism); err != nil {
		return err
	}
	switch {
	case u.Iterations < sasl.MinIterations:
		return codef(kerr.UnacceptableCredential, "Too few iterations")
	case u.Iterations > sasl.MaxIterations:
		return codef(kerr.UnacceptableCredential, "Too many iterations")
	}
	mechanism := sasl.Scram(u.Mechanism)
	s.scram[scramKey{u.Name, mechanism}] = scramEntry{credential: mechanism.NewCredential(bytes.Clone(u.Salt), u.SaltedPassword, int(u.Iterations))}
	return nil
}
