package broker_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

func TestCreateTopicsAnswersAsKafkaDoes(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		type topic = kmsg.CreateTopicsRequestTopic
		config := func(name, value string) func(*topic) {
			return func(t *topic) { t.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: name, Value: &value}} }
		}
		assign := func(replicas ...[]int32) func(*topic) {
			return func(t *topic) {
				t.NumPartitions, t.ReplicationFactor = -1, -1
				for i, ids := range replicas {
					t.ReplicaAssignment = append(t.ReplicaAssignment, kmsg.CreateTopicsRequestTopicReplicaAssignment{Partition: int32(i), Replicas: ids})
				}
			}
		}
		for i, test := range []struct {
			name   string
			change func(*topic)
			want   *kerr.Error
		}{
			{"ok", func(*topic) {}, nil},
			{"exists", func(t *topic) { t.Topic = "orders" }, kerr.TopicAlreadyExists},
			{"defaults", func(t *topic) { t.NumPartitions, t.ReplicationFactor = -1, -1 }, nil},
			{"no partitions", func(t *topic) { t.NumPartitions = 0 }, kerr.InvalidPartitions},
			{"no replicas", func(t *topic) { t.ReplicationFactor = 0 }, kerr.InvalidReplicationFactor},
			{"more replicas than brokers", func(t *topic) { t.ReplicationFactor = 4 }, kerr.InvalidReplicationFactor},
			{"illegal character", func(t *topic) { t.Topic = "a b" }, kerr.InvalidTopicException},
			{"empty name", func(t *topic) { t.Topic = "" }, kerr.InvalidTopicException},
			{"dots", func(t *topic) { t.Topic = ".." }, kerr.InvalidTopicException},
			{"long name", func(t *topic) { t.Topic = string(make([]byte, 250)) }, kerr.InvalidTopicException},
			{"name with a dot", func(t *topic) { t.Topic = "a.b" }, nil},
			{"name that collides with it", func(t *topic) { t.Topic = "a_b" }, kerr.InvalidTopicException},
			{"unknown setting", config("nope", "1"), kerr.InvalidConfig},
			{"value of the wrong type", config("retention.ms", "x"), kerr.InvalidConfig},
			{"value too small", config("segment.bytes", "5"), kerr.InvalidConfig},
			{"null value", func(t *topic) { t.Configs = []kmsg.CreateTopicsRequestTopicConfig{{Name: "retention.ms"}} }, kerr.InvalidConfig},
			{"assignment", assign([]int32{2, 3}, []int32{3, 1}), nil},
			{"assignment and count", func(t *topic) { assign([]int32{2})(t); t.NumPartitions = 1 }, kerr.InvalidRequest},
			{"assignment to a broker that is not there", assign([]int32{9}), kerr.InvalidReplicaAssignment},
			{"assignment twice to one broker", assign([]int32{1, 1}), kerr.InvalidReplicaAssignment},
			{"assignment to nobody", assign([]int32{}), kerr.InvalidReplicaAssignment},
			{"assignment of different sizes", assign([]int32{1}, []int32{1, 2}), kerr.InvalidReplicaAssignment},
		} {
			rt := kmsg.NewCreateTopicsRequestTopic()
			rt.Topic, rt.NumPartitions, rt.ReplicationFactor = fmt.Sprint("topic-", i), 2, 2
			test.change(&rt)
			req := kmsg.NewPtrCreateTopicsRequest()
			req.Topics = append(req.Topics, rt)
			for _, validate := range []bool{true, false} {
				req.ValidateOnly = validate
				resp := ask[*kmsg.CreateTopicsResponse](w, 7, req).Topics[0]
				want := int16(0)
				if test.want != nil {
					want = test.want.Code
				}
				if resp.ErrorCode != want {
					t.Errorf("%s: %v, want %v", test.name, kerr.ErrorForCode(resp.ErrorCode), test.want)
				}
				if there := cluster.Partitions(rt.Topic) > 0; there != (want == 0 && !validate) && test.name != "exists" {
					t.Errorf("%s (validate only: %v): topic is there: %v", test.name, validate, there)
				}
			}
		}
		rt := kmsg.NewCreateTopicsRequestTopic()
		rt.Topic, rt.NumPartitions, rt.ReplicationFactor = "twice", 1, 1
		req := kmsg.NewPtrCreateTopicsRequest()
		req.Topics = append(req.Topics, rt, rt)
		if resp := ask[*kmsg.CreateTopicsResponse](w, 7, req); len(resp.Topics) != 1 || resp.Topics[0].ErrorCode != kerr.InvalidRequest.Code {
			t.Errorf("twice in one request: %+v", resp.Topics)
		}
	})
}

