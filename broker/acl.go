package broker

import (
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/acl"
)

// Authorizer decides who may do what, as Kafka's StandardAuthorizer does. The zero value lets nobody do anything.
type Authorizer struct {
	// SuperUsers may do anything (super.users). They are principals, such as "User:admin".
	SuperUsers []string
	// AllowUnlisted lets everyone use resources that no ACL is about (allow.everyone.if.no.acl.found). Default: only super users may.
	AllowUnlisted bool
	// ACLs are there from the start; clients add and delete others.
	ACLs []ACL
}

// ACL lets a principal do something, or forbids it. What is forbidden is so whatever else is allowed.
type ACL struct {
	// Principal is who it is about, such as "User:alice"; "User:*" is everyone. Without a type it is a User.
	Principal string
	// Host is the client's address, such as "127.0.0.1". Default "*": any.
	Host string
	// Operations are Kafka's: READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS, IDEMPOTENT_WRITE, ALL.
	// Default: ALL. READ, WRITE, DELETE and ALTER imply DESCRIBE, and ALTER_CONFIGS implies DESCRIBE_CONFIGS, where they are allowed.
	Operations []string
	// Deny forbids.
	Deny bool
	// Resource is the type of the resource: TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID. Default TOPIC.
	Resource string
	// Name is the resource's name; "*" is any. The cluster's name is "kafka-cluster", which is the default for it.
	Name string
	// Prefixed takes Name for the beginning of names.
	Prefixed bool
}

// bindings checks an ACL and spells it out.
func (a ACL) bindings() ([]acl.Binding, error) {
	fail := func(why string, args ...any) ([]acl.Binding, error) {
		return nil, fmt.Errorf("ACL of %s for %s %q: "+why, append([]any{a.Principal, a.Resource, a.Name}, args...)...)
	}
	b := acl.Binding{Pattern: acl.Pattern{Type: kmsg.ACLResourceTypeTopic, Name: a.Name, Kind: kmsg.ACLResourcePatternTypeLiteral},
		Entry: acl.Entry{Principal: a.Principal, Host: a.Host, Permission: kmsg.ACLPermissionTypeAllow}}
	if a.Principal == "" {
		return fail("the principal is missing")
	}
	if !strings.Contains(a.Principal, ":") {
		b.Principal = "User:" + a.Principal
	}
	if a.Host == "" {
		b.Host = acl.Wildcard
	}
	if a.Deny {
		b.Permission = kmsg.ACLPermissionTypeDeny
	}
	if a.Prefixed {
		b.Kind = kmsg.ACLResourcePatternTypePrefixed
	}
	if a.Resource != "" {
		var err error
		if b.Type, err = kmsg.ParseACLResourceType(a.Resource); err != nil || b.Type == kmsg.ACLResourceTypeAny {
			return fail("the resource must be TOPIC, GROUP, CLUSTER or TRANSACTIONAL_ID")
		}
	}
	if b.Type == kmsg.ACLResourceTypeCluster && b.Name == "" {
		b.Name = clusterResource
	}
	if b.Name == "" {
		return fail("the name is missing; \"*\" stands for any")
	}
	if b.Type == kmsg.ACLResourceTypeCluster && b.Name != clusterResource {
		return fail("the cluster's only name is %q", clusterResource)
	}
	operations := a.Operations
	if len(operations) == 0 {
		operations = []string{"ALL"}
	}
	var all []acl.Binding
	for _, name := range operations {
		op, err := kmsg.ParseACLOperation(name)
		if err != nil || op == kmsg.ACLOperationAny {
			return fail("there is no operation %q", name)
		}
		b.Operation = op
		all = append(all, b)
	}
	return all, nil
}

// newAuthorizer makes the authorizer that a configuration asks for.
func newAuthorizer(cfg *Authorizer) (*acl.Authorizer, error) {
	if cfg == nil {
		return nil, nil
	}
	for _, u := range cfg.SuperUsers {
		if !strings.Contains(u, ":") {
			return nil, fmt.Errorf("super user %q: a principal has a type, as in User:%s", u, u)
		}
	}
	a := acl.New(cfg.SuperUsers, cfg.AllowUnlisted)
	var wrong []error
	for _, entry := range cfg.ACLs {
		bindings, err := entry.bindings()
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		a.Add(bindings...)
	}
	return a, errors.Join(wrong...)
}
