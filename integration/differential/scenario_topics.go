package main

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func deleteTopics(v int16, names ...string) *kmsg.DeleteTopicsRequest {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TimeoutMillis = v, 10_000
	for _, n := range names {
		t := kmsg.NewDeleteTopicsRequestTopic()
		t.Topic = &n
		req.Topics = append(req.Topics, t)
		req.TopicNames = append(req.TopicNames, n)
	}
	return req
}

// topicsCreatedAndDeleted in every version.
func topicsCreatedAndDeleted(s *session) {
	s.each("create", kmsg.CreateTopics, func(v int16) kmsg.Request {
		return createTopics(newTopic(fmt.Sprintf("topics-%d", v), 3, 1, "cleanup.policy", "compact", "max.message.bytes", "2000"))
	})
	s.each("again", kmsg.CreateTopics, func(v int16) kmsg.Request { return createTopics(newTopic(fmt.Sprintf("topics-%d", v), 3, 1)) })
	s.each("only look", kmsg.CreateTopics, func(v int16) kmsg.Request {
		req := createTopics(newTopic("topics-looked", 2, 1), newTopic("topics-2", 2, 1))
		req.ValidateOnly = true
		return req
	})
	s.each("with the defaults", kmsg.CreateTopics, func(v int16) kmsg.Request { return createTopics(newTopic(fmt.Sprintf("topics-default-%d", v), -1, -1)) })
	for v := int16(2); v <= 7; v++ {
		s.awaitLeaders(fmt.Sprintf("topics-%d", v))
	}
	s.awaitLeaders("topics-default-4")
	s.each("what there is", kmsg.Metadata, func(int16) kmsg.Request { return metadata("topics-7", "topics-default-4") })

	s.each("delete", kmsg.DeleteTopics, func(v int16) kmsg.Request { return deleteTopics(v, fmt.Sprintf("topics-default-%d", v+1)) })
	s.each("delete again", kmsg.DeleteTopics, func(v int16) kmsg.Request { return deleteTopics(v, fmt.Sprintf("topics-default-%d", v+1)) })
	first := ask[*kmsg.MetadataResponse](s, "its id", latest(metadata("topics-7"))).Topics[0].TopicID
	byID := func(ids ...[16]byte) *kmsg.DeleteTopicsRequest {
		req := deleteTopics(6)
		for _, id := range ids {
			t := kmsg.NewDeleteTopicsRequestTopic()
			t.TopicID = id
			req.Topics = append(req.Topics, t)
		}
		return req
	}
	s.send("delete by an unknown id", byID([16]byte{1, 2, 3}))
	s.send("delete by the zero id", byID([16]byte{}))
	both := deleteTopics(6, "topics-6")
	both.Topics[0].TopicID = first
	s.send("delete by name and id", both)
	s.send("delete twice in one", deleteTopics(6, "topics-6", "topics-6", "topics-nowhere"))
	s.send("delete by id twice in one", byID(first, first))
	s.send("delete by id", byID(first))
	s.send("delete nothing", deleteTopics(6))
	s.send("make it again", latest(createTopics(newTopic("topics-7", 1, 1))))
	s.awaitLeaders("topics-7")
	s.send("it has a new id", latest(metadata("topics-7")), until(func(r kmsg.Response) bool { // a broker may not know of it yet
		now := r.(*kmsg.MetadataResponse).Topics[0].TopicID
		return now != first && now != [16]byte{}
	}))
}