func TestPartitionsAreAdded(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		for _, test := range []struct {
			topic  string
			count  int32
			assign [][]int32
			want   *kerr.Error
			have   int
		}{
			{"orders", 3, nil, kerr.InvalidPartitions, 3},
			{"orders", 1, nil, kerr.InvalidPartitions, 3},
			{"nowhere", 5, nil, kerr.UnknownTopicOrPartition, 0},
			{"orders", 5, [][]int32{{1, 2}}, kerr.InvalidReplicaAssignment, 3},
			{"orders", 4, [][]int32{{9, 1}}, kerr.InvalidReplicaAssignment, 3},
			{"orders", 4, [][]int32{{3, 1}}, nil, 4},
			{"orders", 6, nil, nil, 6},
		} {
			rt := kmsg.NewCreatePartitionsRequestTopic()
			rt.Topic, rt.Count = test.topic, test.count
			for _, ids := range test.assign {
				rt.Assignment = append(rt.Assignment, kmsg.CreatePartitionsRequestTopicAssignment{Replicas: ids})
			}
			req := kmsg.NewPtrCreatePartitionsRequest()
			req.Topics = append(req.Topics, rt)
			want := int16(0)
			if test.want != nil {
				want = test.want.Code
			}
			if resp := ask[*kmsg.CreatePartitionsResponse](w, 3, req).Topics[0]; resp.ErrorCode != want || cluster.Partitions(test.topic) != test.have {
				t.Errorf("%s to %d: %v, has %d", test.topic, test.count, kerr.ErrorForCode(resp.ErrorCode), cluster.Partitions(test.topic))
			}
		}
		if id, _ := cluster.Leader("orders", 3); id != 3 {
			t.Errorf("assigned partition is led by %d", id)
		}
		if p := w.produce("orders", 3, seal(batchOf(text("a")...))); p.ErrorCode != kerr.NotLeaderForPartition.Code {
			t.Errorf("produce to the added partition: %v", kerr.ErrorForCode(p.ErrorCode))
		}
	})
}

func TestDeletedTopicIsGoneAndCanBeMadeAgain(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		three(t, w)
		name, other := "orders", "nowhere"
		meta := kmsg.NewPtrMetadataRequest()
		meta.Topics = []kmsg.MetadataRequestTopic{{Topic: &name}}
		id := ask[*kmsg.MetadataResponse](w, 12, meta).Topics[0].TopicID
		for _, test := range []struct {
			what   string
			topics []kmsg.DeleteTopicsRequestTopic
			want   *kerr.Error
		}{
			{"unknown", []kmsg.DeleteTopicsRequestTopic{{Topic: &other}}, kerr.UnknownTopicOrPartition},
			{"unknown id", []kmsg.DeleteTopicsRequestTopic{{TopicID: [16]byte{1}}}, kerr.UnknownTopicID},
			{"nothing", []kmsg.DeleteTopicsRequestTopic{{}}, kerr.InvalidRequest},
			{"name and id", []kmsg.DeleteTopicsRequestTopic{{Topic: &name, TopicID: id}}, kerr.InvalidRequest},
			{"twice", []kmsg.DeleteTopicsRequestTopic{{Topic: &name}, {TopicID: id}}, kerr.InvalidRequest},
			{"id", []kmsg.DeleteTopicsRequestTopic{{TopicID: id}}, nil},
			{"again", []kmsg.DeleteTopicsRequestTopic{{TopicID: id}}, kerr.UnknownTopicID},
		} {
			req := kmsg.NewPtrDeleteTopicsRequest()
			req.Topics = test.topics
			resp := ask[*kmsg.DeleteTopicsResponse](w, 6, req)
			want := int16(0)
			if test.want != nil {
				want = test.want.Code
			}
			if len(resp.Topics) != 1 || resp.Topics[0].ErrorCode != want {
				t.Errorf("%s: %+v", test.what, resp.Topics)
			}
		}
		create(t, w, "orders", 1, 1)
		if n := cluster.EndOffset("orders", 0); n != 0 {
			t.Errorf("the new topic holds %d records", n)
		}
		if again := ask[*kmsg.MetadataResponse](w, 12, meta).Topics[0].TopicID; again == id {
			t.Error("the new topic has the old one's id")
		}
	})
}

