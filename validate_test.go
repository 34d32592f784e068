package sordini_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
)

// working is a cluster that nothing is wrong with.
func working(change func(*sordini.Cluster)) sordini.Cluster {
	c := sordini.Cluster{Brokers: []string{"localhost:9092"}, Logger: slog.New(slog.DiscardHandler)}
	change(&c)
	return c
}

func overTLS(m sordini.Mechanism) func(*sordini.Cluster) {
	return func(c *sordini.Cluster) { c.TLS, c.SASL = &tls.Config{MinVersion: tls.VersionTLS12}, m }
}

func TestClustersThatCanNotWorkAreRefusedWithTheFieldAndTheFix(t *testing.T) {
	unverified := &tls.Config{InsecureSkipVerify: true}
	for name, c := range map[string]struct {
		change func(*sordini.Cluster)
		want   []string // parts of the error
	}{
		"no brokers":          {func(c *sordini.Cluster) { c.Brokers = nil }, []string{"Brokers", "at least one host:port"}},
		"empty broker":        {func(c *sordini.Cluster) { c.Brokers = []string{"a:1", ""} }, []string{"Brokers[1]", "host:port"}},
		"no port":             {func(c *sordini.Cluster) { c.Brokers = []string{"kafka"} }, []string{"Brokers[0]", "kafka:9092"}},
		"no port, IPv6":       {func(c *sordini.Cluster) { c.Brokers = []string{"::1"} }, []string{"Brokers[0]", "[::1]:9092"}},
		"no host":             {func(c *sordini.Cluster) { c.Brokers = []string{":9092"} }, []string{"Brokers[0]", "without a host"}},
		"port is a word":      {func(c *sordini.Cluster) { c.Brokers = []string{"a:kafka"} }, []string{"Brokers[0]", "1 to 65535"}},
		"port too large":      {func(c *sordini.Cluster) { c.Brokers = []string{"a:65536"} }, []string{"Brokers[0]", "1 to 65535"}},
		"several in one":      {func(c *sordini.Cluster) { c.Brokers = []string{"a:1,b:1"} }, []string{"Brokers[0]", "element of its own"}},
		"scheme":              {func(c *sordini.Cluster) { c.Brokers = []string{"ssl://a:1"} }, []string{"Brokers[0]", "leave out the scheme"}},
		"blank":               {func(c *sordini.Cluster) { c.Brokers = []string{" a:1"} }, []string{"Brokers[0]", "blanks"}},
		"client id":           {func(c *sordini.Cluster) { c.ClientID = strings.Repeat("x", 257) }, []string{"ClientID", "257", "256"}},
		"Strict, Development": {func(c *sordini.Cluster) { c.Strict, c.Development = true, true }, []string{"Strict and Development", "leave one out"}},
		"PLAIN without TLS":   {func(c *sordini.Cluster) { c.SASL = sordini.Plain("u", "p") }, []string{"SASL PLAIN", "AllowPlainWithoutTLS"}},
		"PLAIN without TLS, said twice, Strict": {
			func(c *sordini.Cluster) {
				c.SASL, c.AllowPlainWithoutTLS, c.Strict = sordini.Plain("u", "p"), true, true
			}, []string{"clear text", "Strict"},
		},
		"no user":                 {func(c *sordini.Cluster) { c.SASL = sordini.ScramSHA256("", "p") }, []string{"SCRAM-SHA-256", "no username"}},
		"no password":             {func(c *sordini.Cluster) { c.SASL = sordini.ScramSHA512("u", "") }, []string{"SCRAM-SHA-512", "no password"}},
		"OAUTHBEARER without TLS": {func(c *sordini.Cluster) { c.SASL = sordini.OAuthBearer(sordini.BearerToken(sordini.NewSecret("x"))) }, []string{"SASL OAUTHBEARER", "the token in clear text", "AllowPlainWithoutTLS"}},
		"AWS_MSK_IAM without TLS": {func(c *sordini.Cluster) { c.SASL = sordini.AWSMSKIAM("", sordini.AWSCredentials{}.Provide) }, []string{"SASL AWS_MSK_IAM", "AllowPlainWithoutTLS"}},
		"AWS without credentials": {overTLS(sordini.AWSMSKIAM("", nil)), []string{"AWS_MSK_IAM has no credentials"}},
		"AWS region":              {overTLS(sordini.AWSMSKIAM("Frankfurt", sordini.AWSCredentials{}.Provide)), []string{`region "Frankfurt"`, "eu-central-1"}},
		"no token source":         {overTLS(sordini.OAuthBearer(nil)), []string{"OAUTHBEARER has no tokens"}},
		"no token source to keep": {overTLS(sordini.OAuthBearer(sordini.CacheTokens(nil))), []string{"OAUTHBEARER has no tokens"}},
		"no token":                {overTLS(sordini.OAuthBearer(sordini.BearerToken(sordini.Secret{}))), []string{"OAUTHBEARER has no token"}},
		"no token file":           {overTLS(sordini.OAuthBearer(sordini.BearerToken(sordini.SecretFile("/nowhere")))), []string{"OAUTHBEARER has no token", "/nowhere"}},
		"extension auth":          {overTLS(sordini.OAuthBearer(sordini.BearerToken(sordini.NewSecret("x")), sordini.Extension("auth", "y"))), []string{`extension "auth"`}},
		"extension name":          {overTLS(sordini.OAuthBearer(sordini.BearerToken(sordini.NewSecret("x")), sordini.Extension("a-b", "y"))), []string{`extension "a-b"`, "letters only"}},
		"extension value":         {overTLS(sordini.OAuthBearer(sordini.BearerToken(sordini.NewSecret("x")), sordini.Extension("a", "y\x01z"))), []string{"extension a", "printable"}},
		"token endpoint in clear": {overTLS(sordini.OAuthBearer(sordini.ClientCredentials{TokenURL: "http://idp/token", ClientID: "a", ClientSecret: sordini.NewSecret("b")}.Tokens())), []string{"client secret in clear text", "https://"}},
		"token endpoint": {
			overTLS(sordini.OAuthBearer(sordini.ClientCredentials{TokenURL: "idp/token"}.Tokens())), []string{"TokenURL that is not a URL", "no ClientID", "no ClientSecret"},
		},
		"token endpoint missing": {overTLS(sordini.OAuthBearer(sordini.ClientCredentials{}.Tokens())), []string{"no TokenURL"}},
		"token endpoint with a password": {
			overTLS(sordini.OAuthBearer(sordini.ClientCredentials{TokenURL: "https://u:hunter2@idp/token"}.Tokens())), []string{"credentials in TokenURL", "ClientSecret"},
		},
		"token parameters": {
			overTLS(sordini.OAuthBearer(sordini.ClientCredentials{TokenURL: "https://idp", ClientID: "a", ClientSecret: sordini.NewSecret("b"), Parameters: map[string]string{"scope": "x"}}.Tokens())),
			[]string{"parameter scope"},
		},
		"user twice":      {overTLS(sordini.Login{Username: "u", UsernameFile: "f", Password: sordini.NewSecret("p")}.ScramSHA512()), []string{"Username and a UsernameFile", "leave one out"}},
		"unverified TLS":  {func(c *sordini.Cluster) { c.TLS, c.Strict = unverified, true }, []string{"TLS.InsecureSkipVerify", "Strict"}},
		"old TLS":         {func(c *sordini.Cluster) { c.TLS, c.Strict = &tls.Config{MinVersion: tls.VersionTLS10}, true }, []string{"TLS.MinVersion", "TLS 1.0"}},
		"registry no URL": {func(c *sordini.Cluster) { c.Registry.Username = "u" }, []string{"Registry", "no URLs"}},
		"registry is no URL": {
			func(c *sordini.Cluster) { c.Registry.URLs = []string{"registry:8081"} }, []string{"Registry.URLs[0]", "https://"},
		},
		"registry password in URL": {
			func(c *sordini.Cluster) { c.Registry.URLs = []string{"https://u:hunter2@r"} }, []string{"Registry.URLs[0]", "Registry.Password"},
		},
		"registry password in clear": {func(c *sordini.Cluster) {
			c.Registry.URLs, c.Registry.Username, c.Registry.Password = []string{"http://r"}, "u", sordini.NewSecret("p")
		}, []string{"Registry.URLs", "https://"}},
		"registry token and user": {func(c *sordini.Cluster) {
			c.Registry.URLs, c.Registry.Username, c.Registry.BearerToken = []string{"https://r"}, "u", sordini.NewSecret("p")
		}, []string{"BearerToken", "leave one out"}},
		"registry password alone": {func(c *sordini.Cluster) {
			c.Registry.URLs, c.Registry.Password = []string{"https://r"}, sordini.NewSecret("p")
		}, []string{"no Username"}},
	} {
		cluster := working(c.change)
		err := cluster.Validate()
		if !errors.Is(err, sordini.ErrCluster) {
			t.Errorf("%s: error %v, want one that is ErrCluster", name, err)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not mention %q", name, err, part)
			}
		}
		if cl, err2 := cluster.NewClient(); err2 == nil {
			cl.Close()
			t.Errorf("%s: NewClient accepts it", name)
		}
	}
}