// topicsRefused: each way in which a topic cannot be created.
func topicsRefused(s *session) {
	refuse := func(what string, topics ...kmsg.CreateTopicsRequestTopic) {
		s.send(what, at(7, createTopics(topics...)))
		s.send(what, at(4, createTopics(topics...)))
	}
	s.topic("topics-refused.there", 1)
	for _, name := range []string{"", ".", "..", "a/b", "a b", "ä", strings.Repeat("x", 249), strings.Repeat("x", 250), "__consumer_offsets", "__transaction_state", "topics-refused_there"} {
		if len(name) == 249 || strings.HasPrefix(name, "__") {
			req := createTopics(newTopic(name, 1, 1))
			req.ValidateOnly = true
			s.send(fmt.Sprintf("name %.20q of %d", name, len(name)), latest(req))
			continue
		}
		refuse(fmt.Sprintf("name %.20q of %d", name, len(name)), newTopic(name, 1, 1))
	}
	refuse("exists", newTopic("topics-refused.there", 1, 1))
	refuse("no partitions", newTopic("topics-refused", 0, 1))
	refuse("-2 partitions", newTopic("topics-refused", -2, 1))
	refuse("no replicas", newTopic("topics-refused", 1, 0))
	refuse("-2 replicas", newTopic("topics-refused", 1, -2))
	refuse("more replicas than brokers", newTopic("topics-refused", 1, 2))
	refuse("too many partitions", newTopic("topics-refused", 10001, 1))
	refuse("assigned to a broker that is not there", assigned("topics-refused", [][]int32{{9}}))
	refuse("assigned to one broker twice", assigned("topics-refused", [][]int32{{1, 1}}))
	refuse("assigned to nobody", assigned("topics-refused", [][]int32{{}}))
	refuse("assigned to a negative broker", assigned("topics-refused", [][]int32{{-1}}))
	refuse("different numbers of replicas", assigned("topics-refused", [][]int32{{1}, {1, 2}}))
	both := assigned("topics-refused", [][]int32{{1}})
	both.NumPartitions = 1
	refuse("assigned and counted partitions", both)
	both.NumPartitions, both.ReplicationFactor = -1, 1
	refuse("assigned and counted replicas", both)
	gap := assigned("topics-refused", [][]int32{{1}, {1}})
	gap.ReplicaAssignment[1].Partition = 2
	refuse("assignment with a gap", gap)
	gap.ReplicaAssignment[1].Partition = 0
	refuse("a partition assigned twice", gap)
	for _, c := range [][2]string{
		{"no.such.config", "1"}, {"cleanup.policy", "burn"}, {"cleanup.policy", ""}, {"retention.ms", "x"}, {"retention.ms", "-2"}, {"retention.ms", ""}, {"segment.bytes", "13"},
		{"min.insync.replicas", "0"}, {"compression.type", "rar"}, {"max.message.bytes", "-1"}, {"message.timestamp.type", "Now"}, {"unclean.leader.election.enable", "maybe"},
		{"retention.bytes", "99999999999999999999"}, {"min.cleanable.dirty.ratio", "2"}, {"remote.storage.enable", "true"}, {"segment.ms", "0"}, {"preallocate", "yes"},
		{"min.compaction.lag.ms", "10000000000000"}, {"local.retention.ms", "5"}, {"leader.replication.throttled.replicas", "x"}, {"compression.gzip.level", "11"},
		{"follower.replication.throttled.replicas", "*"}, {"local.retention.bytes", "100"}, {"index.interval.bytes", "-1"},
	} {
		refuse(c[0]+"="+c[1], newTopic("topics-refused-config", 1, 1, c[0], c[1]))
		s.send("delete it where it was made", latest(deleteTopics(6, "topics-refused-config")))
	}
	null := newTopic("topics-refused", 1, 1, "retention.ms", "")
	null.Configs[0].Value = nil
	refuse("config null", null)
	refuse("the same topic twice", newTopic("topics-refused", 1, 1), newTopic("topics-refused", 1, 1))
	refuse("a good one, a bad one and one twice", newTopic("topics-refused", 1, 9), newTopic("topics-refused.there", 1, 1), newTopic("topics-refused-twice", 1, 1), newTopic("topics-refused-twice", 2, 1))
	refuse("no topics")
	refuse("a config twice", newTopic("topics-refused-config", 1, 1, "retention.ms", "1", "retention.ms", "2"))
	s.send("and away", latest(deleteTopics(6, "topics-refused-config")))
}

func createPartitions(topic string, count int32, assignment ...[]int32) *kmsg.CreatePartitionsRequest {
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.TimeoutMillis = 10_000
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = topic, count
	for _, r := range assignment {
		a := kmsg.NewCreatePartitionsRequestTopicAssignment()
		a.Replicas = r
		t.Assignment = append(t.Assignment, a)
	}
	req.Topics = append(req.Topics, t)
	return req
}

func partitionsAdded(s *session) {
	s.topic("partitions", 1)
	s.each("one more", kmsg.CreatePartitions, func(v int16) kmsg.Request { return createPartitions("partitions", 2+int32(v)) })
	s.each("as many", kmsg.CreatePartitions, func(v int16) kmsg.Request { return createPartitions("partitions", 5) })
	s.each("fewer", kmsg.CreatePartitions, func(v int16) kmsg.Request { return createPartitions("partitions", 1) })
	s.each("none", kmsg.CreatePartitions, func(v int16) kmsg.Request { return createPartitions("partitions", 0) })
	s.each("unknown topic", kmsg.CreatePartitions, func(v int16) kmsg.Request { return createPartitions("partitions-nowhere", 2) })
	s.each("only look", kmsg.CreatePartitions, func(v int16) kmsg.Request {
		req := createPartitions("partitions", 7)
		req.ValidateOnly = true
		return req
	})
	ask := func(what string, req *kmsg.CreatePartitionsRequest) { s.send(what, latest(req)) }
	ask("negative", createPartitions("partitions", -1))
	ask("invalid name", createPartitions("a/b", 2))
	ask("empty name", createPartitions("", 2))
	ask("assigned", createPartitions("partitions", 6, []int32{1}))
	ask("assigned to too few", createPartitions("partitions", 8, []int32{1}))
	ask("assigned to too many", createPartitions("partitions", 7, []int32{1}, []int32{1}))
	ask("assigned to a broker that is not there", createPartitions("partitions", 7, []int32{9}))
	ask("assigned to one twice", createPartitions("partitions", 7, []int32{1, 1}))
	ask("assigned to nobody", createPartitions("partitions", 7, []int32{}))
	twice := createPartitions("partitions", 7)
	twice.Topics = append(twice.Topics, twice.Topics[0])
	ask("twice in one", twice)
	s.awaitLeaders("partitions")
	s.send("what there is", latest(metadata("partitions")))
}

