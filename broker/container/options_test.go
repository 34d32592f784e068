package container

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/testcontainers/testcontainers-go"
)

func apply(t *testing.T, opts ...Option) *options {
	t.Helper()
	o := &options{brokers: 1}
	for _, opt := range opts {
		if err := opt(o); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func TestOptionsBecomeTheImagesVariables(t *testing.T) {
	o := apply(t, WithBrokers(4), WithTopic("orders", 12), WithTopic("paid", 1), WithProperty("log.cleanup.policy", "compact,delete"), WithProperty("a", "b=c"),
		WithNetworkListener(&testcontainers.DockerNetwork{Name: "n"}, "kafka"), WithTLS(), WithData("orders"))
	env := o.environment()
	for name, want := range map[string]string{
		"SORDINI_BROKERS": "4", "SORDINI_TOPIC": "orders:12:3,paid:1:3", "SORDINI_PROPERTY": "log.cleanup.policy=compact,delete;a=b=c",
		"SORDINI_LISTENER": "NETWORK://:19092=kafka:19092", "SORDINI_TLS": "true", "SORDINI_TLS_CA_OUT": authorityFile, "SORDINI_ADVERTISE_FILE": advertiseFile, "SORDINI_DATA": "/data",
	} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
	if env := apply(t).environment(); env["SORDINI_TOPIC"]+env["SORDINI_PROPERTY"]+env["SORDINI_TLS"]+env["SORDINI_SASL_USERS_FILE"]+env["SORDINI_ACL_FILE"]+env["SORDINI_DATA"] != "" {
		t.Errorf("without options: %v", env)
	}
}

func TestPasswordsAreInAFileAndNowhereElse(t *testing.T) {
	o := apply(t, WithSASL("alice", "s3cret"), WithACLs("User:admin", "allow User:alice READ TOPIC orders"))
	env := o.environment()
	if env["SORDINI_SASL_USERS_FILE"] != usersFile || env["SORDINI_ACL_FILE"] != rulesFile || env["SORDINI_SUPER_USER"] != "User:admin" {
		t.Errorf("variables are %v", env)
	}
	if shown := fmt.Sprintf("%v %+v %#v %v", o, &Container{options: *o}, o, env); strings.Contains(shown, "s3cret") {
		t.Errorf("a password is shown: %s", shown)
	}
	texts := map[string]string{}
	for _, f := range o.files() {
		text, err := io.ReadAll(f.Reader)
		if err != nil {
			t.Fatal(err)
		}
		texts[f.ContainerFilePath] = string(text)
	}
	if texts[usersFile] != "alice:s3cret\n" || texts[rulesFile] != "allow User:alice READ TOPIC orders\n" {
		t.Errorf("files are %q", texts)
	}
}

func TestOptionsThatCanNotBeAreRefused(t *testing.T) {
	for want, opt := range map[string]Option{
		"0 brokers: must be 1 to 100":     WithBrokers(0),
		`topic "a:b"`:                     WithTopic("a:b", 1),
		`topic "a" with 0 partitions`:     WithTopic("a", 0),
		`property "a=b"`:                  WithProperty("a=b", "c"),
		`property "a"`:                    WithProperty("a", "b;c"),
		`SASL user "a:b"`:                 WithSASL("a:b", "s3cret"),
		`SASL user "a"`:                   WithSASL("a", ""),
		"neither a super user nor a rule": WithACLs(""),
		`data volume "/data"`:             WithData("/data"),
		"has a line end":                  WithACLs("", "allow\n"),
		`network listener "kafka"`:        WithNetworkListener(nil, "kafka"),
		`network listener "kafka:9092"`:   WithNetworkListener(&testcontainers.DockerNetwork{}, "kafka:9092"),
	} {
		_, err := Run(t.Context(), "no/image:here", opt)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
