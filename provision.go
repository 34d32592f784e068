package sordini

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/internal/admin"
)

// ErrDrift is wrapped by the errors of [EnsureTopics] under Strict about topics that are not as their contracts say.
var ErrDrift = errors.New("topic differs from its contract")

// provisionTimeout is what EnsureTopics allows itself where the context allows more.
const provisionTimeout = time.Minute

// EnsureTopics creates the contracts' topics that are missing and waits until every partition has a leader. It blocks for a minute at most. Topics that are
// there are left as they are: what differs from the contract is logged, and refused with [ErrDrift] under Strict.
//
// A topic is created with the contract's TopicConfig: 12 partitions, 3 replicas of which 2 in sync must have a record before it is acknowledged, 7 days. Fewer
// replicas are reported and, under Strict, refused. Under Development the broker's own replication factor and min.insync.replicas are taken, with a
// warning. Where the client may not create topics, the error has the command to run. Calling it from several instances at once is fine.
func EnsureTopics(ctx context.Context, cluster Cluster, contracts ...Contract) error {
	specs := make([]Spec, len(contracts))
	var errs []error
	for i, c := range contracts {
		specs[i] = c.Spec()
		errs = append(errs, specs[i].Validate())
	}
	if err := errors.Join(append(errs, CheckContracts(specs...))...); err != nil {
		return err
	}
	specs = onePerTopic(specs)
	for _, s := range specs {
		if why := thinReplication(s.Config); why != "" && !cluster.Development {
			if cluster.Strict {
				errs = append(errs, fmt.Errorf("topic %q: %s, and Strict is set: %w", s.Name, why, ErrContract))
			} else {
				cluster.Log().Warn("topic " + s.Name + ": " + why)
			}
		}
	}
	if err := errors.Join(errs...); err != nil || len(specs) == 0 {
		return err
	}
	cl, err := cluster.NewClient()
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, provisionTimeout)
	defer cancel()
	return provision(ctx, cluster, cl, specs)
}

func provision(ctx context.Context, cluster Cluster, cl *kgo.Client, specs []Spec) error {
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = s.Name
	}
	meta, err := admin.Metadata(ctx, cl, names...)
	if err != nil {
		return Explain(fmt.Errorf("ensure topics %q: %w", names, err), About{Operation: "describe", Principal: cluster.Principal()})
	}
	var missing, present []Spec
	var errs []error
	for _, s := range specs {
		switch t := meta.Topic(s.Name); {
		case t.Exists(), errors.Is(t.Err, kerr.LeaderNotAvailable): // the latter: somebody is creating it right now
			present = append(present, s)
		case errors.Is(t.Err, kerr.UnknownTopicOrPartition):
			missing = append(missing, s)
		default:
			errs = append(errs, Explain(t.Err, About{Operation: "describe", Topic: s.Name, Principal: cluster.Principal()}))
		}
	}
	if len(missing) > 0 {
		others, err := create(ctx, cluster, cl, missing)
		errs = append(errs, err)
		present = append(present, others...)
	}
	errs = append(errs, compare(ctx, cluster, cl, present))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if _, err := admin.WaitLeaders(ctx, cl, names...); err != nil {
		return Explain(err, About{Operation: "describe", Principal: cluster.Principal()})
	}
	return nil
}

// create creates topics and returns those that somebody else created at the same time.
func create(ctx context.Context, cluster Cluster, cl *kgo.Client, specs []Spec) ([]Spec, error) {
	topics := make([]admin.NewTopic, len(specs))
	for i, s := range specs {
		topics[i] = newTopic(s, cluster.Development)
	}
	created, err := admin.CreateTopics(ctx, cl, false, topics...)
	if err != nil {
		return nil, Explain(err, About{Operation: "create topic", Principal: cluster.Principal()})
	}
	var others []Spec
	var errs []error
	for i, s := range specs {
		switch c := created[s.Name]; {
		case c.Err == nil:
			if cluster.Development && c.ReplicationFactor < DefaultReplicationFactor {
				cluster.Log().Warn("Development: topic "+s.Name+" was created with the broker's replication factor; a broker that is lost takes its records with it",
					"replication_factor", c.ReplicationFactor)
			}
		case errors.Is(c.Err, kerr.TopicAlreadyExists):
			others = append(others, s)
		case errors.Is(c.Err, kerr.TopicAuthorizationFailed) || errors.Is(c.Err, kerr.ClusterAuthorizationFailed) || errors.Is(c.Err, kerr.PolicyViolation):
			err := fmt.Errorf("%w; have somebody who may run: %s", c.Err, createCommand(cluster, topics[i]))
			errs = append(errs, Explain(err, About{Operation: "create topic", Topic: s.Name, Principal: cluster.Principal()}))
		default:
			errs = append(errs, Explain(c.Err, About{Operation: "create topic", Topic: s.Name, Principal: cluster.Principal()}))
		}
	}
	return others, errors.Join(errs...)
}

