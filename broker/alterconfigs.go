package broker

import (
	"errors"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/settings"
)

// alteration is one operation on one setting.
type alteration struct {
	name  string
	value *string
	op    kmsg.IncrementalAlterConfigOp
}

// alterRequest is what a request wants of one resource.
type alterRequest struct {
	resource
	replace bool // all settings, as AlterConfigs does: what is not named goes back to its default
	ops     []alteration
}

// handleAlterConfigs replaces all settings of resources.
func handleAlterConfigs(r *request) answer {
	req := r.msg.(*kmsg.AlterConfigsRequest)
	resp := req.ResponseKind().(*kmsg.AlterConfigsResponse)
	asked := make([]alterRequest, len(req.Resources))
	for i := range req.Resources {
		q := &req.Resources[i]
		asked[i] = alterRequest{resource: resource{q.ResourceType, q.ResourceName}, replace: true}
		for _, kv := range q.Configs {
			asked[i].ops = append(asked[i].ops, alteration{kv.Name, kv.Value, kmsg.IncrementalAlterConfigOpSet})
		}
	}
	for i, err := range r.alterAll(asked, req.ValidateOnly) {
		e := kmsg.NewAlterConfigsResponseResource()
		e.ResourceType, e.ResourceName = asked[i].kind, asked[i].name
		e.ErrorCode, e.ErrorMessage = codeOf(err)
		resp.Resources = append(resp.Resources, e)
	}
	return answer{resp: resp}
}

// handleIncrementalAlterConfigs alters single settings (KIP-339).
func handleIncrementalAlterConfigs(r *request) answer {
	req := r.msg.(*kmsg.IncrementalAlterConfigsRequest)
	resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	asked := make([]alterRequest, len(req.Resources))
	for i := range req.Resources {
		q := &req.Resources[i]
		asked[i] = alterRequest{resource: resource{q.ResourceType, q.ResourceName}}
		for _, kv := range q.Configs {
			asked[i].ops = append(asked[i].ops, alteration{kv.Name, kv.Value, kv.Op})
		}
	}
	for i, err := range r.alterAll(asked, req.ValidateOnly) {
		e := kmsg.NewIncrementalAlterConfigsResponseResource()
		e.ResourceType, e.ResourceName = asked[i].kind, asked[i].name
		e.ErrorCode, e.ErrorMessage = codeOf(err)
		resp.Resources = append(resp.Resources, e)
	}
	return answer{resp: resp}
}

// alterAll alters each resource, and returns an error for each. It checks in two steps, as Kafka does in the broker that is asked and then in the
// controller: what passes the first fails as a whole where one operation is not one that Kafka has.
func (r *request) alterAll(asked []alterRequest, validateOnly bool) []error {
	seen := make(map[resource]int)
	for i := range asked {
		seen[asked[i].resource]++
	}
	errs := make([]error, len(asked))
	strange := false
	for i := range asked {
		q := &asked[i]
		if errs[i] = q.check(seen[q.resource] > 1); errs[i] == nil && q.forwarded() {
			strange = strange || slices.ContainsFunc(q.ops, func(a alteration) bool { return !known(a.op) })
		}
	}
	for i := range asked {
		switch q := &asked[i]; {
		case errs[i] != nil:
		case strange && q.forwarded():
			errs[i] = kerr.UnknownServerError
		default:
			errs[i] = r.alter(q, validateOnly)
		}
	}
	return errs
}

func known(op kmsg.IncrementalAlterConfigOp) bool {
	return op >= kmsg.IncrementalAlterConfigOpSet && op <= kmsg.IncrementalAlterConfigOpSubtract
}

// forwarded says that Kafka's controller looks at the operations, not the broker that is asked.
func (q *alterRequest) forwarded() bool {
	switch q.kind {
	case kmsg.ConfigResourceTypeTopic, kmsg.ConfigResourceTypeGroupConfig, kmsg.ConfigResourceTypeClientMetrics:
		return true
	}
	return false
}

// check does what Kafka checks of a resource before it looks at what kind it is.
func (q *alterRequest) check(twice bool) error {
	if twice {
		return codef(kerr.InvalidRequest, "Each resource must appear at most once.")
	}
	seen := make(map[string]bool)
	var null []string
	for _, a := range q.ops {
		if seen[a.name] {
			return codef(kerr.InvalidRequest, "Error due to duplicate config keys")
		}
		seen[a.name] = true
		if a.value == nil && a.op != kmsg.IncrementalAlterConfigOpDelete {
			null = append(null, a.name)
		}
	}
	if len(null) > 0 {
		return codef(kerr.InvalidRequest, "Null value not supported for : %s", strings.Join(null, ", "))
	}
	return nil
}

