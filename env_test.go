package sordini_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sordini-go/sordini"
)

// clearEnv takes what the machine has set out of the way.
func clearEnv(t *testing.T) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "KAFKA_") || strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "SCHEMA_REGISTRY_") {
			t.Setenv(name, "")
		}
	}
}

func setEnv(t *testing.T, values map[string]string) {
	t.Helper()
	clearEnv(t)
	for name, value := range values {
		t.Setenv(name, value)
	}
}

func TestFromEnv(t *testing.T) {
	pki := newPKI(t)
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  map[string]string
		want string // as the cluster is printed
	}{
		"brokers alone":   {map[string]string{"KAFKA_BROKERS": " a:1, b:2,"}, "brokers=[a:1 b:2] client-id=sordini.test tls=none sasl=none"},
		"PLAINTEXT":       {map[string]string{"KAFKA_BROKERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "plaintext"}, "tls=none sasl=none"},
		"SSL":             {map[string]string{"KAFKA_BROKERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "SSL"}, "tls=on sasl=none"},
		"SSL with CA":     {map[string]string{"KAFKA_BROKERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_CA_FILE": pki.ca}, "tls=on sasl=none"},
		"SSL with client": {map[string]string{"KAFKA_BROKERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_CERT_FILE": pki.cert, "KAFKA_KEY_FILE": pki.key}, "tls=mutual sasl=none"},
		"SASL_SSL": {map[string]string{
			"KAFKA_BROKERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_USERNAME": "u", "KAFKA_PASSWORD": "p",
		}, `tls=on sasl=(PLAIN as "u")`},
		"SASL_PLAINTEXT with a file": {map[string]string{
			"KAFKA_BROKERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SASL_MECHANISM": "scram-sha-256", "KAFKA_USERNAME": "u", "KAFKA_PASSWORD_FILE": password,
		}, `tls=none sasl=(SCRAM-SHA-256 as "u")`},
		"user and password in files": {map[string]string{
			"KAFKA_BROKERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_USERNAME_FILE": password, "KAFKA_PASSWORD_FILE": password,
		}, "sasl=(PLAIN as the user in " + password + ")"},
		"token": {map[string]string{
			"KAFKA_BROKERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "OAUTHBEARER", "KAFKA_OAUTH_TOKEN": "abc", "KAFKA_OAUTH_EXTENSIONS": "a=b, c=d=e",
		}, "sasl=(OAUTHBEARER with a token)"},
		"token file": {map[string]string{
			"KAFKA_BROKERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "oauthbearer", "KAFKA_OAUTH_TOKEN_FILE": password,
		}, "sasl=(OAUTHBEARER with a token)"},
		"client credentials": {map[string]string{
			"KAFKA_BROKERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "OAUTHBEARER", "KAFKA_OAUTH_TOKEN_ENDPOINT_URL": "https://idp/token?tenant=1",
			"KAFKA_OAUTH_CLIENT_ID": "billing", "KAFKA_OAUTH_CLIENT_SECRET_FILE": password, "KAFKA_OAUTH_SCOPE": "a b", "KAFKA_OAUTH_AUDIENCE": "kafka",
		}, `sasl=(OAUTHBEARER with client credentials of "billing" at https://idp/token)`},
		"AWS": {map[string]string{
			"KAFKA_BROKERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "AWS_MSK_IAM", "AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "eu-west-1",
		}, "sasl=(AWS_MSK_IAM in eu-west-1)"},
		"registry": {map[string]string{"KAFKA_BROKERS": "a:1", "SCHEMA_REGISTRY_URL": "https://u:p@r:8081,https://s"}, "registry=({[https://r:8081 https://s] u [redacted]"},
		"Kubernetes": {map[string]string{
			"KAFKA_BROKERS": "a:1", "KAFKA_PORT": "tcp://10.0.0.1:9092", "KAFKA_SERVICE_HOST": "10.0.0.1", "KAFKA_SERVICE_PORT": "9092", "KAFKA_SERVICE_PORT_TCP_CLIENTS": "9092",
			"KAFKA_PORT_9092_TCP": "tcp://10.0.0.1:9092", "KAFKA_PORT_9092_TCP_ADDR": "10.0.0.1", "KAFKA_PORT_9092_TCP_PORT": "9092", "KAFKA_PORT_9092_TCP_PROTO": "tcp",
			"KAFKA_UI_SERVICE_HOST": "10.0.0.2", "KAFKA_UI_PORT": "tcp://10.0.0.2:80",
		}, "brokers=[a:1]"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			defer slog.SetDefault(slog.Default())
			slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
			setEnv(t, c.env)
			got, err := sordini.FromEnv()
			if err != nil {
				t.Fatal(err)
			}
			if text := fmt.Sprint(got); !strings.Contains(text, c.want) {
				t.Errorf("the cluster is %s, want %s", text, c.want)
			}
			if out.Len() > 0 {
				t.Errorf("reported %s", &out)
			}
		})
	}
}

func TestFromEnvReadsThePasswordInItsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(" blank and #\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	setEnv(t, map[string]string{
		"KAFKA_BROKERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_USERNAME_FILE": file, "KAFKA_PASSWORD_FILE": file,
	})
	c, err := sordini.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	if _, first, err := c.SASL.Authenticate(t.Context(), ""); err != nil || string(first) != "\x00 blank and #\x00 blank and #" {
		t.Errorf("PLAIN sends %q, %v", first, err)
	}
}