func newTopic(s Spec, development bool) admin.NewTopic {
	c := s.Config.WithDefaults()
	t := admin.NewTopic{Name: s.Name, Partitions: c.Partitions, ReplicationFactor: c.ReplicationFactor, Configs: c.Settings()}
	if development {
		t.ReplicationFactor = 0
		delete(t.Configs, "min.insync.replicas")
	}
	return t
}

// createCommand is what an administrator runs to create a topic.
func createCommand(cluster Cluster, t admin.NewTopic) string {
	var b strings.Builder
	fmt.Fprintf(&b, "kafka-topics.sh --bootstrap-server %s --create --topic %s --partitions %d", cluster.Brokers[0], t.Name, t.Partitions)
	if t.ReplicationFactor > 0 {
		fmt.Fprintf(&b, " --replication-factor %d", t.ReplicationFactor)
	}
	for _, name := range slices.Sorted(maps.Keys(t.Configs)) {
		fmt.Fprintf(&b, " --config %s=%s", name, t.Configs[name])
	}
	return b.String()
}

// compare reports topics that are not as their contracts say.
func compare(ctx context.Context, cluster Cluster, cl *kgo.Client, specs []Spec) error {
	if len(specs) == 0 {
		return nil
	}
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = s.Name
	}
	meta, err := admin.Metadata(ctx, cl, names...)
	if err != nil {
		return Explain(fmt.Errorf("compare topics %q with their contracts: %w", names, err), About{Operation: "describe", Principal: cluster.Principal()})
	}
	configs, failed, err := admin.TopicConfigs(ctx, cl, names)
	if err != nil {
		return Explain(err, About{Operation: "describe configuration", Principal: cluster.Principal()})
	}
	var errs []error
	for _, s := range specs {
		if err := failed[s.Name]; err != nil {
			cluster.Log().Warn("topic "+s.Name+": its settings can not be compared with the contract", "error", err)
		}
		drift := drift(s, meta.Topic(s.Name), configs[s.Name], cluster.Development)
		if len(drift) == 0 {
			continue
		}
		if cluster.Strict {
			errs = append(errs, fmt.Errorf("topic %q: %s; alter the topic or the contract: %w", s.Name, strings.Join(drift, ", "), ErrDrift))
		} else {
			cluster.Log().Warn("topic "+s.Name+" differs from its contract; alter the topic or the contract", "drift", strings.Join(drift, ", "))
		}
	}
	return errors.Join(errs...)
}

// drift lists what differs, as "partitions 6 instead of 12". A setting that could not be read is not compared.
func drift(s Spec, t admin.Topic, configs admin.Configs, development bool) []string {
	var out []string
	differ := func(name, is, should string) {
		if is != should {
			out = append(out, fmt.Sprintf("%s %s instead of %s", name, is, should))
		}
	}
	want := newTopic(s, development)
	if t.Exists() && len(t.Partitions) > 0 {
		differ("partitions", strconv.Itoa(len(t.Partitions)), strconv.Itoa(want.Partitions))
		if want.ReplicationFactor > 0 {
			differ("replication factor", strconv.Itoa(len(t.Partitions[0].Replicas)), strconv.Itoa(want.ReplicationFactor))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want.Configs)) {
		if is, ok := configs.Text(name); ok {
			differ(name, is, want.Configs[name])
		}
	}
	return out
}

// thinReplication says why a configuration does not survive the loss of a broker, "" where it does.
func thinReplication(c TopicConfig) string {
	c = c.WithDefaults()
	switch {
	case c.ReplicationFactor < DefaultReplicationFactor:
		return fmt.Sprintf("Config.ReplicationFactor is %d: with fewer than %d a lost broker takes records, or the right to write, with it", c.ReplicationFactor, DefaultReplicationFactor)
	case c.MinInSyncReplicas < DefaultMinInSyncReplicas:
		return fmt.Sprintf("Config.MinInSyncReplicas is %d: with fewer than %d a record is acknowledged that one broker alone has", c.MinInSyncReplicas, DefaultMinInSyncReplicas)
	case c.Extra["unclean.leader.election.enable"] == "true":
		return "Config.Extra has unclean.leader.election.enable=true: a replica that missed acknowledged records may become the leader"
	}
	return ""
}

func onePerTopic(specs []Spec) []Spec {
	seen := map[string]bool{}
	return slices.DeleteFunc(specs, func(s Spec) bool {
		if seen[s.Name] {
			return true
		}
		seen[s.Name] = true
		return false
	})
}
