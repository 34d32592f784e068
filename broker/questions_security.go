package broker

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/acl"
)

// ACLs returns how many ACLs there are, those of clients included; false where nothing is authorized ([Config.Authorizer]).
func (c *Cluster) ACLs() (int, bool) {
	if c.authorizer == nil {
		return 0, false
	}
	return len(c.authorizer.List(acl.Filter{
		Type: kmsg.ACLResourceTypeAny, Kind: kmsg.ACLResourcePatternTypeAny, Operation: kmsg.ACLOperationAny, Permission: kmsg.ACLPermissionTypeAny,
	})), true
}

// Users returns the names of all who have a password, sorted: those of [Config.SASL] and those that clients added for SCRAM.
func (c *Cluster) Users() []string {
	names := make(map[string]bool)
	for name := range c.security.plain {
		names[name] = true
	}
	c.security.mu.Lock()
	defer c.security.mu.Unlock()
	for key := range c.security.scram {
		names[key.user] = true
	}
	return slices.Sorted(maps.Keys(names))
}
