package broker

import (
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/settings"
)

// described is a setting with what is known of it.
type described struct {
	name     string
	def      *settings.Def // nil: Kafka has no such setting
	value    *string
	synonyms []settings.Value
	readOnly bool
}

func handleDescribeConfigs(r *request) answer {
	req := r.msg.(*kmsg.DescribeConfigsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
	strange := slices.ContainsFunc(req.Resources, func(q kmsg.DescribeConfigsRequestResource) bool { return !describable(q.ResourceType) })
	for i := range req.Resources {
		q := &req.Resources[i]
		res := kmsg.NewDescribeConfigsResponseResource()
		res.ResourceType, res.ResourceName = q.ResourceType, q.ResourceName
		var found []described
		var err error
		if strange { // one spoils all
			err = codef(kerr.InvalidRequest, "%s", malformed)
		} else {
			found, err = r.describeConfigs(resource{q.ResourceType, q.ResourceName})
		}
		if res.ErrorCode, res.ErrorMessage = codeOf(err); res.ErrorMessage == nil {
			res.ErrorMessage = new(string)
		}
		for _, d := range found {
			if len(q.ConfigNames) == 0 || slices.Contains(q.ConfigNames, d.name) {
				res.Configs = append(res.Configs, d.entry(q.ResourceType, req.IncludeSynonyms, req.IncludeDocumentation))
			}
		}
		resp.Resources = append(resp.Resources, res)
	}
	return answer{resp: resp}
}

// malformed is what Kafka says where it has nothing to say about a request that is wrong as a whole.
const malformed = "This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details."

func describable(kind kmsg.ConfigResourceType) bool {
	switch kind {
	case kmsg.ConfigResourceTypeTopic, kmsg.ConfigResourceTypeBroker, kmsg.ConfigResourceTypeBrokerLogger, kmsg.ConfigResourceTypeGroupConfig,
		kmsg.ConfigResourceTypeClientMetrics:
		return true
	}
	return false
}

// describeConfigs finds the settings of a resource.
func (r *request) describeConfigs(id resource) ([]described, error) {
	if err := r.allowsConfigs(kmsg.ACLOperationDescribeConfigs, id); err != nil {
		return nil, err
	}
	c := r.node.cluster
	switch id.kind {
	case kmsg.ConfigResourceTypeTopic:
		if err := r.fault(id.name, -1); err != nil {
			return nil, err
		}
		return c.describeTopicSettings(id.name, r.node.property())
	case kmsg.ConfigResourceTypeBroker:
		return r.node.describeBroker(id.name)
	case kmsg.ConfigResourceTypeBrokerLogger:
		return r.node.describeLoggers(id.name)
	case kmsg.ConfigResourceTypeGroupConfig:
		if id.name == "" {
			return nil, codef(kerr.InvalidRequest, "Group name must not be empty")
		}
		return c.describeGroupSettings(id.name, r.node.property()), nil
	default:
		if id.name == "" {
			return nil, codef(kerr.InvalidRequest, "Client metrics subscription name must not be empty")
		}
		return c.describeClientMetrics(id.name), nil
	}
}

func (c *Cluster) describeTopicSettings(name string, b settings.Broker) (ds []described, err error) {
	if err := checkTopicName(name); err != nil {
		return nil, err
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	t := c.topics[name]
	if t == nil {
		return nil, kerr.UnknownTopicOrPartition
	}
	for i := range settings.Topics {
		d := &settings.Topics[i]
		v := settings.TopicValue(d, t.overrides, b)
		ds = append(ds, described{name: d.Name, def: d, value: &v.Value, synonyms: settings.TopicValues(d, t.overrides, b)})
	}
	return ds, nil
}

// describeBroker describes this broker's settings or, without a name, those that were altered for all brokers, and nothing else.
func (n *node) describeBroker(name string) (ds []described, err error) {
	n.cluster.mu.RLock()
	all, altered := n.cluster.settings, n.altered
	n.cluster.mu.RUnlock()
	if name == "" {
		for _, name := range slices.Sorted(maps.Keys(all.Dynamic())) {
			v := all.Dynamic()[name]
			d := describe(name, &v)
			d.synonyms = []settings.Value{{Name: name, Value: v, Source: settings.FromBrokerDefault}}
			ds = append(ds, d)
		}
		return ds, nil
	}
	if id, err := strconv.Atoi(name); err != nil {
		return nil, codef(kerr.InvalidRequest, "Broker id must be an integer, but it is: %s", name)
	} else if id != int(n.id) {
		return nil, codef(kerr.InvalidRequest, "Unexpected broker id, expected %d or empty string, but received %s", n.id, name)
	}
	b := all.Of(n.static(), altered)
	for i := range settings.Brokers {
		def := &settings.Brokers[i]
		d := described{name: def.Name, def: def, synonyms: b.Values(def.Name), readOnly: def.ReadOnly}
		if v, ok := b.Value(def); ok {
			d.value = &v
		}
		ds = append(ds, d)
	}
	for _, name := range b.Names() {
		vs := b.Values(name)
		d := describe(name, &vs[0].Value)
		d.synonyms = vs
		ds = append(ds, d)
	}
	return ds, nil
}

// describe describes a setting of a broker by a name that Kafka need not have a setting for: it may be a plugin's, and a secret.
func describe(name string, value *string) described {
	base, listener := settings.WithoutListener(name)
	def, _ := settings.Lookup(settings.Brokers, base)
	return described{name: name, def: def, value: value, readOnly: listener || def == nil || def.ReadOnly}
}

func (n *node) describeLoggers(name string) (ds []described, err error) {
	switch id, err := strconv.Atoi(name); {
	case name == "":
		return nil, codef(kerr.InvalidRequest, "Broker id must not be empty")
	case err != nil:
		return nil, codef(kerr.InvalidRequest, "Broker id must be an integer, but it is: %s", name)
	case id != int(n.id):
		return nil, codef(kerr.InvalidRequest, "Unexpected broker id, expected %d but received %s", n.id, name)
	}
	n.cluster.mu.RLock()
	defer n.cluster.mu.RUnlock()
	for _, logger := range slices.Sorted(maps.Keys(n.loggers)) {
		level := n.loggers[logger]
		ds = append(ds, described{name: logger, value: &level})
	}
	return ds, nil
}

func (c *Cluster) describeGroupSettings(name string, b settings.Broker) (ds []described) {
	c.mu.RLock()
	own := c.groupSettings[name]
	c.mu.RUnlock()
	for i := range settings.Groups {
		d := &settings.Groups[i]
		vs := settings.GroupValues(d, own, b)
		v := d.Default
		if len(vs) > 0 {
			v = vs[0].Value
		}
		ds = append(ds, described{name: d.Name, def: d, value: &v, synonyms: vs})
	}
	return ds
}

func (c *Cluster) describeClientMetrics(name string) (ds []described) {
	c.mu.RLock()
	own := c.clientMetrics[name]
	c.mu.RUnlock()
	for i := range settings.ClientMetrics {
		d := &settings.ClientMetrics[i]
		e := described{name: d.Name, def: d, value: &d.Default}
		if v, ok := own[d.Name]; ok {
			v = d.Canonical(v)
			e.value, e.synonyms = &v, []settings.Value{{Name: d.Name, Value: v, Source: settings.FromClientMetrics}}
		}
		ds = append(ds, e)
	}
	return ds
}

// entry encodes a setting.
func (d described) entry(of kmsg.ConfigResourceType, synonyms, documentation bool) kmsg.DescribeConfigsResponseResourceConfig {
	e := kmsg.NewDescribeConfigsResponseResourceConfig()
	e.Name, e.Value, e.ReadOnly, e.Source = d.name, d.value, d.readOnly, kmsg.ConfigSource(settings.FromDefault)
	switch {
	case of == kmsg.ConfigResourceTypeBrokerLogger:
		e.Source = kmsg.ConfigSource(settings.FromLogger)
		e.Documentation = new(string) // as Kafka has it
		return e
	case len(d.synonyms) > 0:
		e.Source = kmsg.ConfigSource(d.synonyms[0].Source)
	}
	e.IsDefault = e.Source == kmsg.ConfigSource(settings.FromDefault)
	if d.def != nil {
		e.ConfigType = kmsg.ConfigType(d.def.Kind)
	}
	if d.def == nil || d.def.Sensitive() {
		e.IsSensitive, e.Value = true, nil
	}
	if documentation {
		e.Documentation = d.documentation()
	}
	if !synonyms {
		return e
	}
	for i := range d.synonyms {
		s := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
		s.Name, s.Source = d.synonyms[i].Name, kmsg.ConfigSource(d.synonyms[i].Source)
		if !e.IsSensitive {
			s.Value = &d.synonyms[i].Value
		}
		e.ConfigSynonyms = append(e.ConfigSynonyms, s)
	}
	return e
}

// documentation says what Kafka's documentation cannot: whether the setting does anything here.
func (d described) documentation() *string {
	switch {
	case d.def == nil:
		return nil
	case d.def.Inert:
		return kmsg.StringPtr("Without effect on the reference broker. What it does in Kafka is said in Kafka's documentation.")
	}
	return kmsg.StringPtr("The reference broker acts upon it as Kafka's documentation says.")
}
