package broker_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/broker"
)

// startWithRegistry starts a cluster with a schema registry, and an HTTP client that reaches it.
func startWithRegistry(t *testing.T, cfg broker.Config) (*broker.Cluster, *http.Client) {
	t.Helper()
	if cfg.Registry == nil {
		cfg.Registry = &broker.Registry{}
	}
	c, err := broker.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: c.Dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		c.Close()
	})
	return c, &http.Client{Transport: transport}
}

func askRegistry(t *testing.T, client *http.Client, method, url, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const stringSchema = `{"schema":"{\"type\": \"string\"}"}`

func TestRegistryWorksInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, client := startWithRegistry(t, broker.Config{Network: broker.NewNetwork()})
		time.Sleep(24 * time.Hour)
		if got := askRegistry(t, client, "POST", c.RegistryURL()+"/subjects/orders-value/versions", stringSchema); !strings.Contains(got, `"id":1`) {
			t.Errorf("register: %s", got)
		}
		if got := askRegistry(t, client, "GET", c.RegistryURL()+"/subjects/orders-value/versions/1", ""); !strings.Contains(got, `"ts":946771200000`) {
			t.Errorf("the schema's time is not that of the bubble: %s", got)
		}
	})
}

func TestRegistryIsClosedWithTheCluster(t *testing.T) {
	c, client := startWithRegistry(t, broker.Config{})
	if got := askRegistry(t, client, "GET", c.RegistryURL()+"/subjects", ""); got != "[]" {
		t.Errorf("subjects: %s", got)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if res, err := client.Get(c.RegistryURL() + "/subjects"); err == nil {
		res.Body.Close()
		t.Error("a closed registry answers")
	}
}

func TestSchemasLieInTheirTopicAndAreReadBack(t *testing.T) {
	c, client := startWithRegistry(t, broker.Config{})
	if n := c.Partitions("_schemas"); n != 0 {
		t.Errorf("the topic has %d partitions before there is a schema", n)
	}
	url := c.RegistryURL()
	askRegistry(t, client, "POST", url+"/subjects/a/versions", stringSchema)
	askRegistry(t, client, "POST", url+"/subjects/b/versions", stringSchema)
	askRegistry(t, client, "PUT", url+"/config/a", `{"compatibility":"FULL"}`)
	askRegistry(t, client, "DELETE", url+"/subjects/b", "")
	recs, err := c.Records("_schemas", 0)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, r := range recs {
		keys = append(keys, string(r.Key))
	}
	want := []string{
		`{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}`,
		`{"keytype":"SCHEMA","subject":"b","version":1,"magic":1}`,
		`{"keytype":"CONFIG","subject":"a","magic":0}`,
		`{"keytype":"DELETE_SUBJECT","subject":"b","magic":0}`,
	}
	if strings.Join(keys, "\n") != strings.Join(want, "\n") {
		t.Errorf("keys:\n%s\nwant:\n%s", strings.Join(keys, "\n"), strings.Join(want, "\n"))
	}

	// Another cluster that is given the same records by a client has the same schemas.
	other, otherClient := startWithRegistry(t, broker.Config{Topics: []broker.Topic{{Name: "_schemas", Configs: map[string]string{"cleanup.policy": "compact"}}}})
	producer, err := kgo.NewClient(kgo.SeedBrokers(other.Addrs()...), kgo.Dialer(other.Dial))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	for _, r := range recs {
		if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: "_schemas", Key: r.Key, Value: r.Value, Timestamp: r.Timestamp}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/subjects?deleted=true", "/subjects", "/config/a", "/schemas/ids/1/versions?deleted=true"} {
		if a, b := askRegistry(t, client, "GET", url+path, ""), askRegistry(t, otherClient, "GET", other.RegistryURL()+path, ""); a != b {
			t.Errorf("%s: %s, read back %s", path, a, b)
		}
	}
}
