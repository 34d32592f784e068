package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/sasl"
)

// authState is how far a connection has come.
type authState int8

// A connection goes through these in order, without SASL from the first to the last at once. From authDone it may go back to authExchange or to
// authOtherMechanism when its client authenticates again (KIP-368).
const (
	authInitial        authState = iota // a client of Kafka 0.9 would send a token of GSSAPI now, others a request
	authVersions                        // ApiVersions or SaslHandshake
	authHandshake                       // SaslHandshake: ApiVersions has been
	authExchange                        // the mechanism's messages
	authOtherMechanism                  // the client wants to authenticate again by another mechanism: whatever comes next ends it
	authDone
)

// authentication is what a connection knows of its client. The connection's goroutine owns it.
type authentication struct {
	state     authState
	raw       bool // the mechanism's messages come without request headers (SaslHandshake version 0)
	again     bool // this is not the first time
	mechanism string
	exchange  sasl.Exchange
	expires   time.Time // when the client has to have authenticated again; zero: never
	began     time.Time // when it began to do so last
}

// errAuthentication says that a client has not proven who it is, or has not done it as it is to be done. The connection ends, after a while.
var errAuthentication = errors.New("authentication failed")

// errExpired says that a client goes on although it had to authenticate again before.
var errExpired = errors.New("the session has expired, the client had to authenticate again (connections.max.reauth.ms)")

// reauthInterval is how long a client must wait between authentications.
const reauthInterval = time.Second

// secure does what comes before the first request: the TLS handshake. It sets a deadline until when the client has to have authenticated.
func (c *conn) secure() error {
	s := c.node.cluster.security
	if s.tls == nil && len(s.mechanisms) == 0 {
		c.auth.state = authDone
		return nil
	}
	limit := authenticationTime
	if c.idle > 0 {
		limit = min(limit, c.idle)
	}
	if err := c.nc.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	if t, ok := c.nc.(*tls.Conn); ok {
		if err := t.Handshake(); err != nil {
			return fmt.Errorf("TLS handshake: %w", err)
		}
		if certs := t.ConnectionState().PeerCertificates; len(certs) > 0 && len(s.mechanisms) == 0 {
			name, err := s.mapper.name(subjectOf(certs[0]))
			if err != nil {
				return fmt.Errorf("%w: %w", errAuthentication, err)
			}
			c.principal = "User:" + name
		}
	}
	if len(s.mechanisms) == 0 {
		return c.authenticated()
	}
	return nil
}

// authenticated lets the client do what ACLs allow it.
func (c *conn) authenticated() error {
	c.auth.state, c.auth.exchange = authDone, nil
	c.deadline = time.Time{}
	return c.nc.SetDeadline(time.Time{})
}

// hangUp ends the connection so that the client sees it end, not break.
func (c *conn) hangUp() {
	if t, ok := c.nc.(*tls.Conn); ok && t.ConnectionState().HandshakeComplete {
		_ = c.raw.SetWriteDeadline(time.Now().Add(time.Second))
		_ = t.CloseWrite()
	}
	c.close()
}

// admit says whether a request may come now.
func (c *conn) admit(h header) error {
	a := &c.auth
	key := kmsg.Key(h.key)
	handshake := key == kmsg.SASLHandshake
	switch a.state {
	case authDone:
		if !a.expires.IsZero() && time.Now().After(a.expires) && !(handshake && a.mayBegin()) {
			return errExpired
		}
		return nil
	case authInitial, authVersions:
		if _, known := apiOf(h.key); a.state == authInitial && !known {
			return fmt.Errorf("the first bytes are no request, and GSSAPI is not served: %w", errAuthentication)
		}
		a.state = authVersions
		if handshake || key == kmsg.ApiVersions {
			return nil
		}
	case authHandshake:
		if handshake {
			return nil
		}
	case authExchange:
		return nil // answered by handle
	}
	return fmt.Errorf("unexpected Kafka request of type %s during SASL handshake: %w", kmsg.NameForKey(h.key), errAuthentication)
}

// interrupts answers a request that comes in the middle of an exchange.
func (r *request) interrupts() (answer, bool) {
	if r.conn.auth.state != authExchange || kmsg.Key(r.key) == kmsg.SASLAuthenticate {
		return answer{}, false
	}
	why := fmt.Errorf("unexpected Kafka request of type %s during SASL authentication: %w", kmsg.NameForKey(r.key), errAuthentication)
	resp := failRequest(r.msg, kerr.IllegalSaslState.Code)
	if m, ok := r.msg.(*kmsg.MetadataRequest); ok { // the one that clients send first of all
		resp = failMetadata(m, kerr.IllegalSaslState.Code)
	}
	return answer{resp: resp, refused: why}, true
}

// mayBegin says whether the client may authenticate again: its session ends some time, and it has not begun just now.
func (a *authentication) mayBegin() bool {
	return !a.expires.IsZero() && (a.began.IsZero() || time.Since(a.began) >= reauthInterval)
}

