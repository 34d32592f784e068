package broker_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

// alterQuota sets quotas, written "key=value" or "key" to remove one, of an entity, written "user=alice,client-id=c" with "NULL" for a default.
func (w *wire) alterQuota(entity string, ops ...string) string {
	w.t.Helper()
	req := kmsg.NewPtrAlterClientQuotasRequest()
	e := kmsg.NewAlterClientQuotasRequestEntry()
	for pair := range strings.SplitSeq(entity, ",") {
		kind, name, ok := strings.Cut(pair, "=")
		if !ok {
			continue
		}
		x := kmsg.NewAlterClientQuotasRequestEntryEntity()
		if x.Type = kind; name != "NULL" {
			x.Name = &name
		}
		e.Entity = append(e.Entity, x)
	}
	for _, op := range ops {
		o := kmsg.NewAlterClientQuotasRequestEntryOp()
		key, value, set := strings.Cut(op, "=")
		if o.Key, o.Remove = key, !set; set {
			if _, err := fmt.Sscan(value, &o.Value); err != nil {
				w.t.Fatal(err)
			}
		}
		e.Ops = append(e.Ops, o)
	}
	req.Entries = append(req.Entries, e)
	res := ask[*kmsg.AlterClientQuotasResponse](w, 1, req).Entries[0]
	if res.ErrorMessage == nil {
		return fmt.Sprint(res.ErrorCode)
	}
	return fmt.Sprintf("%d %s", res.ErrorCode, *res.ErrorMessage)
}

// The answers are those of Apache Kafka 4.3.1, except that it looks names of hosts up.
func TestQuotasAreSetAndRefusedAsKafkaDoes(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		for _, test := range []struct{ entity, op, want string }{
			{"user=alice", "producer_byte_rate=1000", "0"},
			{"user=alice,client-id=c", "producer_byte_rate=2000", "0"},
			{"user=NULL", "producer_byte_rate=3000", "0"},
			{"client-id=NULL", "producer_byte_rate=3500", "0"},
			{"user=NULL,client-id=NULL", "producer_byte_rate=4000", "0"},
			{"client-id=c", "consumer_byte_rate=5 request_percentage=0.5 controller_mutation_rate=0.5", "0"},
			{"ip=127.0.0.1", "connection_creation_rate=5", "0"},
			{"ip=NULL", "connection_creation_rate=6", "0"},
			{"ip=nosuchhost.invalid", "connection_creation_rate=5", "42 nosuchhost.invalid is not a valid IP or resolvable host."},
			{"ip=127.0.0.1", "producer_byte_rate=5", "42 Invalid configuration key producer_byte_rate"},
			{"user=alice", "connection_creation_rate=5", "42 Invalid configuration key connection_creation_rate"},
			{"ip=127.0.0.1,user=a", "producer_byte_rate=5", "42 Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId"}, //nolint:misspell // Kafka's own words
			{"", "producer_byte_rate=5", "42 Invalid empty client quota entity"},
			{"planet=mars", "producer_byte_rate=5", "42 Unhandled client quota entity type: planet"},
			{"user=", "producer_byte_rate=5", "42 Empty user not supported"},
			{"user=alice,user=bob", "producer_byte_rate=5", "0"},
			{"user=alice", "producer_byte_rate=0", "42 Quota producer_byte_rate must be greater than 0"},
			{"user=alice", "producer_byte_rate=-1", "42 Quota producer_byte_rate must be greater than 0"},
			{"user=alice", "producer_byte_rate=1.5", "42 producer_byte_rate cannot be a fractional value."},
			{"user=alice", "producer_byte_rate=1e30", "42 Proposed value for producer_byte_rate is too large for a LONG."},
			{"user=alice", "nope=5", "42 Invalid configuration key nope"},
			{"user=alice", "nope", "0"},
			{"user=alice", "producer_byte_rate=5 producer_byte_rate=6", "42 Ignoring duplicate entity ClientQuotaEntity(entries={user=alice})"},
			{"user=gone", "producer_byte_rate=5", "0"},
			{"user=gone", "producer_byte_rate", "0"},
		} {
			if got := w.alterQuota(test.entity, strings.Fields(test.op)...); got != test.want {
				t.Errorf("%s %s: %q, want %q", test.entity, test.op, got, test.want)
			}
		}
		const aliceC, alice, bob = "client-id=c,user=alice producer_byte_rate=2000", "user=alice producer_byte_rate=1000", "user=bob producer_byte_rate=5"
		const users, both, clients = "user=NULL producer_byte_rate=3000", "client-id=NULL,user=NULL producer_byte_rate=4000", "client-id=NULL producer_byte_rate=3500"
		const c = "client-id=c consumer_byte_rate=5 controller_mutation_rate=0.5 request_percentage=0.5"
		const ip, ips = "ip=127.0.0.1 connection_creation_rate=5", "ip=NULL connection_creation_rate=6"
		for _, test := range []struct {
			strict bool
			filter string
			want   []string
		}{
			{false, "", []string{aliceC, alice, bob, users, both, clients, c, ip, ips}},
			{true, "", nil},
			{false, "user 2", []string{aliceC, alice, bob, users, both}},
			{true, "user 2", []string{alice, bob, users}},
			{false, "user 0 alice", []string{aliceC, alice}},
			{true, "user 0 alice", []string{alice}},
			{false, "user 1", []string{users, both}},
			{true, "user 1", []string{users}},
			{true, "user 1,client-id 1", []string{both}},
			{false, "client-id 0 c", []string{aliceC, c}},
			{false, "ip 2", []string{ip, ips}},
			{false, "ip 2,user 2", []string{"42 Invalid entity filter component combination. IP filter component should not be used with user or clientId filter component."}},
			{false, "planet 2", []string{"35 Unsupported entity type planet"}},
			{false, "user 9", []string{"42 Unknown match type 9"}},
			{false, "user 2,user 2", []string{"42 Entity type user cannot appear more than once in the filter."}},
			{false, "user 0", []string{"42 Request specified MATCH_TYPE_EXACT, but set match string to null."}},
			{false, "user 1 alice", []string{"42 Request specified MATCH_TYPE_DEFAULT, but also specified a match string."}},
			{false, "user 2 alice", []string{"42 Request specified MATCH_TYPE_SPECIFIED, but also specified a match string."}},
			{false, " 2", []string{"42 Invalid empty entity type."}},
		} {
			got := w.describeQuotas(test.strict, test.filter)
			slices.Sort(got)
			slices.Sort(test.want)
			if !slices.Equal(got, test.want) {
				t.Errorf("strict %v, %q:\n got %q\nwant %q", test.strict, test.filter, got, test.want)
			}
		}
	})
}

