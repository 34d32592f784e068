package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/IBM/sarama"
)

func saramaAdmin(brokers []string, s say) error {
	topic := "sarama-admin"
	c := saramaConfig()
	if err := saramaCreate(brokers, c, topic, 3, map[string]string{"retention.ms": "3600000"}); err != nil {
		return err
	}
	admin, err := sarama.NewClusterAdmin(brokers, c)
	if err != nil {
		return err
	}
	defer admin.Close()
	listed, err := admin.ListTopics()
	if err != nil {
		return err
	}
	s.saw("listed", []any{listed[topic].NumPartitions, listed[topic].ReplicationFactor, *listed[topic].ConfigEntries["retention.ms"], len(listed[topic].ConfigEntries)})
	nodes, controller, err := admin.DescribeCluster()
	if err != nil {
		return err
	}
	s.saw("cluster", []any{len(nodes), controller > 0})
	described, err := admin.DescribeConfigs([]*sarama.ConfigResource{{Type: sarama.TopicResource, Name: topic}}, sarama.DescribeConfigsOptions{})
	if err != nil {
		return err
	}
	shown := map[string][]any{}
	for _, e := range described[0].Configs {
		shown[e.Name] = []any{e.Value, e.Default, e.ReadOnly, e.Sensitive, e.Source.String()}
	}
	s.saw("configs", shown)
	hour := "7200000"
	s.outcome("alter", admin.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{
		"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &hour},
	}, false))
	segment := "600000"
	s.outcome("alter all", admin.AlterConfig(sarama.TopicResource, topic, map[string]*string{"segment.ms": &segment}, false))
	s.outcome("more partitions", admin.CreatePartitions(topic, 5, nil, false))
	if err := saramaKnown(brokers, c, topic, 5); err != nil {
		return err
	}
	s.outcome("fewer partitions", admin.CreatePartitions(topic, 2, nil, false))
	p, err := sarama.NewSyncProducer(brokers, c)
	if err != nil {
		return err
	}
	for i := range 10 {
		if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder("same"), Value: sarama.StringEncoder(fmt.Sprint(i))}); err != nil {
			return err
		}
	}
	if err := p.Close(); err != nil {
		return err
	}
	client, err := sarama.NewClient(brokers, c)
	if err != nil {
		return err
	}
	defer client.Close()
	ends := map[string]int64{}
	for id := range int32(5) {
		end, err := client.GetOffset(topic, id, sarama.OffsetNewest)
		if err != nil {
			return err
		}
		ends[fmt.Sprint(id)] = end
		if end > 0 {
			s.outcome("delete records", admin.DeleteRecords(topic, map[int32]int64{id: 4}))
			s.outcome("delete too many", admin.DeleteRecords(topic, map[int32]int64{id: 400}))
			start, err := client.GetOffset(topic, id, sarama.OffsetOldest)
			if err != nil {
				return err
			}
			s.saw("start", start)
		}
	}
	s.saw("ends", ends)
	dirs, err := admin.DescribeLogDirs([]int32{1, 2})
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(dirs)) {
		s.saw(fmt.Sprint("log directories of ", id), len(dirs[id]))
	}
	s.outcome("delete an unknown group", admin.DeleteConsumerGroup(topic+"-none"))
	scram, err := admin.UpsertUserScramCredentials([]sarama.AlterUserScramCredentialsUpsert{{Name: topic, Mechanism: sarama.SCRAM_MECHANISM_SHA_512, Iterations: 8192, Salt: []byte("salt"), Password: []byte("secret")}})
	if err != nil {
		return err
	}
	s.saw("SCRAM user", scram[0].ErrorCode.Error())
	if err := until("the user", func() (bool, error) {
		users, err := admin.DescribeUserScramCredentials([]string{topic})
		if err != nil {
			return false, err
		}
		return len(users[0].CredentialInfos) == 1 && users[0].CredentialInfos[0].Iterations == 8192, nil
	}); err != nil {
		return err
	}
	s.outcome("quota", admin.AlterClientQuotas([]sarama.QuotaEntityComponent{{EntityType: sarama.QuotaEntityUser, MatchType: sarama.QuotaMatchExact, Name: topic}},
		sarama.ClientQuotasOp{Key: "producer_byte_rate", Value: 1e6}, false))
	if err := until("the quota", func() (bool, error) {
		quotas, err := admin.DescribeClientQuotas([]sarama.QuotaFilterComponent{{EntityType: sarama.QuotaEntityUser, MatchType: sarama.QuotaMatchExact, Match: topic}}, true)
		return len(quotas) == 1 && quotas[0].Values["producer_byte_rate"] == 1e6, err
	}); err != nil {
		return err
	}
	s.outcome("reassign", admin.AlterPartitionReassignments(topic, [][]int32{{1, 2, 3}, {2, 3, 1}, {3, 1, 2}, {1, 2, 3}, {2, 3, 1}}))
	_, err = admin.ListAcls(sarama.AclFilter{ResourceType: sarama.AclResourceAny, Operation: sarama.AclOperationAny, PermissionType: sarama.AclPermissionAny, ResourcePatternTypeFilter: sarama.AclPatternAny})
	s.outcome("ACLs without an authorizer", err)
	s.outcome("delete topic", admin.DeleteTopic(topic))
	s.outcome("delete an unknown topic", admin.DeleteTopic(topic+"-none"))
	return nil
}

