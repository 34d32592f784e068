package sordini

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// forbidden are the options of franz-go that Cluster.Kgo may not touch, each with what to use instead. Names are those that kgo.Client.OptValues knows.
var forbidden = map[string]string{
	"SeedBrokers":   "use Cluster.Brokers",
	"ClientID":      "use Cluster.ClientID",
	"SASL":          "use Cluster.SASL",
	"Dialer":        "use Cluster.Dial",
	"DialTLSConfig": "use Cluster.TLS",
	"WithContext":   "its end would stop a client behind the back of Close and Run",

	"RequiredAcks":                        durable,
	"DisableIdempotentWrite":              durable,
	"AllowIdempotentProduceCancellation":  durable,
	"MaxProduceRequestsInflightPerBroker": durable,
	"StopProducerOnDataLossDetected":      durable,
	"RecordRetries":                       "use producer.DeliveryTimeout: a record is given up by time, not by count",
	"RecordDeliveryTimeout":               "use producer.DeliveryTimeout, which leaves neighbours in the buffer alone",
	"UnknownTopicRetries":                 "an unknown topic is reported by itself",
	"RecordPartitioner":                   "keys land where Java puts them, so that services in several languages share an order",
	"RackAwarePartitioning":               "keys land where Java puts them, so that services in several languages share an order",
	"ManualFlushing":                      "it fails sends where they should wait",
	"DefaultProduceTopic":                 "a contract names its topic",
	"DefaultProduceTopicAlways":           "a contract names its topic",
	"TransactionalID":                     "transactions are consumer.HandleTx's",
	"TransactionTimeout":                  "transactions are consumer.HandleTx's",
	"AllowAutoTopicCreation":              "a misspelt name would become a topic; use sordini.EnsureTopics",

	"FetchIsolationLevel":       "a group reads what is committed",
	"ConsumeTopics":             grouped,
	"ConsumePartitions":         grouped,
	"ConsumeRegex":              grouped,
	"ConsumeExcludeTopics":      grouped,
	"ConsumeStartOffset":        "use consumer.StartAt",
	"ConsumeResetOffset":        "what happens when records are gone is the group's to decide and report",
	"KeepControlRecords":        grouped,
	"KeepRetryableFetchErrors":  grouped,
	"DisableFetchCRCValidation": "a damaged batch would be handled",
	"WithDecompressor":          "a batch that does not decompress would be handled",

	"ConsumerGroup":               grouped,
	"ShareGroup":                  grouped,
	"ShareAckCallback":            grouped,
	"ShareMaxRecords":             grouped,
	"ShareMaxRecordsStrict":       grouped,
	"Balancers":                   grouped,
	"ServerSideBalancer":          grouped,
	"GroupProtocol":               grouped,
	"InstanceID":                  "two members with one id push each other out",
	"DisableAutoCommit":           commits,
	"GreedyAutoCommit":            commits,
	"AutoCommitMarks":             commits,
	"AutoCommitInterval":          commits,
	"AutoCommitCallback":          commits,
	"AdjustFetchOffsetsFn":        commits,
	"OnOffsetsFetched":            commits,
	"BlockRebalanceOnPoll":        grouped,
	"OnPartitionsAssigned":        grouped,
	"OnPartitionsRevoked":         grouped,
	"OnPartitionsLost":            grouped,
	"OnPartitionsCallbackBlocked": grouped,
	"SessionTimeout":              grouped,
	"RebalanceTimeout":            grouped,
	"HeartbeatInterval":           grouped,
}

const (
	durable = "a send is acknowledged by every in-sync replica, once and in order (guarantee G10)"
	commits = "a group commits only what has ended (guarantee G2)"
	grouped = "it is the group's own"
)

// tunable are the options that Kgo may set. A test compares both lists with what franz-go has, so that a new option is thought about.
var tunable = []string{
	"AlwaysRetryEOF", "BalanceRacks", "BrokerMaxReadBytes", "BrokerMaxWriteBytes", "ConcurrentTransactionsBackoff", "ConnIdleTimeout",
	"ConsiderMissingTopicDeletedAfter", "ConsumePreferringLagFn", "DialTimeout", "DisableClientMetrics", "DisableFetchSessions", "FetchMaxBytes",
	"FetchMaxPartitionBytes", "FetchMaxWait", "FetchMinBytes", "MaxBufferedBytes", "MaxBufferedRecords", "MaxConcurrentFetches", "MaxDecompressBatchBytes",
	"MaxVersions", "MetadataMaxAge", "MetadataMinAge", "MinVersions", "OnRebootstrapRequired", "ProduceRequestTimeout", "ProducerBatchCompression",
	"ProducerBatchMaxBytes", "ProducerBatchMaxBytesFn", "ProducerLinger", "ProducerOnDataLossDetected", "Rack", "RecheckPreferredReplicaInterval",
	"RequestRetries", "RequestTimeoutOverhead", "RequireStableFetchOffsets", "RetryBackoffFn", "RetryTimeout", "RetryTimeoutFn", "SoftwareNameAndVersion",
	"StreamingCompression", "UserMetricsFn", "WithCompressor", "WithHooks", "WithLogger", "WithPools",
}

