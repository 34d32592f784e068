package sordini

import (
	"context"
	"errors"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

func withKgo(opts ...kgo.Opt) Cluster {
	return Cluster{Brokers: []string{"localhost:1"}, Logger: slog.New(slog.DiscardHandler), Kgo: opts}
}

func TestTheEscapeHatchMayNotTouchWhatAGuaranteeNeeds(t *testing.T) {
	group := func(context.Context, *kgo.Client, map[string][]int32) {}
	for name, opts := range map[string][]kgo.Opt{
		"SeedBrokers":                         {kgo.SeedBrokers("elsewhere:1")},
		"ClientID":                            {kgo.ClientID("x")},
		"SASL":                                {kgo.SASL(plain.Auth{User: "u", Pass: "p"}.AsMechanism())},
		"Dialer":                              {kgo.Dialer(func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed })},
		"DialTLSConfig":                       {kgo.DialTLS()},
		"WithContext":                         {kgo.WithContext(t.Context())},
		"RequiredAcks":                        {kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite()},
		"DisableIdempotentWrite":              {kgo.DisableIdempotentWrite()},
		"AllowIdempotentProduceCancellation":  {kgo.AllowIdempotentProduceCancellation()},
		"MaxProduceRequestsInflightPerBroker": {kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(5)},
		"StopProducerOnDataLossDetected":      {kgo.StopProducerOnDataLossDetected()},
		"RecordRetries":                       {kgo.RecordRetries(3)},
		"RecordDeliveryTimeout":               {kgo.RecordDeliveryTimeout(time.Minute)},
		"UnknownTopicRetries":                 {kgo.UnknownTopicRetries(-1)},
		"RecordPartitioner":                   {kgo.RecordPartitioner(kgo.RoundRobinPartitioner())},
		"RackAwarePartitioning":               {kgo.RackAwarePartitioning()},
		"ManualFlushing":                      {kgo.ManualFlushing()},
		"DefaultProduceTopic":                 {kgo.DefaultProduceTopic("x")},
		"DefaultProduceTopicAlways":           {kgo.DefaultProduceTopic("x"), kgo.DefaultProduceTopicAlways()},
		"TransactionalID":                     {kgo.TransactionalID("x")},
		"TransactionTimeout":                  {kgo.TransactionTimeout(time.Second)},
		"AllowAutoTopicCreation":              {kgo.AllowAutoTopicCreation()},
		"FetchIsolationLevel":                 {kgo.FetchIsolationLevel(kgo.ReadCommitted())}, // even the safe one: the group sets it
		"ConsumeTopics":                       {kgo.ConsumeTopics("x")},
		"ConsumePartitions":                   {kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"x": {0: kgo.NewOffset()}})},
		"ConsumeRegex":                        {kgo.ConsumeRegex()},
		"ConsumeExcludeTopics":                {kgo.ConsumeRegex(), kgo.ConsumeExcludeTopics("x")},
		"ConsumeStartOffset":                  {kgo.ConsumeStartOffset(kgo.NewOffset().AtEnd())},
		"ConsumeResetOffset":                  {kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd())},
		"KeepControlRecords":                  {kgo.KeepControlRecords()},
		"KeepRetryableFetchErrors":            {kgo.KeepRetryableFetchErrors()},
		"DisableFetchCRCValidation":           {kgo.DisableFetchCRCValidation()},
		"ConsumerGroup":                       {kgo.ConsumerGroup("g")},
		"ShareGroup":                          {kgo.ShareGroup("g")},
		"Balancers":                           {kgo.Balancers(kgo.RangeBalancer())},
		"ServerSideBalancer":                  {kgo.ServerSideBalancer()},
		"GroupProtocol":                       {kgo.GroupProtocol("x")},
		"InstanceID":                          {kgo.InstanceID("x")},
		"AutoCommitInterval":                  {kgo.AutoCommitInterval(time.Second)},
		"BlockRebalanceOnPoll":                {kgo.BlockRebalanceOnPoll()},
		"SessionTimeout":                      {kgo.SessionTimeout(time.Minute)},
		"RebalanceTimeout":                    {kgo.RebalanceTimeout(time.Second)},
		"HeartbeatInterval":                   {kgo.HeartbeatInterval(time.Second)},
		"AdjustFetchOffsetsFn": {kgo.AdjustFetchOffsetsFn(func(context.Context, map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
			return nil, nil
		})},
		"OnOffsetsFetched":            {kgo.OnOffsetsFetched(func(context.Context, *kgo.Client, *kmsg.OffsetFetchResponse) error { return nil })},
		"OnPartitionsCallbackBlocked": {kgo.OnPartitionsCallbackBlocked(func(context.Context, *kgo.Client) {})},
		// franz-go itself refuses these without a group, before there is a client to ask; its text names them.
		"autocommit":                   {kgo.DisableAutoCommit()},
		"autocommit ":                  {kgo.GreedyAutoCommit()},
		"autocommit  ":                 {kgo.AutoCommitMarks()},
		"assigned/revoked/lost":        {kgo.OnPartitionsAssigned(group)},
		"assigned/revoked/lost ":       {kgo.OnPartitionsRevoked(group)},
		"assigned/revoked/lost  ":      {kgo.OnPartitionsLost(group)},
		"ShareMaxRecords":              {kgo.ShareMaxRecords(3)},
		"idempotency requires acks":    {kgo.RequiredAcks(kgo.LeaderAck())},
		"ConsumerGroup with no commit": {kgo.ConsumerGroup("ConsumerGroup with no commit"), kgo.DisableAutoCommit()},
	} {
		for _, at := range []int{0, 1} { // hidden behind one that is allowed
			c := withKgo(append([]kgo.Opt{kgo.FetchMaxBytes(1 << 20)}[:at], opts...)...)
			err := c.Validate()
			if !errors.Is(err, ErrCluster) {
				t.Errorf("%s: error %v", name, err)
			} else if part, _, _ := strings.Cut(strings.TrimSpace(name), " with"); !strings.Contains(err.Error(), part) {
				t.Errorf("%s: not named in %q", name, err)
			}
			if cl, err := c.NewClient(); err == nil {
				cl.Close()
				t.Errorf("%s: NewClient accepts it", name)
			}
		}
	}
}

