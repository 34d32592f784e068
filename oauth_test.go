package sordini_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
)

// jwt is a token without a signature that says this.
func jwt(t *testing.T, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode(payload) + "."
}

// first returns what a mechanism sends first.
func first(t *testing.T, m sordini.Mechanism) string {
	t.Helper()
	_, sent, err := m.Authenticate(t.Context(), "kafka:9092")
	if err != nil {
		t.Fatal(err)
	}
	return string(sent)
}

func bearer(token string) string { return "n,,\x01auth=Bearer " + token + "\x01\x01" }

func TestOAuthBearerSendsTheTokenAndItsExtensions(t *testing.T) {
	m := sordini.OAuthBearer(sordini.BearerToken(sordini.NewSecret("abc.def")), sordini.Extension("logicalCluster", "lkc-1"), sordini.Extension("identityPoolId", "pool-1"))
	if got, want := first(t, m), "n,,\x01auth=Bearer abc.def\x01identityPoolId=pool-1\x01logicalCluster=lkc-1\x01\x01"; got != want || m.Name() != "OAUTHBEARER" {
		t.Errorf("%s sends %q, want %q", m.Name(), got, want)
	}
	session, _, err := m.Authenticate(t.Context(), "kafka:9092")
	if err != nil {
		t.Fatal(err)
	}
	if done, more, err := session.Challenge(nil); !done || more != nil || err != nil {
		t.Errorf("accepted: %v %q %v", done, more, err)
	}
}

// RFC 7628, 3.2.3: the refusal is acknowledged with one byte, after which the broker says in its own words that authentication failed.
func TestOAuthBearerAcknowledgesARefusal(t *testing.T) {
	session, _, err := sordini.OAuthBearer(sordini.BearerToken(sordini.NewSecret("abc"))).Authenticate(t.Context(), "kafka:9092")
	if err != nil {
		t.Fatal(err)
	}
	done, more, err := session.Challenge([]byte(`{"status":"invalid_token"}`))
	if done || string(more) != "\x01" || err != nil {
		t.Errorf("refused: %v %q %v", done, more, err)
	}
	if _, _, err := session.Challenge(nil); err == nil || !strings.Contains(err.Error(), "invalid_token") {
		t.Errorf("a broker that refuses and then goes on: %v", err)
	}
}

func TestPrincipalIsTheTokensSubject(t *testing.T) {
	c := working(func(c *sordini.Cluster) {
		c.SASL = sordini.OAuthBearer(sordini.BearerToken(sordini.NewSecret(jwt(t, map[string]any{"sub": "billing"}))))
	})
	if got := c.Principal(); got != "" {
		t.Errorf("principal %q before anybody knows", got)
	}
	first(t, c.SASL)
	if got := c.Principal(); got != "User:billing" {
		t.Errorf("principal %q", got)
	}
}

func TestTokensThatCanNotBeGoodAreNotSent(t *testing.T) {
	now := time.Now()
	for what, c := range map[string]struct {
		token sordini.Token
		code  string
		part  string
	}{
		"expired":           {sordini.Token{Value: sordini.NewSecret(jwt(t, map[string]any{"exp": now.Add(-time.Second).Unix()}))}, sordini.CodeTokenExpired, "expired at"},
		"expired, opaque":   {sordini.Token{Value: sordini.NewSecret("abc"), Expires: now.Add(-time.Second)}, sordini.CodeTokenExpired, "expired at"},
		"not yet":           {sordini.Token{Value: sordini.NewSecret(jwt(t, map[string]any{"nbf": now.Add(time.Hour).Unix()}))}, sordini.CodeClock, "good from"},
		"made in future":    {sordini.Token{Value: sordini.NewSecret(jwt(t, map[string]any{"iat": float64(now.Add(time.Hour).UnixMilli()) / 1000}))}, sordini.CodeClock, "good from"},
		"empty":             {sordini.Token{}, "", "the token is empty"},
		"line end":          {sordini.Token{Value: sordini.NewSecret(canary + "\n" + canary)}, "", "RFC 6750"},
		"control character": {sordini.Token{Value: sordini.NewSecret(canary + "\x01user=admin")}, "", "RFC 6750"},
	} {
		m := sordini.OAuthBearer(sordini.TokenFunc(func(context.Context) (sordini.Token, error) { return c.token, nil }))
		_, sent, err := m.Authenticate(t.Context(), "kafka:9092")
		if err == nil || sent != nil || !strings.Contains(err.Error(), c.part) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: sends %q, %v", what, sent, err)
			continue
		}
		if c.code != "" {
			expect(t, what, err, sordini.ErrToken, c.code, "kafka:9092")
		}
	}
	for what, claims := range map[string]map[string]any{
		"expires soon": {"exp": now.Add(time.Minute).Unix()}, "a clock that is a little off": {"iat": now.Add(30 * time.Second).Unix()}, "strange claims": {"exp": "soon", "iat": true, "nbf": -1},
	} {
		if got, token := first(t, sordini.OAuthBearer(sordini.BearerToken(sordini.NewSecret(jwt(t, claims))))), jwt(t, claims); got != bearer(token) {
			t.Errorf("%s: sends %q", what, got)
		}
	}
}

