package admin

import (
	"context"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Config is one setting of a topic or a broker.
type Config struct {
	Name, Value string
	Default     bool // nobody set it: neither on the topic or broker itself nor cluster-wide
	Own         bool // set on this very topic
	Sensitive   bool // Value is empty
}

// Configs are settings by their Kafka name.
type Configs map[string]Config

// Text returns a setting's value, and whether the broker mentioned it.
func (c Configs) Text(name string) (string, bool) {
	x, ok := c[name]
	return x.Value, ok
}

// Int returns a setting that is a whole number, and whether there is one.
func (c Configs) Int(name string) (int64, bool) {
	n, err := strconv.ParseInt(c[name].Value, 10, 64)
	return n, err == nil
}

// TopicConfigs returns the settings of each topic that the broker described, and an error by name for those that it did not (kerr.UnknownTopicOrPartition,
// kerr.TopicAuthorizationFailed: describing needs DescribeConfigs on the topic). Where no names are given, all settings are asked for.
func TopicConfigs(ctx context.Context, cl *kgo.Client, topics []string, names ...string) (map[string]Configs, map[string]error, error) {
	if len(topics) == 0 {
		return nil, nil, nil
	}
	req := kmsg.NewPtrDescribeConfigsRequest()
	for _, name := range topics {
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceTypeTopic, name, names
		req.Resources = append(req.Resources, r)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, nil, fmt.Errorf("describe the configuration of topics %q: %w", topics, err)
	}
	found, failed := make(map[string]Configs, len(topics)), map[string]error{}
	for _, r := range resp.Resources {
		if err := failure(r.ErrorCode, r.ErrorMessage, "describe the configuration of topic %q", r.ResourceName); err != nil {
			failed[r.ResourceName] = err
			continue
		}
		found[r.ResourceName] = configs(r.Configs)
	}
	for _, name := range topics {
		if found[name] == nil && failed[name] == nil {
			failed[name] = fmt.Errorf("describe the configuration of topic %q: the answer does not mention it: %w", name, kerr.UnknownTopicOrPartition)
		}
	}
	return found, failed, nil
}

// BrokerConfigs returns the settings of one broker (message.max.bytes, offset.metadata.max.bytes, min.insync.replicas …). It needs DescribeConfigs on
// the cluster.
func BrokerConfigs(ctx context.Context, cl *kgo.Client, broker int32, names ...string) (Configs, error) {
	req := kmsg.NewPtrDescribeConfigsRequest()
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceTypeBroker, strconv.Itoa(int(broker)), names
	req.Resources = append(req.Resources, r)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, fmt.Errorf("describe the configuration of broker %d: %w", broker, err)
	}
	if len(resp.Resources) == 0 {
		return nil, fmt.Errorf("describe the configuration of broker %d: the answer is empty", broker)
	}
	answer := resp.Resources[0]
	if err := failure(answer.ErrorCode, answer.ErrorMessage, "describe the configuration of broker %d", broker); err != nil {
		return nil, err
	}
	return configs(answer.Configs), nil
}

func configs(in []kmsg.DescribeConfigsResponseResourceConfig) Configs {
	out := make(Configs, len(in))
	for _, c := range in {
		x := Config{Name: c.Name, Sensitive: c.IsSensitive}
		if c.Value != nil {
			x.Value = *c.Value
		}
		x.Default = c.Source == kmsg.ConfigSourceDefaultConfig || c.IsDefault
		x.Own = c.Source == kmsg.ConfigSourceDynamicTopicConfig
		out[c.Name] = x
	}
	return out
}