// oauthEnv is a change from PLAIN to OAUTHBEARER.
func oauthEnv(more map[string]string) map[string]string {
	env := map[string]string{"KAFKA_SASL_MECHANISM": "OAUTHBEARER", "KAFKA_USERNAME": "", "KAFKA_PASSWORD": ""}
	maps.Copy(env, more)
	return env
}

func TestFromEnvRefusesWhatContradictsItself(t *testing.T) {
	sasl := map[string]string{"KAFKA_BROKERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_USERNAME": "u", "KAFKA_PASSWORD": "p"}
	for name, c := range map[string]struct {
		change map[string]string
		want   []string
	}{
		"no brokers":                  {map[string]string{"KAFKA_BROKERS": ""}, []string{"KAFKA_BROKERS is not set"}},
		"brokers by Java's name":      {map[string]string{"KAFKA_BROKERS": "", "KAFKA_BOOTSTRAP_SERVERS": "a:1"}, []string{"KAFKA_BROKERS is not set", "KAFKA_BOOTSTRAP_SERVERS is"}},
		"commas alone":                {map[string]string{"KAFKA_BROKERS": " , "}, []string{"KAFKA_BROKERS is not set"}},
		"malformed broker":            {map[string]string{"KAFKA_BROKERS": "kafka"}, []string{"Brokers[0]", "kafka:9092"}},
		"protocol":                    {map[string]string{"KAFKA_SECURITY_PROTOCOL": "TLS"}, []string{"KAFKA_SECURITY_PROTOCOL", "SASL_SSL"}},
		"password without a protocol": {map[string]string{"KAFKA_SECURITY_PROTOCOL": ""}, []string{"KAFKA_SECURITY_PROTOCOL is not set", "SASL_SSL"}},
		"password with SSL":           {map[string]string{"KAFKA_SECURITY_PROTOCOL": "SSL"}, []string{"KAFKA_SASL_MECHANISM is set", "SSL"}},
		"CA with SASL_PLAINTEXT":      {map[string]string{"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_CA_FILE": "x"}, []string{"KAFKA_CA_FILE is set", "SASL_PLAINTEXT"}},
		"mechanism":                   {map[string]string{"KAFKA_SASL_MECHANISM": "GSSAPI"}, []string{"KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"}},
		"no mechanism":                {map[string]string{"KAFKA_SASL_MECHANISM": ""}, []string{"KAFKA_SASL_MECHANISM is not set", "SCRAM-SHA-512"}},
		"no user":                     {map[string]string{"KAFKA_USERNAME": ""}, []string{"KAFKA_USERNAME is not set"}},
		"no password":                 {map[string]string{"KAFKA_PASSWORD": ""}, []string{"KAFKA_PASSWORD"}},
		"password twice":              {map[string]string{"KAFKA_PASSWORD_FILE": "x"}, []string{"KAFKA_PASSWORD and KAFKA_PASSWORD_FILE", "leave one out"}},
		"password file is not there":  {map[string]string{"KAFKA_PASSWORD": "", "KAFKA_PASSWORD_FILE": "/nowhere"}, []string{"KAFKA_PASSWORD_FILE", "/nowhere"}},
		"CA file is not there":        {map[string]string{"KAFKA_CA_FILE": "/nowhere"}, []string{"KAFKA_CA_FILE", "/nowhere"}},
		"certificate without a key":   {map[string]string{"KAFKA_CERT_FILE": "x"}, []string{"KAFKA_KEY_FILE", "without a key"}},
		"empty password file":         {map[string]string{"KAFKA_PASSWORD": "", "KAFKA_PASSWORD_FILE": os.DevNull}, []string{"KAFKA_PASSWORD_FILE", "it is empty"}},
		"token for PLAIN":             {map[string]string{"KAFKA_OAUTH_TOKEN": "x"}, []string{"KAFKA_OAUTH_TOKEN is set", "PLAIN does not use"}},
		"user for OAUTHBEARER":        {map[string]string{"KAFKA_SASL_MECHANISM": "OAUTHBEARER", "KAFKA_OAUTH_TOKEN": "x"}, []string{"KAFKA_USERNAME is set", "OAUTHBEARER does not use"}},
		"OAUTHBEARER alone":           {oauthEnv(nil), []string{"neither KAFKA_OAUTH_TOKEN, KAFKA_OAUTH_TOKEN_FILE nor KAFKA_OAUTH_TOKEN_ENDPOINT_URL"}},
		"token and endpoint":          {oauthEnv(map[string]string{"KAFKA_OAUTH_TOKEN": "x", "KAFKA_OAUTH_TOKEN_ENDPOINT_URL": "https://idp"}), []string{"KAFKA_OAUTH_TOKEN_ENDPOINT_URL and a token", "leave one out"}},
		"endpoint alone":              {oauthEnv(map[string]string{"KAFKA_OAUTH_TOKEN_ENDPOINT_URL": "https://idp"}), []string{"KAFKA_OAUTH_CLIENT_ID is not", "KAFKA_OAUTH_CLIENT_SECRET"}},
		"extension":                   {oauthEnv(map[string]string{"KAFKA_OAUTH_TOKEN": "x", "KAFKA_OAUTH_EXTENSIONS": "abc"}), []string{"KAFKA_OAUTH_EXTENSIONS", "name=value"}},
		"AWS without keys":            {oauthEnv(map[string]string{"KAFKA_SASL_MECHANISM": "AWS_MSK_IAM"}), []string{"AWS_ACCESS_KEY_ID is not set", "AWS_SECRET_ACCESS_KEY is not set"}},
		"misspelt, token":             {map[string]string{"KAFKA_OAUTH_TOKEN_FIEL": "x"}, []string{"is KAFKA_OAUTH_TOKEN_FILE meant"}},
		"misspelt":                    {map[string]string{"KAFKA_BROKER": "a:1"}, []string{"KAFKA_BROKER is set", "is KAFKA_BROKERS meant"}},
		"misspelt, swapped":           {map[string]string{"KAFKA_CA_FIEL": "a"}, []string{"KAFKA_CA_FIEL is set", "is KAFKA_CA_FILE meant"}},
		"registry is no URL":          {map[string]string{"SCHEMA_REGISTRY_URL": "r:8081"}, []string{"Registry.URLs[0]"}},
		"registry with two users":     {map[string]string{"SCHEMA_REGISTRY_URL": "https://a:b@r,https://c:d@s"}, []string{"SCHEMA_REGISTRY_URL", "more than one"}},
	} {
		t.Run(name, func(t *testing.T) {
			setEnv(t, sasl)
			for k, v := range c.change {
				t.Setenv(k, v)
			}
			_, err := sordini.FromEnv()
			if !errors.Is(err, sordini.ErrCluster) {
				t.Fatalf("error %v", err)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not mention %q", err, part)
				}
			}
		})
	}
}

