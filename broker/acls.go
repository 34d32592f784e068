package broker

import (
	"errors"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/acl"
)

// errNoAuthorizer is Kafka's answer where everyone may do everything.
func errNoAuthorizer(text string) error { return codef(kerr.SecurityDisabled, "%s", text) }

// errUnknownElement says that a filter or an ACL has the value that stands for no value. Kafka takes such a request for malformed.
var errUnknownElement = errors.New("the request has an UNKNOWN element")

// malformed ends the connection of a client whose request is none.
func (r *request) malformed(why error) answer {
	r.node.cluster.log.Info("connection ended", "broker", r.node.id, "client", r.client, "remote", r.conn.nc.RemoteAddr(), "request", kmsg.NameForKey(r.key), "error", why)
	return answer{close: true}
}

func handleDescribeACLs(r *request) answer {
	req := r.msg.(*kmsg.DescribeACLsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeACLsResponse)
	fail := func(err error) answer {
		resp.ErrorCode, resp.ErrorMessage = codeOf(err)
		return answer{resp: resp}
	}
	f := acl.Filter{Type: req.ResourceType, Name: req.ResourceName, Kind: req.ResourcePatternType, Principal: req.Principal, Host: req.Host,
		Operation: req.Operation, Permission: req.PermissionType}
	if unknown(f.Type, f.Kind, f.Operation, f.Permission) {
		return r.malformed(errUnknownElement)
	}
	if !r.allowsCluster(kmsg.ACLOperationDescribe) {
		return fail(clusterDenied(kmsg.ACLOperationDescribe))
	}
	a := r.node.cluster.authorizer
	if a == nil {
		return fail(errNoAuthorizer("No Authorizer is configured on the broker"))
	}
	resp.ErrorMessage = new(string)
	for _, b := range a.List(f) { // in the order of their patterns
		n := len(resp.Resources)
		if n == 0 || !samePattern(&resp.Resources[n-1], b.Pattern) {
			res := kmsg.NewDescribeACLsResponseResource()
			res.ResourceType, res.ResourceName, res.ResourcePatternType = b.Type, b.Name, b.Kind
			resp.Resources = append(resp.Resources, res)
			n++
		}
		e := kmsg.NewDescribeACLsResponseResourceACL()
		e.Principal, e.Host, e.Operation, e.PermissionType = b.Principal, b.Host, b.Operation, b.Permission
		resp.Resources[n-1].ACLs = append(resp.Resources[n-1].ACLs, e)
	}
	return answer{resp: resp}
}

func samePattern(r *kmsg.DescribeACLsResponseResource, p acl.Pattern) bool {
	return r.ResourceType == p.Type && r.ResourceName == p.Name && r.ResourcePatternType == p.Kind
}

// unknown says that one of the values is the one that stands for none.
func unknown(kind kmsg.ACLResourceType, pattern kmsg.ACLResourcePatternType, op kmsg.ACLOperation, permission kmsg.ACLPermissionType) bool {
	return kind == kmsg.ACLResourceTypeUnknown || pattern == kmsg.ACLResourcePatternTypeUnknown || op == kmsg.ACLOperationUnknown ||
		permission == kmsg.ACLPermissionTypeUnknown
}

// mayAlterACLs says why ACLs cannot be created or deleted by this client, nil where they can.
func (r *request) mayAlterACLs() error {
	switch {
	case !r.allowsCluster(kmsg.ACLOperationAlter):
		return clusterDenied(kmsg.ACLOperationAlter)
	case r.node.cluster.authorizer == nil:
		return errNoAuthorizer("No Authorizer is configured.")
	}
	return nil
}

func handleCreateACLs(r *request) answer {
	req := r.msg.(*kmsg.CreateACLsRequest)
	resp := req.ResponseKind().(*kmsg.CreateACLsResponse)
	resp.Results = make([]kmsg.CreateACLsResponseResult, len(req.Creations))
	for _, c := range req.Creations {
		if unknown(c.ResourceType, c.ResourcePatternType, c.Operation, c.PermissionType) {
			return r.malformed(errUnknownElement)
		}
	}
	a := r.node.cluster.authorizer
	whole := r.mayAlterACLs()
	if whole == nil && slices.ContainsFunc(req.Creations, indefinite) {
		whole = kerr.UnknownServerError // which Kafka does not say any better
	}
	var valid []acl.Binding
	for i := range req.Creations {
		c := &req.Creations[i]
		err := whole
		if err == nil {
			err = checkCreation(c)
		}
		resp.Results[i].ErrorCode, resp.Results[i].ErrorMessage = codeOf(err)
		if err == nil {
			resp.Results[i].ErrorMessage = new(string)
			valid = append(valid, acl.Binding{Pattern: acl.Pattern{Type: c.ResourceType, Name: c.ResourceName, Kind: c.ResourcePatternType},
				Entry: acl.Entry{Principal: c.Principal, Host: c.Host, Operation: c.Operation, Permission: c.PermissionType}})
		}
	}
	if len(valid) > 0 {
		a.Add(valid...)
		r.node.cluster.store.noteACLs(valid, nil)
		for _, b := range valid {
			r.node.cluster.log.Info("ACL created", "principal", b.Principal, "host", b.Host, "operation", b.Operation.String(), "permission", b.Permission.String(),
				"resource", b.Type.String(), "name", b.Name, "pattern", b.Kind.String(), "by", r.conn.principal)
		}
	}
	return answer{resp: resp}
}

