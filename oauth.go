package sordini

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sasl"
)

// Token is a bearer token.
type Token struct {
	Value Secret
	// Expires is when it expires. The zero time: when the token itself says so, as a JWT does in its exp claim, or never as far as anybody knows.
	Expires time.Time
}

// TokenSource gives the token for an authentication. [BearerToken] and [ClientCredentials.Tokens] are here; implement it for another identity provider, such
// as a cloud's workload identity. It is asked at each connection and at each re-authentication (KIP-368), from several goroutines; [CacheTokens] keeps one
// until shortly before it expires.
type TokenSource interface {
	// Token returns a token that is good now. An error ends the authentication; it is tried again with the next connection.
	Token(ctx context.Context) (Token, error)
}

// TokenFunc is a TokenSource that is a function.
type TokenFunc func(ctx context.Context) (Token, error)

// Token calls f.
func (f TokenFunc) Token(ctx context.Context) (Token, error) { return f(ctx) }

// BearerToken is a TokenSource of one token. With [SecretFile] it is read again at each connection: something beside the process renews it, such as Kubernetes
// a projected service account token.
func BearerToken(token Secret) TokenSource { return bearerToken{token} }

type bearerToken struct{ token Secret }

func (b bearerToken) Token(ctx context.Context) (Token, error) {
	value, err := current(ctx, "token", b.token)
	return Token{Value: NewSecret(value)}, err
}

func (bearerToken) describe() string { return "with a token" }

func (b bearerToken) problems(Cluster) []string { return required("token", b.token) }

// OAuthOption adds to what OAUTHBEARER sends.
type OAuthOption func(*oauth)

// Extension sends a SASL extension (KIP-342), such as logicalCluster and identityPoolId for Confluent Cloud. The name has letters only; the value is text.
func Extension(name, value string) OAuthOption {
	return func(o *oauth) { o.extensions[name] = value }
}

// OAuthBearer is SASL OAUTHBEARER (RFC 7628, KIP-255): a token of an identity provider in place of a password. Whoever reads the token can use it, so it is
// refused without TLS unless Cluster.AllowPlainWithoutTLS says otherwise. A token that has expired is not sent, and said to have (CodeTokenExpired).
//
//	SASL: sordini.OAuthBearer(sordini.BearerToken(sordini.SecretFile("/var/run/secrets/kafka/token")))
//	SASL: sordini.OAuthBearer(sordini.ClientCredentials{TokenURL: "https://idp/token", ClientID: "billing", ClientSecret: secret}.Tokens())
func OAuthBearer(tokens TokenSource, opts ...OAuthOption) Mechanism {
	o := &oauth{tokens: tokens, extensions: map[string]string{}}
	for _, opt := range opts {
		opt(o)
	}
	return &mechanism{
		name: "OAUTHBEARER", who: o.subject, begin: o.begin,
		about: func() string {
			if d, ok := o.tokens.(ownTokens); ok {
				return d.describe()
			}
			return fmt.Sprintf("with tokens of a %T", o.tokens)
		},
		problems: o.problems,
	}
}

// ownTokens are the sources that are here.
type ownTokens interface {
	describe() string
	problems(c Cluster) []string
}

type oauth struct {
	tokens     TokenSource
	extensions map[string]string
	seen       lastSubject
}

// Rules of RFC 7628 and KIP-342 for extensions.
var (
	extensionName  = regexp.MustCompile(`^[A-Za-z]+$`)
	extensionValue = regexp.MustCompile(`^[\x21-\x7e \t\r\n]+$`)
	tokenText      = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`) // b64token of RFC 6750
)

func (o *oauth) problems(c Cluster) []string {
	var list []string
	if o.tokens == nil {
		return []string{"has no tokens; give sordini.BearerToken or ClientCredentials.Tokens"}
	}
	for _, name := range slices.Sorted(maps.Keys(o.extensions)) {
		switch {
		case name == "auth":
			list = append(list, `has the extension "auth", which is the token's own name`)
		case !extensionName.MatchString(name):
			list = append(list, fmt.Sprintf("has the extension %q; a name has letters only", name))
		case !extensionValue.MatchString(o.extensions[name]):
			list = append(list, fmt.Sprintf("has the extension %s with a value that is empty or not printable ASCII", name))
		}
	}
	if own, ok := o.tokens.(ownTokens); ok {
		list = append(list, own.problems(c)...)
	}
	return list
}

func (o *oauth) begin(ctx context.Context, _ string) (sasl.Session, []byte, error) {
	token, err := o.tokens.Token(ctx)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // the source's own
	}
	value := token.Value.Reveal()
	if value == "" {
		return nil, nil, errNoToken
	}
	if !tokenText.MatchString(value) {
		return nil, nil, errTokenText
	}
	said := readClaims(value)
	if err := checkTimes(said, token.Expires, time.Now()); err != nil {
		return nil, nil, err
	}
	o.seen.set(said.Subject)
	var first strings.Builder
	first.WriteString("n,,\x01auth=Bearer " + value)
	for _, name := range slices.Sorted(maps.Keys(o.extensions)) {
		first.WriteString("\x01" + name + "=" + o.extensions[name])
	}
	first.WriteString("\x01\x01")
	return &oauthSession{}, []byte(first.String()), nil
}

func (o *oauth) subject() string { return o.seen.get() }

var (
	errNoToken   = errors.New("the token is empty")
	errTokenText = errors.New("the token has characters that a bearer token may not have (RFC 6750): blanks, line ends or quotes around it?")
)

// checkTimes refuses a token that the broker would refuse for its time.
func checkTimes(said claims, expires, now time.Time) error {
	if expires.IsZero() {
		expires = said.Expires
	}
	if early := said.begins(); early.After(now.Add(clockTolerance)) {
		return ExplainAs(fmt.Errorf("the token is good from %s on, and here it is %s: %w", stamp(early), stamp(now), ErrToken), CodeClock, About{})
	}
	if !expires.IsZero() && !now.Before(expires) {
		return ExplainAs(fmt.Errorf("the token expired at %s, and here it is %s: %w", stamp(expires), stamp(now), ErrToken), CodeTokenExpired, About{})
	}
	return nil
}

// ErrToken is wrapped by errors about a token that is not sent, or is not to be had.
var ErrToken = errors.New("no usable token")

// clockTolerance is how far two clocks may be apart before it is said.
const clockTolerance = time.Minute

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// oauthSession is one authentication after its first message.
type oauthSession struct{ refused string }

// Challenge takes the broker's answer: nothing where it accepts the token, and otherwise why not, as JSON. RFC 7628 (3.2.3) has the client acknowledge that
// with one byte; the broker then fails the authentication, with its reason in the error.
func (s *oauthSession) Challenge(answer []byte) (bool, []byte, error) {
	switch {
	case s.refused != "":
		return false, nil, fmt.Errorf("the broker refuses the token: %s", s.refused)
	case len(answer) == 0:
		return true, nil, nil
	}
	s.refused = printableText(string(answer), 200)
	return false, []byte{1}, nil
}

// printableText is what somebody else says, made fit for an error: one line, not too long.
func printableText(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
