package broker

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/settings"
)

// resource is what settings belong to.
type resource struct {
	kind kmsg.ConfigResourceType
	name string
}

// handleAlterConfigs replaces all settings of a resource; what is not named goes back to its default.
func handleAlterConfigs(r *request) answer {
	req := r.msg.(*kmsg.AlterConfigsRequest)
	resp := req.ResponseKind().(*kmsg.AlterConfigsResponse)
	once := make(onlyOnce)
	for i := range req.Resources {
		once[resource{req.Resources[i].ResourceType, req.Resources[i].ResourceName}]++
	}
	for i := range req.Resources {
		q := &req.Resources[i]
		id := resource{q.ResourceType, q.ResourceName}
		err, answered := once.check(id)
		if answered {
			continue
		}
		if err == nil {
			err = r.alter(id, req.ValidateOnly, func(owned) (map[string]string, error) {
				replaced := make(map[string]string)
				for _, kv := range q.Configs {
					if kv.Value == nil {
						return nil, codef(kerr.InvalidRequest, "Null value not supported for : %s", kv.Name)
					}
					replaced[kv.Name] = *kv.Value
				}
				return replaced, nil
			})
		}
		e := kmsg.NewAlterConfigsResponseResource()
		e.ResourceType, e.ResourceName = q.ResourceType, q.ResourceName
		e.ErrorCode, e.ErrorMessage = codeOf(err)
		resp.Resources = append(resp.Resources, e)
	}
	return answer{resp: resp}
}

// handleIncrementalAlterConfigs alters single settings (KIP-339).
func handleIncrementalAlterConfigs(r *request) answer {
	req := r.msg.(*kmsg.IncrementalAlterConfigsRequest)
	resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	once := make(onlyOnce)
	for i := range req.Resources {
		once[resource{req.Resources[i].ResourceType, req.Resources[i].ResourceName}]++
	}
	for i := range req.Resources {
		q := &req.Resources[i]
		id := resource{q.ResourceType, q.ResourceName}
		err, answered := once.check(id)
		if answered {
			continue
		}
		if err == nil {
			err = r.alter(id, req.ValidateOnly, func(o owned) (map[string]string, error) {
				altered := maps.Clone(o.values)
				seen := make(map[string]bool)
				for _, kv := range q.Configs {
					if seen[kv.Name] {
						return nil, codef(kerr.InvalidRequest, "Error due to duplicate config keys")
					}
					seen[kv.Name] = true
					if err := o.alterOne(altered, kv); err != nil {
						return nil, err
					}
				}
				return altered, nil
			})
		}
		e := kmsg.NewIncrementalAlterConfigsResponseResource()
		e.ResourceType, e.ResourceName = q.ResourceType, q.ResourceName
		e.ErrorCode, e.ErrorMessage = codeOf(err)
		resp.Resources = append(resp.Resources, e)
	}
	return answer{resp: resp}
}

// onlyOnce counts how often a request names a resource: naming it twice is an error, which is answered once.
type onlyOnce map[resource]int

func (o onlyOnce) check(id resource) (err error, answered bool) {
	n := o[id]
	o[id] = 0
	switch n {
	case 0:
		return nil, true
	case 1:
		return nil, false
	}
	return codef(kerr.InvalidRequest, "Each resource must appear at most once."), false
}

// owned are the settings that a resource has of its own. The cluster's lock is held while they are looked at.
type owned struct {
	values  map[string]string
	defs    []settings.Def
	inForce func(d *settings.Def) string // the value that holds now, wherever it comes from
}