func (w *wire) describeQuotas(strict bool, filter string) (found []string) {
	w.t.Helper()
	req := kmsg.NewPtrDescribeClientQuotasRequest()
	req.Strict = strict
	for part := range strings.SplitSeq(filter, ",") {
		if part == "" {
			continue
		}
		words := strings.Split(part, " ")
		x := kmsg.NewDescribeClientQuotasRequestComponent()
		x.EntityType = words[0]
		if _, err := fmt.Sscan(words[1], &x.MatchType); err != nil {
			var n int8
			fmt.Sscan(words[1], &n)
			x.MatchType = kmsg.QuotasMatchType(n)
		}
		if len(words) > 2 {
			x.Match = &words[2]
		}
		req.Components = append(req.Components, x)
	}
	resp := ask[*kmsg.DescribeClientQuotasResponse](w, 1, req)
	if resp.ErrorCode != 0 {
		if resp.Entries != nil {
			w.t.Errorf("%q: an error with entries", filter)
		}
		return []string{fmt.Sprintf("%d %s", resp.ErrorCode, *resp.ErrorMessage)}
	}
	for _, e := range resp.Entries {
		var names, values []string
		for _, x := range e.Entity {
			name := "NULL"
			if x.Name != nil {
				name = *x.Name
			}
			names = append(names, x.Type+"="+name)
		}
		for _, v := range e.Values {
			values = append(values, fmt.Sprintf("%s=%v", v.Key, v.Value))
		}
		found = append(found, strings.Join(names, ",")+" "+strings.Join(values, " "))
	}
	return found
}

// A producer that sends ten times what it may is answered at once, told how long it is throttled, and then not read for that time (KIP-219). Others go on.
func TestProducerIsThrottledAfterItsAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		admin, w := dial(t, cluster, 1), dial(t, cluster, 1)
		w.name = "greedy"
		if got := admin.alterQuota("client-id=greedy", "producer_byte_rate=1000"); got != "0" {
			t.Fatal(got)
		}
		begin := time.Now()
		req := produceRequest("orders", 0, seal(batchOf(kv{value: make([]byte, 100_000)})))
		throttle := ask[*kmsg.ProduceResponse](w, 12, req).ThrottleMillis
		if took := time.Since(begin); took != 0 || throttle < 85_000 || throttle > 95_000 {
			t.Errorf("answered after %v, throttled for %d ms, want about 90000", took, throttle)
		}
		admin.produce("orders", 0, seal(batchOf(text("from another client")...)))
		if took := time.Since(begin); took != 0 {
			t.Errorf("another client waits %v", took)
		}
		resp := ask[*kmsg.ProduceResponse](w, 12, produceRequest("orders", 0, seal(batchOf(text("next")...))))
		if took := time.Since(begin); took != time.Duration(throttle)*time.Millisecond {
			t.Errorf("the next request is served after %v, throttled was for %d ms", took, throttle)
		}
		if resp.ThrottleMillis != 0 {
			t.Errorf("throttled again for %d ms", resp.ThrottleMillis)
		}
		if got := admin.alterQuota("client-id=greedy", "producer_byte_rate"); got != "0" {
			t.Fatal(got)
		}
		if ms := ask[*kmsg.ProduceResponse](w, 12, req).ThrottleMillis; ms != 0 {
			t.Errorf("throttled for %d ms without a quota", ms)
		}
	})
}