func saramaErrors(brokers []string, s say) error {
	topic := "sarama-errors"
	c := saramaConfig()
	c.Producer.MaxMessageBytes = 5_000_000
	c.Producer.Retry.Max = 3
	c.Metadata.Retry.Max = 2
	c.Metadata.AllowAutoTopicCreation = false
	if err := saramaCreate(brokers, c, topic, 1, map[string]string{"max.message.bytes": "1000"}); err != nil {
		return err
	}
	if err := saramaCreate(brokers, c, topic+"-compact", 1, map[string]string{"cleanup.policy": "compact"}); err != nil {
		return err
	}
	p, err := sarama.NewSyncProducer(brokers, c)
	if err != nil {
		return err
	}
	defer p.Close()
	send := func(step string, m *sarama.ProducerMessage) {
		_, _, err := p.SendMessage(m)
		s.outcome(step, err)
	}
	send("too large", &sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(make([]byte, 2000))})
	send("unknown topic", &sarama.ProducerMessage{Topic: topic + "-unknown", Value: sarama.StringEncoder("x")})
	send("no key on a compacted topic", &sarama.ProducerMessage{Topic: topic + "-compact", Value: sarama.StringEncoder("x")})
	admin, err := sarama.NewClusterAdmin(brokers, c)
	if err != nil {
		return err
	}
	defer admin.Close()
	value := "soon"
	for _, try := range []struct {
		step, name string
		detail     sarama.TopicDetail
	}{
		{"exists", topic, sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}},
		{"bad name", "no/slash", sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}},
		{"no partitions", topic + "-0", sarama.TopicDetail{NumPartitions: 0, ReplicationFactor: 1}},
		{"replication 7", topic + "-7", sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 7}},
		{"illegal config", topic + "-c", sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &value}}},
		{"unknown config", topic + "-c", sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: map[string]*string{"no.such": &value}}},
	} {
		s.outcome("create: "+try.step, admin.CreateTopic(try.name, &try.detail, false))
	}
	s.outcome("alter", admin.AlterConfig(sarama.TopicResource, topic, map[string]*string{"retention.ms": &value}, false))
	described, err := admin.DescribeConfigs([]*sarama.ConfigResource{{Type: sarama.TopicResource, Name: topic + "-unknown"}}, sarama.DescribeConfigsOptions{})
	if err != nil {
		return err
	}
	s.outcome("configs of an unknown topic", described[0].ErrorCode)
	consumer, err := sarama.NewConsumer(brokers, c)
	if err != nil {
		return err
	}
	defer consumer.Close()
	_, err = consumer.ConsumePartition(topic, 0, 999)
	s.outcome("offset out of range", err)
	_, err = consumer.ConsumePartition(topic+"-unknown", 0, sarama.OffsetOldest)
	s.outcome("read an unknown topic", err)
	return nil
}

