package broker

import (
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/sasl"
	"github.com/sordini-go/sordini/broker/internal/settings"
	"github.com/sordini-go/sordini/broker/internal/tokens"
)

// Delegation tokens (KIP-48, KIP-373) are off without delegation.token.secret.key, as they are in Kafka. A client that has not authenticated, or has done
// so by a token, hears first that it may not ask: only who has proven who they are can delegate that. Who logs in with a token is its owner.

func (c *Cluster) newTokenTable(p settings.Broker) *tokens.Table {
	return tokens.NewTable(tokens.Config{
		Secret:      p.String("delegation.token.secret.key"),
		MaxLifetime: int64(p.Int("delegation.token.max.lifetime.ms")),
		Expiry:      int64(p.Int("delegation.token.expiry.time.ms")),
		Check:       int64(p.Int("delegation.token.expiry.check.interval.ms")),
		Changed:     c.store.noteToken,
	})
}

// tokenCredential is what somebody logs in with who has a token, and who that is.
func (c *Cluster) tokenCredential(mechanism sasl.Scram, id string) (sasl.Credential, sasl.Identity, bool) {
	t, ok := c.delegated.Find(id)
	if !ok {
		return sasl.Credential{}, sasl.Identity{}, false
	}
	credential, err := mechanism.Derive(t.Password())
	_, name, _ := strings.Cut(t.Owner, ":")
	return credential, sasl.Identity{Name: name, Expires: time.UnixMilli(t.Expires), Token: true}, err == nil
}

// noTime is a time in the answer to a request that may not be made.
const noTime = -1

// mayDelegate says whether the client may make requests about tokens.
func (r *request) mayDelegate() bool {
	protocol := r.node.cluster.security.protocol()
	return !r.conn.byToken && protocol != "PLAINTEXT" && (protocol != "SSL" || r.conn.principal != anonymous)
}

func handleCreateDelegationToken(r *request) answer {
	req := r.msg.(*kmsg.CreateDelegationTokenRequest)
	resp := req.ResponseKind().(*kmsg.CreateDelegationTokenResponse)
	owner := r.conn.principal
	if name := req.OwnerPrincipalName; req.Version >= 3 && name != nil && *name != "" {
		kind := ""
		if req.OwnerPrincipalType != nil {
			kind = *req.OwnerPrincipalType
		}
		owner = kind + ":" + *name
	}
	resp.PrincipalType, resp.PrincipalName, _ = strings.Cut(owner, ":")
	if resp.Version >= 3 {
		resp.TokenRequesterPrincipalType, resp.TokenRequesterPrincipalName, _ = strings.Cut(r.conn.principal, ":")
	}
	resp.HMAC = []byte{}
	refuse := func(code *kerr.Error) answer {
		resp.ErrorCode = code.Code
		resp.IssueTimestamp, resp.ExpiryTimestamp, resp.MaxTimestamp = noTime, noTime, noTime
		return answer{resp: resp}
	}
	if !r.mayDelegate() {
		return refuse(kerr.DelegationTokenRequestNotAllowed)
	}
	if owner != r.conn.principal && !r.allows(kmsg.ACLOperationCreateTokens, kmsg.ACLResourceTypeUser, owner) {
		return refuse(kerr.DelegationTokenAuthorizationFailed)
	}
	var renewers []string
	for _, p := range req.Renewers {
		if p.PrincipalType != "User" {
			return refuse(kerr.InvalidPrincipalType)
		}
		renewers = append(renewers, p.PrincipalType+":"+p.PrincipalName)
	}
	t, err := r.node.cluster.delegated.Create(owner, r.conn.principal, renewers, req.MaxLifetimeMillis)
	if err != nil {
		resp.ErrorCode, _ = codeOf(err)
		return answer{resp: resp}
	}
	resp.IssueTimestamp, resp.ExpiryTimestamp, resp.MaxTimestamp = t.Issued, t.Expires, t.Max
	resp.TokenID, resp.HMAC = t.ID, t.HMAC
	r.node.cluster.log.Info("token created", "token", t.ID, "owner", t.Owner, "requester", t.Requester)
	return answer{resp: resp}
}

func handleRenewDelegationToken(r *request) answer {
	req := r.msg.(*kmsg.RenewDelegationTokenRequest)
	resp := req.ResponseKind().(*kmsg.RenewDelegationTokenResponse)
	if !r.mayDelegate() {
		resp.ErrorCode, resp.ExpiryTimestamp = kerr.DelegationTokenRequestNotAllowed.Code, noTime
		return answer{resp: resp}
	}
	at, err := r.node.cluster.delegated.Renew(req.HMAC, r.conn.principal, req.RenewTimeMillis)
	resp.ExpiryTimestamp = at
	resp.ErrorCode, _ = codeOf(err)
	return answer{resp: resp}
}

func handleExpireDelegationToken(r *request) answer {
	req := r.msg.(*kmsg.ExpireDelegationTokenRequest)
	resp := req.ResponseKind().(*kmsg.ExpireDelegationTokenResponse)
	if !r.mayDelegate() {
		resp.ErrorCode, resp.ExpiryTimestamp = kerr.DelegationTokenRequestNotAllowed.Code, noTime
		return answer{resp: resp}
	}
	at, err := r.node.cluster.delegated.Expire(req.HMAC, r.conn.principal, req.ExpiryPeriodMillis)
	resp.ExpiryTimestamp = at
	resp.ErrorCode, _ = codeOf(err)
	return answer{resp: resp}
}

func handleDescribeDelegationToken(r *request) answer {
	req := r.msg.(*kmsg.DescribeDelegationTokenRequest)
	resp := req.ResponseKind().(*kmsg.DescribeDelegationTokenResponse)
	c := r.node.cluster
	switch {
	case !r.mayDelegate():
		resp.ErrorCode = kerr.DelegationTokenRequestNotAllowed.Code
	case !c.delegated.On():
		resp.ErrorCode = kerr.DelegationTokenAuthDisabled.Code
	}
	if resp.ErrorCode != 0 {
		return answer{resp: resp}
	}
	var owners []string
	if req.Owners != nil {
		owners = []string{}
	}
	for _, o := range req.Owners {
		owners = append(owners, o.PrincipalType+":"+o.PrincipalName)
	}
	for _, t := range c.delegated.List(r.conn.principal, owners, func(t tokens.Token) bool {
		return r.sees(kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeDelegationToken, t.ID) ||
			r.sees(kmsg.ACLOperationDescribeTokens, kmsg.ACLResourceTypeUser, t.Owner)
	}) {
		d := kmsg.NewDescribeDelegationTokenResponseTokenDetail()
		d.PrincipalType, d.PrincipalName, _ = strings.Cut(t.Owner, ":")
		d.TokenRequesterPrincipalType, d.TokenRequesterPrincipalName, _ = strings.Cut(t.Requester, ":")
		d.IssueTimestamp, d.ExpiryTimestamp, d.MaxTimestamp, d.TokenID, d.HMAC = t.Issued, t.Expires, t.Max, t.ID, t.HMAC
		for _, renewer := range t.Renewers {
			p := kmsg.NewDescribeDelegationTokenResponseTokenDetailRenewer()
			p.PrincipalType, p.PrincipalName, _ = strings.Cut(renewer, ":")
			d.Renewers = append(d.Renewers, p)
		}
		resp.TokenDetails = append(resp.TokenDetails, d)
	}
	return answer{resp: resp}
}
