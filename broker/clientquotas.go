package broker

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/quotas"
)

func handleDescribeClientQuotas(r *request) answer {
	req := r.msg.(*kmsg.DescribeClientQuotasRequest)
	resp := req.ResponseKind().(*kmsg.DescribeClientQuotasResponse)
	if !r.allowsCluster(kmsg.ACLOperationDescribeConfigs) {
		resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		return answer{resp: resp}
	}
	if err := checkComponents(req.Components); err != nil {
		resp.ErrorCode, resp.ErrorMessage = codeOf(err)
		return answer{resp: resp}
	}
	resp.ErrorMessage = new(string)
	resp.Entries = []kmsg.DescribeClientQuotasResponseEntry{}
	for _, q := range r.node.cluster.quotas.All() {
		if !matches(q.Entity, req.Components, req.Strict) {
			continue
		}
		e := kmsg.NewDescribeClientQuotasResponseEntry()
		for _, kind := range slices.Sorted(maps.Keys(q.Entity)) {
			x := kmsg.NewDescribeClientQuotasResponseEntryEntity()
			x.Type, x.Name = kind, q.Entity[kind]
			e.Entity = append(e.Entity, x)
		}
		for _, key := range slices.Sorted(maps.Keys(q.Values)) {
			v := kmsg.NewDescribeClientQuotasResponseEntryValue()
			v.Key, v.Value = string(key), q.Values[key]
			e.Values = append(e.Values, v)
		}
		resp.Entries = append(resp.Entries, e)
	}
	return answer{resp: resp}
}

// How a component of a filter matches (KIP-546).
const (
	matchExact   = 0
	matchDefault = 1
	matchAny     = 2
)

// checkComponents checks a filter as Kafka does.
func checkComponents(components []kmsg.DescribeClientQuotasRequestComponent) error {
	seen := make(map[string]bool)
	for i := range components {
		c := &components[i]
		switch {
		case c.EntityType == "":
			return codef(kerr.InvalidRequest, "Invalid empty entity type.")
		case seen[c.EntityType]:
			return codef(kerr.InvalidRequest, "Entity type %s cannot appear more than once in the filter.", c.EntityType)
		case c.EntityType != quotas.User && c.EntityType != quotas.ClientID && c.EntityType != quotas.IP:
			return codef(kerr.UnsupportedVersion, "Unsupported entity type %s", c.EntityType)
		case c.MatchType == matchExact && c.Match == nil:
			return codef(kerr.InvalidRequest, "Request specified MATCH_TYPE_EXACT, but set match string to null.")
		case c.MatchType == matchDefault && c.Match != nil:
			return codef(kerr.InvalidRequest, "Request specified MATCH_TYPE_DEFAULT, but also specified a match string.")
		case c.MatchType == matchAny && c.Match != nil:
			return codef(kerr.InvalidRequest, "Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.")
		case c.MatchType < matchExact || c.MatchType > matchAny:
			return codef(kerr.InvalidRequest, "Unknown match type %d", c.MatchType)
		}
		seen[c.EntityType] = true
	}
	if seen[quotas.IP] && len(seen) > 1 {
		return codef(kerr.InvalidRequest, "Invalid entity filter component combination. IP filter component should not be used with user or clientId filter component.")
	}
	return nil
}

func matches(e quotas.Entity, components []kmsg.DescribeClientQuotasRequestComponent, strict bool) bool {
	for i := range components {
		c := &components[i]
		name, has := e[c.EntityType]
		switch {
		case !has,
			c.MatchType == matchExact && (name == nil || *name != *c.Match),
			c.MatchType == matchDefault && name != nil:
			return false
		}
	}
	return !strict || len(e) == len(components)
}

// handleAlterClientQuotas alters each entity as a whole or not at all, and answers each once, however often it was named.
func handleAlterClientQuotas(r *request) answer {
	req := r.msg.(*kmsg.AlterClientQuotasRequest)
	resp := req.ResponseKind().(*kmsg.AlterClientQuotasResponse)
	allowed := r.allowsCluster(kmsg.ACLOperationAlterConfigs)
	at := make(map[string]int)
	for i := range req.Entries {
		q := &req.Entries[i]
		entity := make(quotas.Entity)
		for _, x := range q.Entity {
			entity[x.Type] = x.Name
		}
		var err error
		key := entity.String()
		n, again := at[key]
		switch {
		case !allowed:
			err = denied(kerr.ClusterAuthorizationFailed)
		case again:
			err = ignored(entity)
		default:
			err = r.node.cluster.alterQuotas(entity, q.Ops, req.ValidateOnly)
		}
		e := kmsg.NewAlterClientQuotasResponseEntry()
		e.ErrorCode, e.ErrorMessage = codeOf(err)
		for _, kind := range slices.Sorted(maps.Keys(entity)) {
			x := kmsg.NewAlterClientQuotasResponseEntryEntity()
			x.Type, x.Name = kind, entity[kind]
			e.Entity = append(e.Entity, x)
		}
		if again {
			resp.Entries[n] = e
			continue
		}
		at[key] = len(resp.Entries)
		resp.Entries = append(resp.Entries, e)
	}
	return answer{resp: resp}
}

// ignored is Kafka's answer about an entity that is named twice, and also about one of which a quota is.
func ignored(e quotas.Entity) error {
	return codef(kerr.InvalidRequest, "Ignoring duplicate entity %v", e)
}

func (c *Cluster) alterQuotas(e quotas.Entity, ops []kmsg.AlterClientQuotasRequestEntryOp, validateOnly bool) error {
	seen := make(map[string]bool)
	for i := range ops {
		if seen[ops[i].Key] {
			return ignored(e)
		}
		seen[ops[i].Key] = true
	}
	if err := e.Check(); err != nil {
		return codef(kerr.InvalidRequest, "%v", err)
	}
	set := make(map[quotas.Key]float64)
	var remove []quotas.Key
	for i := range ops {
		key := quotas.Key(ops[i].Key)
		if ops[i].Remove {
			remove = append(remove, key)
			continue
		}
		if err := e.CheckValue(key, ops[i].Value); err != nil {
			return codef(kerr.InvalidRequest, "%v", err)
		}
		set[key] = ops[i].Value
	}
	if !validateOnly {
		c.quotas.Alter(e, set, remove)
		c.store.noteQuotas(e, set, remove)
		c.log.Info("quotas altered", "entity", e.String(), "set", set, "removed", remove)
	}
	return nil
}