// metadataOfTopics: what Metadata and DescribeTopicPartitions answer.
func metadataOfTopics(s *session) {
	id := s.topic("metadata", 2)
	noCreation := func(req *kmsg.MetadataRequest) *kmsg.MetadataRequest {
		req.AllowAutoTopicCreation = false
		return req
	}
	s.each("a topic", kmsg.Metadata, func(int16) kmsg.Request { return noCreation(metadata("metadata")) })
	s.each("none", kmsg.Metadata, func(v int16) kmsg.Request {
		if v == 0 {
			return metadata("metadata") // version 0 has no way to ask for none: an empty list means all
		}
		return metadata()
	})
	s.each("unknown and not to be created", kmsg.Metadata, func(v int16) kmsg.Request {
		if v < 4 {
			return metadata("a/b") // older versions always create
		}
		return noCreation(metadata("metadata-nowhere"))
	})
	s.each("invalid names", kmsg.Metadata, func(int16) kmsg.Request { return metadata("a/b", "", "..", strings.Repeat("x", 250)) })
	s.each("to be created", kmsg.Metadata, func(v int16) kmsg.Request {
		req := metadata(fmt.Sprintf("metadata-created-%d", v))
		req.AllowAutoTopicCreation = true
		return req
	})
	s.awaitLeaders("metadata-created-13")
	s.send("it is there", latest(metadata("metadata-created-13")))
	s.each("authorized operations", kmsg.Metadata, func(int16) kmsg.Request {
		req := metadata("metadata")
		req.IncludeClusterAuthorizedOperations, req.IncludeTopicAuthorizedOperations = true, true
		return req
	})
	byID := func(ids ...[16]byte) *kmsg.MetadataRequest {
		req := metadata()
		for _, id := range ids {
			t := kmsg.NewMetadataRequestTopic()
			t.TopicID = id
			req.Topics = append(req.Topics, t)
		}
		return req
	}
	for v := int16(10); v <= 13; v++ {
		s.send("by id", at(v, byID(id)))
		s.send("by unknown id", at(v, byID([16]byte{7})))
		s.send("by the zero id", at(v, byID([16]byte{})))
		both := metadata("metadata")
		both.Topics[0].TopicID = id
		s.send("by name and id", at(v, both))
		mixed := byID(id)
		mixed.Topics = append(mixed.Topics, metadata("metadata").Topics...)
		s.send("one by name, one by id", at(v, mixed))
	}
	s.send("twice", latest(metadata("metadata", "metadata")))
	s.each("the cluster", kmsg.DescribeCluster, func(int16) kmsg.Request { return kmsg.NewPtrDescribeClusterRequest() })
	s.each("the cluster with operations", kmsg.DescribeCluster, func(int16) kmsg.Request {
		req := kmsg.NewPtrDescribeClusterRequest()
		req.IncludeClusterAuthorizedOperations, req.IncludeFencedBrokers = true, true
		return req
	})
	for _, endpoint := range []int8{0, 1, 2, 3, -1} {
		for v := range int16(3) {
			req := kmsg.NewPtrDescribeClusterRequest()
			req.EndpointType = endpoint
			s.send(fmt.Sprintf("endpoint type %d", endpoint), at(v, req))
		}
	}

	describe := func(what string, limit int32, cursor *kmsg.DescribeTopicPartitionsRequestCursor, topics ...string) {
		req := kmsg.NewPtrDescribeTopicPartitionsRequest()
		req.ResponsePartitionLimit, req.Cursor = limit, cursor
		for _, name := range topics {
			t := kmsg.NewDescribeTopicPartitionsRequestTopic()
			t.Topic = name
			req.Topics = append(req.Topics, t)
		}
		s.send(what, latest(req))
	}
	cursor := func(topic string, partition int32) *kmsg.DescribeTopicPartitionsRequestCursor {
		c := kmsg.NewDescribeTopicPartitionsRequestCursor()
		c.Topic, c.Partition = topic, partition
		return &c
	}
	s.topic("metadata-b", 3)
	describe("one", 2000, nil, "metadata")
	describe("two out of order", 2000, nil, "metadata-b", "metadata")
	describe("unknown and invalid", 2000, nil, "metadata-nowhere", "a/b", "")
	describe("page of one", 1, nil, "metadata", "metadata-b")
	describe("page of three", 3, nil, "metadata", "metadata-b")
	describe("from a cursor", 2, cursor("metadata-b", 1), "metadata", "metadata-b")
	describe("from a cursor beyond", 2, cursor("metadata-b", 7), "metadata", "metadata-b")
	describe("from a cursor of a topic that is not there", 2, cursor("metadata-a", 1), "metadata", "metadata-b")
	describe("from a negative cursor", 2, cursor("metadata-b", -1), "metadata", "metadata-b")
	describe("from a cursor not in the list", 2, cursor("metadata-b", 1), "metadata")
	describe("limit 0", 0, nil, "metadata")
	describe("limit -1", -1, nil, "metadata")
	describe("twice", 10, nil, "metadata", "metadata")
}