// described returns settings of a topic or broker by name.
func (w *wire) described(kind kmsg.ConfigResourceType, name string) (map[string]kmsg.DescribeConfigsResponseResourceConfig, int16) {
	w.t.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.IncludeSynonyms = true
	req.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kind, ResourceName: name}}
	resp := ask[*kmsg.DescribeConfigsResponse](w, 4, req).Resources[0]
	m := make(map[string]kmsg.DescribeConfigsResponseResourceConfig)
	for _, c := range resp.Configs {
		m[c.Name] = c
	}
	return m, resp.ErrorCode
}

func TestSettingsFallBackFromTopicToBrokerToDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := start(t, broker.Config{Network: broker.NewNetwork(), Properties: map[string]string{"log.retention.ms": "5000", "message.max.bytes": "2000"},
			Topics: []broker.Topic{{Name: "orders", Configs: map[string]string{"max.message.bytes": "1000"}}}})
		w := dial(t, cluster, 1)
		got, _ := w.described(kmsg.ConfigResourceTypeTopic, "orders")
		for name, want := range map[string]struct {
			value  string
			source kmsg.ConfigSource
		}{
			"max.message.bytes": {"1000", kmsg.ConfigSourceDynamicTopicConfig},
			"retention.ms":      {"5000", kmsg.ConfigSourceStaticBrokerConfig},
			"cleanup.policy":    {"delete", kmsg.ConfigSourceDefaultConfig},
			"flush.ms":          {"9223372036854775807", kmsg.ConfigSourceDefaultConfig},
		} {
			if c := got[name]; c.Value == nil || *c.Value != want.value || c.Source != want.source {
				t.Errorf("%s: %+v", name, c)
			}
		}
		var synonyms []string
		for _, s := range got["max.message.bytes"].ConfigSynonyms {
			synonyms = append(synonyms, s.Name+"="+*s.Value)
		}
		if want := []string{"max.message.bytes=1000", "message.max.bytes=2000", "message.max.bytes=1048588"}; !slices.Equal(synonyms, want) {
			t.Errorf("synonyms %q, want %q", synonyms, want)
		}
		if p := w.produce("orders", 0, seal(batchOf(kv{nil, make([]byte, 1000)}))); p.ErrorCode != kerr.MessageTooLarge.Code {
			t.Errorf("produce over the topic's limit: %v", kerr.ErrorForCode(p.ErrorCode))
		}
		if _, code := w.described(kmsg.ConfigResourceTypeTopic, "nowhere"); code != kerr.UnknownTopicOrPartition.Code {
			t.Errorf("unknown topic: %v", kerr.ErrorForCode(code))
		}
		if _, code := w.described(kmsg.ConfigResourceTypeBroker, "2"); code != kerr.InvalidRequest.Code {
			t.Errorf("another broker's settings: %v", kerr.ErrorForCode(code))
		}
		if b, _ := w.described(kmsg.ConfigResourceTypeBroker, "1"); *b["message.max.bytes"].Value != "2000" || !b["num.partitions"].ReadOnly {
			t.Errorf("broker's settings: %+v", b["message.max.bytes"])
		}
	})
}

