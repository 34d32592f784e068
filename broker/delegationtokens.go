package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Delegation tokens are off, as they are in a Kafka without delegation.token.secret.key. A client that has not authenticated hears first that it may
// not ask: only who has proven who they are can delegate that.

func handleCreateDelegationToken(r *request) answer {
	resp := r.msg.ResponseKind().(*kmsg.CreateDelegationTokenResponse)
	resp.ErrorCode = r.noTokens()
	resp.PrincipalType, resp.PrincipalName = "User", r.conn.principal[len("User:"):]
	if resp.Version >= 3 {
		resp.TokenRequesterPrincipalType, resp.TokenRequesterPrincipalName = resp.PrincipalType, resp.PrincipalName
	}
	if resp.ErrorCode == kerr.DelegationTokenRequestNotAllowed.Code {
		resp.IssueTimestamp, resp.ExpiryTimestamp, resp.MaxTimestamp = -1, -1, -1
	}
	resp.HMAC = []byte{}
	return answer{resp: resp}
}

func handleRenewDelegationToken(r *request) answer {
	resp := r.msg.ResponseKind().(*kmsg.RenewDelegationTokenResponse)
	if resp.ErrorCode = r.noTokens(); resp.ErrorCode == kerr.DelegationTokenRequestNotAllowed.Code {
		resp.ExpiryTimestamp = -1
	}
	return answer{resp: resp}
}

func handleExpireDelegationToken(r *request) answer {
	resp := r.msg.ResponseKind().(*kmsg.ExpireDelegationTokenResponse)
	if resp.ErrorCode = r.noTokens(); resp.ErrorCode == kerr.DelegationTokenRequestNotAllowed.Code {
		resp.ExpiryTimestamp = -1
	}
	return answer{resp: resp}
}

func handleDescribeDelegationToken(r *request) answer {
	resp := r.msg.ResponseKind().(*kmsg.DescribeDelegationTokenResponse)
	resp.ErrorCode = r.noTokens()
	return answer{resp: resp}
}

func (r *request) noTokens() int16 {
	if protocol := r.node.cluster.security.protocol(); protocol == "PLAINTEXT" || protocol == "SSL" && r.conn.principal == anonymous {
		return kerr.DelegationTokenRequestNotAllowed.Code
	}
	return kerr.DelegationTokenAuthDisabled.Code
}