// opaque are tunable options whose values are somebody's own objects, maybe in use elsewhere, or a second name for another option: they are not looked into.
var opaque = []string{"WithHooks", "WithPools", "WithLogger", "UserMetricsFn", "ProducerBatchMaxBytesFn", "RetryTimeoutFn"}

// kgoTouched is what Kgo changed, by option, as described by the probe that had it.
type kgoTouched map[string]string

// checkKgo finds out what the options of Kgo set, by comparing what a client has with them and without, and refuses what they may not. franz-go's options
// can be told from each other in no other way. The two clients are closed again before anything is dialled.
func (c Cluster) checkKgo() (kgoTouched, error) {
	if len(c.Kgo) == 0 {
		return nil, nil
	}
	if i := slices.Index(c.Kgo, nil); i >= 0 {
		return nil, clusterError([]string{fmt.Sprintf("Kgo[%d] is nil", i)})
	}
	base, err := kgo.NewClient(c.limits()...)
	if err != nil {
		return nil, clusterError([]string{err.Error()})
	}
	defer base.Close()
	with, err := kgo.NewClient(append(c.limits(), c.Kgo...)...)
	if err != nil {
		// franz-go validates before a client is there to be asked. Options of a group without a group, and contradictions, end here.
		return nil, clusterError([]string{fmt.Sprintf("Kgo has an option that may not be used here: %v (acknowledgements, group, topics, commits and transactions are Sordini's)", err)})
	}
	defer with.Close()
	touched := kgoTouched{}
	for _, name := range tunable {
		if slices.Contains(opaque, name) {
			continue
		}
		if before, after := describe(base, name), describe(with, name); before != after {
			touched[name] = after
		}
	}
	var problems []string
	for name, instead := range forbidden {
		if describe(base, name) != describe(with, name) {
			problems = append(problems, fmt.Sprintf("Kgo sets kgo.%s, which it may not: %s", name, instead))
		}
	}
	slices.Sort(problems)
	return touched, clusterError(problems)
}

// kept reports the options of Kgo that the rest of the client's options replaced.
func (t kgoTouched) kept(cl *kgo.Client) error {
	var problems []string
	for name, want := range t {
		if describe(cl, name) != want {
			problems = append(problems, fmt.Sprintf("Kgo sets kgo.%s, which this part of Sordini sets itself; use its own option", name))
		}
	}
	slices.Sort(problems)
	return clusterError(problems)
}

// describe writes down an option's value so that equal values give equal text.
func describe(cl *kgo.Client, option string) string {
	var b strings.Builder
	for _, v := range cl.OptValues(option) {
		writeValue(&b, reflect.ValueOf(v), 6)
		b.WriteByte(';')
	}
	return b.String()
}

// writeValue is %+v that follows pointers, down to depth, and writes a func as its code: two clients have default funcs of the same code and other addresses.
func writeValue(b *strings.Builder, v reflect.Value, depth int) {
	if !v.IsValid() || depth == 0 {
		b.WriteByte('-')
		return
	}
	switch v.Kind() {
	case reflect.Func:
		fmt.Fprintf(b, "func %x", v.Pointer())
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			b.WriteString("nil")
			return
		}
		fmt.Fprintf(b, "%s ", v.Elem().Type())
		writeValue(b, v.Elem(), depth-1)
	case reflect.Struct:
		b.WriteByte('{')
		for i := range v.NumField() {
			writeValue(b, v.Field(i), depth-1)
			b.WriteByte(' ')
		}
		b.WriteByte('}')
	case reflect.Slice, reflect.Array:
		fmt.Fprintf(b, "%d[", v.Len())
		for i := range min(v.Len(), 64) {
			writeValue(b, v.Index(i), depth-1)
			b.WriteByte(' ')
		}
		b.WriteByte(']')
	case reflect.Map:
		var entries []string
		for it := v.MapRange(); it.Next(); {
			var e strings.Builder
			writeValue(&e, it.Key(), depth-1)
			e.WriteByte(':')
			writeValue(&e, it.Value(), depth-1)
			entries = append(entries, e.String())
		}
		slices.Sort(entries)
		fmt.Fprintf(b, "map%q", entries)
	case reflect.Chan, reflect.UnsafePointer:
		b.WriteString(v.Kind().String())
	default:
		fmt.Fprint(b, v)
	}
}