// alter checks what the request makes of a resource's settings, and sets it.
func (r *request) alter(q *alterRequest, validateOnly bool) error {
	if err := r.allowsConfigs(kmsg.ACLOperationAlterConfigs, q.resource); err != nil {
		return err
	}
	c := r.node.cluster
	switch q.kind {
	case kmsg.ConfigResourceTypeTopic:
		if err := r.fault(q.name, -1); err != nil {
			return err
		}
		return c.alterTopic(q, validateOnly)
	case kmsg.ConfigResourceTypeBroker:
		return c.alterBrokers(r.node, q, validateOnly)
	case kmsg.ConfigResourceTypeBrokerLogger:
		if !q.replace {
			return r.node.alterLoggers(q, validateOnly)
		}
	case kmsg.ConfigResourceTypeGroupConfig:
		return c.alterGroup(q, validateOnly)
	case kmsg.ConfigResourceTypeClientMetrics:
		return c.alterClientMetrics(q, validateOnly)
	}
	return codef(kerr.InvalidRequest, "Unknown resource type %d", q.kind)
}

// apply makes of the settings that a resource has what the request wants.
func (q *alterRequest) apply(now map[string]string, defs []settings.Def) (map[string]string, error) {
	next := make(map[string]string)
	if !q.replace {
		for k, v := range now {
			next[k] = v
		}
	}
	for _, a := range q.ops {
		switch a.op {
		case kmsg.IncrementalAlterConfigOpSet:
			next[a.name] = *a.value
		case kmsg.IncrementalAlterConfigOpDelete:
			delete(next, a.name)
		default:
			list, err := q.list(a, now, defs)
			if err != nil {
				return nil, err
			}
			next[a.name] = strings.Join(list, ",")
		}
	}
	return next, nil
}

// list adds to a list what it does not have, or takes away what it has. A list that is not set begins as Kafka's default, whatever the cluster's is.
func (q *alterRequest) list(a alteration, now map[string]string, defs []settings.Def) ([]string, error) {
	d, ok := settings.Lookup(defs, a.name)
	switch broker := q.kind == kmsg.ConfigResourceTypeBroker; {
	case broker && !ok:
		return nil, codef(kerr.InvalidConfig, "Unknown config name: %s", a.name)
	case broker && d.Kind != settings.List:
		return nil, codef(kerr.InvalidConfig, "Config value %s is not allowed for config key: %s", strings.ToLower(a.op.String()), a.name)
	case !ok || d.Kind != settings.List || q.kind == kmsg.ConfigResourceTypeClientMetrics: // of which Kafka's controller knows no types
		return nil, codef(kerr.InvalidConfig, "Can't %v to key %s because its type is not LIST.", a.op, a.name)
	}
	value, set := now[a.name]
	if !set {
		value = d.Default
	}
	list := settings.SplitList(value)
	for _, v := range settings.SplitList(*a.value) {
		switch i := slices.Index(list, v); {
		case a.op == kmsg.IncrementalAlterConfigOpAppend && i < 0:
			list = append(list, v)
		case a.op == kmsg.IncrementalAlterConfigOpSubtract && i >= 0:
			list = slices.Delete(list, i, i+1)
		}
	}
	return list, nil
}

func (c *Cluster) alterTopic(q *alterRequest, validateOnly bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.topics[q.name]
	var now map[string]string
	if t != nil {
		now = t.overrides
	}
	altered, err := q.apply(now, settings.Topics)
	switch {
	case err != nil:
		return err
	case q.name == "":
		return codef(kerr.InvalidRequest, "Default topic resources are not allowed.")
	}
	if err := checkTopicName(q.name); err != nil {
		return err
	}
	resolved, err := settings.ParseTopic(altered, c.settings)
	switch {
	case err != nil:
		return codef(kerr.InvalidConfig, "%v", err)
	case t == nil:
		return codef(kerr.UnknownTopicOrPartition, "The topic '%s' does not exist.", q.name)
	case validateOnly:
		return nil
	}
	c.store.noteConfigs(kmsg.ConfigResourceTypeTopic, t.name, t.overrides, altered)
	t.overrides = altered
	t.settings.Store(&resolved)
	c.retention.due(nowMillis())
	c.cleaner.due(nowMillis())
	c.log.Info("topic settings altered", "topic", t.name, "settings", altered)
	return nil
}

