// Package kfake: this file is put into a copy of kfake whose own NewCluster and questions are renamed. It makes the names that kfake's tests use speak
// to the program that $SORDINI is, so that the tests are about that.
package kfake

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// aimed is the process behind a Cluster.
type aimed struct {
	cmd   *exec.Cmd
	addrs []string
	once  sync.Once
	admin *kgo.Client
	login sasl.Mechanism // of the administrator; nil where nobody has to
}

var aims sync.Map // by *Cluster

func NewCluster(opts ...Opt) (*Cluster, error) {
	cfg := cfg{nbrokers: 3, defaultNumParts: 10, listenFn: net.Listen, sasls: make(map[struct{ m, u string }]string)}
	for _, o := range opts {
		o.apply(&cfg)
	}
	args := []string{"broker", "--listen", "127.0.0.1:0", "--brokers", strconv.Itoa(cfg.nbrokers), fmt.Sprintf("--auto-create=%t", cfg.allowAutoTopic)}
	property := func(name, value string) { args = append(args, "--property", name+"="+value) }
	property("num.partitions", strconv.Itoa(cfg.defaultNumParts))
	property("default.replication.factor", strconv.Itoa(min(3, cfg.nbrokers)))
	for name, value := range cfg.brokerConfigs {
		property(name, value)
		if name == "group.consumer.heartbeat.interval.ms" || name == "group.consumer.session.timeout.ms" {
			property(strings.Replace(name, "consumer.", "consumer.min.", 1), value)
		}
	}
	for _, s := range cfg.seedTopics {
		for _, t := range s.ts {
			n := int(s.p)
			if n < 1 {
				n = cfg.defaultNumParts
			}
			args = append(args, "--topic", fmt.Sprintf("%s:%d:%d", t, n, min(3, cfg.nbrokers)))
		}
	}
	a := new(aimed)
	var mechanisms []string
	for id, password := range cfg.sasls {
		args = append(args, "--sasl-user", id.u+":"+password+":"+id.m)
		mechanisms = append(mechanisms, id.m)
	}
	if cfg.enableACLs {
		if slices.Contains(mechanisms, "PLAIN") { // the administrator is ours, and asks as the tests' clients do
			a.login = plain.Auth{User: "aim", Pass: "aimed"}.AsMechanism()
			args = append(args, "--sasl-user", "aim:aimed:PLAIN")
		}
		args = append(args, "--super-user", "User:aim")
		for user := range cfg.superusers {
			args = append(args, "--super-user", "User:"+user)
		}
		for _, acl := range cfg.seedACLs {
			args = append(args, "--acl", rule(acl))
		}
	}
	a.cmd = exec.Command(os.Getenv("SORDINI"), args...)
	var complaint bytes.Buffer // not the test's own output, in which the results are looked for
	a.cmd.Stderr = &complaint
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := a.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	addrs, ready := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if err != nil || !ready {
		_ = a.cmd.Process.Kill()
		_ = a.cmd.Wait()
		return nil, fmt.Errorf("%v said %q: %v\n%s", args, line, err, complaint.String())
	}
	a.addrs = strings.Split(addrs, ",")
	c := &Cluster{cfg: cfg, die: make(chan struct{})}
	aims.Store(c, a)
	return c, nil
}

// rule writes an ACL as --acl has it.
func rule(a acl) string {
	permission := "allow"
	if a.permission == kmsg.ACLPermissionTypeDeny {
		permission = "deny"
	}
	name := a.resourceName
	if a.pattern == kmsg.ACLResourcePatternTypePrefixed {
		name += "*"
	}
	return strings.Join([]string{permission, a.principal, a.operation.String(), a.resourceType.String(), name, a.host}, " ")
}

func (c *Cluster) aim() *aimed {
	a, _ := aims.Load(c)
	return a.(*aimed)
}

func (c *Cluster) ListenAddrs() []string { return c.aim().addrs }

func (c *Cluster) Close() {
	a := c.aim()
	a.once.Do(func() {
		if a.admin != nil {
			a.admin.Close()
		}
		_ = a.cmd.Process.Kill()
		_ = a.cmd.Wait()
	})
}

var adminMu sync.Mutex

// asked sends a request as an administrator.
func asked[R kmsg.Response](c *Cluster, req kmsg.Request) R {
	a := c.aim()
	adminMu.Lock()
	if a.admin == nil {
		var err error
		opts := []kgo.Opt{kgo.SeedBrokers(a.addrs...), kgo.MetadataMinAge(10 * time.Millisecond)}
		if a.login != nil {
			opts = append(opts, kgo.SASL(a.login))
		}
		if a.admin, err = kgo.NewClient(opts...); err != nil {
			panic(err)
		}
	}
	adminMu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	resp, err := a.admin.Request(ctx, req)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", kmsg.NameForKey(req.Key()), err))
	}
	return resp.(R)
}

func (c *Cluster) CreateTopic(topic string, partitions int32, configs map[string]string) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, -1, -1
	if partitions > 0 {
		t.NumPartitions = partitions
	}
	for k, v := range configs {
		t.Configs = append(t.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: k, Value: &v})
	}
	req.Topics = append(req.Topics, t)
	return kerr.ErrorForCode(asked[*kmsg.CreateTopicsResponse](c, req).Topics[0].ErrorCode)
}