func TestTheEscapeHatchMayTune(t *testing.T) {
	c := withKgo(kgo.MetadataMinAge(20*time.Millisecond), kgo.MaxBufferedBytes(1<<20), kgo.RequestTimeoutOverhead(time.Second), kgo.WithHooks(&kgoTestHook{}),
		kgo.ProducerBatchCompression(kgo.GzipCompression()), kgo.FetchMaxWait(time.Second), kgo.Rack("a"))
	cl, err := c.NewClient()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if got := cl.OptValue(kgo.MetadataMinAge); got != 20*time.Millisecond {
		t.Errorf("MetadataMinAge is %v: Kgo must win over Sordini's limits", got)
	}
	if got := cl.OptValue(kgo.RequestTimeoutOverhead); got != time.Second {
		t.Errorf("RequestTimeoutOverhead is %v: Kgo must win over Sordini's limits", got)
	}
}

type kgoTestHook struct{}

func (*kgoTestHook) OnNewClient(*kgo.Client) {}

func TestAnOptionThatWouldBeIgnoredIsRefused(t *testing.T) {
	cl, err := withKgo(kgo.ProducerLinger(time.Second)).NewClient(kgo.ProducerLinger(0))
	if err == nil {
		cl.Close()
	}
	if !errors.Is(err, ErrCluster) || !strings.Contains(err.Error(), "ProducerLinger") {
		t.Errorf("error %v", err)
	}
	if cl, err = withKgo(kgo.ProducerLinger(time.Second)).NewClient(kgo.FetchMaxBytes(1 << 20)); err != nil {
		t.Errorf("error %v", err)
	} else {
		cl.Close()
	}
}

func TestNilOptionIsRefused(t *testing.T) {
	if err := withKgo(nil).Validate(); !errors.Is(err, ErrCluster) || !strings.Contains(err.Error(), "Kgo[0]") {
		t.Errorf("error %v", err)
	}
}

func TestNothingReliesOnALimitOfFranzGo(t *testing.T) {
	cl, err := withKgo().NewClient()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for option, want := range map[string]any{
		"RequestTimeoutOverhead": requestTimeout, "ProduceRequestTimeout": produceTimeout, "ConnIdleTimeout": idleTimeout, "RetryTimeout": retryTimeout,
		"MetadataMinAge": metadataMinAge, "MetadataMaxAge": metadataMaxAge, "AlwaysRetryEOF": true, "DisableClientMetrics": true, "RequestRetries": int64(20),
		"BrokerMaxReadBytes": int32(maxFrame), "BrokerMaxWriteBytes": int32(maxFrame), "ConsiderMissingTopicDeletedAfter": 15 * time.Second,
	} {
		if got := cl.OptValue(option); got != want {
			t.Errorf("%s is %v, want %v", option, got, want)
		}
	}
	for fails, want := range map[int]time.Duration{0: 100 * time.Millisecond, 1: 100 * time.Millisecond, 3: 400 * time.Millisecond, 7: 5 * time.Second, 100: 5 * time.Second} {
		if got := backoff(fails); got < want*8/10 || got > want*12/10 || got > backoffMax {
			t.Errorf("back-off after %d failures is %v, want %v and at most %v", fails, got, want, backoffMax)
		}
	}
}

// Every function of franz-go that makes an option stands in one of the two lists: a new one has to be thought about.
func TestEveryOptionOfFranzGoIsJudged(t *testing.T) {
	dir, err := build.Import("github.com/twmb/franz-go/pkg/kgo", ".", build.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir.Dir, "config.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	alias := []string{"DialTLS", "BasicLogger"} // DialTLSConfig has it
	n := 0
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv != nil || !f.Name.IsExported() || f.Type.Results == nil || len(f.Type.Results.List) != 1 {
			continue
		}
		if result, ok := f.Type.Results.List[0].Type.(*ast.Ident); !ok || !slices.Contains([]string{"Opt", "ProducerOpt", "ConsumerOpt", "GroupOpt"}, result.Name) {
			continue
		}
		n++
		_, refused := forbidden[f.Name.Name]
		if allowed := slices.Contains(tunable, f.Name.Name); refused == allowed && !slices.Contains(alias, f.Name.Name) {
			t.Errorf("kgo.%s: refused %v, allowed %v", f.Name.Name, refused, allowed)
		}
	}
	if n < 80 {
		t.Errorf("only %d options found", n)
	}
	cl, err := withKgo().NewClient()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for name := range forbidden {
		if len(cl.OptValues(name)) == 0 {
			t.Errorf("kgo.Client does not know the option %s", name)
		}
	}
	for _, name := range tunable {
		if len(cl.OptValues(name)) == 0 {
			t.Errorf("kgo.Client does not know the option %s", name)
		}
	}
}
