package main

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// administration: what is left of the cluster's own APIs, on one broker.
func administration(s *session) {
	id := s.topic("administration", 2)
	s.fill("administration", id, 0, 2)
	s.each("log dirs", kmsg.DescribeLogDirs, func(int16) kmsg.Request {
		req := kmsg.NewPtrDescribeLogDirsRequest()
		req.Topics = []kmsg.DescribeLogDirsRequestTopic{{Topic: "administration", Partitions: []int32{0, 1, 7}}, {Topic: "administration-nowhere", Partitions: []int32{0}}}
		return req
	})
	s.each("log dirs of nothing", kmsg.DescribeLogDirs, func(int16) kmsg.Request {
		req := kmsg.NewPtrDescribeLogDirsRequest()
		req.Topics = []kmsg.DescribeLogDirsRequestTopic{}
		return req
	})
	s.each("move to a folder that is not", kmsg.AlterReplicaLogDirs, func(int16) kmsg.Request {
		req := kmsg.NewPtrAlterReplicaLogDirsRequest()
		req.Dirs = []kmsg.AlterReplicaLogDirsRequestDir{{Dir: "/no/such/folder", Topics: []kmsg.AlterReplicaLogDirsRequestDirTopic{{Topic: "administration", Partitions: []int32{0}}}}}
		return req
	})
	s.each("move a partition that is not", kmsg.AlterReplicaLogDirs, func(int16) kmsg.Request {
		req := kmsg.NewPtrAlterReplicaLogDirsRequest()
		req.Dirs = []kmsg.AlterReplicaLogDirsRequestDir{{Dir: "relative", Topics: []kmsg.AlterReplicaLogDirsRequestDirTopic{{Topic: "administration-nowhere", Partitions: []int32{0}}}}}
		return req
	})
	quorum := func(topic string, partition int32) *kmsg.DescribeQuorumRequest {
		req := kmsg.NewPtrDescribeQuorumRequest()
		req.Topics = []kmsg.DescribeQuorumRequestTopic{{Topic: topic, Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{Partition: partition}}}}
		return req
	}
	s.each("quorum", kmsg.DescribeQuorum, func(int16) kmsg.Request { return quorum("__cluster_metadata", 0) })
	s.each("quorum of another partition", kmsg.DescribeQuorum, func(int16) kmsg.Request { return quorum("__cluster_metadata", 1) })
	s.each("quorum of another topic", kmsg.DescribeQuorum, func(int16) kmsg.Request { return quorum("administration", 0) })
	s.each("quorum of nothing", kmsg.DescribeQuorum, func(int16) kmsg.Request { return kmsg.NewPtrDescribeQuorumRequest() })
	features := func(name string, level int16, upgrade int8) *kmsg.UpdateFeaturesRequest {
		req := kmsg.NewPtrUpdateFeaturesRequest()
		req.TimeoutMillis = 10_000
		req.FeatureUpdates = []kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: name, MaxVersionLevel: level, UpgradeType: upgrade, AllowDowngrade: upgrade > 1}}
		return req
	}
	for _, c := range []struct {
		name    string
		level   int16
		upgrade int8
	}{
		{"no.such", 1, 1}, {"group.version", 1, 1}, {"group.version", 5, 1}, {"metadata.version", 3, 2}, {"metadata.version", 30, 1}, {"transaction.version", 2, 1}, {"group.version", -1, 1}, {"group.version", 0, 1}, {"", 1, 1},
		{"metadata.version", 31, 1}, {"group.version", 1, 9},
	} {
		s.each(fmt.Sprintf("feature %s to %d, kind %d", c.name, c.level, c.upgrade), kmsg.UpdateFeatures, func(int16) kmsg.Request {
			req := features(c.name, c.level, c.upgrade)
			req.ValidateOnly = true
			return req
		})
	}
	s.each("no feature", kmsg.UpdateFeatures, func(int16) kmsg.Request {
		req := features("", 0, 0)
		req.FeatureUpdates = nil
		return req
	})
	for _, b := range []int32{9, -1} {
		s.send(fmt.Sprintf("unregister broker %d", b), latest(&kmsg.UnregisterBrokerRequest{BrokerID: b}))
	}
	elect := func(kind int8, topic string, partitions ...int32) *kmsg.ElectLeadersRequest {
		req := kmsg.NewPtrElectLeadersRequest()
		req.ElectionType, req.TimeoutMillis = kind, 10_000
		req.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: topic, Partitions: partitions}}
		return req
	}
	s.each("elect the preferred", kmsg.ElectLeaders, func(int16) kmsg.Request { return elect(0, "administration", 0, 1) })
	s.each("elect unclean", kmsg.ElectLeaders, func(int16) kmsg.Request { return elect(1, "administration", 0) })
	s.each("elect in an unknown topic", kmsg.ElectLeaders, func(int16) kmsg.Request { return elect(0, "administration-nowhere", 0) })
	s.each("elect in an unknown partition", kmsg.ElectLeaders, func(int16) kmsg.Request { return elect(0, "administration", 9) })
	s.each("elect in a way that is not", kmsg.ElectLeaders, func(v int16) kmsg.Request {
		if v == 0 {
			return elect(0, "administration", 0)
		}
		return elect(5, "administration", 0)
	})
	assign := func(topic string, partition int32, replicas []int32) *kmsg.AlterPartitionAssignmentsRequest {
		req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
		req.TimeoutMillis = 10_000
		req.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: topic, Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Partition: partition, Replicas: replicas}}}}
		return req
	}
	for _, c := range []struct {
		what      string
		topic     string
		partition int32
		replicas  []int32
	}{
		{"as it is", "administration", 0, []int32{1}}, {"to a broker that is not there", "administration", 0, []int32{9}}, {"to one twice", "administration", 0, []int32{1, 1}},
		{"to nobody", "administration", 0, []int32{}}, {"cancel what is not", "administration", 0, nil}, {"of an unknown topic", "administration-nowhere", 0, []int32{1}},
		{"of an unknown partition", "administration", 9, []int32{1}}, {"to a negative broker", "administration", 0, []int32{-1}}, {"to one more", "administration", 0, []int32{1, 2}},
	} {
		s.each("reassign "+c.what, kmsg.AlterPartitionAssignments, func(int16) kmsg.Request { return assign(c.topic, c.partition, c.replicas) })
	}
	list := kmsg.NewPtrListPartitionReassignmentsRequest()
	list.TimeoutMillis = 10_000
	s.send("reassignments", latest(list))
	list.Topics = []kmsg.ListPartitionReassignmentsRequestTopic{{Topic: "administration", Partitions: []int32{0, 9}}, {Topic: "administration-nowhere", Partitions: []int32{0}}}
	s.send("reassignments of some", latest(list))
	s.each("SASL handshake without SASL", kmsg.SASLHandshake, func(int16) kmsg.Request { return &kmsg.SASLHandshakeRequest{Mechanism: "PLAIN"} })
	s.each("SASL without a handshake", kmsg.SASLAuthenticate, func(int16) kmsg.Request { return &kmsg.SASLAuthenticateRequest{SASLAuthBytes: []byte("x")} })
	s.each("ACLs without an authorizer", kmsg.DescribeACLs, func(int16) kmsg.Request { return anyACL() })
	s.each("make ACLs without an authorizer", kmsg.CreateACLs, func(int16) kmsg.Request {
		return &kmsg.CreateACLsRequest{Creations: []kmsg.CreateACLsRequestCreation{{ResourceType: 2, ResourceName: "x", ResourcePatternType: 3, Principal: "User:a", Host: "*", Operation: 3, PermissionType: 3}}}
	})
	s.each("delete ACLs without an authorizer", kmsg.DeleteACLs, func(int16) kmsg.Request {
		return &kmsg.DeleteACLsRequest{Filters: []kmsg.DeleteACLsRequestFilter{{ResourceType: 1, ResourcePatternType: 1, Operation: 1, PermissionType: 1}}}
	})
}