func (c *Cluster) DeleteTopic(topic string) error {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TopicNames = []string{topic}
	req.Topics = append(req.Topics, kmsg.DeleteTopicsRequestTopic{Topic: &topic})
	return kerr.ErrorForCode(asked[*kmsg.DeleteTopicsResponse](c, req).Topics[0].ErrorCode)
}

func (c *Cluster) DeleteRecords(topic string, partition int32, offset int64) error {
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = 5000
	req.Topics = append(req.Topics, kmsg.DeleteRecordsRequestTopic{Topic: topic,
		Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: partition, Offset: offset}}})
	return kerr.ErrorForCode(asked[*kmsg.DeleteRecordsResponse](c, req).Topics[0].Partitions[0].ErrorCode)
}

func (c *Cluster) metadata(topic string) *kmsg.MetadataResponseTopic {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = append(req.Topics, kmsg.MetadataRequestTopic{Topic: &topic})
	t := &asked[*kmsg.MetadataResponse](c, req).Topics[0]
	if t.ErrorCode != 0 {
		return nil
	}
	return t
}

func (c *Cluster) TopicInfo(topic string) *TopicInfo {
	t := c.metadata(topic)
	if t == nil {
		return nil
	}
	return &TopicInfo{Topic: topic, TopicID: t.TopicID, NumReplicas: len(t.Partitions[0].Replicas)}
}

func (c *Cluster) LeaderFor(topic string, partition int32) int32 {
	if t := c.metadata(topic); t != nil {
		for _, p := range t.Partitions {
			if p.Partition == partition {
				return p.Leader
			}
		}
	}
	return -1
}

func (c *Cluster) PartitionInfo(topic string, partition int32) *PartitionInfo {
	t := c.metadata(topic)
	if t == nil || int(partition) >= len(t.Partitions) {
		return nil
	}
	offset := func(at int64, isolation int8) int64 {
		req := kmsg.NewPtrListOffsetsRequest()
		req.IsolationLevel = isolation
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = partition, at
		req.Topics = append(req.Topics, kmsg.ListOffsetsRequestTopic{Topic: topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}})
		return asked[*kmsg.ListOffsetsResponse](c, req).Topics[0].Partitions[0].Offset
	}
	i := &PartitionInfo{Partition: partition, HighWatermark: offset(-1, 0), LastStableOffset: offset(-1, 1), LogStartOffset: offset(-2, 0)}
	for _, p := range t.Partitions {
		if p.Partition == partition {
			i.Leader, i.Epoch = p.Leader, p.LeaderEpoch
		}
	}
	return i
}

func (c *Cluster) GroupInfo(group string) *GroupInfo {
	list := kmsg.NewPtrDescribeGroupsRequest()
	list.Groups = []string{group}
	i := &GroupInfo{Group: group, Commits: make(map[string]map[int32]GroupCommit)}
	describe := kmsg.NewPtrConsumerGroupDescribeRequest()
	describe.Groups = []string{group}
	if g := asked[*kmsg.ConsumerGroupDescribeResponse](c, describe).Groups[0]; g.ErrorCode == 0 {
		i.State, i.Epoch = g.State, g.Epoch
		for _, m := range g.Members {
			mb := GroupMember{MemberID: m.MemberID, InstanceID: m.InstanceID, ClientID: m.ClientID, ClientHost: m.ClientHost,
				SubscribedTopics: m.SubscribedTopics, Assignment: make(map[string][]int32)}
			for _, t := range m.Assignment.TopicPartitions {
				mb.Assignment[t.Topic] = t.Partitions
			}
			i.Members = append(i.Members, mb)
		}
	} else {
		g := asked[*kmsg.DescribeGroupsResponse](c, list).Groups[0]
		if g.ErrorCode != 0 || g.State == "Dead" {
			return nil
		}
		i.State = g.State
		for _, m := range g.Members {
			mb := GroupMember{MemberID: m.MemberID, InstanceID: m.InstanceID, ClientID: m.ClientID, ClientHost: m.ClientHost, Assignment: make(map[string][]int32)}
			var meta kmsg.ConsumerMemberMetadata
			if meta.ReadFrom(m.ProtocolMetadata) == nil {
				mb.SubscribedTopics = meta.Topics
			}
			var has kmsg.ConsumerMemberAssignment
			if has.ReadFrom(m.MemberAssignment) == nil {
				for _, t := range has.Topics {
					mb.Assignment[t.Topic] = t.Partitions
				}
			}
			i.Members = append(i.Members, mb)
		}
	}
	sortMembers(i.Members)
	fetch := kmsg.NewPtrOffsetFetchRequest()
	fetch.Group = group
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	fetch.Groups = append(fetch.Groups, g)
	for _, g := range asked[*kmsg.OffsetFetchResponse](c, fetch).Groups {
		for _, t := range g.Topics {
			name := t.Topic
			if name == "" {
				continue // by its id alone
			}
			i.Commits[name] = make(map[int32]GroupCommit)
			for _, p := range t.Partitions {
				gc := GroupCommit{Offset: p.Offset, LeaderEpoch: p.LeaderEpoch}
				if p.Metadata != nil {
					gc.Metadata = *p.Metadata
				}
				i.Commits[name][p.Partition] = gc
			}
		}
	}
	return i
}