func TestFromEnvReadsExtensionsAndScopes(t *testing.T) {
	setEnv(t, map[string]string{
		"KAFKA_BROKERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "OAUTHBEARER", "KAFKA_OAUTH_TOKEN": "abc", "KAFKA_OAUTH_EXTENSIONS": "b=c=d, a=1",
	})
	c, err := sordini.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := first(t, c.SASL), "n,,\x01auth=Bearer abc\x01a=1\x01b=c=d\x01\x01"; got != want {
		t.Errorf("sends %q, want %q", got, want)
	}
}

func TestFromEnvReportsNamesThatItDoesNotKnow(t *testing.T) {
	var out bytes.Buffer
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
	setEnv(t, map[string]string{"KAFKA_BROKERS": "a:1", "KAFKA_TOPIC": "orders", "KAFKA_HEAP_OPTS": "-Xmx1g", "KAFKA_SERVICE_HOST": "x"})
	if _, err := sordini.FromEnv(); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "[KAFKA_HEAP_OPTS KAFKA_TOPIC]") || strings.Count(got, "\n") != 1 || slices.Contains(strings.Fields(got), "orders") {
		t.Errorf("reported %s", got)
	}
}

func TestPlainInClearTextFromEnvNeedsASecondWord(t *testing.T) {
	setEnv(t, map[string]string{
		"KAFKA_BROKERS": "a:1", "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_USERNAME": "u", "KAFKA_PASSWORD": "p",
	})
	c, err := sordini.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); !errors.Is(err, sordini.ErrCluster) {
		t.Errorf("error %v: it must be refused", err)
	}
	c.AllowPlainWithoutTLS = true
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}