// indefinite says that an ACL has a value that only filters may have. Kafka fails on it before it looks at anything else.
func indefinite(c kmsg.CreateACLsRequestCreation) bool {
	return c.ResourceType == kmsg.ACLResourceTypeAny || c.ResourcePatternType == kmsg.ACLResourcePatternTypeAny ||
		c.ResourcePatternType == kmsg.ACLResourcePatternTypeMatch || c.Operation == kmsg.ACLOperationAny || c.PermissionType == kmsg.ACLPermissionTypeAny
}

// checkCreation checks what Kafka checks of a new ACL, in its order.
func checkCreation(c *kmsg.CreateACLsRequestCreation) error {
	switch {
	case c.ResourceType == kmsg.ACLResourceTypeCluster && c.ResourceName != clusterResource:
		return codef(kerr.InvalidRequest, "The only valid name for the CLUSTER resource is %s", clusterResource)
	case c.ResourceName == "":
		return codef(kerr.InvalidRequest, "Invalid empty resource name")
	case c.ResourceType < 0 || c.ResourceType > kmsg.ACLResourceTypeUser:
		return codef(kerr.InvalidRequest, "Invalid resourceType UNKNOWN")
	case c.ResourcePatternType < 0 || c.ResourcePatternType > kmsg.ACLResourcePatternTypePrefixed:
		return codef(kerr.InvalidRequest, "Invalid patternType UNKNOWN")
	case c.Operation < 0 || c.Operation > acl.TwoPhaseCommit:
		return codef(kerr.InvalidRequest, "Invalid operation UNKNOWN")
	case c.PermissionType < 0 || c.PermissionType > kmsg.ACLPermissionTypeAllow:
		return codef(kerr.InvalidRequest, "Invalid permissionType UNKNOWN")
	case !strings.Contains(c.Principal, ":"):
		return codef(kerr.InvalidRequest, "Could not parse principal from `%s` (no colon is present separating the principal type from the principal name)", c.Principal)
	}
	return nil
}

func handleDeleteACLs(r *request) answer {
	req := r.msg.(*kmsg.DeleteACLsRequest)
	resp := req.ResponseKind().(*kmsg.DeleteACLsResponse)
	resp.Results = make([]kmsg.DeleteACLsResponseResult, len(req.Filters))
	for _, f := range req.Filters {
		if unknown(f.ResourceType, f.ResourcePatternType, f.Operation, f.PermissionType) {
			return r.malformed(errUnknownElement)
		}
	}
	a := r.node.cluster.authorizer
	whole := r.mayAlterACLs()
	var filters []acl.Filter
	var results []*kmsg.DeleteACLsResponseResult
	for i := range req.Filters {
		q := &req.Filters[i]
		f := acl.Filter{Type: q.ResourceType, Name: q.ResourceName, Kind: q.ResourcePatternType, Principal: q.Principal, Host: q.Host,
			Operation: q.Operation, Permission: q.PermissionType}
		err := whole
		if badPattern, badEntry := f.Unknown(); err == nil && badPattern {
			err = codef(kerr.InvalidRequest, "Unknown patternFilter.")
		} else if err == nil && badEntry {
			err = codef(kerr.InvalidRequest, "Unknown entryFilter.")
		}
		resp.Results[i].ErrorCode, resp.Results[i].ErrorMessage = codeOf(err)
		if err == nil {
			filters, results = append(filters, f), append(results, &resp.Results[i])
		}
	}
	if len(filters) == 0 {
		return answer{resp: resp}
	}
	for i, deleted := range a.Delete(filters...) {
		r.node.cluster.store.noteACLs(nil, deleted)
		for _, b := range deleted {
			m := kmsg.NewDeleteACLsResponseResultMatchingACL()
			m.ResourceType, m.ResourceName, m.ResourcePatternType = b.Type, b.Name, b.Kind
			m.Principal, m.Host, m.Operation, m.PermissionType = b.Principal, b.Host, b.Operation, b.Permission
			results[i].MatchingACLs = append(results[i].MatchingACLs, m)
			r.node.cluster.log.Info("ACL deleted", "principal", b.Principal, "host", b.Host, "operation", b.Operation.String(), "permission", b.Permission.String(),
				"resource", b.Type.String(), "name", b.Name, "pattern", b.Kind.String(), "by", r.conn.principal)
		}
	}
	return answer{resp: resp}
}