func anyACL() *kmsg.DescribeACLsRequest {
	return &kmsg.DescribeACLsRequest{ResourceType: 1, ResourcePatternType: 1, Operation: 1, PermissionType: 1}
}

// scramUsers: DescribeUserScramCredentials and AlterUserScramCredentials.
func scramUsers(s *session) {
	alter := func(what string, deletions []kmsg.AlterUserSCRAMCredentialsRequestDeletion, upsertions ...kmsg.AlterUserSCRAMCredentialsRequestUpsertion) {
		s.send(what, latest(&kmsg.AlterUserSCRAMCredentialsRequest{Deletions: deletions, Upsertions: upsertions}))
	}
	describe := func(what string, names ...string) {
		req := kmsg.NewPtrDescribeUserSCRAMCredentialsRequest()
		for _, n := range names {
			req.Users = append(req.Users, kmsg.DescribeUserSCRAMCredentialsRequestUser{Name: n})
		}
		s.send(what, latest(req))
	}
	up := func(name string, mechanism int8, iterations int32) kmsg.AlterUserSCRAMCredentialsRequestUpsertion {
		return kmsg.AlterUserSCRAMCredentialsRequestUpsertion{Name: name, Mechanism: mechanism, Iterations: iterations, Salt: []byte("salt"), SaltedPassword: []byte("salted password of thirty-two B")}
	}
	type deletion = kmsg.AlterUserSCRAMCredentialsRequestDeletion
	describe("nobody", "scram-a")
	describe("an empty name", "")
	alter("two", nil, up("scram-a", 1, 4096), up("scram-b", 2, 8192))
	alter("another mechanism", nil, up("scram-a", 2, 5000))
	s.send("they are there", latest(&kmsg.DescribeUserSCRAMCredentialsRequest{Users: []kmsg.DescribeUserSCRAMCredentialsRequestUser{{Name: "scram-a"}, {Name: "scram-b"}}}), until(func(r kmsg.Response) bool {
		res := r.(*kmsg.DescribeUserSCRAMCredentialsResponse).Results
		return len(res) == 2 && len(res[0].CredentialInfos)+len(res[1].CredentialInfos) == 3
	}))
	describe("one twice", "scram-a", "scram-a")
	alter("too few iterations", nil, up("scram-c", 1, 4095))
	alter("too many iterations", nil, up("scram-c", 1, 16385))
	alter("mechanism 0", nil, up("scram-c", 0, 4096))
	alter("mechanism 3", nil, up("scram-c", 3, 4096))
	alter("empty name", nil, up("", 1, 4096))
	alter("one twice", nil, up("scram-c", 1, 4096), up("scram-c", 1, 4096))
	alter("made and deleted", []deletion{{Name: "scram-a", Mechanism: 1}}, up("scram-a", 1, 4096))
	alter("delete what is not", []deletion{{Name: "scram-c", Mechanism: 1}})
	alter("delete with mechanism 7", []deletion{{Name: "scram-a", Mechanism: 7}})
	alter("nothing", nil)
	alter("delete both of one", []deletion{{Name: "scram-a", Mechanism: 1}, {Name: "scram-a", Mechanism: 2}, {Name: "scram-b", Mechanism: 2}})
	alter("delete", []deletion{{Name: "scram-a", Mechanism: 1}})
	alter("delete the other", []deletion{{Name: "scram-a", Mechanism: 2}})
	s.send("they are gone", latest(&kmsg.DescribeUserSCRAMCredentialsRequest{Users: []kmsg.DescribeUserSCRAMCredentialsRequestUser{{Name: "scram-a"}, {Name: "scram-b"}}}), until(func(r kmsg.Response) bool {
		res := r.(*kmsg.DescribeUserSCRAMCredentialsResponse).Results
		return len(res) == 2 && res[0].ErrorCode != 0 && res[1].ErrorCode != 0
	}))
}

// turnedOff is what a new cluster does not do without a setting or another feature level, sent empty in every version.
func turnedOff(s *session) {
	for _, key := range []kmsg.Key{
		kmsg.StreamsGroupHeartbeat, kmsg.StreamsGroupDescribe, kmsg.CreateDelegationToken, kmsg.RenewDelegationToken, kmsg.ExpireDelegationToken,
		kmsg.DescribeDelegationToken, kmsg.AddRaftVoter, kmsg.RemoveRaftVoter,
	} {
		s.each("empty", key, func(int16) kmsg.Request { return kmsg.RequestForKey(key.Int16()) })
	}
}
