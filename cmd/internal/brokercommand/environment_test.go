package brokercommand

import (
	"bytes"
	"flag"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/sordini-go/sordini/broker"
)

// flagsOf returns the command's flags, and where their values go.
func flagsOf(t *testing.T) (*flag.FlagSet, *options) {
	t.Helper()
	o := new(options)
	flags := flag.NewFlagSet("sordini broker", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	o.add(flags)
	return flags, o
}

func TestFlagsMayStandInTheEnvironment(t *testing.T) {
	flags, o := flagsOf(t)
	if err := flags.Parse([]string{"-brokers", "2", "-topic", "first:1"}); err != nil {
		t.Fatal(err)
	}
	err := fromEnvironment(flags, []string{
		"HOME=/", "KAFKA_BROKERS=elsewhere", "SORDINI_BROKERS=5", "SORDINI_LISTEN=:9092", "SORDINI_ADVERTISE=a:1,b:2", "SORDINI_TOPIC=orders:4,paid:2:1", "SORDINI_TLS=",
		"SORDINI_ACL=allow User:a READ,WRITE TOPIC orders; deny User:b ALL GROUP *\nallow User:c ALL CLUSTER kafka-cluster\n",
		"SORDINI_PROPERTY=log.cleanup.policy=compact,delete;num.partitions=3", "SORDINI_LISTENER=IN://:19092=kafka:1,kafka:2", "SORDINI_SASL_USERS=alice:secret;1,bob:x",
		"SORDINI_VERBOSE=true", "SORDINI_NO_AUTO_CREATE=true", "SORDINI_SERVICE_HOST=10.0.0.1", "SORDINI_BROKER_PORT_9092_TCP_ADDR=10.0.0.1", "SORDINI_KAFKA_CACHE=/tmp",
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := o.cfg
	if cfg.Brokers != 2 || cfg.Listen != ":9092" || !slices.Equal(cfg.Advertise, []string{"a:1", "b:2"}) || !o.verbose || !o.noAutoCreate || o.security.tls {
		t.Errorf("configuration is %+v", o)
	}
	topics := []broker.Topic{{Name: "first", Partitions: 1}, {Name: "orders", Partitions: 4}, {Name: "paid", Partitions: 2, ReplicationFactor: 1}}
	if !slices.EqualFunc(cfg.Topics, topics, func(a, b broker.Topic) bool {
		return a.Name == b.Name && a.Partitions == b.Partitions && a.ReplicationFactor == b.ReplicationFactor
	}) {
		t.Errorf("topics are %+v", cfg.Topics)
	}
	if cfg.Properties["log.cleanup.policy"] != "compact,delete" || cfg.Properties["num.partitions"] != "3" {
		t.Errorf("properties are %v", cfg.Properties)
	}
	if len(cfg.Listeners) != 1 || cfg.Listeners[0].Name != "IN" || cfg.Listeners[0].Listen != ":19092" || !slices.Equal(cfg.Listeners[0].Advertise, []string{"kafka:1", "kafka:2"}) {
		t.Errorf("listeners are %+v", cfg.Listeners)
	}
	if acls := o.security.authorizer.ACLs; len(acls) != 3 || !slices.Equal(acls[0].Operations, []string{"READ", "WRITE"}) || !acls[1].Deny || acls[2].Principal != "User:c" {
		t.Errorf("rules are %+v", acls)
	}
	if len(o.security.users) != 2 || o.security.users[1].String() != "bob" {
		t.Errorf("users are %v", o.security.users)
	}
}

func TestUnknownOrWrongVariablesAreRefused(t *testing.T) {
	for entry, want := range map[string]string{
		"SORDINI_TOPICS=orders:1":     "$SORDINI_TOPICS stands for no flag",
		"SORDINI_SASL_USER=a:b":       "$SORDINI_SASL_USER stands for no flag",
		"SORDINI_BROKERS=three":       "$SORDINI_BROKERS: ",
		"SORDINI_TOPIC=orders:none":   "$SORDINI_TOPIC: \"orders:none\" is not name:partitions[:replication]",
		"SORDINI_LISTENER=:9093":      "$SORDINI_LISTENER: \":9093\" is not NAME://address",
		"SORDINI_SASL_USERS=s3cret":   "$SORDINI_SASL_USERS: a user is name:password[:mechanism]",
		"SORDINI_PORTS=9092":          "$SORDINI_PORTS stands for no flag",
		"SORDINI_AUTO_CREATE=perhaps": "$SORDINI_AUTO_CREATE: ",
	} {
		flags, _ := flagsOf(t)
		err := fromEnvironment(flags, []string{entry})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %q", entry, err, want)
		}
	}
}

// The help says which flags may be repeated; their variables have to take several values.
func TestFlagsThatMayBeRepeatedTakeSeveralValuesFromTheEnvironment(t *testing.T) {
	flags, _ := flagsOf(t)
	seen := 0
	flags.VisitAll(func(f *flag.Flag) {
		_, many := repeated[f.Name]
		if said := strings.Contains(f.Usage, "may be repeated"); said != many {
			t.Errorf("-%s: its help says it may be repeated: %v; its variable takes several values: %v", f.Name, said, many)
		}
		if many {
			seen++
		}
	})
	if seen != len(repeated) {
		t.Errorf("%d flags of %v are there", seen, repeated)
	}
}

func TestEnvironmentReachesTheCommand(t *testing.T) {
	cmd, ready := process(t, []string{"SORDINI_LISTEN=127.0.0.1:0", "SORDINI_ADVERTISE=outside:1,outside:2", "SORDINI_BROKERS=2"})
	if ready != "outside:1,outside:2" {
		t.Errorf("readiness line says %q", ready)
	}
	stop(t, cmd)
	t.Setenv("SORDINI_NONSENSE", "1")
	var out bytes.Buffer
	if err := command(t.Context(), nil, &out); err == nil || !strings.Contains(out.String(), "$SORDINI_NONSENSE stands for no flag") {
		t.Errorf("with a variable that stands for no flag: %v", err)
	}
}