func TestSettingsAreAltered(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		type change = kmsg.IncrementalAlterConfigsRequestResourceConfig
		s := func(s string) *string { return &s }
		const set, unset, appends, subtracts = kmsg.IncrementalAlterConfigOpSet, kmsg.IncrementalAlterConfigOpDelete, kmsg.IncrementalAlterConfigOpAppend, kmsg.IncrementalAlterConfigOpSubtract
		for i, test := range []struct {
			changes           []change
			want              *kerr.Error
			retention, policy string
		}{
			{[]change{{Name: "retention.ms", Op: set, Value: s("7000")}}, nil, "7000", "delete"},
			{[]change{{Name: "retention.ms", Op: set, Value: s("x")}}, kerr.InvalidConfig, "7000", "delete"},
			{[]change{{Name: "retention.ms", Op: set, Value: s("-5")}}, kerr.InvalidConfig, "7000", "delete"},
			{[]change{{Name: "nope", Op: set, Value: s("1")}}, kerr.InvalidConfig, "7000", "delete"},
			{[]change{{Name: "retention.ms", Op: set}}, kerr.InvalidRequest, "7000", "delete"},
			{[]change{{Name: "retention.ms", Op: set, Value: s("1")}, {Name: "retention.ms", Op: set, Value: s("2")}}, kerr.InvalidRequest, "7000", "delete"},
			{[]change{{Name: "cleanup.policy", Op: appends, Value: s("compact")}}, nil, "7000", "delete,compact"},
			{[]change{{Name: "cleanup.policy", Op: appends, Value: s("compact")}}, nil, "7000", "delete,compact"},
			{[]change{{Name: "cleanup.policy", Op: subtracts, Value: s("delete")}}, nil, "7000", "compact"},
			{[]change{{Name: "cleanup.policy", Op: appends, Value: s("x")}}, kerr.InvalidConfig, "7000", "compact"},
			{[]change{{Name: "retention.ms", Op: appends, Value: s("1")}}, kerr.InvalidConfig, "7000", "compact"},
			{[]change{{Name: "retention.ms", Op: unset}, {Name: "cleanup.policy", Op: unset}}, nil, "604800000", "delete"},
		} {
			req := kmsg.NewPtrIncrementalAlterConfigsRequest()
			req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "orders", Configs: test.changes}}
			want := int16(0)
			if test.want != nil {
				want = test.want.Code
			}
			if r := ask[*kmsg.IncrementalAlterConfigsResponse](w, 1, req).Resources[0]; r.ErrorCode != want {
				t.Errorf("step %d: %v, want %v", i, kerr.ErrorForCode(r.ErrorCode), test.want)
			}
			got, _ := w.described(kmsg.ConfigResourceTypeTopic, "orders")
			if *got["retention.ms"].Value != test.retention || *got["cleanup.policy"].Value != test.policy {
				t.Errorf("step %d: retention.ms %s, cleanup.policy %s", i, *got["retention.ms"].Value, *got["cleanup.policy"].Value)
			}
		}
		replace := kmsg.NewPtrAlterConfigsRequest()
		replace.Resources = []kmsg.AlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "orders",
			Configs: []kmsg.AlterConfigsRequestResourceConfig{{Name: "retention.ms", Value: s("1")}}}}
		ask[*kmsg.AlterConfigsResponse](w, 2, replace)
		replace.Resources[0].Configs = []kmsg.AlterConfigsRequestResourceConfig{{Name: "max.message.bytes", Value: s("99")}}
		ask[*kmsg.AlterConfigsResponse](w, 2, replace)
		if got, _ := w.described(kmsg.ConfigResourceTypeTopic, "orders"); *got["retention.ms"].Value != "604800000" || *got["max.message.bytes"].Value != "99" {
			t.Errorf("what is not named must go back to its default: retention.ms %s", *got["retention.ms"].Value)
		}
	})
}

func TestAlteredBrokerSettingReachesEveryTopic(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		alter := func(name, value string) int16 {
			req := kmsg.NewPtrIncrementalAlterConfigsRequest()
			req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeBroker,
				Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: name, Value: &value}}}}
			return ask[*kmsg.IncrementalAlterConfigsResponse](w, 1, req).Resources[0].ErrorCode
		}
		if code := alter("message.max.bytes", "100"); code != 0 {
			t.Fatal(kerr.ErrorForCode(code))
		}
		if p := w.produce("orders", 0, seal(batchOf(kv{nil, make([]byte, 100)}))); p.ErrorCode != kerr.MessageTooLarge.Code {
			t.Errorf("produce over the new limit: %v", kerr.ErrorForCode(p.ErrorCode))
		}
		if code := alter("num.partitions", "3"); code != kerr.InvalidRequest.Code {
			t.Errorf("read-only setting: %v", kerr.ErrorForCode(code))
		}
	})
}

func TestTopicIsCreatedByAskingWhereThatIsAllowed(t *testing.T) {
	for _, allowed := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			cluster := start(t, broker.Config{Network: broker.NewNetwork(), AutoCreateTopics: allowed, Properties: map[string]string{"num.partitions": "3"}})
			w := dial(t, cluster, 1)
			name, illegal := "asked-for", "not/legal"
			req := kmsg.NewPtrMetadataRequest()
			req.Topics = []kmsg.MetadataRequestTopic{{Topic: &name}, {Topic: &illegal}}
			req.AllowAutoTopicCreation = false
			ask[*kmsg.MetadataResponse](w, 9, req)
			if cluster.Partitions(name) != 0 {
				t.Error("a client that does not allow it created a topic")
			}
			req.AllowAutoTopicCreation = true
			resp := ask[*kmsg.MetadataResponse](w, 9, req)
			if resp.Topics[0].ErrorCode != kerr.UnknownTopicOrPartition.Code || resp.Topics[1].ErrorCode != kerr.InvalidTopicException.Code {
				t.Errorf("first answer %+v", resp.Topics)
			}
			again := ask[*kmsg.MetadataResponse](w, 9, req).Topics[0]
			if created := again.ErrorCode == 0 && len(again.Partitions) == 3; created != allowed {
				t.Errorf("allowed %v, second answer %+v", allowed, again)
			}
		})
	}
}

