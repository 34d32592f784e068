package brokercommand

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// process runs the command as a process of its own, and returns its first line.
func process(t *testing.T, env []string, args ...string) (cmd *exec.Cmd, ready string) {
	t.Helper()
	cmd = exec.Command(os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), runMain+"=1"), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	if ready, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("no readiness line: %v\n%s", err, stderr.String())
	}
	return cmd, strings.TrimSpace(strings.TrimPrefix(ready, "ready "))
}

// stop ends the process as an init system does.
func stop(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("exit after SIGTERM: %v", err)
	}
}

func TestBrokerLetsInWhoTheFlagsSay(t *testing.T) {
	dir := t.TempDir()
	ca, users, acls := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "users"), filepath.Join(dir, "acls")
	for path, text := range map[string]string{
		users: "# who may come in\nadmin:very:secret\n",
		acls:  "\nallow User:alice WRITE,DESCRIBE TOPIC orders\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd, ready := process(t, []string{"SORDINI_SASL_USERS=bob:builds"}, "--listen", "127.0.0.1:0", "--brokers", "2", "--rack", "a,b",
		"--topic", "orders:2:2", "--topic", "secrets:1", "--tls", "--tls-ca-out", ca, "--sasl-user", "alice:wonder:SCRAM-SHA-512", "--sasl-mechanism", "PLAIN",
		"--sasl-users-file", users, "--super-user", "admin", "--acl-file", acls, "--acl", "deny User:bob ALL TOPIC or*")
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	produce := func(topic string, auth kgo.Opt) error {
		t.Helper()
		client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(ready, ",")...), kgo.DialTLSConfig(&tls.Config{RootCAs: pool}), auth,
			kgo.RecordRetries(1), kgo.UnknownTopicRetries(0), kgo.MetadataMinAge(10*time.Millisecond), kgo.DisableIdempotentWrite(),
			kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		return client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("v")}).FirstErr()
	}
	alice := kgo.SASL(scram.Auth{User: "alice", Pass: "wonder"}.AsSha512Mechanism())
	for _, test := range []struct {
		who, topic string
		auth       kgo.Opt
		want       error
	}{
		{"alice", "orders", alice, nil},
		{"alice", "secrets", alice, kerr.TopicAuthorizationFailed},
		{"admin, whose password has a colon", "secrets", kgo.SASL(plain.Auth{User: "admin", Pass: "very:secret"}.AsMechanism()), nil},
		{"bob, of the environment", "orders", kgo.SASL(plain.Auth{User: "bob", Pass: "builds"}.AsMechanism()), kerr.TopicAuthorizationFailed},
		{"mallory", "orders", kgo.SASL(plain.Auth{User: "mallory", Pass: "x"}.AsMechanism()), kerr.SaslAuthenticationFailed},
	} {
		if err := produce(test.topic, test.auth); !errors.Is(err, test.want) {
			t.Errorf("%s to %s: %v, want %v", test.who, test.topic, err, test.want)
		}
	}
	stop(t, cmd)
}

func TestBrokerStartsARegistryBesideIt(t *testing.T) {
	cmd, ready := process(t, nil, "--listen", "127.0.0.1:0", "--registry", "127.0.0.1:0")
	_, address, ok := strings.Cut(ready, " registry ")
	if !ok {
		t.Fatalf("readiness line %q names no registry", ready)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/subjects", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	var subjects []string
	if err := json.NewDecoder(resp.Body).Decode(&subjects); err != nil || resp.StatusCode != http.StatusOK || len(subjects) != 0 {
		t.Errorf("subjects: status %d, %v, %v", resp.StatusCode, subjects, err)
	}
	stop(t, cmd)
}

func TestWrongSecurityFlagsAreNamed(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"-tls-cert nowhere":                                   "-tls-cert and -tls-key go together",
		"-tls-cert nowhere -tls-key nowhere":                  "-tls-cert nowhere",
		"-tls -tls-cert x -tls-key y":                         "give one of them",
		"-tls-ca-out x":                                       "only -tls makes an authority",
		"-tls-client-ca x":                                    "TLS is off",
		"-tls -tls-client-auth maybe":                         `-tls-client-auth "maybe"`,
		"-tls -tls-client-auth required":                      "-tls-client-ca must say",
		"-tls -tls-client-ca " + empty:                        "no certificate in it",
		"-sasl-user alice":                                    "a user is name:password[:mechanism]",
		"-sasl-users-file nowhere":                            "no such file",
		"-sasl-mechanism PLAIN":                               "nobody could authenticate",
		"-sasl-user a:b -sasl-mechanism NONE":                 "NONE",
		"-oauth-issuer me":                                    "-oauth-jwks must say",
		"-acl allow":                                          "is not \"allow|deny principal operations resource name [host]\"",
		"-allow-if-no-acl":                                    "neither -acl nor -super-user",
		"-rack a,b":                                           "-rack names 2 racks",
		"-brokers 3 -listen 127.0.0.1:0 -property broker.id=": "broker.id",
	} {
		var out bytes.Buffer
		if err := command(context.Background(), strings.Fields(line), &out); err == nil {
			t.Errorf("sordini broker %s: no error", line)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("sordini broker %s: output has no %q:\n%s", line, want, out.String())
		}
	}
}
