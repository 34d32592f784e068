package main

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func describeConfigs(kind kmsg.ConfigResourceType, name string, names ...string) *kmsg.DescribeConfigsRequest {
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kind, ResourceName: name, ConfigNames: names}}
	return req
}

func alterConfigs(kind kmsg.ConfigResourceType, name string, pairs ...string) *kmsg.AlterConfigsRequest {
	req := kmsg.NewPtrAlterConfigsRequest()
	r := kmsg.AlterConfigsRequestResource{ResourceType: kind, ResourceName: name}
	for i := 0; i < len(pairs); i += 2 {
		r.Configs = append(r.Configs, kmsg.AlterConfigsRequestResourceConfig{Name: pairs[i], Value: &pairs[i+1]})
	}
	req.Resources = append(req.Resources, r)
	return req
}

func incremental(kind kmsg.ConfigResourceType, name string, op kmsg.IncrementalAlterConfigOp, key, value string) *kmsg.IncrementalAlterConfigsRequest {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kind, ResourceName: name, Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: key, Op: op, Value: &value}}}}
	return req
}

const (
	ofTopic   = kmsg.ConfigResourceTypeTopic
	ofBroker  = kmsg.ConfigResourceTypeBroker
	ofLogger  = kmsg.ConfigResourceTypeBrokerLogger
	ofMetrics = kmsg.ConfigResourceTypeClientMetrics
	ofGroup   = kmsg.ConfigResourceTypeGroupConfig
)