// write replaces a file's content.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What stands in files is read again at each authentication. What can not be read stays what it was, and is reported.
func TestSecretsInFilesAreReadAgain(t *testing.T) {
	for name, c := range map[string]struct {
		make func(user, secret string) sordini.Mechanism
		sent func(user, secret string) string
	}{
		"token": {
			func(_, secret string) sordini.Mechanism {
				return sordini.OAuthBearer(sordini.BearerToken(sordini.SecretFile(secret)))
			},
			func(_, secret string) string { return bearer(secret) },
		},
		"password": {
			func(_, secret string) sordini.Mechanism {
				return sordini.Login{Username: "alice", Password: sordini.SecretFile(secret)}.Plain()
			},
			func(_, secret string) string { return "\x00alice\x00" + secret },
		},
		"user and password": {
			func(user, secret string) sordini.Mechanism {
				return sordini.Login{UsernameFile: user, Password: sordini.SecretFile(secret)}.Plain()
			},
			func(user, secret string) string { return "\x00" + user + "\x00" + secret },
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			user, secret := filepath.Join(dir, "user"), filepath.Join(dir, "secret")
			m := c.make(user, secret)
			if err := working(func(cl *sordini.Cluster) { cl.SASL, cl.AllowPlainWithoutTLS = m, true }).Validate(); !errors.Is(err, sordini.ErrCluster) {
				t.Errorf("a file that is not there: error %v", err)
			}
			if _, _, err := m.Authenticate(t.Context(), "kafka:9092"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a file that is not there: error %v", err)
			}
			write(t, user, "alice\r\n")
			write(t, secret, "one\n")
			cluster := working(func(cl *sordini.Cluster) { cl.SASL, cl.AllowPlainWithoutTLS = m, true })
			if err := cluster.Validate(); err != nil {
				t.Error(err)
			}
			if got, want := first(t, m), c.sent("alice", "one"); got != want {
				t.Errorf("sends %q, want %q", got, want)
			}
			write(t, user, "bob")
			write(t, secret, "two")
			if got, want := first(t, m), c.sent("bob", "two"); got != want && name != "password" || !strings.Contains(got, "two") {
				t.Errorf("after a change sends %q, want %q", got, want)
			}
			if err := os.Remove(secret); err != nil {
				t.Fatal(err)
			}
			var out lockedBuffer
			sordini.ForgetWarnings()
			before := slog.Default()
			slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
			got := first(t, m)
			slog.SetDefault(before)
			if !strings.Contains(got, "two") {
				t.Errorf("of a file that is gone sends %q", got)
			}
			if text := out.String(); !strings.Contains(text, secret) || !strings.Contains(text, "what it held before is used") || strings.Contains(text, "two") {
				t.Errorf("of a file that is gone reports %q", text)
			}
		})
	}
}

// idp is an identity provider on a network in memory.
type idp struct {
	t       *testing.T
	network *broker.Network
	answer  func(w http.ResponseWriter, r *http.Request)

	mu       sync.Mutex // guards requests
	requests []string
}

func newIDP(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) *idp {
	t.Helper()
	p := &idp{t: t, network: broker.NewNetwork(), answer: answer}
	l, err := p.network.Listen("idp:80")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: p, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() { _ = server.Close(); wg.Wait() })
	return p
}