// A consumer that has had what it may gets nothing until its rate is within the quota, and then all that is left: nothing is lost by throttling.
func TestConsumerIsThrottledAndGetsEverything(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		w.name = "reader"
		for range 10 {
			w.produce("orders", 0, seal(batchOf(kv{value: make([]byte, 1000)})))
		}
		if got := w.alterQuota("client-id=NULL", "consumer_byte_rate=500"); got != "0" {
			t.Fatal(got)
		}
		begin, offset, empty := time.Now(), int64(0), 0
		for offset < 10 {
			resp := ask[*kmsg.FetchResponse](w, 12, fetchRequest("orders", 0, offset))
			if len(resp.Topics) == 0 {
				if empty++; resp.ThrottleMillis == 0 || empty > 100 {
					t.Fatalf("nothing for the %dth time, throttled for %d ms", empty, resp.ThrottleMillis)
				}
				continue
			}
			for raw := resp.Topics[0].Partitions[0].RecordBatches; len(raw) > 0; offset++ {
				var b kmsg.RecordBatch
				if err := b.ReadFrom(raw); err != nil {
					t.Fatal(err)
				}
				raw = raw[12+b.Length:]
			}
		}
		if took := time.Since(begin); empty == 0 || took < 5*time.Second || took > 40*time.Second {
			t.Errorf("10 kB at 500 bytes a second took %v, throttled %d times", took, empty)
		}
	})
}

func TestClientThatMakesTooManyPartitionsIsRefusedOrThrottled(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		if got := w.alterQuota("user=NULL", "controller_mutation_rate=1"); got != "0" {
			t.Fatal(got)
		}
		create := func(version int16, name string) (code int16, throttle int32) {
			req := kmsg.NewPtrCreateTopicsRequest()
			topic := kmsg.NewCreateTopicsRequestTopic()
			topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 20, 1
			req.Topics = append(req.Topics, topic)
			resp := ask[*kmsg.CreateTopicsResponse](w, version, req)
			return resp.Topics[0].ErrorCode, resp.ThrottleMillis
		}
		if code, throttle := create(6, "first"); code != 0 || throttle != 9000 {
			t.Errorf("20 partitions with 11 to spend: code %d, throttled %d ms", code, throttle)
		}
		if _, throttle := create(5, "old-client"); throttle != 20_000 { // it was not read for the 9 seconds
			t.Errorf("an old client is throttled %d ms", throttle)
		}
		other := dial(t, cluster, 1)
		w = other // whose connection is read
		if code, throttle := create(7, "refused"); code != 89 || throttle == 0 {
			t.Errorf("in debt: code %d, throttled %d ms", code, throttle)
		}
		if code, _ := create(7, "refused"); code != 0 {
			t.Errorf("after the debt: code %d", code)
		}
	})
}

func TestRequestsTakeTheirShareOfTimeOnly(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		w.name = "busy"
		if got := w.alterQuota("client-id=busy", "request_percentage=0.1"); got != "0" {
			t.Fatal(got)
		}
		begin, throttled := time.Now(), 0
		for range 300 {
			if ask[*kmsg.MetadataResponse](w, 12, kmsg.NewPtrMetadataRequest()).ThrottleMillis > 0 {
				throttled++
			}
		}
		// A request costs a tenth of a millisecond of a second that may have one: ten a second, of which those of ten seconds may come at once.
		if took := time.Since(begin); throttled == 0 || took < 15*time.Second || took > 30*time.Second {
			t.Errorf("300 requests took %v, throttled %d times", took, throttled)
		}
	})
}

func TestConnectionsFromAnAddressAreSlowedDown(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		admin := dial(t, cluster, 1)
		if got := admin.alterQuota("ip=NULL", "connection_creation_rate=1"); got != "0" {
			t.Fatal(got)
		}
		versions := kmsg.NewPtrApiVersionsRequest()
		for range 10 { // what may come in ten seconds may come at once
			ask[*kmsg.ApiVersionsResponse](dial(t, cluster, 1), 0, versions)
		}
		begin := time.Now()
		w := dial(t, cluster, 1)
		w.send(versions)
		if _, err := w.frame(); !errors.Is(err, io.EOF) || time.Since(begin) != time.Second {
			t.Errorf("one too many: %v after %v", err, time.Since(begin))
		}
		time.Sleep(10 * time.Second) // of virtual time
		ask[*kmsg.ApiVersionsResponse](dial(t, cluster, 1), 0, versions)
	})
}
