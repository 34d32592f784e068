package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// rightsOf are the users of the clusters with users, each with the ACLs that it has in the scenario of the same name: "ALLOW READ TOPIC rights", a tilde
// behind the beginning of a name. bob has none.
var rightsOf = map[string]string{
	"alice": "", "bob": "",
	"topic-read": "ALLOW READ TOPIC rights", "topic-write": "ALLOW WRITE TOPIC rights", "topic-create": "ALLOW CREATE TOPIC rights-new",
	"topic-delete": "ALLOW DELETE TOPIC rights; ALLOW DELETE TOPIC rights-ghost", "topic-alter": "ALLOW ALTER TOPIC rights",
	"topic-describe": "ALLOW DESCRIBE TOPIC rights; ALLOW DESCRIBE TOPIC rights-ghost", "topic-describe-configs": "ALLOW DESCRIBE_CONFIGS TOPIC rights",
	"topic-alter-configs": "ALLOW ALTER_CONFIGS TOPIC rights", "topic-all": "ALLOW ALL TOPIC rights", "topic-prefixed": "ALLOW READ TOPIC righ~", "topic-any": "ALLOW ALL TOPIC *",
	"group-read": "ALLOW READ GROUP rights", "group-describe": "ALLOW DESCRIBE GROUP rights", "group-delete": "ALLOW DELETE GROUP rights",
	"group-describe-configs": "ALLOW DESCRIBE_CONFIGS GROUP rights", "group-alter-configs": "ALLOW ALTER_CONFIGS GROUP rights",
	"consumer":  "ALLOW READ GROUP rights; ALLOW READ TOPIC rights",
	"txn-write": "ALLOW WRITE TRANSACTIONAL_ID rights", "txn-describe": "ALLOW DESCRIBE TRANSACTIONAL_ID rights",
	"txn-producer":   "ALLOW WRITE TRANSACTIONAL_ID rights; ALLOW WRITE TOPIC rights; ALLOW READ GROUP rights; ALLOW READ TOPIC rights",
	"cluster-create": "ALLOW CREATE CLUSTER kafka-cluster", "cluster-alter": "ALLOW ALTER CLUSTER kafka-cluster", "cluster-describe": "ALLOW DESCRIBE CLUSTER kafka-cluster",
	"cluster-action": "ALLOW CLUSTER_ACTION CLUSTER kafka-cluster", "cluster-describe-configs": "ALLOW DESCRIBE_CONFIGS CLUSTER kafka-cluster",
	"cluster-alter-configs": "ALLOW ALTER_CONFIGS CLUSTER kafka-cluster", "cluster-idempotent-write": "ALLOW IDEMPOTENT_WRITE CLUSTER kafka-cluster",
	"cluster-all": "ALLOW ALL CLUSTER kafka-cluster",
	"denied": "ALLOW ALL TOPIC *; ALLOW ALL GROUP *; ALLOW ALL TRANSACTIONAL_ID *; ALLOW ALL CLUSTER kafka-cluster; " +
		"DENY ALL TOPIC rights~; DENY ALL GROUP rights; DENY ALL TRANSACTIONAL_ID rights; DENY ALL CLUSTER kafka-cluster",
	"denied-describe": "ALLOW ALL TOPIC *; ALLOW ALL GROUP *; ALLOW ALL TRANSACTIONAL_ID *; ALLOW ALL CLUSTER kafka-cluster; " +
		"DENY DESCRIBE TOPIC rights; DENY DESCRIBE GROUP rights; DENY DESCRIBE TRANSACTIONAL_ID rights; DENY DESCRIBE CLUSTER kafka-cluster",
	"elsewhere": "ALLOW ALL TOPIC rights 10.1.2.3; ALLOW READ GROUP rights 127.0.0.1",
}

// passwords has everybody's.
func passwords() map[string]string {
	all := map[string]string{superUser: superUser + "-secret"}
	for name := range rightsOf {
		all[name] = name + "-secret"
	}
	return all
}