func TestEveryVersionOfMetadataFindsATopic(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 2)
		name := "orders"
		var id [16]byte
		for v := range int16(14) {
			req := kmsg.NewPtrMetadataRequest()
			req.Topics = []kmsg.MetadataRequestTopic{{Topic: &name}}
			if v >= 12 {
				req.Topics = []kmsg.MetadataRequestTopic{{TopicID: id}}
			}
			resp := ask[*kmsg.MetadataResponse](w, v, req)
			if len(resp.Brokers) != 3 || len(resp.Topics) != 1 || resp.Topics[0].ErrorCode != 0 || len(resp.Topics[0].Partitions) != 3 {
				t.Fatalf("version %d: %+v", v, resp)
			}
			for i, p := range resp.Topics[0].Partitions {
				if p.Leader != int32(i+1) || len(p.Replicas) != 2 || len(p.ISR) != 2 {
					t.Errorf("version %d: partition %+v", v, p)
				}
			}
			id = resp.Topics[0].TopicID
			req.Topics = nil
			if all := ask[*kmsg.MetadataResponse](w, v, req); v > 0 && len(all.Topics) != 2 {
				t.Errorf("version %d: all topics are %+v", v, all.Topics)
			}
		}
	})
}

func TestEveryVersionOfFindCoordinatorNamesTheSameBroker(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 2)
		for _, group := range []string{"billing", "shipping", "a group with a longer name", "größe"} {
			want := cluster.Coordinator(group)
			for v := range int16(7) {
				req := kmsg.NewPtrFindCoordinatorRequest()
				req.CoordinatorKey, req.CoordinatorKeys = group, []string{group}
				resp := ask[*kmsg.FindCoordinatorResponse](w, v, req)
				got := resp.NodeID
				if v >= 4 {
					got = resp.Coordinators[0].NodeID
				}
				if got != want {
					t.Errorf("version %d: %q is coordinated by %d, want %d", v, group, got, want)
				}
			}
			req := kmsg.NewPtrHeartbeatRequest()
			req.Group = group
			resp := ask[*kmsg.HeartbeatResponse](dial(t, cluster, int(want%3)+1), 3, req)
			if resp.ErrorCode != kerr.NotCoordinator.Code {
				t.Errorf("another broker answered %v", kerr.ErrorForCode(resp.ErrorCode))
			}
		}
	})
}

func TestDescribeTopicPartitionsGoesPageByPage(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		w := dial(t, cluster, 1)
		req := kmsg.NewPtrDescribeTopicPartitionsRequest()
		req.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{{Topic: "others"}, {Topic: "orders"}, {Topic: "nowhere"}}
		req.ResponsePartitionLimit = 2
		var seen []string
		for range 10 {
			resp := ask[*kmsg.DescribeTopicPartitionsResponse](w, 0, req)
			for _, topic := range resp.Topics {
				for _, p := range topic.Partitions {
					seen = append(seen, fmt.Sprint(*topic.Topic, p.Partition))
				}
				if topic.ErrorCode != 0 {
					seen = append(seen, *topic.Topic)
				}
			}
			if resp.NextCursor == nil {
				break
			}
			req.Cursor = &kmsg.DescribeTopicPartitionsRequestCursor{Topic: resp.NextCursor.Topic, Partition: resp.NextCursor.Partition}
		}
		if want := []string{"nowhere", "orders0", "orders1", "orders2", "others0"}; !slices.Equal(seen, want) {
			t.Errorf("pages show %q, want %q", seen, want)
		}
	})
}

func TestWaitRecordsSeesWhatComes(t *testing.T) {
	bubble(t, func(t *testing.T, cluster *broker.Cluster) {
		produced := make(chan struct{})
		go func() {
			defer close(produced)
			time.Sleep(time.Hour)
			dial(t, cluster, 1).produce("orders", 0, seal(batchOf(text("a", "b")...)))
		}()
		begin := time.Now()
		if err := cluster.WaitRecords(t.Context(), "orders", 2); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begin); d != time.Hour {
			t.Errorf("waited %v", d)
		}
		<-produced
	})
}