func handleSASLHandshake(r *request) answer {
	req := r.msg.(*kmsg.SASLHandshakeRequest)
	resp := req.ResponseKind().(*kmsg.SASLHandshakeResponse)
	s, a := r.node.cluster.security, &r.conn.auth
	if a.state == authDone && !a.mayBegin() {
		resp.ErrorCode = kerr.IllegalSaslState.Code
		return answer{resp: resp}
	}
	resp.SupportedMechanisms = s.mechanisms
	exchange := s.exchange(r.conn, req.Mechanism)
	switch {
	case exchange == nil && a.state == authDone:
		return answer{refused: fmt.Errorf("SASL mechanism %q is not enabled: %w", req.Mechanism, errAuthentication)}
	case exchange == nil:
		resp.ErrorCode = kerr.UnsupportedSaslMechanism.Code
		return answer{resp: resp, refused: fmt.Errorf("SASL mechanism %q is not enabled: %w", req.Mechanism, errAuthentication)}
	}
	if a.state == authDone {
		a.again, a.began = true, time.Now()
		if req.Mechanism != a.mechanism {
			a.state = authOtherMechanism
			return answer{resp: resp}
		}
	}
	a.state, a.mechanism, a.exchange = authExchange, req.Mechanism, exchange
	a.raw = req.Version == 0
	return answer{resp: resp}
}

// exchange starts an exchange of a mechanism that is enabled, nil for another one.
func (s *security) exchange(c *conn, mechanism string) sasl.Exchange {
	for _, m := range s.mechanisms {
		if m != mechanism {
			continue
		}
		if scram, ok := sasl.ScramOf(m); ok {
			return sasl.NewScram(scram, func(user string) (sasl.Credential, bool) { return s.credential(scram, user) },
				func(id string) (sasl.Credential, sasl.Identity, bool) {
					return c.node.cluster.tokenCredential(scram, id)
				})
		}
		if m == sasl.Plain {
			return sasl.NewPlain(s.checkPassword)
		}
		return sasl.NewOAuthBearer(context.Background(), s.tokens.Validate, func(why error) {
			c.node.cluster.log.Info("token refused", "broker", c.node.id, "remote", c.nc.RemoteAddr(), "error", why)
		})
	}
	return nil
}

func handleSASLAuthenticate(r *request) answer {
	req := r.msg.(*kmsg.SASLAuthenticateRequest)
	resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
	if r.conn.auth.state != authExchange {
		resp.ErrorCode = kerr.IllegalSaslState.Code
		resp.ErrorMessage = kmsg.StringPtr("SaslAuthenticate request received after successful authentication")
		return answer{resp: resp}
	}
	reply, lifetime, err := r.conn.exchange(req.SASLAuthBytes)
	if err != nil {
		resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
		resp.ErrorMessage = kmsg.StringPtr(r.conn.failure(err))
		return answer{resp: resp, refused: fmt.Errorf("%w: %w", errAuthentication, err)}
	}
	resp.ErrorMessage = new(string)
	resp.SASLAuthBytes, resp.SessionLifetimeMillis = reply, lifetime.Milliseconds()
	return answer{resp: resp}
}

// exchange gives the mechanism a message of the client. When that ends it, the session's lifetime is returned, 0 for one without an end.
func (c *conn) exchange(message []byte) (reply []byte, lifetime time.Duration, err error) {
	a, s := &c.auth, c.node.cluster.security
	reply, id, err := a.exchange.Next(message)
	if err != nil || id == nil {
		return reply, 0, err
	}
	principal := "User:" + id.Name
	if a.again && principal != c.principal {
		return nil, 0, &sasl.Refusal{Reason: fmt.Sprintf("Cannot change principals during re-authentication from User.%s: User.%s", c.principal[len("User:"):], id.Name)}
	}
	now := time.Now()
	a.expires = time.Time{}
	if s.maxReauth > 0 || !id.Expires.IsZero() {
		lifetime = s.maxReauth
		if left := max(id.Expires.Sub(now), 0); !id.Expires.IsZero() && (s.maxReauth == 0 || left < s.maxReauth) {
			lifetime = left
		}
		lifetime = lifetime.Truncate(time.Millisecond)
		a.expires = now.Add(lifetime)
	}
	c.principal, c.byToken = principal, id.Token
	c.node.cluster.log.Debug("authenticated", "broker", c.node.id, "remote", c.nc.RemoteAddr(), "principal", principal, "mechanism", a.mechanism, "again", a.again)
	return reply, lifetime, c.authenticated()
}

// failure is what a client is told: nothing that it did not know, unless the mechanism says so.
func (c *conn) failure(err error) string {
	if refusal, ok := errors.AsType[*sasl.Refusal](err); ok {
		return refusal.Reason
	}
	how := "authentication"
	if c.auth.again {
		how = "re-authentication"
	}
	return fmt.Sprintf("Authentication failed during %s due to invalid credentials with SASL mechanism %s", how, c.auth.mechanism)
}

// serveToken serves a message of a mechanism that comes without a request header. A failure has no answer: the connection ends.
func (c *conn) serveToken(limit int) error {
	token, err := readFrame(c.in, limit, nil)
	if err != nil {
		return err
	}
	if !c.node.awaitResumed(c) {
		return net.ErrClosed
	}
	reply, _, err := c.exchange(token)
	if err != nil {
		return fmt.Errorf("%w: %w", errAuthentication, err)
	}
	return c.writeToken(reply)
}
