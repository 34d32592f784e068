package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

func kafkaGoAdmin(brokers []string, s say) error {
	topic := "kafka-go-admin"
	ctx := context.Background()
	client := kafkaGoClient(brokers, nil)
	if err := kafkaGoCreate(brokers, nil, topic, 3, kafka.ConfigEntry{ConfigName: "retention.ms", ConfigValue: "3600000"}); err != nil {
		return err
	}
	m, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return err
	}
	for _, p := range m.Topics[0].Partitions {
		s.saw("partition", []any{p.ID, len(p.Replicas), len(p.Isr), p.Leader.ID == p.Replicas[0].ID})
	}
	s.saw("brokers", []any{len(m.Brokers), m.Brokers[0].Rack != "", m.Controller.ID > 0, m.ClusterID != ""})
	resource := kafka.DescribeConfigRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic}
	described, err := client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{resource}})
	if err != nil {
		return err
	}
	configs := map[string][]any{}
	for _, e := range described.Resources[0].ConfigEntries {
		configs[e.ConfigName] = []any{e.ConfigValue, e.IsDefault, e.ReadOnly, e.ConfigSource, e.ConfigType}
	}
	s.saw("configs", configs)
	altered, err := client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{Resources: []kafka.IncrementalAlterConfigsRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
		Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: "retention.ms", Value: "7200000", ConfigOperation: kafka.ConfigOperationSet}},
	}}})
	if err != nil {
		return err
	}
	s.outcome("alter", altered.Resources[0].Error)
	grown, err := client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: 5}}})
	if err != nil {
		return err
	}
	s.outcome("more partitions", grown.Errors[topic])
	grown, err = client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: 2}}})
	if err != nil {
		return err
	}
	s.outcome("fewer partitions", grown.Errors[topic])
	w := kafkaGoWriter(brokers, topic)
	w.Balancer = kafka.BalancerFunc(func(kafka.Message, ...int) int { return 0 }) // by key it depends on whether it knows of the new partitions
	if err := w.WriteMessages(ctx, kafka.Message{Key: []byte("k"), Value: []byte("v")}); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	offsets, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: {kafka.FirstOffsetOf(0), kafka.LastOffsetOf(0)}}})
	if err != nil {
		return err
	}
	for _, o := range offsets.Topics[topic] {
		s.saw("offsets", []any{o.Partition, o.FirstOffset, o.LastOffset, fmt.Sprint(o.Error)})
	}
	users, err := client.AlterUserScramCredentials(ctx, &kafka.AlterUserScramCredentialsRequest{Upsertions: []kafka.UserScramCredentialsUpsertion{{
		Name: topic, Mechanism: kafka.ScramMechanismSha512, Iterations: 8192, Salt: []byte("salt"), SaltedPassword: []byte("salted"),
	}}})
	if err != nil {
		return err
	}
	s.outcome("SCRAM user", users.Results[0].Error)
	acls, err := client.DescribeACLs(ctx, &kafka.DescribeACLsRequest{Filter: kafka.ACLFilter{
		ResourceTypeFilter: kafka.ResourceTypeAny, ResourcePatternTypeFilter: kafka.PatternTypeAny, Operation: kafka.ACLOperationTypeAny, PermissionType: kafka.ACLPermissionTypeAny,
	}})
	if err != nil {
		return err
	}
	s.outcome("ACLs without an authorizer", acls.Error)
	groups, err := client.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{topic + "-none"}})
	if err != nil {
		return err
	}
	s.outcome("delete an unknown group", groups.Errors[topic+"-none"])
	deleted, err := client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic, topic + "-none"}})
	if err != nil {
		return err
	}
	s.outcome("delete topic", deleted.Errors[topic])
	s.outcome("delete an unknown topic", deleted.Errors[topic+"-none"])
	return nil
}

