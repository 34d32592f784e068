package sordini

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"time"
)

// claims are what a token says of itself, where it is a JWT (RFC 7519). Nothing here is verified: that is the brokers' part. Times are zero where it does not
// say.
type claims struct {
	Subject                    string
	Issued, NotBefore, Expires time.Time
}

// begins is when the token begins to be good.
func (c claims) begins() time.Time {
	if c.NotBefore.IsZero() {
		return c.Issued
	}
	return c.NotBefore
}

// readClaims returns nothing of a token that is not a JWT.
func readClaims(token string) claims {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return claims{}
	}
	var raw map[string]any
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	if d.Decode(&raw) != nil {
		return claims{}
	}
	subject, _ := raw["sub"].(string)
	return claims{Subject: subject, Issued: numericDate(raw["iat"]), NotBefore: numericDate(raw["nbf"]), Expires: numericDate(raw["exp"])}
}

// numericDate is a claim in seconds since 1970, maybe with a fraction.
func numericDate(v any) time.Time {
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}
	}
	const latest = 253402300799 // the year 9999
	seconds, err := n.Float64()
	if err != nil || seconds <= 0 || seconds > latest {
		return time.Time{}
	}
	return time.UnixMilli(int64(seconds * 1000))
}

// lastSubject is who the last token was for.
type lastSubject struct {
	mu      sync.Mutex // guards subject
	subject string
}

func (l *lastSubject) set(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.subject = s
}

func (l *lastSubject) get() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.subject
}
