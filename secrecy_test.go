package sordini_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/producer"
)

const canary = "hunter2-canary"

// secretive returns a cluster with a secret in every place that may hold one, and what must never be seen: the password in some spellings and the
// private key's number.
func secretive(t *testing.T) (sordini.Cluster, []string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	c := sordini.Cluster{
		Brokers:  []string{"localhost:9092"},
		TLS:      &tls.Config{Certificates: []tls.Certificate{{PrivateKey: key}}},
		SASL:     sordini.ScramSHA512("alice", canary),
		Registry: sordini.Registry{URLs: []string{"https://registry"}, Username: "bob", Password: sordini.NewSecret(canary), BearerToken: sordini.NewSecret(canary)},
		Logger:   slog.New(slog.DiscardHandler),
	}
	return c, []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), strings.Trim(fmt.Sprintf("%v", []byte(canary)), "[]"),
		fmt.Sprintf("%x", raw), fmt.Sprint(raw), fmt.Sprint(key.D)} //nolint:staticcheck // the number is what must not be seen
}

// TestG14 is guarantee G14 for what holds the settings: no verb, encoder or logger shows a secret, wherever in somebody's struct it stands.
func TestG14NoSecretIsPrinted(t *testing.T) {
	c, secrets := secretive(t)
	type exported struct{ C sordini.Cluster }
	type pointer struct{ C *sordini.Cluster }
	type hidden struct{ c sordini.Cluster }
	type deep struct {
		a any
		h []hidden
		m map[string]hidden
	}
	things := map[string]any{
		"Cluster": c, "*Cluster": &c, "exported field": exported{c}, "pointer": pointer{&c}, "unexported field": hidden{c}, "*unexported": &hidden{c},
		"deep": deep{c, []hidden{{c}}, map[string]hidden{"x": {c}}}, "slice": []sordini.Cluster{c}, "any": []any{c, &c},
		"mechanism": c.SASL, "PLAIN": sordini.Plain("alice", canary), "SCRAM-SHA-256": sordini.ScramSHA256("alice", canary),
		"mechanism, unexported": struct{ m sordini.Mechanism }{c.SASL}, "registry": c.Registry, "*registry": &c.Registry,
		"registry, unexported": struct{ r sordini.Registry }{c.Registry}, "secret": sordini.NewSecret(canary),
		"secret, unexported": struct{ s sordini.Secret }{sordini.NewSecret(canary)},
	}
	for name, x := range moreSecretive(t, c.TLS) {
		things[name], things[name+", unexported"], things["*"+name] = x, struct{ x any }{x}, &x
		if m, ok := x.(sordini.Mechanism); ok {
			with := c
			with.SASL = m
			things["cluster with "+name], things["unexported cluster with "+name] = with, hidden{with}
		}
	}
	check := func(how, text string) {
		t.Helper()
		for _, s := range secrets {
			if strings.Contains(text, s) {
				t.Errorf("%s shows a secret: %s", how, text)
				return
			}
		}
	}
	for name, x := range things {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p"} {
			check(name+" with "+verb, fmt.Sprintf(verb, x))
		}
		check(name+" in an error", fmt.Errorf("settings: %v", x).Error())
		if data, err := json.Marshal(x); err == nil {
			check(name+" as JSON", string(data))
		} else {
			check(name+" as JSON, refused", err.Error())
		}
		for kind, handler := range map[string]func(*bytes.Buffer) slog.Handler{
			"slog text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			"slog JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			var out bytes.Buffer
			slog.New(handler(&out)).Info("settings", "x", x, slog.Group("g", "x", x))
			check(name+" in "+kind, out.String())
		}
	}
}

