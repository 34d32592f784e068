// Package sigv4 signs requests as Amazon Web Services want it: Signature Version 4 in a request's query.
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
	"time"
)

// EmptyPayload is the hash of a request without a body.
const EmptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

const algorithm = "AWS4-HMAC-SHA256"

// Request is what is signed: a GET of one host, signed in its query, with the host as the only signed header.
type Request struct {
	Host, Path  string
	Query       url.Values // what is asked; the parameters of the signature are added
	PayloadHash string     // EmptyPayload, or UNSIGNED-PAYLOAD
	Service     string     // "kafka-cluster"
	Region      string
	Time        time.Time
	Expires     string // seconds
}

// Credentials are whom the signature stands for. The token is empty for credentials that do not end.
type Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }

// Sign returns the query with its signature.
func Sign(r Request, c Credentials) url.Values {
	stamp := r.Time.UTC().Format("20060102T150405Z")
	scope := strings.Join([]string{stamp[:8], r.Region, r.Service, "aws4_request"}, "/")
	q := url.Values{}
	for name, values := range r.Query {
		q[name] = values
	}
	q.Set("X-Amz-Algorithm", algorithm)
	q.Set("X-Amz-Credential", c.AccessKeyID+"/"+scope)
	q.Set("X-Amz-Date", stamp)
	q.Set("X-Amz-Expires", r.Expires)
	q.Set("X-Amz-SignedHeaders", "host")
	if c.SessionToken != "" {
		q.Set("X-Amz-Security-Token", c.SessionToken)
	}
	// url.Values escapes what AWS wants escaped, but for the blank, and sorts as AWS does.
	canonical := strings.Join([]string{"GET", r.Path, strings.ReplaceAll(q.Encode(), "+", "%20"), "host:" + r.Host, "", "host", r.PayloadHash}, "\n")
	hash := sha256.Sum256([]byte(canonical))
	toSign := strings.Join([]string{algorithm, stamp, scope, hex.EncodeToString(hash[:])}, "\n")
	q.Set("X-Amz-Signature", hex.EncodeToString(mac(Key(c.SecretAccessKey, stamp[:8], r.Region, r.Service), toSign)))
	return q
}

// Key is the key that signs for one day, region and service.
func Key(secret, day, region, service string) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{day, region, service, "aws4_request"} {
		key = mac(key, part)
	}
	return key
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