// saramaLogin authenticates by PLAIN.
func saramaLogin(user, password string) *sarama.Config {
	c := saramaConfig()
	c.Net.SASL.Enable = true
	c.Net.SASL.Mechanism = sarama.SASLTypePlaintext
	c.Net.SASL.User, c.Net.SASL.Password = user, password
	c.Producer.Retry.Max = 1
	c.Metadata.Retry.Max = 2
	return c
}

func saramaRights(brokers []string, s say) error {
	topic := "sarama-rights"
	root := saramaLogin("admin", "admin-secret")
	if err := saramaCreate(brokers, root, topic, 1, nil); err != nil {
		return err
	}
	alice := saramaLogin("alice", "alice-secret")
	_, err := sarama.NewClient(brokers, saramaLogin("alice", "wrong"))
	s.saw("wrong password", []any{errors.Is(err, sarama.ErrSASLAuthenticationFailed), fmt.Sprint(err)})
	scram := saramaLogin("alice", "alice-secret")
	scram.Net.SASL.Mechanism = sarama.SASLTypeSCRAMSHA512
	scram.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &saramaSCRAM{} }
	client, err := sarama.NewClient(brokers, scram)
	s.outcome("SCRAM-SHA-512", err)
	if err == nil {
		_ = client.Close()
	}
	quiet := *alice
	quiet.Producer.Idempotent = false
	p, err := sarama.NewSyncProducer(brokers, &quiet)
	if err != nil {
		return err
	}
	defer p.Close()
	send := func() error {
		_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("x")})
		return err
	}
	s.outcome("produce", send())
	admin, err := sarama.NewClusterAdmin(brokers, alice)
	if err != nil {
		return err
	}
	defer admin.Close()
	s.outcome("create a topic", admin.CreateTopic(topic+"-hers", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false))
	super, err := sarama.NewClusterAdmin(brokers, root)
	if err != nil {
		return err
	}
	defer super.Close()
	resource := sarama.Resource{ResourceType: sarama.AclResourceTopic, ResourceName: topic, ResourcePatternType: sarama.AclPatternLiteral}
	for _, operation := range []sarama.AclOperation{sarama.AclOperationWrite, sarama.AclOperationRead} {
		s.outcome("grant", super.CreateACLs([]*sarama.ResourceAcls{{Resource: resource, Acls: []*sarama.Acl{{Principal: "User:alice", Host: "*", Operation: operation, PermissionType: sarama.AclPermissionAllow}}}}))
	}
	if err := until("granted", func() (bool, error) { return send() == nil, nil }); err != nil {
		return err
	}
	s.saw("granted", true)
	group, err := sarama.NewConsumerGroup(brokers, topic+"-group", alice)
	if err != nil {
		return err
	}
	var refused error
	if err := until("refused", func() (bool, error) {
		refused = group.Consume(timeout(5*time.Second), []string{topic}, &saramaMember{})
		return refused != nil, nil
	}); err != nil {
		return err
	}
	s.saw("group", refused != nil)
	_ = group.Close()
	acls, err := super.ListAcls(sarama.AclFilter{ResourceType: sarama.AclResourceTopic, ResourceName: &topic, Operation: sarama.AclOperationAny, PermissionType: sarama.AclPermissionAny,
		ResourcePatternTypeFilter: sarama.AclPatternLiteral})
	if err != nil {
		return err
	}
	s.saw("described", len(acls[0].Acls))
	deleted, err := super.DeleteACL(sarama.AclFilter{ResourceType: sarama.AclResourceTopic, ResourceName: &topic, Operation: sarama.AclOperationAny, PermissionType: sarama.AclPermissionAny,
		ResourcePatternTypeFilter: sarama.AclPatternLiteral}, false)
	if err != nil {
		return err
	}
	s.saw("revoked", len(deleted))
	return nil
}