// alterOne applies one operation to a setting.
func (o owned) alterOne(altered map[string]string, kv kmsg.IncrementalAlterConfigsRequestResourceConfig) error {
	if kv.Op == kmsg.IncrementalAlterConfigOpDelete {
		delete(altered, kv.Name)
		return nil
	}
	if kv.Value == nil {
		return codef(kerr.InvalidRequest, "Null value not supported for : %s", kv.Name)
	}
	if kv.Op == kmsg.IncrementalAlterConfigOpSet {
		altered[kv.Name] = *kv.Value
		return nil
	}
	d, ok := settings.Lookup(o.defs, kv.Name)
	if !ok || d.Kind != settings.List {
		return codef(kerr.InvalidConfig, "Can't %v to key %s because its type is not LIST.", kv.Op, kv.Name)
	}
	list := settings.SplitList(o.inForce(d))
	for _, v := range settings.SplitList(*kv.Value) {
		switch has := slices.Contains(list, v); {
		case kv.Op == kmsg.IncrementalAlterConfigOpAppend && !has:
			list = append(list, v)
		case kv.Op == kmsg.IncrementalAlterConfigOpSubtract && has:
			list = slices.DeleteFunc(list, func(o string) bool { return o == v })
		}
	}
	altered[kv.Name] = strings.Join(list, ",")
	return nil
}

// alter checks and sets what change makes of a resource's settings.
func (r *request) alter(id resource, validateOnly bool, change func(owned) (map[string]string, error)) error {
	c := r.node.cluster
	switch id.kind {
	case kmsg.ConfigResourceTypeTopic:
		if !r.allowsTopic(kmsg.ACLOperationAlterConfigs, id.name) {
			return kerr.TopicAuthorizationFailed
		}
		if err := r.fault(id.name, -1); err != nil {
			return err
		}
		if id.name == "" {
			return codef(kerr.InvalidRequest, "Default topic resources are not allowed.")
		}
		return c.alterTopic(id.name, validateOnly, change)
	case kmsg.ConfigResourceTypeBroker:
		if !r.allowsCluster(kmsg.ACLOperationAlterConfigs) {
			return kerr.ClusterAuthorizationFailed
		}
		if id.name != "" {
			if n, err := strconv.Atoi(id.name); err != nil || c.node(int32(n)) == nil {
				return codef(kerr.InvalidRequest, "Unexpected broker id %s", id.name)
			}
			return codef(kerr.InvalidRequest, "This broker's settings are altered for the whole cluster only: use the empty name.")
		}
		return c.alterBrokers(validateOnly, change)
	}
	return codef(kerr.InvalidRequest, "Unknown resource type %d", id.kind)
}

func (c *Cluster) alterTopic(name string, validateOnly bool, change func(owned) (map[string]string, error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.topics[name]
	if t == nil {
		return codef(kerr.UnknownTopicOrPartition, "The topic '%s' does not exist.", name)
	}
	altered, err := change(owned{t.overrides, settings.Topics, func(d *settings.Def) string {
		return settings.TopicValue(d, t.overrides, c.settings).Value
	}})
	if err != nil {
		return err
	}
	resolved, err := settings.ParseTopic(altered, c.settings)
	if err != nil {
		return codef(kerr.InvalidConfig, "%v", err)
	}
	if validateOnly {
		return nil
	}
	t.overrides = altered
	t.settings.Store(&resolved)
	c.retention.due(nowMillis())
	c.log.Info("topic settings altered", "topic", t.name, "settings", altered)
	return nil
}

func (c *Cluster) alterBrokers(validateOnly bool, change func(owned) (map[string]string, error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	altered, err := change(owned{c.settings.Dynamic, settings.Brokers, func(d *settings.Def) string {
		if vs := c.settings.Values(d.Name); len(vs) > 0 {
			return vs[0].Value
		}
		return ""
	}})
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(altered)) {
		if d, ok := settings.Lookup(settings.Brokers, name); ok && d.ReadOnly {
			return codef(kerr.InvalidRequest, "Cannot update these configs dynamically: [%s]", name)
		}
	}
	next, err := c.settings.With(altered)
	if err != nil {
		return codef(kerr.InvalidConfig, "%v", err)
	}
	if validateOnly {
		return nil
	}
	c.settings = next
	for _, t := range c.topics {
		resolved, err := settings.ParseTopic(t.overrides, next)
		if err != nil {
			return codef(kerr.InvalidConfig, "topic %s: %v", t.name, err)
		}
		t.settings.Store(&resolved)
	}
	c.retention.idle.Store(int64(next.Int("producer.id.expiration.ms")))
	c.retention.due(nowMillis())
	c.log.Info("broker settings altered", "settings", altered)
	return nil
}
