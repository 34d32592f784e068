package containers

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/exec"
	"github.com/testcontainers/testcontainers-go/network"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/sordini-go/sordini/broker/container"
)

// startBroker starts a container of the reference broker for a test.
func startBroker(t *testing.T, opts ...testcontainers.ContainerCustomizer) *container.Container {
	t.Helper()
	ctr, err := container.Run(t.Context(), sordiniImage, opts...)
	testcontainers.CleanupContainer(t, ctr)
	if err != nil {
		t.Fatal(err)
	}
	return ctr
}

// produce sends one record, and gives up at the first refusal.
func produce(t *testing.T, brokers []string, topic string, opts ...kgo.Opt) error {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(brokers...), kgo.DisableIdempotentWrite(), kgo.RecordRetries(0), kgo.UnknownTopicRetries(0)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("v")}).FirstErr()
}

func TestModuleSecuresTheBrokers(t *testing.T) {
	ctr := startBroker(t, container.WithTLS(), container.WithSASL("alice", "won,der:#;"), container.WithSASL("admin", "secret"), container.WithTopic("orders", 2),
		container.WithTopic("secrets", 1), container.WithACLs("User:admin", "allow User:alice READ,WRITE,DESCRIBE TOPIC orders"))
	brokers, err := ctr.Brokers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conf, err := ctr.TLSConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	as := func(user, password string) []kgo.Opt {
		return []kgo.Opt{kgo.DialTLSConfig(conf.Clone()), kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism())}
	}
	for _, test := range []struct {
		what, topic string
		opts        []kgo.Opt
		want        error
	}{
		{"alice, to her topic", "orders", as("alice", "won,der:#;"), nil},
		{"alice, to another", "secrets", as("alice", "won,der:#;"), kerr.TopicAuthorizationFailed},
		{"admin", "secrets", as("admin", "secret"), nil},
		{"a wrong password", "orders", as("alice", "x"), kerr.SaslAuthenticationFailed},
	} {
		if err := produce(t, brokers, test.topic, test.opts...); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.what, err, test.want)
		}
	}
	inspect, err := ctr.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if env := strings.Join(inspect.Config.Env, "\n"); strings.Contains(env, "won,der") || strings.Contains(env, "secret\n") {
		t.Errorf("a password is in the container's environment:\n%s", env)
	}
}

func TestModuleRunsAClusterWithARegistry(t *testing.T) {
	ctr := startBroker(t, container.WithBrokers(3), container.WithTopic("orders", 6), container.WithProperty("message.max.bytes", "1000"))
	brokers, err := ctr.Brokers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range brokers { // each answers by itself, and sends clients on to the others
		for range 6 { // partitions
			if err := produce(t, []string{b}, "orders"); err != nil {
				t.Errorf("through %s: %v", b, err)
			}
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(ctr.MustConnectionString(t.Context()), ",")...), kgo.RecordRetries(0), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	large := &kgo.Record{Topic: "orders", Value: make([]byte, 2000)}
	if err := client.ProduceSync(t.Context(), large).FirstErr(); !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("a record of 2000 bytes: %v", err)
	}
	url, err := ctr.SchemaRegistryURL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/subjects", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var subjects []string
	if err := json.NewDecoder(resp.Body).Decode(&subjects); err != nil || len(subjects) != 0 {
		t.Errorf("subjects of a new registry: %v, %v", subjects, err)
	}
}

func TestContainersInTheNetworkReachTheBrokers(t *testing.T) {
	nw, err := network.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	testcontainers.CleanupNetwork(t, nw)
	ctr := startBroker(t, container.WithBrokers(2), container.WithTopic("orders", 4), container.WithNetworkListener(nw, "kafka"))
	addresses := ctr.NetworkBrokers()
	if !slices.Equal(addresses, []string{"kafka:19092", "kafka:19093"}) {
		t.Fatalf("addresses in the network are %v", addresses)
	}
	brokers, err := ctr.Brokers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := produce(t, brokers, "orders"); err != nil {
		t.Errorf("from outside: %v", err)
	}
	tools, err := testcontainers.Run(t.Context(), kafkaImage, testcontainers.WithCmd("sleep", "1000"), network.WithNetwork([]string{"tools"}, nw))
	testcontainers.CleanupContainer(t, tools, testcontainers.StopTimeout(0))
	if err != nil {
		t.Fatal(err)
	}
	// The consumer fetches from the leaders, which it knows by the addresses that it was told.
	code, out, err := tools.Exec(t.Context(), []string{"kafka-run-class", "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", addresses[0],
		"--topic", "orders", "--from-beginning", "--max-messages", "1", "--timeout-ms", "20000"}, exec.Multiplexed())
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if code != 0 || !slices.Contains(strings.Split(string(text), "\n"), "v") {
		t.Errorf("from inside: exit status %d\n%s", code, text)
	}
}

func TestContainerThatIsStartedAgainAdvertisesItsNewPorts(t *testing.T) {
	ctr := startBroker(t, container.WithTopic("orders", 1))
	timeout := 5 * time.Second
	if err := ctr.Stop(t.Context(), &timeout); err != nil {
		t.Fatal(err)
	}
	if err := ctr.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	brokers, err := ctr.Brokers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := produce(t, brokers, "orders"); err != nil {
		t.Error(err)
	}
}

func TestDataOutlivesItsContainer(t *testing.T) {
	const volume = "sordini-data-test"
	first, err := container.Run(t.Context(), sordiniImage, container.WithData(volume), container.WithBrokers(2), container.WithTopic("orders", 2))
	testcontainers.CleanupContainer(t, first, testcontainers.RemoveVolumes(volume))
	if err != nil {
		t.Fatal(err)
	}
	brokers, err := first.Brokers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := produce(t, brokers, "orders"); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Terminate(t.Context(), testcontainers.StopTimeout(0)); err != nil { // killed
		t.Fatal(err)
	}
	second := startBroker(t, container.WithData(volume), container.WithBrokers(2), container.WithTopic("orders", 2))
	if brokers, err = second.Brokers(t.Context()); err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics("orders"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for got := 0; got < 10; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%d records are there again: %v", got, err)
		}
		got += fetches.NumRecords()
	}
}

func TestRunSaysWhyAContainerDidNotStart(t *testing.T) {
	ctr, err := container.Run(t.Context(), sordiniImage, container.WithProperty("message.max.byts", "1"))
	testcontainers.CleanupContainer(t, ctr)
	if err == nil || !strings.Contains(err.Error(), "Unknown broker config name: message.max.byts") {
		t.Errorf("with a wrong property: %v", err)
	}
	if ctr == nil {
		t.Error("the container that failed is not returned, so nobody could remove it")
	}
}
