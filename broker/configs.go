package broker

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/groups"
	"github.com/sordini-go/sordini/broker/internal/settings"
)

// resource is what settings belong to.
type resource struct {
	kind kmsg.ConfigResourceType
	name string
}

// allowsConfigs decides whether the client may look at or alter a resource's settings.
func (r *request) allowsConfigs(op kmsg.ACLOperation, id resource) error {
	switch id.kind {
	case kmsg.ConfigResourceTypeTopic:
		if !r.allowsTopic(op, id.name) {
			return denied(kerr.TopicAuthorizationFailed)
		}
	case kmsg.ConfigResourceTypeGroupConfig:
		if !r.allowsGroup(op, id.name) {
			return denied(kerr.GroupAuthorizationFailed)
		}
	case kmsg.ConfigResourceTypeBroker, kmsg.ConfigResourceTypeBrokerLogger, kmsg.ConfigResourceTypeClientMetrics:
		if !r.allowsCluster(op) {
			return denied(kerr.ClusterAuthorizationFailed)
		}
	}
	return nil
}

// property reads this broker's settings: those of all brokers, and what was altered for this one.
func (n *node) property() settings.Broker { return *n.settings.Load() }

// static returns what the broker was started with of its own.
func (n *node) static() map[string]string {
	id := strconv.Itoa(int(n.id))
	own := map[string]string{"node.id": id, "broker.id": id, "process.roles": "broker,controller"}
	maps.Copy(own, n.listenerSettings())
	maps.Copy(own, n.cluster.secured())
	return own
}

// isNamed refuses what is not the id of this broker. The text has a place for this id and for the other.
func (n *node) isNamed(name, text string) error {
	id, err := strconv.Atoi(name)
	if err != nil {
		return codef(kerr.InvalidRequest, "Node id must be an integer, but it is: %s", name)
	}
	if id != int(n.id) {
		return codef(kerr.InvalidRequest, text, n.id, name)
	}
	return nil
}

// levels are those of Log4j, which the settings of loggers have.
var levels = []string{"DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"}

// loggers are a broker's by name, with their levels. They have no effect: what a broker logs goes to [Config.Logger] with levels of its own.
func newLoggers() map[string]string { return map[string]string{"root": "INFO"} }

// alterLoggers alters the levels of this broker's loggers (KIP-412).
func (n *node) alterLoggers(q *alterRequest, validateOnly bool) error {
	if err := n.isNamed(q.name, "Unexpected node id. Expected %d, but received %s"); err != nil {
		return err
	}
	n.cluster.mu.Lock()
	defer n.cluster.mu.Unlock()
	next := maps.Clone(n.loggers)
	for _, a := range q.ops {
		_, exists := next[a.name]
		switch {
		case a.op == kmsg.IncrementalAlterConfigOpAppend || a.op == kmsg.IncrementalAlterConfigOpSubtract:
			return codef(kerr.InvalidRequest, "%v operation is not allowed for the BROKER_LOGGER resource", a.op)
		case !known(a.op):
			return codef(kerr.InvalidRequest, "Unknown operation type %d is not allowed for the BROKER_LOGGER resource", a.op)
		case !exists:
			return codef(kerr.InvalidConfig, "Logger %s does not exist!", a.name)
		case a.op == kmsg.IncrementalAlterConfigOpDelete && a.name == "root":
			return codef(kerr.InvalidRequest, "Removing the log level of the root logger is not allowed")
		case a.op == kmsg.IncrementalAlterConfigOpDelete:
			next[a.name] = next["root"]
		case !slices.Contains(levels, *a.value):
			return codef(kerr.InvalidConfig, "Cannot set the log level of %s to %s as it is not a supported log level. Valid log levels are %s",
				a.name, *a.value, strings.Join(levels, ", "))
		default:
			next[a.name] = *a.value
		}
	}
	if !validateOnly {
		n.loggers = next
	}
	return nil
}

// groupConfigs is what the coordinator needs to know of settings. It is replaced as a whole, so that the coordinator takes none of the cluster's locks.
type groupConfigs struct {
	brokers settings.Broker
	groups  map[string]map[string]string
}

// consumerConfig is what a group of the consumer protocol has of the brokers' settings and of its own.
func (c *Cluster) consumerConfig(group string, of groups.ConsumerConfig) groups.ConsumerConfig {
	known := c.groupConfigs.Load()
	own := known.groups[group]
	millis := func(name string) time.Duration {
		return time.Duration(settings.GroupInt(name, own, known.brokers)) * time.Millisecond
	}
	of.Session = millis("consumer.session.timeout.ms")
	of.Heartbeat = millis("consumer.heartbeat.interval.ms")
	of.AssignmentInterval = millis("consumer.assignment.interval.ms")
	return of
}

// tellGroupsLocked tells the coordinator of altered settings.
func (c *Cluster) tellGroupsLocked() {
	c.groupConfigs.Store(&groupConfigs{c.settings, maps.Clone(c.groupSettings)})
}

// handleListConfigResources lists what has settings of its own (KIP-1142); version 0 lists subscriptions to clients' metrics (KIP-714).
func handleListConfigResources(r *request) answer {
	req := r.msg.(*kmsg.ListConfigResourcesRequest)
	resp := req.ResponseKind().(*kmsg.ListConfigResourcesResponse)
	if !r.allowsCluster(kmsg.ACLOperationDescribeConfigs) {
		resp.ErrorCode = kerr.ClusterAuthorizationFailed.Code
		return answer{resp: resp}
	}
	kinds := []kmsg.ConfigResourceType{kmsg.ConfigResourceTypeClientMetrics}
	listed := []kmsg.ConfigResourceType{kmsg.ConfigResourceTypeTopic, kmsg.ConfigResourceTypeBroker, kmsg.ConfigResourceTypeBrokerLogger,
		kmsg.ConfigResourceTypeClientMetrics, kmsg.ConfigResourceTypeGroupConfig}
	if req.Version >= 1 {
		kinds = listed
		if len(req.ResourceTypes) > 0 {
			kinds = kinds[:0:0]
			for _, k := range req.ResourceTypes {
				kinds = append(kinds, kmsg.ConfigResourceType(k))
			}
		}
	}
	for _, k := range kinds {
		if !slices.Contains(listed, k) {
			resp.ErrorCode = kerr.UnsupportedVersion.Code
			return answer{resp: resp}
		}
	}
	for _, k := range kinds {
		for _, name := range r.node.cluster.resourceNames(k) {
			e := kmsg.NewListConfigResourcesResponseConfigResource()
			e.Name, e.Type = name, int8(k)
			resp.ConfigResources = append(resp.ConfigResources, e)
		}
	}
	return answer{resp: resp}
}

// resourceNames lists the resources of a kind: all topics and brokers, and those groups and subscriptions that have settings.
func (c *Cluster) resourceNames(kind kmsg.ConfigResourceType) (names []string) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	switch kind {
	case kmsg.ConfigResourceTypeTopic:
		names = slices.Collect(maps.Keys(c.topics))
	case kmsg.ConfigResourceTypeBroker, kmsg.ConfigResourceTypeBrokerLogger:
		for _, n := range c.nodes {
			names = append(names, fmt.Sprint(n.id))
		}
	case kmsg.ConfigResourceTypeGroupConfig:
		names = slices.Collect(maps.Keys(c.groupSettings))
	case kmsg.ConfigResourceTypeClientMetrics:
		names = slices.Collect(maps.Keys(c.clientMetrics))
	}
	slices.Sort(names)
	return names
}