func (p *idp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	user, password, _ := r.BasicAuth()
	p.mu.Lock()
	p.requests = append(p.requests, fmt.Sprintf("%s %s %s:%s %s", r.Method, r.URL.Path, user, password, body))
	p.mu.Unlock()
	p.answer(w, r)
}

func (p *idp) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.requests...)
}

func (p *idp) credentials(change func(*sordini.ClientCredentials)) sordini.ClientCredentials {
	cc := sordini.ClientCredentials{TokenURL: "http://idp:80/token", ClientID: "billing", ClientSecret: sordini.NewSecret(canary), Dial: p.network.Dial}
	if change != nil {
		change(&cc)
	}
	return cc
}

func give(w http.ResponseWriter, token string, seconds any) {
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": seconds})
}

func TestClientCredentialsAskAsTheRFCSays(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*sordini.ClientCredentials)
		want   string
	}{
		"the least": {nil, "POST /token billing:" + canary + " grant_type=client_credentials"},
		"everything": {
			func(cc *sordini.ClientCredentials) {
				cc.Scopes, cc.Audience, cc.Parameters = []string{"a", "b"}, "kafka", map[string]string{"resource": "x y"}
			}, "POST /token billing:" + canary + " audience=kafka&grant_type=client_credentials&resource=x+y&scope=a+b",
		},
		"secret in the body": {
			func(cc *sordini.ClientCredentials) { cc.SecretInBody = true },
			"POST /token : client_id=billing&client_secret=" + canary + "&grant_type=client_credentials",
		},
		"what has to be escaped": {
			func(cc *sordini.ClientCredentials) { cc.ClientID, cc.ClientSecret = "a:b", sordini.NewSecret("c d%") }, "POST /token a%3Ab:c+d%25 grant_type=client_credentials",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newIDP(t, func(w http.ResponseWriter, _ *http.Request) { give(w, "abc", 300) })
				if got := first(t, sordini.OAuthBearer(p.credentials(c.change).Tokens())); got != bearer("abc") {
					t.Errorf("sends %q", got)
				}
				if got := p.asked(); len(got) != 1 || got[0] != c.want {
					t.Errorf("asked %q, want %q", got, c.want)
				}
			})
		})
	}
}

// All connections share a token until 80 % of its life has passed, and no two ask at once.
func TestTokenIsKeptUntilShortlyBeforeItExpires(t *testing.T) {
	for name, seconds := range map[string]any{"number": 100, "text": "100"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				p := newIDP(t, func(w http.ResponseWriter, _ *http.Request) {
					n++
					time.Sleep(time.Second) // slower than those who come meanwhile
					give(w, fmt.Sprintf("token-%d", n), seconds)
				})
				m := sordini.OAuthBearer(p.credentials(nil).Tokens())
				all := func(want string) {
					t.Helper()
					var wg sync.WaitGroup
					for range 8 {
						wg.Go(func() {
							if _, sent, err := m.Authenticate(t.Context(), "kafka:9092"); err != nil || string(sent) != bearer(want) {
								t.Errorf("sends %q, %v, want %s", sent, err, want)
							}
						})
					}
					wg.Wait()
				}
				all("token-1")
				time.Sleep(78 * time.Second) // 79 of 100 since it was asked for
				all("token-1")
				time.Sleep(2 * time.Second)
				all("token-2")
			})
		})
	}
}

// A session lasts no longer than its token, and Kafka refuses who authenticates again within a second: a token with seconds left is not given out.
func TestTokensOfUnknownOrShortLifeAreNotKept(t *testing.T) {
	for name, seconds := range map[string]any{"unknown": nil, "short": 14} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newIDP(t, func(w http.ResponseWriter, _ *http.Request) { give(w, "abc", seconds) })
				m := sordini.OAuthBearer(p.credentials(nil).Tokens())
				first(t, m)
				first(t, m)
				if n := len(p.asked()); n != 2 {
					t.Errorf("asked %d times", n)
				}
			})
		})
	}
}

// openConn counts the connections that are open.
type openConn struct {
	net.Conn
	once sync.Once
	open *atomic.Int32
}

func (c *openConn) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close() //nolint:wrapcheck // it is that one's
}

