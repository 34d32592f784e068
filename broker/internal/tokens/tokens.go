// Package tokens is the reference broker's table of delegation tokens (KIP-48), as Apache Kafka 4.3's controller keeps it: who may log in as whom until
// when, and who may put that off. It decides and keeps; who may ask is the caller's business.
package tokens

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Config is what is set about tokens. Times are in milliseconds.
type Config struct {
	Secret      string // delegation.token.secret.key; "": there are no tokens
	MaxLifetime int64  // delegation.token.max.lifetime.ms
	Expiry      int64  // delegation.token.expiry.time.ms: until a token has to be renewed
	Check       int64  // delegation.token.expiry.check.interval.ms: how often tokens that have expired are removed
	// Changed is told of every token that is new or expires at another time, and of those that are gone. It must not call back. Nil: nobody is.
	Changed func(t Token, gone bool)
}

// Token is a delegation token. Principals are of the form "User:alice", times in milliseconds since 1970.
type Token struct {
	ID, Owner, Requester string
	Renewers             []string
	Issued, Expires, Max int64
	HMAC                 []byte
}

// Format prints no secret.
func (t Token) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "token(%s of %s)", t.ID, t.Owner) }

// Password is what its holder logs in with, beside its id.
func (t Token) Password() string { return base64.StdEncoding.EncodeToString(t.HMAC) }

// held says whether a principal owns a token or may renew it.
func (t *Token) held(by string) bool { return t.Owner == by || slices.Contains(t.Renewers, by) }

// Table is all tokens. Its methods are safe for concurrent use. The errors are Kafka's codes.
type Table struct {
	cfg     Config
	started int64

	mu  sync.Mutex // guards all
	all map[string]*Token
}

// NewTable returns a Table without tokens.
func NewTable(cfg Config) *Table {
	if cfg.Changed == nil {
		cfg.Changed = func(Token, bool) {}
	}
	return &Table{cfg: cfg, started: time.Now().UnixMilli(), all: make(map[string]*Token)}
}

// On says whether there may be tokens.
func (t *Table) On() bool { return t.cfg.Secret != "" }

// sum adds without going over.
func sum(at, d int64) int64 {
	if at > math.MaxInt64-d {
		return math.MaxInt64
	}
	return at + d
}

// sweep removes what a check has found expired: those come so many milliseconds apart.
func (t *Table) sweep(now int64) {
	checks := func(at int64) int64 { return (at - t.started) / max(t.cfg.Check, 1) }
	for id, tok := range t.all {
		if until := min(tok.Expires, tok.Max); until < now && checks(until) < checks(now) {
			t.remove(id)
		}
	}
}

func (t *Table) remove(id string) {
	t.cfg.Changed(*t.all[id], true)
	delete(t.all, id)
}

// secret is what the holder of a token knows.
func (t *Table) secret(id string) []byte {
	mac := hmac.New(sha512.New, []byte(t.cfg.Secret))
	mac.Write([]byte(id))
	return mac.Sum(nil)
}

// Load takes over a token that another Table has told of. Without a secret there is none.
func (t *Table) Load(tok Token) {
	if !t.On() {
		return
	}
	tok.HMAC = t.secret(tok.ID)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all[tok.ID] = &tok
}

// Create makes a token for an owner, which the requester has asked for. lifetime shortens it where it is above 0.
func (t *Table) Create(owner, requester string, renewers []string, lifetime int64) (Token, error) {
	if !t.On() {
		return Token{}, kerr.DelegationTokenAuthDisabled
	}
	now := time.Now().UnixMilli()
	most := t.cfg.MaxLifetime
	if lifetime > 0 {
		most = min(most, lifetime)
	}
	var id [16]byte
	rand.Read(id[:])
	tok := &Token{ID: base64.RawURLEncoding.EncodeToString(id[:]), Owner: owner, Requester: requester, Renewers: renewers, Issued: now, Max: sum(now, most)}
	tok.Expires = min(tok.Max, sum(now, t.cfg.Expiry))
	tok.HMAC = t.secret(tok.ID)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all[tok.ID] = tok
	t.cfg.Changed(*tok, false)
	return *tok, nil
}

// byHMAC finds a token for who renews it or lets it expire.
func (t *Table) byHMAC(secret []byte) *Token {
	for _, tok := range t.all {
		if hmac.Equal(tok.HMAC, secret) {
			return tok
		}
	}
	return nil
}

// Renew puts off when a token expires, by a period or by what is set where that is not above 0. It returns when that is.
func (t *Table) Renew(secret []byte, by string, period int64) (int64, error) {
	if !t.On() {
		return 0, kerr.DelegationTokenAuthDisabled
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now().UnixMilli()
	t.sweep(now)
	tok := t.byHMAC(secret)
	switch {
	case tok == nil:
		return 0, kerr.DelegationTokenNotFound
	case tok.Max < now || tok.Expires < now:
		return 0, kerr.DelegationTokenExpired
	case !tok.held(by):
		return 0, kerr.DelegationTokenOwnerMismatch
	}
	most := t.cfg.Expiry
	if period > 0 {
		most = min(most, period)
	}
	tok.Expires = min(tok.Max, sum(now, most))
	t.cfg.Changed(*tok, false)
	return tok.Expires, nil
}

// Expire sets when a token expires, in a period from now; a negative one removes it at once. It returns when that is.
func (t *Table) Expire(secret []byte, by string, period int64) (int64, error) {
	if !t.On() {
		return 0, kerr.DelegationTokenAuthDisabled
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now().UnixMilli()
	t.sweep(now)
	tok := t.byHMAC(secret)
	switch {
	case tok == nil:
		return 0, kerr.DelegationTokenNotFound
	case !tok.held(by):
		return 0, kerr.DelegationTokenOwnerMismatch
	case period < 0:
		t.remove(tok.ID)
		return now, nil
	case tok.Max < now || tok.Expires < now:
		return 0, kerr.DelegationTokenExpired
	}
	tok.Expires = min(tok.Max, sum(now, period))
	t.cfg.Changed(*tok, false)
	return tok.Expires, nil
}

// List returns the tokens that a principal sees: those that it holds, and those that sees lets it see; of some owners or renewers only, where owners is
// not nil. They are in the order of their ids.
func (t *Table) List(by string, owners []string, sees func(Token) bool) (list []Token) {
	t.mu.Lock()
	t.sweep(time.Now().UnixMilli())
	for _, tok := range t.all {
		list = append(list, *tok)
	}
	t.mu.Unlock()
	list = slices.DeleteFunc(list, func(tok Token) bool {
		if owners != nil && !slices.ContainsFunc(owners, tok.held) {
			return true
		}
		return !tok.held(by) && !sees(tok)
	})
	slices.SortFunc(list, func(a, b Token) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return list
}

// Find returns the token that somebody logs in with.
func (t *Table) Find(id string) (Token, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now().UnixMilli()
	t.sweep(now)
	tok := t.all[id]
	if tok == nil || min(tok.Max, tok.Expires) < now {
		return Token{}, false
	}
	return *tok, true
}