// moreSecretive is everything else that holds a secret, after it was used: what was read from files or got from an identity provider is in it by then.
func moreSecretive(t *testing.T, private *tls.Config) map[string]any {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	write(t, file, canary)
	secret := sordini.NewSecret(canary)
	cc := sordini.ClientCredentials{TokenURL: "https://idp/token", ClientID: "billing", ClientSecret: secret, TLS: private}
	refused := cc // an address that Validate refuses; it is printed before that
	refused.TokenURL = "https://u:" + canary + "@idp/token?x=" + canary
	token := sordini.Token{Value: secret, Expires: time.Now().Add(time.Hour)}
	kept := sordini.CacheTokens(sordini.TokenFunc(func(context.Context) (sordini.Token, error) { return token, nil }))
	credentials := sordini.AWSCredentials{AccessKeyID: "AKID", SecretAccessKey: secret, SessionToken: secret}
	login := sordini.Login{Username: "alice", Password: secret}
	inFile := sordini.SecretFile(file)
	things := map[string]any{
		"secret file": inFile, "login": login, "login by file": sordini.Login{Username: "alice", Password: inFile}, "PLAIN by file": sordini.Login{Username: "alice", Password: inFile}.Plain(),
		"token": token, "token source": sordini.BearerToken(secret), "token file": sordini.BearerToken(inFile), "kept tokens": kept, "OAUTHBEARER": sordini.OAuthBearer(sordini.BearerToken(inFile)),
		"OAUTHBEARER, kept": sordini.OAuthBearer(kept, sordini.Extension("a", "b")), "client credentials": cc, "tokens of client credentials": cc.Tokens(), "tokens of a refused address": refused.Tokens(),
		"OAUTHBEARER, client credentials": sordini.OAuthBearer(cc.Tokens()), "OAUTHBEARER, refused client credentials": sordini.OAuthBearer(refused.Tokens()), "AWS credentials": credentials, "AWS_MSK_IAM": sordini.AWSMSKIAM("eu-west-1", credentials.Provide),
	}
	for name, x := range things {
		if m, ok := x.(sordini.Mechanism); ok && !strings.HasSuffix(name, "client credentials") {
			if _, _, err := m.Authenticate(t.Context(), "kafka:9092"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	return things
}

func TestG14PrintedClusterStillSaysWhatItIs(t *testing.T) {
	c, _ := secretive(t)
	const want = `cluster(brokers=[localhost:9092] client-id=sordini.test tls=mutual sasl=(SCRAM-SHA-512 as "alice") registry=(`
	if got := fmt.Sprintf("%+v", c); !strings.HasPrefix(got, want) {
		t.Errorf("printed %s, want %s…", got, want)
	}
}

func TestG14ErrorsAboutSettingsShowNoSecret(t *testing.T) {
	for name, err := range map[string]error{
		"password as broker":    sordini.Cluster{Brokers: []string{"alice:" + canary + "@kafka:9092"}}.Validate(),
		"password in URL":       sordini.Cluster{Brokers: []string{"a:1"}, Registry: sordini.Registry{URLs: []string{"https://u:" + canary + "@r:x"}}}.Validate(),
		"token without URL":     sordini.Cluster{Brokers: []string{"a:1"}, Registry: sordini.Registry{BearerToken: sordini.NewSecret(canary)}}.Validate(),
		"password in token URL": sordini.Cluster{Brokers: []string{"a:1"}, SASL: sordini.OAuthBearer(sordini.ClientCredentials{TokenURL: "https://u:" + canary + "@idp:x"}.Tokens())}.Validate(),
		"PLAIN":                 sordini.Cluster{Brokers: []string{"a:1"}, SASL: sordini.Plain("u", canary)}.Validate(),
	} {
		if !errors.Is(err, sordini.ErrCluster) {
			t.Errorf("%s: error %v", name, err)
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error shows it: %v", name, err)
		}
	}
	if text := fmt.Sprintf("%+v", sordini.Cluster{Brokers: []string{"alice:" + canary + "@kafka:9092"}}); strings.Contains(text, canary) {
		t.Errorf("printed %s", text)
	}
}

func TestG14FromEnvShowsNoSecret(t *testing.T) {
	clearEnv(t)
	var out bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
	defer slog.SetDefault(before)
	t.Setenv("KAFKA_BROKERS", "a:1")
	t.Setenv("KAFKA_PASSWORD", canary)        // without a protocol: refused
	t.Setenv("KAFKA_PASSWROD", canary)        // misspelt: refused
	t.Setenv("KAFKA_TRUSTSTORE_PASS", canary) // unknown: reported
	if _, err := sordini.FromEnv(); err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("error %v", err)
	}
	t.Setenv("KAFKA_PASSWROD", "")
	t.Setenv("KAFKA_USERNAME", "u")
	t.Setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
	t.Setenv("KAFKA_SASL_MECHANISM", "PLAIN")
	c, err := sordini.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%+v %+v", c, out.String()); strings.Contains(text, canary) || !strings.Contains(out.String(), "KAFKA_TRUSTSTORE_PASS") {
		t.Errorf("printed %s", text)
	}
}

func TestMechanismsAuthenticate(t *testing.T) {
	_, first, err := sordini.Plain("alice", canary).Authenticate(context.Background(), "host")
	if err != nil || string(first) != "\x00alice\x00"+canary {
		t.Errorf("PLAIN sends %q, %v", first, err)
	}
	for _, m := range []sordini.Mechanism{sordini.ScramSHA256("alice", canary), sordini.ScramSHA512("alice", canary)} {
		if _, first, err := m.Authenticate(context.Background(), "host"); err != nil || !strings.HasPrefix(string(first), "n,,n=alice,r=") {
			t.Errorf("%s sends %q, %v", m.Name(), first, err)
		}
	}
}

// A producer and a group hold the cluster in fields of their own.
func TestG14ProducerAndGroupShowNoSecret(t *testing.T) {
	c, secrets := secretive(t)
	c.Registry.Username, c.Registry.Password = "", sordini.Secret{}
	p, err := producer.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	g, err := consumer.New(c, "billing")
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]any{"producer": p, "group": g} {
		for _, verb := range []string{"%v", "%+v", "%#v"} {
			text := fmt.Sprintf(verb, x)
			for _, s := range secrets {
				if strings.Contains(text, s) {
					t.Errorf("%s with %s shows a secret: %s", name, verb, text)
				}
			}
		}
	}
}