// minISR decides who is an eligible leader. With eligible leader replicas Kafka's controller writes it down as a setting of all brokers when a cluster is
// made, and lets nobody take it away there or set it for one broker (KIP-966).
const minISR = "min.insync.replicas"

// checkMinISR says why min.insync.replicas may not be altered so.
func checkMinISR(altered map[string]string, one bool) error {
	switch _, set := altered[minISR]; {
	case one && set:
		return codef(kerr.InvalidConfig, "Broker-level min.insync.replicas cannot be altered while ELR is enabled.")
	case !one && !set:
		return codef(kerr.InvalidConfig, "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.")
	}
	return nil
}

// alterBrokers alters the settings of the broker that is asked or, without a name, of all brokers.
func (c *Cluster) alterBrokers(n *node, q *alterRequest, validateOnly bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := q.name != ""
	now := c.settings.Dynamic()
	if one {
		if err := n.isNamed(q.name, "Unexpected broker id, expected %d, but received %s"); err != nil {
			return err
		}
		now = n.altered
	}
	for _, a := range q.ops {
		if !known(a.op) {
			return codef(kerr.InvalidRequest, "Unknown operations type %d", a.op)
		}
	}
	altered, err := q.apply(now, settings.Brokers)
	if err != nil {
		return err
	}
	if err := c.settings.CheckDynamic(altered, one); err != nil {
		return codef(kerr.InvalidRequest, "%v", err)
	}
	if err := checkMinISR(altered, one); err != nil {
		return err
	}
	next := c.settings
	if !one {
		next = next.With(altered)
	}
	for _, t := range c.topics {
		if _, err := settings.ParseTopic(t.overrides, next); err != nil {
			return codef(kerr.InvalidRequest, "%v", err)
		}
	}
	if validateOnly {
		return nil
	}
	c.store.noteConfigs(kmsg.ConfigResourceTypeBroker, q.name, now, altered)
	if one {
		n.altered = altered
	}
	c.applySettingsLocked(next)
	c.log.Info("broker settings altered", "broker", q.name, "settings", settings.Shown(altered))
	return nil
}

// applySettingsLocked puts the brokers' settings into force.
func (c *Cluster) applySettingsLocked(next settings.Broker) {
	c.settings = next
	for _, n := range c.nodes {
		of := next.Of(nil, n.altered)
		n.settings.Store(&of)
	}
	for _, t := range c.topics {
		if resolved, err := settings.ParseTopic(t.overrides, next); err == nil {
			t.settings.Store(&resolved)
		}
	}
	c.tellGroupsLocked()
	c.retention.idle.Store(int64(next.Int("producer.id.expiration.ms")))
	c.retention.due(nowMillis())
	c.cleaner.due(nowMillis())
}

func (c *Cluster) alterGroup(q *alterRequest, validateOnly bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	altered, err := q.apply(c.groupSettings[q.name], settings.Groups)
	switch {
	case err != nil:
		return err
	case q.name == "":
		return codef(kerr.InvalidRequest, "Default group resources are not allowed.")
	}
	if err := settings.CheckGroup(altered, c.settings); err != nil {
		return codef(kerr.InvalidConfig, "%v", err)
	}
	if !validateOnly {
		c.store.noteConfigs(kmsg.ConfigResourceTypeGroupConfig, q.name, c.groupSettings[q.name], altered)
		setOrDelete(c.groupSettings, q.name, altered)
		c.tellGroupsLocked()
	}
	return nil
}

func (c *Cluster) alterClientMetrics(q *alterRequest, validateOnly bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	altered, err := q.apply(c.clientMetrics[q.name], settings.ClientMetrics)
	switch {
	case err != nil:
		return err
	case q.name == "":
		return codef(kerr.InvalidRequest, "Subscription name can't be empty")
	}
	if err := settings.CheckClientMetrics(altered); err != nil {
		if e, ok := errors.AsType[*settings.MetricsError](err); ok && e.Config {
			return codef(kerr.InvalidConfig, "%v", err)
		}
		return codef(kerr.InvalidRequest, "%v", err)
	}
	if !validateOnly {
		c.store.noteConfigs(kmsg.ConfigResourceTypeClientMetrics, q.name, c.clientMetrics[q.name], altered)
		setOrDelete(c.clientMetrics, q.name, altered)
	}
	return nil
}

func setOrDelete(m map[string]map[string]string, name string, values map[string]string) {
	if len(values) == 0 {
		delete(m, name)
		return
	}
	m[name] = values
}
