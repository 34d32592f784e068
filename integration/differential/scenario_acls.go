package main

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

type creation = kmsg.CreateACLsRequestCreation

func acl(kind kmsg.ACLResourceType, name string, pattern kmsg.ACLResourcePatternType, principal, host string, op kmsg.ACLOperation, permission kmsg.ACLPermissionType) creation {
	return creation{ResourceType: kind, ResourceName: name, ResourcePatternType: pattern, Principal: principal, Host: host, Operation: op, PermissionType: permission}
}

// accessControlLists: CreateAcls, DescribeAcls and DeleteAcls.
func accessControlLists(s *session) {
	valid := []creation{
		acl(2, "acls", 3, "User:a", "*", 3, 3), acl(2, "acls", 4, "User:a", "*", 3, 3), acl(2, "*", 3, "User:a", "*", 3, 3), acl(2, "acls", 3, "User:*", "*", 4, 2),
		acl(2, "acls-more", 3, "User:a", "10.0.0.1", 2, 3), acl(2, "a", 4, "User:b", "*", 8, 3), acl(3, "acls", 3, "User:a", "*", 3, 3), acl(3, "*", 4, "User:b", "*", 3, 3),
		acl(4, "kafka-cluster", 3, "User:a", "*", 9, 3), acl(5, "acls", 3, "User:a", "*", 4, 3), acl(6, "acls", 3, "User:a", "*", 8, 3), acl(7, "User:acls", 3, "User:a", "*", 14, 3),
	}
	create := func(what string, all ...creation) {
		s.each(what, kmsg.CreateACLs, func(int16) kmsg.Request { return &kmsg.CreateACLsRequest{Creations: all} })
	}
	count := func(n int) option {
		return until(func(r kmsg.Response) bool {
			have := 0
			for _, res := range r.(*kmsg.DescribeACLsResponse).Resources {
				have += len(res.ACLs)
			}
			return have == n
		})
	}
	s.each("none yet", kmsg.DescribeACLs, func(int16) kmsg.Request { return anyACL() })
	create("nothing")
	create("valid", valid...)
	s.send("they are there", latest(anyACL()), count(len(valid)))
	create("one twice", valid[0], valid[0])

	good := valid[0]
	bad := func(what string, change func(*creation)) {
		a := good
		a.Principal = "User:bad"
		change(&a)
		create(what, a)
		create(what+", beside a good one", good, a)
	}
	for _, kind := range []kmsg.ACLResourceType{0, 1, 8, 99, -1} {
		bad(fmt.Sprintf("resource type %d", kind), func(a *creation) { a.ResourceType = kind })
	}
	for _, pattern := range []kmsg.ACLResourcePatternType{0, 1, 2, 5, 99, -1} {
		bad(fmt.Sprintf("pattern type %d", pattern), func(a *creation) { a.ResourcePatternType = pattern })
	}
	for _, op := range []kmsg.ACLOperation{0, 1, 16, 99, -1} {
		bad(fmt.Sprintf("operation %d", op), func(a *creation) { a.Operation = op })
	}
	for _, permission := range []kmsg.ACLPermissionType{0, 1, 4, 99, -1} {
		bad(fmt.Sprintf("permission type %d", permission), func(a *creation) { a.PermissionType = permission })
	}
	for _, name := range []string{"", "another"} {
		for _, kind := range []kmsg.ACLResourceType{2, 3, 4, 5} {
			if name == "" || kind == 4 {
				bad(fmt.Sprintf("name %q of resource type %d", name, kind), func(a *creation) { a.ResourceType, a.ResourceName = kind, name })
			}
		}
	}
	for _, principal := range []string{"", "bad", ":", "User:", ":bad", "Group:"} {
		bad(fmt.Sprintf("principal %q", principal), func(a *creation) { a.Principal = principal })
	}
	s.send("nothing that is bad", latest(anyACL()))

	// Odd ones that may be.
	odd := []creation{
		acl(2, "acls odd/name", 3, "Group:g", "*", 3, 3), acl(4, "kafka-cluster", 3, "User:o", "no.host.at.all", 3, 3), acl(2, "acls", 3, "User:o:p", "", 13, 2), acl(3, "acls", 3, "User:o", "*", 15, 3),
	}
	for i, a := range odd {
		s.send(fmt.Sprintf("odd %d", i), latest(&kmsg.CreateACLsRequest{Creations: []creation{a}}))
	}
	s.send("what of them there is", latest(&kmsg.DescribeACLsRequest{ResourceType: 1, ResourcePatternType: 1, Operation: 1, PermissionType: 1, Principal: ptr("User:o")}), until(func(r kmsg.Response) bool {
		return len(r.(*kmsg.DescribeACLsResponse).Resources) == 2
	}))

	filter := func(kind kmsg.ACLResourceType, name *string, pattern kmsg.ACLResourcePatternType, principal, host *string, op kmsg.ACLOperation, permission kmsg.ACLPermissionType) kmsg.DeleteACLsRequestFilter {
		return kmsg.DeleteACLsRequestFilter{ResourceType: kind, ResourceName: name, ResourcePatternType: pattern, Principal: principal, Host: host, Operation: op, PermissionType: permission}
	}
	var filters []kmsg.DeleteACLsRequestFilter
	for _, pattern := range []kmsg.ACLResourcePatternType{0, 1, 2, 3, 4, 5, 99, -1} {
		for _, name := range []*string{nil, ptr("acls"), ptr("*"), ptr(""), ptr("acls-more"), ptr("nowhere")} {
			filters = append(filters, filter(2, name, pattern, nil, nil, 1, 1))
		}
		filters = append(filters, filter(1, ptr("acls"), pattern, nil, nil, 1, 1))
	}
	for kind := kmsg.ACLResourceType(-1); kind < 10; kind++ {
		filters = append(filters, filter(kind, nil, 1, nil, nil, 1, 1))
	}
	for op := kmsg.ACLOperation(-1); op < 18; op++ {
		filters = append(filters, filter(1, nil, 1, nil, nil, op, 1))
	}
	for permission := kmsg.ACLPermissionType(-1); permission < 6; permission++ {
		filters = append(filters, filter(1, nil, 1, nil, nil, 1, permission))
	}
	for _, principal := range []string{"User:a", "User:*", "User:b", "a", "", "User:", "Group:g"} {
		filters = append(filters, filter(1, nil, 1, &principal, nil, 1, 1))
	}
	for _, host := range []string{"*", "10.0.0.1", "10.0.0.2", ""} {
		filters = append(filters, filter(1, nil, 1, nil, &host, 1, 1))
	}
	for i, f := range filters {
		s.each(fmt.Sprintf("filter %d", i), kmsg.DescribeACLs, func(int16) kmsg.Request {
			return &kmsg.DescribeACLsRequest{ResourceType: f.ResourceType, ResourceName: f.ResourceName, ResourcePatternType: f.ResourcePatternType, Principal: f.Principal, Host: f.Host, Operation: f.Operation, PermissionType: f.PermissionType}
		})
	}
	remove := func(what string, all ...kmsg.DeleteACLsRequestFilter) {
		s.each(what, kmsg.DeleteACLs, func(int16) kmsg.Request { return &kmsg.DeleteACLsRequest{Filters: all} })
	}
	remove("delete by no filter")
	for i, f := range filters { // those that are refused, and those that nothing matches
		if f.ResourceName != nil && (*f.ResourceName == "nowhere" || *f.ResourceName == "") || f.ResourcePatternType%99 < 1 || f.ResourcePatternType == 5 || f.ResourceType < 1 || f.ResourceType > 7 || f.Operation < 1 || f.Operation > 14 || f.PermissionType < 1 || f.PermissionType > 3 {
			remove(fmt.Sprintf("delete by filter %d", i), f)
			remove(fmt.Sprintf("delete by filter %d beside another", i), filter(2, ptr("nowhere"), 3, nil, nil, 1, 1), f)
		}
	}
	remove("delete by a name", filter(2, ptr("acls-more"), 2, ptr("User:b"), nil, 1, 1), filter(3, ptr("acls"), 3, nil, nil, 1, 1))
	remove("delete all of a principal, twice", filter(1, nil, 1, ptr("User:a"), nil, 1, 1), filter(2, nil, 1, ptr("User:a"), nil, 1, 1))
	s.send("what is left", latest(anyACL()))
	remove("delete all", filter(1, nil, 1, nil, nil, 1, 1))
	s.send("nothing is left", latest(anyACL()), count(0))
}
