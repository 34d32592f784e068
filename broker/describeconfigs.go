package broker

import (
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/settings"
)

func handleDescribeConfigs(r *request) answer {
	req := r.msg.(*kmsg.DescribeConfigsRequest)
	resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
	for i := range req.Resources {
		q := &req.Resources[i]
		res := kmsg.NewDescribeConfigsResponseResource()
		res.ResourceType, res.ResourceName = q.ResourceType, q.ResourceName
		configs, err := r.describeConfigs(q, req.IncludeSynonyms)
		res.ErrorCode, res.ErrorMessage = codeOf(err)
		if err == nil {
			res.ErrorMessage = new(string)
		}
		res.Configs = configs
		resp.Resources = append(resp.Resources, res)
	}
	return answer{resp: resp}
}

func (r *request) describeConfigs(q *kmsg.DescribeConfigsRequestResource, synonyms bool) ([]kmsg.DescribeConfigsResponseResourceConfig, error) {
	c := r.node.cluster
	values := c.property()
	var defs []settings.Def
	var known func(d *settings.Def) []settings.Value
	switch q.ResourceType {
	case kmsg.ConfigResourceTypeTopic:
		if !r.allowsTopic(kmsg.ACLOperationDescribeConfigs, q.ResourceName) {
			return nil, kerr.TopicAuthorizationFailed
		}
		if err := r.fault(q.ResourceName, -1); err != nil {
			return nil, err
		}
		t := c.lookup(q.ResourceName)
		if t == nil {
			if err := checkTopicName(q.ResourceName); err != nil {
				return nil, err
			}
			return nil, kerr.UnknownTopicOrPartition
		}
		c.mu.RLock()
		overrides := maps.Clone(t.overrides)
		c.mu.RUnlock()
		defs = settings.Topics
		known = func(d *settings.Def) []settings.Value { return settings.TopicValues(d, overrides, values) }
	case kmsg.ConfigResourceTypeBroker:
		if !r.allowsCluster(kmsg.ACLOperationDescribeConfigs) {
			return nil, kerr.ClusterAuthorizationFailed
		}
		defs = settings.Brokers
		known = func(d *settings.Def) []settings.Value { return values.Values(d.Name) }
		if q.ResourceName == "" { // the cluster's default: what was altered, and nothing else
			defs = slices.DeleteFunc(slices.Clone(defs), func(d settings.Def) bool { _, ok := values.Dynamic[d.Name]; return !ok })
		} else if id, err := strconv.Atoi(q.ResourceName); err != nil {
			return nil, codef(kerr.InvalidRequest, "Broker id must be an integer, but it is: %s", q.ResourceName)
		} else if id != int(r.node.id) {
			return nil, codef(kerr.InvalidRequest, "Unexpected broker id, expected %d or empty string, but received %s", r.node.id, q.ResourceName)
		}
	default:
		return nil, codef(kerr.InvalidRequest, "Unsupported resource type: %v", q.ResourceType)
	}
	var out []kmsg.DescribeConfigsResponseResourceConfig
	for i := range defs {
		d := &defs[i]
		if q.ConfigNames != nil && !slices.Contains(q.ConfigNames, d.Name) {
			continue
		}
		out = append(out, describeConfig(d, known(d), synonyms, q.ResourceType == kmsg.ConfigResourceTypeBroker))
	}
	return out, nil
}

func describeConfig(d *settings.Def, values []settings.Value, synonyms, broker bool) kmsg.DescribeConfigsResponseResourceConfig {
	e := kmsg.NewDescribeConfigsResponseResourceConfig()
	e.Name, e.ConfigType = d.Name, kmsg.ConfigType(d.Kind)
	e.Source, e.IsDefault = kmsg.ConfigSource(settings.FromDefault), true
	e.ReadOnly = broker && d.ReadOnly
	switch {
	case len(values) > 0:
		e.Value = &values[0].Value
		e.Source, e.IsDefault = kmsg.ConfigSource(values[0].Source), values[0].Source == settings.FromDefault
	case !d.Unset:
		e.Value = &d.Default
	}
	if !synonyms {
		return e
	}
	for i := range values {
		s := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
		s.Name, s.Value, s.Source = values[i].Name, &values[i].Value, kmsg.ConfigSource(values[i].Source)
		e.ConfigSynonyms = append(e.ConfigSynonyms, s)
	}
	return e
}