// configsOfTopics: what is described and altered.
func configsOfTopics(s *session) {
	s.topic("configs", 1, "retention.ms", "5000")
	s.each("of a topic", kmsg.DescribeConfigs, func(int16) kmsg.Request {
		req := describeConfigs(ofTopic, "configs")
		req.IncludeSynonyms = true
		return req
	})
	s.each("some, without synonyms", kmsg.DescribeConfigs, func(int16) kmsg.Request {
		return describeConfigs(ofTopic, "configs", "retention.ms", "no.such", "cleanup.policy")
	})
	s.each("of an unknown topic", kmsg.DescribeConfigs, func(int16) kmsg.Request { return describeConfigs(ofTopic, "configs-nowhere") })
	s.each("of an invalid topic", kmsg.DescribeConfigs, func(int16) kmsg.Request { return describeConfigs(ofTopic, "a/b") })
	s.each("of an unknown broker", kmsg.DescribeConfigs, func(int16) kmsg.Request { return describeConfigs(ofBroker, "9") })
	s.each("of a broker that is no number", kmsg.DescribeConfigs, func(int16) kmsg.Request { return describeConfigs(ofBroker, "x") })
	s.each("of a kind that is not", kmsg.DescribeConfigs, func(int16) kmsg.Request { return describeConfigs(3, "x") })
	s.each("of a group", kmsg.DescribeConfigs, func(int16) kmsg.Request { return describeConfigs(ofGroup, "configs") })
	s.each("of client metrics", kmsg.DescribeConfigs, func(int16) kmsg.Request { return describeConfigs(ofMetrics, "configs") })
	s.each("some of a broker", kmsg.DescribeConfigs, func(int16) kmsg.Request {
		req := describeConfigs(ofBroker, "1", "log.retention.ms", "log.retention.hours", "message.max.bytes", "num.partitions", "min.insync.replicas", "auto.create.topics.enable")
		req.IncludeSynonyms = true
		return req
	})
	s.each("of all brokers", kmsg.DescribeConfigs, func(int16) kmsg.Request { return describeConfigs(ofBroker, "") })

	s.each("alter", kmsg.AlterConfigs, func(v int16) kmsg.Request {
		return alterConfigs(ofTopic, "configs", "retention.ms", fmt.Sprint(100+v), "max.message.bytes", "9000")
	})
	s.each("alter to nothing", kmsg.AlterConfigs, func(int16) kmsg.Request { return alterConfigs(ofTopic, "configs") })
	for _, c := range []struct {
		what       string
		kind       kmsg.ConfigResourceType
		name       string
		key, value string
	}{
		{"unknown topic", ofTopic, "configs-nowhere", "retention.ms", "1"}, {"invalid topic", ofTopic, "a/b", "retention.ms", "1"}, {"unknown key", ofTopic, "configs", "no.such", "1"},
		{"no number", ofTopic, "configs", "retention.ms", "x"}, {"too small", ofTopic, "configs", "retention.ms", "-5"}, {"no policy", ofTopic, "configs", "cleanup.policy", "burn"},
		{"unknown broker", ofBroker, "9", "message.max.bytes", "5000"}, {"broker x", ofBroker, "x", "message.max.bytes", "5000"}, {"read-only", ofBroker, "1", "num.io.threads", "x"},
		{"read-only of a broker", ofBroker, "1", "broker.rack", "r"}, {"unknown key of a broker", ofBroker, "1", "no.such", "1"}, {"kind 3", 3, "x", "a", "b"}, {"empty topic", ofTopic, "", "retention.ms", "1"},
		{"of a group", ofGroup, "configs", "consumer.session.timeout.ms", "1"}, {"unknown key of a group", ofGroup, "configs", "no.such", "1"}, {"of no group", ofGroup, "", "consumer.session.timeout.ms", "45000"},
		{"of metrics", ofMetrics, "configs", "interval.ms", "x"}, {"logger", ofLogger, "1", "no.such.logger", "INFO"},
	} {
		s.each("alter: "+c.what, kmsg.AlterConfigs, func(int16) kmsg.Request { return alterConfigs(c.kind, c.name, c.key, c.value) })
		s.each("set: "+c.what, kmsg.IncrementalAlterConfigs, func(int16) kmsg.Request { return incremental(c.kind, c.name, 0, c.key, c.value) })
	}
	for _, c := range []struct {
		op         kmsg.IncrementalAlterConfigOp
		key, value string
	}{
		{0, "cleanup.policy", "compact"}, {2, "cleanup.policy", "delete"}, {2, "cleanup.policy", "delete"}, {3, "cleanup.policy", "compact"}, {3, "cleanup.policy", "compact"}, {1, "cleanup.policy", ""},
		{0, "retention.ms", "77"}, {2, "retention.ms", "1"}, {3, "retention.ms", "1"}, {1, "retention.ms", ""}, {1, "retention.ms", ""}, {4, "retention.ms", "1"}, {-1, "retention.ms", "1"}, {1, "no.such", ""},
		{2, "cleanup.policy", "burn"},
	} {
		s.each(fmt.Sprintf("op %d %s=%s", c.op, c.key, c.value), kmsg.IncrementalAlterConfigs, func(int16) kmsg.Request { return incremental(ofTopic, "configs", c.op, c.key, c.value) })
	}
	s.each("null", kmsg.IncrementalAlterConfigs, func(int16) kmsg.Request {
		req := incremental(ofTopic, "configs", 0, "retention.ms", "")
		req.Resources[0].Configs[0].Value = nil
		return req
	})
	s.each("only look", kmsg.IncrementalAlterConfigs, func(int16) kmsg.Request {
		req := incremental(ofTopic, "configs", 0, "retention.ms", "12")
		req.ValidateOnly = true
		return req
	})
	s.each("a key twice", kmsg.IncrementalAlterConfigs, func(int16) kmsg.Request {
		req := incremental(ofTopic, "configs", 0, "retention.ms", "12")
		req.Resources[0].Configs = append(req.Resources[0].Configs, req.Resources[0].Configs[0])
		return req
	})
	s.each("a topic twice", kmsg.IncrementalAlterConfigs, func(int16) kmsg.Request {
		req := incremental(ofTopic, "configs", 0, "retention.ms", "12")
		req.Resources = append(req.Resources, req.Resources[0])
		return req
	})
	s.each("a good and a bad key", kmsg.IncrementalAlterConfigs, func(int16) kmsg.Request {
		req := incremental(ofTopic, "configs", 0, "retention.ms", "99")
		req.Resources[0].Configs = append(req.Resources[0].Configs, incremental(ofTopic, "configs", 0, "segment.ms", "x").Resources[0].Configs...)
		return req
	})
	s.send("of all brokers", latest(incremental(ofBroker, "", 0, "log.retention.ms", "123456789")))
	s.send("of one broker", latest(incremental(ofBroker, "1", 0, "message.max.bytes", "1234567")))
	s.send("both seen", latest(describeConfigs(ofBroker, "1", "log.retention.ms", "message.max.bytes")), until(func(r kmsg.Response) bool {
		configs := r.(*kmsg.DescribeConfigsResponse).Resources[0].Configs
		dynamic := 0
		for _, c := range configs {
			if c.Name == "message.max.bytes" && (c.Value == nil || *c.Value != "1234567") {
				return false // Kafka lists a setting before it has it
			}
			if c.Source == kmsg.ConfigSourceDynamicBrokerConfig || c.Source == kmsg.ConfigSourceDynamicDefaultBrokerConfig {
				dynamic++
			}
		}
		return dynamic == 2
	}))
	s.send("and in the topic", latest(describeConfigs(ofTopic, "configs", "retention.ms", "max.message.bytes")))
	s.send("of a group", latest(incremental(ofGroup, "configs-group", 0, "consumer.session.timeout.ms", "50000")))
	s.send("seen", latest(describeConfigs(ofGroup, "configs-group")), until(func(r kmsg.Response) bool {
		for _, c := range r.(*kmsg.DescribeConfigsResponse).Resources[0].Configs {
			if c.Name == "consumer.session.timeout.ms" && c.Value != nil && *c.Value == "50000" {
				return true
			}
		}
		return false
	}))
	s.each("what has configs", kmsg.ListConfigResources, func(v int16) kmsg.Request {
		req := kmsg.NewPtrListConfigResourcesRequest()
		if v > 0 {
			req.ResourceTypes = []int8{int8(ofGroup), int8(ofBroker)}
		}
		return req
	})
	s.send("what has configs, of a kind that is not", latest(&kmsg.ListConfigResourcesRequest{ResourceTypes: []int8{3}}))
	for _, reset := range []kmsg.Request{
		incremental(ofBroker, "", 1, "log.retention.ms", ""), incremental(ofBroker, "1", 1, "message.max.bytes", ""), incremental(ofGroup, "configs-group", 1, "consumer.session.timeout.ms", ""),
	} {
		s.send("back", latest(reset))
	}
}