// A token is asked for every few minutes, and nobody closes a mechanism: no connection stays open for the next time.
func TestTokenEndpointKeepsNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open atomic.Int32
		p := newIDP(t, func(w http.ResponseWriter, _ *http.Request) { give(w, "abc", 300) })
		cc := p.credentials(func(cc *sordini.ClientCredentials) {
			cc.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := p.network.Dial(ctx, network, address)
				if err != nil {
					return nil, err
				}
				open.Add(1)
				return &openConn{Conn: conn, open: &open}, nil
			}
		})
		first(t, sordini.OAuthBearer(cc.Tokens()))
		synctest.Wait()
		if n := open.Load(); n != 0 || len(p.asked()) != 1 {
			t.Errorf("%d connections are open", n)
		}
	})
}

// A token that says itself when it expires is kept by that.
func TestTokenIsKeptByItsOwnWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newIDP(t, func(w http.ResponseWriter, _ *http.Request) {
			give(w, jwt(t, map[string]any{"exp": time.Now().Add(100 * time.Second).Unix()}), nil)
		})
		m := sordini.OAuthBearer(p.credentials(nil).Tokens())
		for i, wait := range []time.Duration{0, 79 * time.Second, 2 * time.Second} {
			time.Sleep(wait)
			first(t, m)
			if n, want := len(p.asked()), []int{1, 1, 2}[i]; n != want {
				t.Errorf("asked %d times, want %d", n, want)
			}
		}
	})
}

// While the endpoint is down the old token is used as long as it is good, with a new try every ten seconds; then the error says why.
func TestTokenThatCanNotBeRenewedIsUsedToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sordini.ForgetWarnings()
		down := false
		p := newIDP(t, func(w http.ResponseWriter, _ *http.Request) {
			if down {
				http.Error(w, "maintenance", http.StatusServiceUnavailable)
				return
			}
			give(w, "abc", 100)
		})
		var out lockedBuffer
		defer slog.SetDefault(slog.Default())
		slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
		m := sordini.OAuthBearer(p.credentials(nil).Tokens())
		first(t, m)
		down = true
		time.Sleep(85 * time.Second)
		for range 3 {
			if got := first(t, m); got != bearer("abc") {
				t.Errorf("sends %q", got)
			}
		}
		if n := len(p.asked()); n != 1+4 {
			t.Errorf("asked %d times", n)
		}
		if text := out.String(); !strings.Contains(text, "could not be renewed") || !strings.Contains(text, "503") || strings.Contains(text, canary) {
			t.Errorf("reported %q", text)
		}
		time.Sleep(15 * time.Second)
		_, _, err := m.Authenticate(t.Context(), "kafka:9092")
		expect(t, "endpoint down", err, sordini.ErrToken, sordini.CodeTokenEndpoint, "503", "http://idp:80/token")
		down = false
		first(t, m)
	})
}

func TestEndpointThatDoesNotAnswerIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		p := newIDP(t, func(w http.ResponseWriter, _ *http.Request) {
			if n++; n < 4 {
				w.WriteHeader([]int{http.StatusTooManyRequests, http.StatusBadGateway, http.StatusRequestTimeout}[n-1])
				return
			}
			give(w, "abc", 300)
		})
		began := time.Now()
		if got := first(t, sordini.OAuthBearer(p.credentials(nil).Tokens())); got != bearer("abc") {
			t.Errorf("sends %q", got)
		}
		if took := time.Since(began); took < 600*time.Millisecond || took > 800*time.Millisecond {
			t.Errorf("three pauses took %s", took)
		}
	})
}

