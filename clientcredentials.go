package sordini

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ClientCredentials gets tokens from an identity provider by the OAuth 2.0 client credentials grant (RFC 6749, 4.4; KIP-768): the service shows its own id and
// secret. A token is kept as [CacheTokens] says. What is asked for times out after 10 seconds in all; an endpoint that can not be reached, or answers 408, 429
// or 5xx, is asked up to four times in that time. Redirects are not followed: the secret would go somewhere else.
type ClientCredentials struct {
	TokenURL     string // of the token endpoint, https://…; http:// only with Cluster.AllowPlainWithoutTLS
	ClientID     string
	ClientSecret Secret   // SecretFile for one that is rotated
	Scopes       []string // none by default
	Audience     string   // sent as the parameter audience where it is not empty
	// Parameters are sent beside these, such as resource. They are no place for secrets: they are printed.
	Parameters map[string]string
	// SecretInBody sends id and secret as parameters (client_secret_post), in place of HTTP Basic (client_secret_basic), which RFC 6749 prefers.
	SecretInBody bool
	// TLS is for the endpoint; the system's authorities and TLS 1.2 when nil.
	TLS *tls.Config
	// Dial connects to the endpoint in place of net.Dialer. A proxy of the environment (HTTPS_PROXY) is used only where this is nil.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Limits of asking for a token.
const (
	tokenTimeout  = 10 * time.Second
	tokenTries    = 4
	tokenBackoff  = 100 * time.Millisecond
	tokenMaxBytes = 1 << 20
)

// Tokens returns the source that [OAuthBearer] takes.
func (cc ClientCredentials) Tokens() TokenSource {
	cc.Scopes = slices.Clone(cc.Scopes)
	return CacheTokens(&tokenEndpoint{func() ClientCredentials { return cc }})
}

// Format prints the settings for every verb without the secret (guarantee G14).
func (cc ClientCredentials) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "client credentials of %q at %s", cc.ClientID, withoutUser(cc.TokenURL))
}

// MarshalText is Format for encoders.
func (cc ClientCredentials) MarshalText() ([]byte, error) { return fmt.Append(nil, cc), nil }

// withoutUser takes what may be a password out of a URL.
func withoutUser(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.User != nil || strings.Contains(s, "@") {
		return "[redacted]"
	}
	u.RawQuery = ""
	return u.String()
}

// tokenEndpoint holds its settings in a closure: TLS may have a private key.
type tokenEndpoint struct{ settings func() ClientCredentials }

func (e *tokenEndpoint) describe() string { return "with " + fmt.Sprint(e.settings()) }

func (e *tokenEndpoint) problems(c Cluster) []string {
	cc := e.settings()
	var list []string
	switch u, err := url.Parse(cc.TokenURL); {
	case cc.TokenURL == "":
		list = append(list, "has no TokenURL")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		list = append(list, "has a TokenURL that is not a URL like https://idp/token") // its text may hold a password
	case u.User != nil:
		list = append(list, "has credentials in TokenURL, which would be printed; use ClientID and ClientSecret")
	case u.Scheme == "http" && !c.AllowPlainWithoutTLS:
		list = append(list, "would send the client secret in clear text to TokenURL; use https://, or say AllowPlainWithoutTLS as well")
	case u.Scheme == "http" && cc.TLS != nil:
		list = append(list, "has TLS settings for a TokenURL with http://")
	}
	if cc.ClientID == "" {
		list = append(list, "has no ClientID")
	}
	list = append(list, required("ClientSecret", cc.ClientSecret)...)
	for _, name := range []string{"grant_type", "client_id", "client_secret", "scope", "audience"} {
		if _, given := cc.Parameters[name]; given {
			list = append(list, fmt.Sprintf("has the parameter %s, which is a field's own", name))
		}
	}
	return list
}

// Token asks for one, several times if it has to.
func (e *tokenEndpoint) Token(ctx context.Context) (Token, error) {
	cc := e.settings()
	secret, err := current(ctx, "client secret", cc.ClientSecret)
	if err != nil {
		return Token{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, tokenTimeout, fmt.Errorf("no token within %s: %w", tokenTimeout, context.DeadlineExceeded))
	defer cancel()
	client := cc.client()
	for try, pause := 1, tokenBackoff; ; try, pause = try+1, pause*2 {
		var token Token
		var again bool
		token, again, err = cc.ask(ctx, client, secret)
		if err == nil || !again || try == tokenTries || ctx.Err() != nil {
			return token, err
		}
		t := time.NewTimer(pause*9/10 + rand.N(pause/5)) //nolint:gosec // jitter
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return Token{}, err
		}
	}
}

// client is one that keeps no connections: a token is asked for every few minutes, and who would close them?
func (cc ClientCredentials) client() *http.Client {
	transport := &http.Transport{DisableKeepAlives: true, ForceAttemptHTTP2: false, TLSHandshakeTimeout: tokenTimeout}
	if transport.TLSClientConfig = cc.TLS; cc.TLS != nil {
		transport.TLSClientConfig = cc.TLS.Clone()
	}
	if transport.DialContext = cc.Dial; cc.Dial == nil {
		transport.Proxy = http.ProxyFromEnvironment
	}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return errRedirect }}
}