func kafkaGoErrors(brokers []string, s say) error {
	topic := "kafka-go-errors"
	ctx := context.Background()
	if err := kafkaGoCreate(brokers, nil, topic, 1, kafka.ConfigEntry{ConfigName: "max.message.bytes", ConfigValue: "1000"}); err != nil {
		return err
	}
	if err := kafkaGoCreate(brokers, nil, topic+"-compact", 1, kafka.ConfigEntry{ConfigName: "cleanup.policy", ConfigValue: "compact"}); err != nil {
		return err
	}
	send := func(step, to string, m kafka.Message) {
		w := kafkaGoWriter(brokers, to)
		w.MaxAttempts = 2
		s.outcome(step, kafkaGoText(w.WriteMessages(ctx, m)))
		_ = w.Close()
	}
	send("too large", topic, kafka.Message{Value: make([]byte, 2000)})
	send("unknown topic", topic+"-unknown", kafka.Message{Value: []byte("x")})
	send("no key on a compacted topic", topic+"-compact", kafka.Message{Value: []byte("x")})
	client := kafkaGoClient(brokers, nil)
	for _, try := range []struct {
		step   string
		config kafka.TopicConfig
	}{
		{"exists", kafka.TopicConfig{Topic: topic, NumPartitions: 1, ReplicationFactor: 1}},
		{"bad name", kafka.TopicConfig{Topic: "no/slash", NumPartitions: 1, ReplicationFactor: 1}},
		{"replication 7", kafka.TopicConfig{Topic: topic + "-7", NumPartitions: 1, ReplicationFactor: 7}},
		{"illegal config", kafka.TopicConfig{Topic: topic + "-c", NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: []kafka.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: "soon"}}}},
	} {
		made, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{try.config}})
		if err != nil {
			return err
		}
		s.outcome("create: "+try.step, made.Errors[try.config.Topic])
	}
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: brokers, Topic: topic, OffsetOutOfRangeError: true, MaxWait: 100 * time.Millisecond, MaxAttempts: 1})
	if err := r.SetOffset(999); err != nil {
		return err
	}
	_, err := r.ReadMessage(timeout(20 * time.Second))
	s.saw("offset out of range", errors.Is(err, kafka.OffsetOutOfRange))
	_ = r.Close()
	conn, err := kafka.DialLeader(timeout(2*time.Second), "tcp", brokers[0], topic+"-unknown", 0)
	s.saw("dial an unknown topic", err != nil)
	if err == nil {
		_ = conn.Close()
	}
	return nil
}

func kafkaGoRights(brokers []string, s say) error {
	topic := "kafka-go-rights"
	ctx := context.Background()
	root := &kafka.Transport{SASL: plain.Mechanism{Username: "admin", Password: "admin-secret"}}
	if err := kafkaGoCreate(brokers, root, topic, 1); err != nil {
		return err
	}
	for _, algorithm := range []scram.Algorithm{scram.SHA256, scram.SHA512} {
		for _, password := range []string{"alice-secret", "wrong"} {
			mechanism, err := scram.Mechanism(algorithm, "alice", password)
			if err != nil {
				return err
			}
			s.outcome(algorithm.Name()+" "+password, kafkaGoMeets(brokers, mechanism))
		}
	}
	s.outcome("PLAIN wrong", kafkaGoMeets(brokers, plain.Mechanism{Username: "alice", Password: "wrong"}))
	alice := &kafka.Transport{SASL: plain.Mechanism{Username: "alice", Password: "alice-secret"}}
	send := func() error {
		w := kafkaGoWriter(brokers, topic)
		w.Transport, w.MaxAttempts = alice, 1
		defer w.Close()
		return kafkaGoText(w.WriteMessages(ctx, kafka.Message{Value: []byte("x")}))
	}
	s.outcome("produce", send())
	made, err := kafkaGoClient(brokers, alice).CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: topic + "-hers", NumPartitions: 1, ReplicationFactor: 1}}})
	if err != nil {
		return err
	}
	s.outcome("create a topic", made.Errors[topic+"-hers"])
	granted, err := kafkaGoClient(brokers, root).CreateACLs(ctx, &kafka.CreateACLsRequest{ACLs: []kafka.ACLEntry{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ResourcePatternType: kafka.PatternTypeLiteral, Principal: "User:alice", Host: "*",
		Operation: kafka.ACLOperationTypeWrite, PermissionType: kafka.ACLPermissionTypeAllow,
	}}})
	if err != nil {
		return err
	}
	s.outcome("grant", granted.Errors[0])
	if err := until("granted", func() (bool, error) { return send() == nil, nil }); err != nil {
		return err
	}
	s.saw("granted", true)
	offsets, err := kafkaGoClient(brokers, alice).OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: topic, Topics: map[string][]int{topic: {0}}})
	if err == nil {
		err = offsets.Error
	}
	s.outcome("group", err)
	return nil
}

// kafkaGoMeets asks a broker for its metadata.
func kafkaGoMeets(brokers []string, mechanism sasl.Mechanism) error {
	transport := &kafka.Transport{SASL: mechanism}
	defer transport.CloseIdleConnections()
	_, err := kafkaGoClient(brokers, transport).ApiVersions(context.Background(), &kafka.ApiVersionsRequest{})
	return err
}
