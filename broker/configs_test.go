package broker_test

import (
	_ "embed"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

//go:embed testdata/alterconfigs.txt
var alterAnswers string

// settingsCluster has the settings that the answers were measured with.
func settingsCluster(t *testing.T) *wire {
	t.Helper()
	cluster, err := broker.Start(broker.Config{Network: broker.NewNetwork(), Topics: []broker.Topic{{Name: "t"}}, Properties: map[string]string{
		"num.io.threads": "2", "background.threads": "2", "log.cleaner.dedupe.buffer.size": "4194304",
		"group.consumer.min.session.timeout.ms": "3000", "group.consumer.min.heartbeat.interval.ms": "500",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cluster.Close() })
	return dial(t, cluster, 1)
}

func TestSettingsAreAlteredAndRefusedAsKafkaDoes(t *testing.T) {
	w := settingsCluster(t)
	for line := range strings.Lines(alterAnswers) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		asked, want, _ := strings.Cut(line, " => ")
		for _, got := range w.alterLine(asked) {
			if got != want {
				t.Errorf("%s\n got %s\nwant %s", asked, got, want)
			}
		}
	}
}

// alterLine asks as a line of the table says, and returns code and message of each resource.
func (w *wire) alterLine(line string) (answers []string) {
	w.t.Helper()
	parts := strings.Split(line, "|")
	var kind kmsg.ConfigResourceType
	number, name, _ := strings.Cut(parts[0], " ")
	if _, err := fmt.Sscan(number, &kind); err != nil {
		w.t.Fatal(err)
	}
	req, legacy := kmsg.NewPtrIncrementalAlterConfigsRequest(), kmsg.NewPtrAlterConfigsRequest()
	one, old := kmsg.NewIncrementalAlterConfigsRequestResource(), kmsg.NewAlterConfigsRequestResource()
	one.ResourceType, one.ResourceName = kind, name
	old.ResourceType, old.ResourceName = kind, name
	replace, times := false, 1
	for _, p := range parts[1:] {
		switch p {
		case "validate":
			req.ValidateOnly, legacy.ValidateOnly = true, true
			continue
		case "legacy":
			replace = true
			continue
		case "twice":
			times = 2
			continue
		}
		words := strings.SplitN(p, " ", 3)
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		if _, err := fmt.Sscan(words[0], &c.Op); err != nil {
			w.t.Fatal(err)
		}
		if c.Name = words[1]; len(words) > 2 && words[2] != "NULL" {
			c.Value = &words[2]
		}
		one.Configs = append(one.Configs, c)
		o := kmsg.NewAlterConfigsRequestResourceConfig()
		o.Name, o.Value = c.Name, c.Value
		old.Configs = append(old.Configs, o)
	}
	say := func(code int16, message *string) {
		text := "<nil>"
		if message != nil {
			text = *message
		}
		answers = append(answers, fmt.Sprintf("%d %q", code, text))
	}
	if replace {
		legacy.Resources = append(legacy.Resources, old)
		for _, e := range ask[*kmsg.AlterConfigsResponse](w, 2, legacy).Resources {
			say(e.ErrorCode, e.ErrorMessage)
		}
		return answers
	}
	for range times {
		req.Resources = append(req.Resources, one)
	}
	for _, e := range ask[*kmsg.IncrementalAlterConfigsResponse](w, 1, req).Resources {
		say(e.ErrorCode, e.ErrorMessage)
	}
	if len(answers) != times {
		w.t.Errorf("%s: %d answers for %d resources", line, len(answers), times)
	}
	return answers
}

// describeOne describes a resource's settings by name.
func (w *wire) describeOne(kind kmsg.ConfigResourceType, name string) (map[string]kmsg.DescribeConfigsResponseResourceConfig, string) {
	w.t.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.IncludeSynonyms = true
	q := kmsg.NewDescribeConfigsRequestResource()
	q.ResourceType, q.ResourceName = kind, name
	req.Resources = append(req.Resources, q)
	res := ask[*kmsg.DescribeConfigsResponse](w, 4, req).Resources[0]
	found := make(map[string]kmsg.DescribeConfigsResponseResourceConfig)
	for _, c := range res.Configs {
		found[c.Name] = c
	}
	return found, fmt.Sprintf("%d %s", res.ErrorCode, *res.ErrorMessage)
}

// The values, sources and synonyms were read off Apache Kafka 4.3.1.
func TestSettingsAreDescribedAsKafkaDoes(t *testing.T) {
	w := settingsCluster(t)
	for _, line := range []string{
		"4 |0 nope secret|0 log.retention.ms  6000 ",
		"4 1|0 nope x|0 log.retention.ms 7000|0 listener.name.client.ssl.keystore.type PEM|0 listener.name.client.ssl.key.password hunter2",
		"2 t|0 retention.ms  4000 |0 min.cleanable.dirty.ratio 1|0 cleanup.policy compact , delete",
		"32 g|0 consumer.session.timeout.ms 50000",
		"16 m|0 interval.ms 1000|0 metrics a,b",
		"8 1|0 root DEBUG",
	} {
		for _, got := range w.alterLine(line) {
			if got != `0 "<nil>"` {
				t.Fatalf("%s: %s", line, got)
			}
		}
	}
	for _, test := range []struct {
		kind           kmsg.ConfigResourceType
		resource, name string
		want           string
	}{
		{2, "t", "retention.ms", "4000 LONG 1 rw [retention.ms=4000/1 log.retention.ms=7000/2 log.retention.ms= 6000 /3 log.retention.hours=168/5]"},
		{2, "t", "min.cleanable.dirty.ratio", "1.0 DOUBLE 1 rw [min.cleanable.dirty.ratio=1.0/1 log.cleaner.min.cleanable.ratio=0.5/5]"},
		{2, "t", "cleanup.policy", "compact,delete LIST 1 rw [cleanup.policy=compact,delete/1 log.cleanup.policy=delete/5]"},
		{2, "t", "segment.ms", "604800000 LONG 5 rw []"},
		{2, "t", "leader.replication.throttled.replicas", " LIST 5 rw []"},
		{4, "", "log.retention.ms", " 6000  LONG 3 rw [log.retention.ms= 6000 /3]"},
		{4, "", "nope", "null UNKNOWN 3 ro secret [nope=null/3]"},
		{4, "1", "nope", "null UNKNOWN 2 ro secret [nope=null/2 nope=null/3]"},
		{4, "1", "log.retention.ms", "7000 LONG 2 rw [log.retention.ms=7000/2 log.retention.ms= 6000 /3 log.retention.hours=168/5]"},
		{4, "1", "log.retention.hours", "168 INT 5 ro [log.retention.hours=168/5]"},
		{4, "1", "log.flush.interval.ms", "null LONG 5 rw []"},
		{4, "1", "log.cleaner.io.max.bytes.per.second", "1.7976931348623157E308 DOUBLE 5 rw [log.cleaner.io.max.bytes.per.second=1.7976931348623157E308/5]"},
		{4, "1", "listener.name.client.ssl.keystore.type", "PEM STRING 2 ro [listener.name.client.ssl.keystore.type=PEM/2 ssl.keystore.type=JKS/5]"},
		{4, "1", "listener.name.client.ssl.key.password", "null PASSWORD 2 ro secret [listener.name.client.ssl.key.password=null/2]"},
		{4, "1", "ssl.key.password", "null PASSWORD 5 rw secret []"},
		{4, "1", "background.threads", "2 INT 4 rw [background.threads=2/4 background.threads=10/5]"},
		{4, "1", "group.initial.rebalance.delay.ms", "0 INT 4 ro [group.initial.rebalance.delay.ms=0/4 group.initial.rebalance.delay.ms=3000/5]"},
		{4, "1", "node.id", "1 INT 4 ro [node.id=1/4]"},
		{8, "1", "root", "DEBUG UNKNOWN 6 rw []"},
		{16, "m", "interval.ms", "1000 INT 7 rw [interval.ms=1000/7]"},
		{16, "m", "match", " LIST 5 rw []"},
		{32, "g", "consumer.session.timeout.ms", "50000 INT 8 rw [consumer.session.timeout.ms=50000/8 group.consumer.session.timeout.ms=45000/5]"},
		{32, "g", "share.auto.offset.reset", "latest STRING 5 rw [share.auto.offset.reset=latest/5]"},
	} {
		found, err := w.describeOne(test.kind, test.resource)
		c, ok := found[test.name]
		if !ok {
			t.Errorf("%d %q has no %s: %s", test.kind, test.resource, test.name, err)
			continue
		}
		show := func(v *string) string {
			if v == nil {
				return "null"
			}
			return *v
		}
		var synonyms []string
		for _, s := range c.ConfigSynonyms {
			synonyms = append(synonyms, fmt.Sprintf("%s=%s/%d", s.Name, show(s.Value), s.Source))
		}
		mode := "rw"
		if c.ReadOnly {
			mode = "ro"
		}
		if c.IsSensitive {
			mode += " secret"
		}
		if got := fmt.Sprintf("%s %v %d %s %v", show(c.Value), c.ConfigType, c.Source, mode, synonyms); got != test.want {
			t.Errorf("%d %q %s\n got %s\nwant %s", test.kind, test.resource, test.name, got, test.want)
		}
	}
	for _, test := range []struct {
		kind     kmsg.ConfigResourceType
		resource string
		want     string
		count    int
	}{
		{2, "t", "0 ", 33},
		{2, "none", "3 ", 0},
		{2, "a/b", "17 Topic name is invalid: 'a/b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", 0},
		{4, "", "0 ", 3},    // those two, and min.insync.replicas
		{4, "1", "0 ", 343}, // Kafka's 340 and three of those that were altered
		{4, "x", "42 Broker id must be an integer, but it is: x", 0},
		{4, "2", "42 Unexpected broker id, expected 1 or empty string, but received 2", 0},
		{8, "", "42 Broker id must not be empty", 0},
		{8, "2", "42 Unexpected broker id, expected 1 but received 2", 0},
		{16, "", "42 Client metrics subscription name must not be empty", 0},
		{32, "", "42 Group name must not be empty", 0},
		{32, "g", "0 ", 17},
		{99, "x", "42 This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details.", 0},
	} {
		if found, got := w.describeOne(test.kind, test.resource); got != test.want || len(found) != test.count {
			t.Errorf("%d %q: %q, %d settings; want %q, %d", test.kind, test.resource, got, len(found), test.want, test.count)
		}
	}
}

func TestGroupHasTheHeartbeatIntervalOfItsOwn(t *testing.T) {
	w := settingsCluster(t)
	heartbeat := func(group string) int32 {
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Group, req.MemberID, req.SubscribedTopicNames, req.Topics = group, "m", []string{"t"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		req.RebalanceTimeoutMillis = 1000
		return ask[*kmsg.ConsumerGroupHeartbeatResponse](w, 1, req).HeartbeatIntervalMillis
	}
	w.alterLine("32 slow|0 consumer.heartbeat.interval.ms 6000")
	if slow, other := heartbeat("slow"), heartbeat("other"); slow != 6000 || other != 5000 {
		t.Errorf("heartbeat intervals %d and %d, want 6000 and 5000", slow, other)
	}
}
