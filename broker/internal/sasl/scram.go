package sasl

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// NewScram starts a SCRAM exchange. find returns a user's credential, and token that of a delegation token (KIP-48), by its id, with who its holder is.
func NewScram(mechanism Scram, find func(user string) (Credential, bool), token func(id string) (Credential, Identity, bool)) Exchange {
	return &scram{mechanism: mechanism, find: find, token: token}
}

type scram struct {
	mechanism Scram
	find      func(user string) (Credential, bool)
	token     func(id string) (Credential, Identity, bool)

	step       int // messages that have come
	user       string
	id         Identity
	header     string // of the client's first message, up to its second comma
	credential Credential
	nonce      string // the client's and the server's
	first      string // the client's first message without its header, and the server's
}

// The messages of a client, as Kafka reads them: everything is ASCII.
var (
	saslName = `(?:[\x01-\x2B\x2D-\x3C\x3E-\x7F]|=2C|=3D)+`
	value    = `[\x01-\x2B\x2D-\x7F]+`
	nonce    = `[\x21-\x2B\x2D-\x7E]+`
	base64s  = `(?:[a-zA-Z0-9/+]{4})*(?:[a-zA-Z0-9/+]{3}=|[a-zA-Z0-9/+]{2}==)?`
	more     = `(?:,[A-Za-z]+=` + value + `)*`

	clientFirst = regexp.MustCompile(`\A(n,(?:a=(` + saslName + `))?,)((?:m=` + value + `,)?n=(` + saslName + `),r=(` + nonce + `)(` + more + `))\z`)
	clientFinal = regexp.MustCompile(`\A(c=(` + base64s + `),r=(` + nonce + `)` + more + `),p=(` + base64s + `)\z`)
)

// Next takes the client's first and final message.
func (s *scram) Next(message []byte) ([]byte, *Identity, error) {
	s.step++
	switch s.step {
	case 1:
		reply, err := s.begin(message)
		return reply, nil, err
	case 2:
		reply, err := s.finish(message)
		if err != nil {
			return nil, nil, err
		}
		return reply, &s.id, nil
	}
	return nil, nil, errEnded
}

func (s *scram) begin(message []byte) ([]byte, error) {
	m := clientFirst.FindStringSubmatch(string(message))
	if m == nil {
		return nil, errors.New("invalid first message of the client")
	}
	authzid, bare, clientNonce := m[2], m[3], m[5]
	s.header, s.user = m[1], unescape(m[4])
	credential, ok := Credential{}, false
	if s.byToken(m[6]) {
		if credential, s.id, ok = s.token(s.user); !ok {
			return nil, fmt.Errorf("no delegation token %q", s.user)
		}
	} else if credential, ok = s.find(s.user); !ok {
		return nil, fmt.Errorf("no credential of user %q", s.user)
	} else {
		s.id = Identity{Name: s.user}
	}
	if authzid != "" && unescape(authzid) != s.user {
		return nil, refuse("Authentication failed: Client requested an authorization id that is different from username")
	}
	s.credential = credential
	s.nonce = clientNonce + rand.Text()
	reply := fmt.Sprintf("r=%s,s=%s,i=%d", s.nonce, base64.StdEncoding.EncodeToString(credential.Salt), credential.Iterations)
	s.first = bare + "," + reply
	return []byte(reply), nil
}

// byToken says whether a client's extensions ask for a delegation token.
func (s *scram) byToken(extensions string) bool {
	for extension := range strings.SplitSeq(extensions, ",") {
		if strings.EqualFold(extension, "tokenauth=true") {
			return true
		}
	}
	return false
}

func (s *scram) finish(message []byte) ([]byte, error) {
	m := clientFinal.FindStringSubmatch(string(message))
	if m == nil {
		return nil, errors.New("invalid final message of the client")
	}
	bare, binding, nonce := m[1], m[2], m[3]
	if header, err := base64.StdEncoding.DecodeString(binding); err != nil || string(header) != s.header {
		return nil, errors.New("the final message is bound to another channel than the first")
	}
	if nonce != s.nonce {
		return nil, errors.New("the final message has another nonce than the first")
	}
	proof, err := base64.StdEncoding.DecodeString(m[4])
	if err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	all := s.first + "," + bare
	signature := s.mechanism.mac(s.credential.StoredKey, all)
	if len(proof) != len(signature) {
		return nil, fmt.Errorf("proof of %d bytes", len(proof))
	}
	clientKey := make([]byte, len(proof))
	subtle.XORBytes(clientKey, proof, signature)
	h := s.mechanism.hash()()
	h.Write(clientKey)
	if subtle.ConstantTimeCompare(h.Sum(nil), s.credential.StoredKey) != 1 {
		return nil, fmt.Errorf("wrong password of user %q", s.user)
	}
	return []byte("v=" + base64.StdEncoding.EncodeToString(s.mechanism.mac(s.credential.ServerKey, all))), nil
}

// unescape undoes the escapes of a user's name.
func unescape(name string) string { return strings.NewReplacer("=2C", ",", "=3D", "=").Replace(name) }
