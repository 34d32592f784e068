package broker_test

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

// told is what a client that comes through an address is told about where the brokers are, by Metadata, DescribeCluster and FindCoordinator.
func told(t *testing.T, cluster *broker.Cluster, address string) []string {
	t.Helper()
	at := func(host string, port int32) string { return net.JoinHostPort(host, strconv.Itoa(int(port))) }
	ask := func(req kmsg.Request) kmsg.Response {
		t.Helper()
		// Each request has a client of its own: one that has read metadata goes where that says.
		client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.Dialer(cluster.Dial))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		resp, err := client.SeedBrokers()[0].Request(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	var addrs []string
	for _, b := range ask(kmsg.NewPtrMetadataRequest()).(*kmsg.MetadataResponse).Brokers {
		addrs = append(addrs, at(b.Host, b.Port))
	}
	describe := kmsg.NewPtrDescribeClusterRequest()
	describe.EndpointType = 1
	for i, b := range ask(describe).(*kmsg.DescribeClusterResponse).Brokers {
		if i >= len(addrs) || addrs[i] != at(b.Host, b.Port) {
			t.Errorf("through %s: DescribeCluster says %s, Metadata %v", address, at(b.Host, b.Port), addrs)
		}
	}
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKeys, find.CoordinatorKey = []string{"billing"}, "billing"
	if co := ask(find).(*kmsg.FindCoordinatorResponse).Coordinators[0]; !slices.Contains(addrs, at(co.Host, co.Port)) {
		t.Errorf("through %s: FindCoordinator says %s, Metadata %v", address, at(co.Host, co.Port), addrs)
	}
	return addrs
}

func TestClientsAreToldTheAddressesOfTheirListener(t *testing.T) {
	cluster, err := broker.Start(broker.Config{
		Brokers: 3, Network: broker.NewNetwork(), Listen: "0.0.0.0:9092", Advertise: []string{"outside:30007", "outside:30001", "outside:30005"},
		Listeners: []broker.Listener{{Name: "INTERNAL", Listen: "0.0.0.0:19092", Advertise: []string{"kafka:19092"}}, {Name: "PLAIN", Listen: "127.0.0.1:29092"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	if addrs := cluster.Advertised(); strings.Join(addrs, ",") != "outside:30007,outside:30001,outside:30005" {
		t.Errorf("advertised: %v", addrs)
	}
	if addrs := cluster.Addrs(); strings.Join(addrs, ",") != "127.0.0.1:9092,127.0.0.1:9093,127.0.0.1:9094" {
		t.Errorf("addresses: %v", addrs)
	}
	if err := cluster.KillBroker(2); err != nil {
		t.Fatal(err)
	}
	if err := cluster.StartBroker(2); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"0.0.0.0:9093":    "outside:30007,outside:30001,outside:30005", // of a broker that was started again, on every interface as before
		"0.0.0.0:19092":   "kafka:19092,kafka:19093,kafka:19094",
		"127.0.0.1:29094": "127.0.0.1:29092,127.0.0.1:29093,127.0.0.1:29094",
	} {
		if got := strings.Join(told(t, cluster, address), ","); got != want {
			t.Errorf("a client of %s is told %s, want %s", address, got, want)
		}
	}
}

func TestWrongBrokerNamesTheLeaderOnTheClientsListener(t *testing.T) {
	cluster, err := broker.Start(broker.Config{
		Brokers: 2, Network: broker.NewNetwork(), Listen: "127.0.0.1:9092", Topics: []broker.Topic{{Name: "orders"}},
		Listeners: []broker.Listener{{Name: "INTERNAL", Listen: "127.0.0.1:19092", Advertise: []string{"kafka:1"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	p, err := cluster.Partition("orders", 0)
	if err != nil {
		t.Fatal(err)
	}
	w := dialAddress(t, cluster, "127.0.0.1:"+strconv.Itoa(19091+int(3-p.Leader)))
	brokers := ask[*kmsg.ProduceResponse](w, 12, produceRequest("orders", 0, seal(batchOf(text("x")...)))).Brokers
	if len(brokers) != 1 || brokers[0].Host != "kafka" || brokers[0].Port != p.Leader {
		t.Errorf("to a producer the wrong broker names %+v as the leader's address, want kafka:%d", brokers, p.Leader)
	}
	fetch := fetchRequest("orders", 0, 0)
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr("orders")
	meta := kmsg.NewPtrMetadataRequest()
	meta.Topics = append(meta.Topics, topic)
	fetch.Topics[0].TopicID = ask[*kmsg.MetadataResponse](w, 12, meta).Topics[0].TopicID
	if nodes := ask[*kmsg.FetchResponse](w, 16, fetch).Brokers; len(nodes) != 1 || nodes[0].Host != "kafka" || nodes[0].Port != p.Leader {
		t.Errorf("to a consumer the wrong broker names %+v as the leader's address, want kafka:%d", nodes, p.Leader)
	}
}

func TestClosingEndsEveryListenerThatWaitsForRoom(t *testing.T) {
	cluster, err := broker.Start(broker.Config{
		Network: broker.NewNetwork(), Listen: "127.0.0.1:9092", Properties: map[string]string{"max.connections": "1"},
		Listeners: []broker.Listener{{Name: "A", Listen: "127.0.0.1:19092"}, {Name: "B", Listen: "127.0.0.1:29092"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	for _, port := range []string{"9092", "19092", "29092"} { // each listener has accepted one, so the next waits for room
		conn, err := cluster.Dial(t.Context(), "", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if err := cluster.Close(); err != nil {
		t.Error(err)
	}
}

func TestWrongListenersAreRefused(t *testing.T) {
	for want, cfg := range map[string]broker.Config{
		"advertised address \"outside\"":                       {Advertise: []string{"outside"}},
		"clients need a host and a port":                       {Advertise: []string{"0.0.0.0:9092"}},
		"advertised address \"outside:0\"":                     {Advertise: []string{"outside:0"}},
		"advertised address \"outside:65535\"":                 {Brokers: 2, Advertise: []string{"outside:65535"}},
		"advertises 2 addresses for 3 brokers":                 {Brokers: 3, Advertise: []string{"a:1", "b:1"}},
		"listener \"\": a name has capitals":                   {Listeners: []broker.Listener{{Listen: "127.0.0.1:0"}}},
		"listener \"internal\": a name has capitals":           {Listeners: []broker.Listener{{Name: "internal", Listen: "127.0.0.1:0"}}},
		"controllers need none":                                {Listeners: []broker.Listener{{Name: "CONTROLLER", Listen: "127.0.0.1:0"}}},
		"listener PLAINTEXT is there twice":                    {Listeners: []broker.Listener{{Name: "PLAINTEXT", Listen: "127.0.0.1:0"}}},
		"listen address \"nowhere\"":                           {Listeners: []broker.Listener{{Name: "A", Listen: "nowhere"}}},
		"broker 1: listen memory 127.0.0.1:1: address already": {Listen: "127.0.0.1:1", Network: broker.NewNetwork(), Listeners: []broker.Listener{{Name: "A", Listen: "127.0.0.1:1"}}},
	} {
		cluster, err := broker.Start(cfg)
		if err == nil {
			cluster.Close()
			t.Errorf("%+v: started", cfg)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
}