var errRedirect = errors.New("the token endpoint answers with a redirect, which is not followed; give the address that it leads to")

// ask asks once. It says whether asking again may help.
func (cc ClientCredentials) ask(ctx context.Context, client *http.Client, secret string) (_ Token, again bool, _ error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	for name, value := range cc.Parameters {
		form.Set(name, value)
	}
	if len(cc.Scopes) > 0 {
		form.Set("scope", strings.Join(cc.Scopes, " "))
	}
	if cc.Audience != "" {
		form.Set("audience", cc.Audience)
	}
	if cc.SecretInBody {
		form.Set("client_id", cc.ClientID)
		form.Set("client_secret", secret)
	}
	at := withoutUser(cc.TokenURL)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, cc.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return Token{}, false, fmt.Errorf("token endpoint: TokenURL is not a URL: %w", ErrToken) // its text may hold a password
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if !cc.SecretInBody {
		req.SetBasicAuth(url.QueryEscape(cc.ClientID), url.QueryEscape(secret)) // RFC 6749, 2.3.1
	}
	asked := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		if u := new(url.Error); errors.As(err, &u) {
			err = u.Err // without the URL's query
		}
		err = fmt.Errorf("token endpoint %s: %w: %w", at, err, ErrToken)
		switch {
		case errors.Is(err, errRedirect):
			return Token{}, false, err
		case untrusted(err):
			return Token{}, false, ExplainAs(err, CodeTLSUntrusted, About{Address: at})
		}
		return Token{}, true, ExplainAs(err, CodeTokenEndpoint, About{Address: at})
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, tokenMaxBytes))
	if err != nil {
		return Token{}, true, ExplainAs(fmt.Errorf("token endpoint %s: %w: %w", at, err, ErrToken), CodeTokenEndpoint, About{Address: at})
	}
	if resp.StatusCode != http.StatusOK {
		again, err = refused(at, resp.StatusCode, body, secret)
		return Token{}, again, err
	}
	token, err := readToken(body, asked)
	if err != nil {
		return Token{}, false, fmt.Errorf("token endpoint %s: %w: %w", at, err, ErrToken)
	}
	return token, false, checkFresh(at, token, resp.Header.Get("Date"))
}

// refused says why there is no token. What the endpoint says of it (RFC 6749, 5.2) never repeats the secret.
func refused(at string, status int, body []byte, secret string) (again bool, _ error) {
	var said struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	text := http.StatusText(status)
	if json.Unmarshal(body, &said) == nil && said.Error != "" {
		text = strings.TrimSuffix(said.Error+": "+said.Description, ": ")
	}
	for _, s := range []string{secret, url.QueryEscape(secret)} {
		text = strings.ReplaceAll(text, s, "[redacted]")
	}
	err := fmt.Errorf("token endpoint %s answers %d: %s: %w", at, status, printableText(text, 200), ErrToken)
	switch {
	case status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		return true, ExplainAs(err, CodeTokenEndpoint, About{Address: at})
	case status == http.StatusUnauthorized || said.Error == "invalid_client" || said.Error == "unauthorized_client":
		return false, ExplainAs(err, CodeTokenRefused, About{Address: at})
	}
	return false, err
}

// readToken reads the endpoint's answer (RFC 6749, 5.1). It expires counted from when it was asked for, by this machine's clock alone.
func readToken(body []byte, asked time.Time) (Token, error) {
	var said struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   any    `json:"expires_in"` // a number; some send a string
	}
	switch err := json.Unmarshal(body, &said); {
	case err != nil:
		return Token{}, errors.New("it answers something that is not JSON")
	case said.AccessToken == "":
		return Token{}, errors.New("it answers without an access_token")
	case said.TokenType != "" && !strings.EqualFold(said.TokenType, "bearer"):
		return Token{}, fmt.Errorf("it answers with a token of type %q, not bearer", printableText(said.TokenType, 40))
	}
	token := Token{Value: NewSecret(said.AccessToken)}
	var seconds float64
	switch v := said.ExpiresIn.(type) {
	case float64:
		seconds = v
	case string:
		seconds, _ = strconv.ParseFloat(v, 64)
	}
	const year = 365 * 24 * 3600
	if seconds > 0 {
		token.Expires = asked.Add(time.Duration(min(seconds, year) * float64(time.Second)))
	}
	return token, nil
}

// checkFresh looks at a token that has just been made: where it is over already, or has not begun, a clock is wrong.
func checkFresh(at string, token Token, date string) error {
	now, said := time.Now(), readClaims(token.Value.Reveal())
	over := !said.Expires.IsZero() && !now.Before(said.Expires)
	if !over && !said.begins().After(now.Add(clockTolerance)) {
		return nil
	}
	text := fmt.Sprintf("its new token is good from %s to %s, and here it is %s", stamp(said.begins()), stamp(said.Expires), stamp(now))
	if there, err := http.ParseTime(date); err == nil {
		text += fmt.Sprintf("; there it is %s", stamp(there))
	}
	return ExplainAs(fmt.Errorf("token endpoint %s: %s: %w", at, text, ErrToken), CodeClock, About{Address: at})
}