// grant is an ACL as rightsOf has them.
func grant(user, text string) kmsg.CreateACLsRequestCreation {
	f := append(strings.Fields(text), "*")
	a := kmsg.NewCreateACLsRequestCreation()
	var errs [3]error
	a.PermissionType, errs[0] = kmsg.ParseACLPermissionType(f[0])
	a.Operation, errs[1] = kmsg.ParseACLOperation(f[1])
	a.ResourceType, errs[2] = kmsg.ParseACLResourceType(f[2])
	for _, err := range errs {
		if err != nil {
			panic(err)
		}
	}
	a.ResourceName, a.Host, a.Principal = f[3], f[4], "User:"+user
	if name, prefixed := strings.CutSuffix(f[3], "~"); prefixed {
		a.ResourceName, a.ResourcePatternType = name, kmsg.ACLResourcePatternTypePrefixed
	}
	return a
}

// rights asks everything in every version as those who have no right, all, one that they need, and one too few; and in the newest version as everybody.
func rights(s *session) {
	id := s.topic("rights", 1)
	create, count := kmsg.NewPtrCreateACLsRequest(), 0
	users := slices.Sorted(maps.Keys(rightsOf))
	for _, user := range users {
		for text := range strings.SplitSeq(rightsOf[user], "; ") {
			if text != "" {
				create.Creations = append(create.Creations, grant(user, text))
				count++
			}
		}
	}
	s.send("give everybody rights", latest(create))
	s.send("rights given", latest(anyACL()), until(func(r kmsg.Response) bool {
		n := 0
		for _, res := range r.(*kmsg.DescribeACLsResponse).Resources {
			n += len(res.ACLs)
		}
		return n == count
	}))
	allowed := newTopicDry("rights-new")
	s.send("rights known to the controller", latest(allowed), as("topic-create"), until(func(r kmsg.Response) bool { return r.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode == 0 }))

	// Those that list everything come before Kafka has made topics of its own, which the reference broker does not show.
	listTopics := &kmsg.ListConfigResourcesRequest{ResourceTypes: []int8{2}}
	for _, user := range append([]string{superUser}, users...) {
		s.each("metadata of all as "+user, kmsg.Metadata, func(int16) kmsg.Request {
			req := kmsg.NewPtrMetadataRequest()
			req.AllowAutoTopicCreation = false
			return req
		}, as(user))
		s.send("all partitions as "+user, latest(kmsg.NewPtrDescribeTopicPartitionsRequest()), as(user))
		s.send("all topics with configs as "+user, latest(listTopics), as(user))
	}
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Group, commit.Generation = "rights", -1
	commit.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "rights", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: 1, LeaderEpoch: -1}}}}
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKeys = []string{"rights"}
	for kind := range int8(3) {
		find.CoordinatorType = kind
		if kind == 2 {
			find.CoordinatorKeys = []string{"rights:AAAAAAAAAAAAAAAAAAAAAQ:0"}
		}
		s.send("", latest(find), preparing(), until(func(r kmsg.Response) bool { return r.(*kmsg.FindCoordinatorResponse).Coordinators[0].ErrorCode == 0 }))
	}
	s.send("commit", at(9, commit), until(func(r kmsg.Response) bool {
		return r.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode == 0
	}))
	producer := kmsg.NewPtrInitProducerIDRequest()
	s.send("", latest(producer), preparing(), until(func(r kmsg.Response) bool { return r.(*kmsg.InitProducerIDResponse).ErrorCode == 0 }))

	for _, r := range requests(id) {
		v := served[r.key]
		for version := v.min; version < v.max; version++ {
			for _, user := range append([]string{"bob", "denied", superUser}, r.needs...) {
				s.send(r.what+" as "+user, at(version, r.build(version)), as(user))
			}
		}
		for _, user := range append([]string{superUser}, users...) {
			s.send(r.what+" as "+user, at(v.max, r.build(v.max)), as(user))
		}
	}
	remove := kmsg.NewPtrDeleteACLsRequest()
	remove.Filters = []kmsg.DeleteACLsRequestFilter{{ResourceType: 1, ResourcePatternType: 1, Operation: 1, PermissionType: 1}}
	s.send("take all rights away", latest(remove))
	s.send("rights taken away", latest(anyACL()), until(func(r kmsg.Response) bool { return len(r.(*kmsg.DescribeACLsResponse).Resources) == 0 }))
	s.send("who had the right", latest(produce("rights", id, 0, s.batch(values("x")...).encode())), as("topic-write"))
}