// quotas: DescribeClientQuotas and AlterClientQuotas.
func quotas(s *session) {
	alter := func(v int16, ops []kmsg.AlterClientQuotasRequestEntryOp, entity ...*string) *kmsg.AlterClientQuotasRequest {
		req := kmsg.NewPtrAlterClientQuotasRequest()
		req.Version = v
		e := kmsg.AlterClientQuotasRequestEntry{Ops: ops}
		for i := 0; i < len(entity); i += 2 {
			e.Entity = append(e.Entity, kmsg.AlterClientQuotasRequestEntryEntity{Type: *entity[i], Name: entity[i+1]})
		}
		req.Entries = append(req.Entries, e)
		return req
	}
	set := func(key string, value float64) []kmsg.AlterClientQuotasRequestEntryOp {
		return []kmsg.AlterClientQuotasRequestEntryOp{{Key: key, Value: value}}
	}
	for v := range int16(2) {
		name := ptr(fmt.Sprintf("quotas-%d", v))
		for _, c := range []struct {
			what   string
			ops    []kmsg.AlterClientQuotasRequestEntryOp
			entity []*string
		}{
			{"user", set("producer_byte_rate", 1e6), []*string{ptr("user"), name}}, {"client", set("consumer_byte_rate", 2e6), []*string{ptr("client-id"), name}},
			{"both", set("request_percentage", 200.5), []*string{ptr("user"), name, ptr("client-id"), name}}, {"ip", set("connection_creation_rate", 100), []*string{ptr("ip"), ptr("127.0.0.9")}},
			{"default client", set("consumer_byte_rate", 9e9), []*string{ptr("client-id"), nil}}, {"unknown key", set("beer_rate", 1), []*string{ptr("user"), name}},
			{"zero", set("producer_byte_rate", 0), []*string{ptr("user"), name}}, {"negative", set("producer_byte_rate", -1), []*string{ptr("user"), name}}, {"half", set("producer_byte_rate", 0.5), []*string{ptr("user"), name}},
			{"unknown entity", set("producer_byte_rate", 1), []*string{ptr("cow"), name}}, {"no entity", set("producer_byte_rate", 1), nil}, {"ip with user", set("connection_creation_rate", 1), []*string{ptr("ip"), ptr("127.0.0.9"), ptr("user"), name}},
			{"ip that is none", set("connection_creation_rate", 1), []*string{ptr("ip"), ptr("no ip")}}, {"entity twice", set("producer_byte_rate", 1), []*string{ptr("user"), name, ptr("user"), name}},
			{"empty name", set("producer_byte_rate", 1), []*string{ptr("user"), ptr("")}}, {"byte rate of an ip", set("producer_byte_rate", 1), []*string{ptr("ip"), ptr("127.0.0.9")}},
			{"connections of a user", set("connection_creation_rate", 1), []*string{ptr("user"), name}}, {"remove what is not", []kmsg.AlterClientQuotasRequestEntryOp{{Key: "controller_mutation_rate", Remove: true}}, []*string{ptr("user"), name}},
			{"no ops", nil, []*string{ptr("user"), name}},
		} {
			s.send(c.what, alter(v, c.ops, c.entity...))
		}
		look := alter(v, set("producer_byte_rate", 5), ptr("user"), ptr("quotas-looked"))
		look.ValidateOnly = true
		s.send("only look", look)
		describe := func(what string, strict bool, components ...kmsg.DescribeClientQuotasRequestComponent) {
			req := kmsg.NewPtrDescribeClientQuotasRequest()
			req.Version, req.Strict, req.Components = v, strict, components
			s.send(what, req)
		}
		seen := func(there bool, entity ...*string) { // a broker hears of changes in their order, a moment after the controller has answered
			req := kmsg.NewPtrDescribeClientQuotasRequest()
			req.Components = []kmsg.DescribeClientQuotasRequestComponent{{EntityType: *entity[0], Match: entity[1]}}
			s.send("", latest(req), preparing(), until(func(r kmsg.Response) bool { return (len(r.(*kmsg.DescribeClientQuotasResponse).Entries) > 0) == there }))
		}
		last := []*string{ptr("user"), ptr("quotas-last")}
		s.send("", alter(v, set("producer_byte_rate", 1e6), last...), preparing())
		seen(true, last...)
		describe("of the user", false, kmsg.DescribeClientQuotasRequestComponent{EntityType: "user", Match: name})
		describe("of the user alone", true, kmsg.DescribeClientQuotasRequestComponent{EntityType: "user", Match: name})
		describe("of the default client", false, kmsg.DescribeClientQuotasRequestComponent{EntityType: "client-id", MatchType: 1})
		describe("of any client", true, kmsg.DescribeClientQuotasRequestComponent{EntityType: "client-id", MatchType: 2})
		describe("of nobody", false)
		describe("of a match that is not", false, kmsg.DescribeClientQuotasRequestComponent{EntityType: "user", MatchType: 7})
		describe("of an entity that is not", false, kmsg.DescribeClientQuotasRequestComponent{EntityType: "cow", MatchType: 2})
		describe("exact without a name", false, kmsg.DescribeClientQuotasRequestComponent{EntityType: "user"})
		describe("twice the same", false, kmsg.DescribeClientQuotasRequestComponent{EntityType: "user", MatchType: 2}, kmsg.DescribeClientQuotasRequestComponent{EntityType: "user", MatchType: 2})
		describe("ip and user", false, kmsg.DescribeClientQuotasRequestComponent{EntityType: "user", MatchType: 2}, kmsg.DescribeClientQuotasRequestComponent{EntityType: "ip", MatchType: 2})
		for _, e := range [][]*string{{ptr("client-id"), nil}, {ptr("user"), name, ptr("client-id"), name}, {ptr("ip"), ptr("127.0.0.9")}, {ptr("client-id"), name}, {ptr("user"), name}} {
			var ops []kmsg.AlterClientQuotasRequestEntryOp
			for _, k := range []string{"producer_byte_rate", "consumer_byte_rate", "request_percentage"} {
				ops = append(ops, kmsg.AlterClientQuotasRequestEntryOp{Key: k, Remove: true})
			}
			if *e[0] == "ip" {
				ops = []kmsg.AlterClientQuotasRequestEntryOp{{Key: "connection_creation_rate", Remove: true}}
			}
			s.send("remove", alter(v, ops, e...))
		}
		s.send("", alter(v, []kmsg.AlterClientQuotasRequestEntryOp{{Key: "producer_byte_rate", Remove: true}}, last...), preparing())
		seen(false, last...)
		describe("afterwards", false)
	}
}