func TestEveryProblemIsReportedAtOnce(t *testing.T) {
	err := sordini.Cluster{Brokers: []string{"a", "b"}, Strict: true, Development: true}.Validate()
	if n := strings.Count(err.Error(), "invalid cluster settings"); n != 3 {
		t.Errorf("%d problems of 3 in %q", n, err)
	}
}

func TestClustersThatCanWorkAreAccepted(t *testing.T) {
	for name, change := range map[string]func(*sordini.Cluster){
		"plain text":                   func(*sordini.Cluster) {},
		"IPv6":                         func(c *sordini.Cluster) { c.Brokers = []string{"[::1]:9092"} },
		"PLAIN with TLS":               func(c *sordini.Cluster) { c.SASL, c.TLS = sordini.Plain("u", "p"), &tls.Config{} },
		"PLAIN without, said twice":    func(c *sordini.Cluster) { c.SASL, c.AllowPlainWithoutTLS = sordini.Plain("u", "p"), true },
		"SCRAM without TLS":            func(c *sordini.Cluster) { c.SASL = sordini.ScramSHA512("u", "p") },
		"Strict":                       func(c *sordini.Cluster) { c.Strict, c.TLS = true, &tls.Config{} },
		"Development":                  func(c *sordini.Cluster) { c.Development = true },
		"unverified TLS, not Strict":   func(c *sordini.Cluster) { c.TLS = &tls.Config{InsecureSkipVerify: true} },
		"own verification, and Strict": func(c *sordini.Cluster) { c.TLS, c.Strict = pinned(), true },
		"registry": func(c *sordini.Cluster) {
			c.Registry = sordini.Registry{URLs: []string{"https://a", "https://b"}, Username: "u", Password: sordini.NewSecret("p")}
		},
	} {
		cl, err := working(change).NewClient()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		cl.Close()
	}
}

func pinned() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, VerifyPeerCertificate: func([][]byte, [][]*x509.Certificate) error { return nil }}
}

func TestWhatStrictWouldRefuseIsWarnedAboutOnce(t *testing.T) {
	var out bytes.Buffer
	c := working(func(c *sordini.Cluster) {
		c.Logger = slog.New(slog.NewTextHandler(&out, nil))
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS11}
	})
	for range 3 { // a producer, a group, its second client
		cl, err := c.NewClient()
		if err != nil {
			t.Fatal(err)
		}
		cl.Close()
	}
	if n := strings.Count(out.String(), "TLS.MinVersion"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, &out)
	}
}

func TestClientIDIsTheProgramsNameByDefault(t *testing.T) {
	for id, want := range map[string]string{"": "sordini.test", "svc": "svc"} {
		cl, err := working(func(c *sordini.Cluster) { c.ClientID = id }).NewClient()
		if err != nil {
			t.Fatal(err)
		}
		if got := cl.OptValue(kgo.ClientID); got != want {
			t.Errorf("client id %q, want %q", got, want)
		}
		cl.Close()
	}
}