func TestWhyThereIsNoTokenIsExplained(t *testing.T) {
	answer := func(status int, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for what, c := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request)
		change func(*sordini.ClientCredentials)
		code   string
		asked  int
		part   string
	}{
		"wrong secret":         {answer(401, `{"error":"invalid_client","error_description":"`+canary+` is wrong"}`), nil, sordini.CodeTokenRefused, 1, "invalid_client: [redacted] is wrong"},
		"grant not allowed":    {answer(400, `{"error":"unauthorized_client"}`), nil, sordini.CodeTokenRefused, 1, "unauthorized_client"},
		"unknown scope":        {answer(400, `{"error":"invalid_scope"}`), nil, "", 1, "invalid_scope"},
		"wrong path":           {answer(404, `<html>`), nil, "", 1, "404: Not Found"},
		"down":                 {answer(500, ``), nil, sordini.CodeTokenEndpoint, 4, "500"},
		"nobody there":         {nil, func(cc *sordini.ClientCredentials) { cc.TokenURL = "http://nobody:80/token?x=" + canary }, sordini.CodeTokenEndpoint, 0, "http://nobody:80/token"},
		"silent":               {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, nil, sordini.CodeTokenEndpoint, 1, "no token within 10s"},
		"no JSON":              {answer(200, `<html>`), nil, "", 1, "not JSON"},
		"no token in it":       {answer(200, `{}`), nil, "", 1, "without an access_token"},
		"another type":         {answer(200, `{"access_token":"a","token_type":"mac"}`), nil, "", 1, `of type "mac"`},
		"more than a token is": {answer(200, strings.Repeat(" ", 2<<20)+`{"access_token":"a"}`), nil, "", 1, "not JSON"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://idp:80/other", http.StatusTemporaryRedirect)
		}, nil, "", 1, "redirect"},
		"over when it comes": {func(w http.ResponseWriter, _ *http.Request) {
			give(w, jwt(t, map[string]any{"iat": 1, "exp": 2}), 300)
		}, nil, sordini.CodeClock, 1, "there it is"},
		"not begun when it comes": {func(w http.ResponseWriter, _ *http.Request) {
			give(w, jwt(t, map[string]any{"iat": time.Now().Add(time.Hour).Unix()}), 300)
		}, nil, sordini.CodeClock, 1, "there it is"},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newIDP(t, c.answer)
				began := time.Now()
				_, sent, err := sordini.OAuthBearer(p.credentials(c.change).Tokens()).Authenticate(t.Context(), "kafka:9092")
				if err == nil || sent != nil || !errors.Is(err, sordini.ErrToken) || !strings.Contains(err.Error(), c.part) || strings.Contains(err.Error(), canary) {
					t.Fatalf("sends %q, error %v", sent, err)
				}
				if d, _ := sordini.Diagnose(err); d.Code != c.code {
					t.Errorf("diagnosis %q of %v, want %q", d.Code, err, c.code)
				}
				if n := len(p.asked()); n != c.asked {
					t.Errorf("asked %d times, want %d: %q", n, c.asked, p.asked())
				}
				if took := time.Since(began); took > 11*time.Second {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

func TestWaitingForATokenEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := make(chan struct{})
		defer close(block)
		tokens := sordini.CacheTokens(sordini.TokenFunc(func(ctx context.Context) (sordini.Token, error) {
			select {
			case <-block:
			case <-ctx.Done():
			}
			return sordini.Token{}, ctx.Err()
		}))
		for range 2 { // one asks, the other waits for it
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			go func() { _, _ = tokens.Token(t.Context()) }()
			synctest.Wait()
			if _, err := tokens.Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
		}
	})
}

// The endpoint's certificate is verified, by the system's authorities or by those that are given.
func TestTokenEndpointIsVerified(t *testing.T) {
	p, other := newPKI(t), newPKI(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { give(w, "abc", 300) })}
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.ServeTLS(l, p.cert, p.key) })
	t.Cleanup(func() { _ = server.Close(); wg.Wait() })
	cc := sordini.ClientCredentials{TokenURL: "https://localhost/token", ClientID: "billing", ClientSecret: sordini.NewSecret(canary)}
	cc.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, l.Addr().String())
	}
	if cc.TLS, err = sordini.TLSFromFiles(p.ca, "", ""); err != nil {
		t.Fatal(err)
	}
	if got := first(t, sordini.OAuthBearer(cc.Tokens())); got != bearer("abc") {
		t.Errorf("sends %q", got)
	}
	for what, change := range map[string]func(){"the system's authorities": func() { cc.TLS = nil }, "another authority": func() { cc.TLS, err = sordini.TLSFromFiles(other.ca, "", "") }} {
		change()
		_, _, err := sordini.OAuthBearer(cc.Tokens()).Authenticate(t.Context(), "kafka:9092")
		expect(t, what, err, sordini.ErrToken, sordini.CodeTLSUntrusted, "https://localhost/token")
	}
}
