package brokertest

import (
	"bytes"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/sordini-go/sordini/broker"
)

// Cluster is a cluster that lives as long as its test. It is asked and told to fail by the methods of [broker.Cluster].
type Cluster struct {
	*broker.Cluster
	t          testing.TB
	inMemory   bool
	identities identities
	cfg        broker.Config // of the next start
}

// Option changes what [New] starts.
type Option func(*settings)

// settings are what the options change.
type settings struct {
	broker.Config
	security
	temporary bool // the data directory
}

// Config changes what there is no option for.
func Config(change func(*broker.Config)) Option { return func(s *settings) { change(&s.Config) } }

// Brokers starts n brokers instead of one.
func Brokers(n int) Option { return func(s *settings) { s.Brokers = n } }

// Racks puts the brokers into racks, in the order of their node ids, and starts as many brokers as there are names.
func Racks(names ...string) Option {
	return func(s *settings) { s.Brokers, s.Racks = max(s.Brokers, len(names)), names }
}

// Topic creates a topic. Its replication factor is 1; use [Topics] for anything else.
func Topic(name string, partitions int) Option {
	return Topics(broker.Topic{Name: name, Partitions: partitions})
}

// Topics creates topics.
func Topics(topics ...broker.Topic) Option {
	return func(s *settings) { s.Topics = append(s.Topics, topics...) }
}

// InMemory connects over memory instead of TCP. Clients must dial with the cluster's Dial, as those of [Cluster.SDK] do. Inside a testing/synctest
// bubble it is the default, since nothing else works there.
func InMemory() Option { return func(s *settings) { s.Network = broker.NewNetwork() } }

// AutoCreateTopics lets clients create topics by asking for them.
func AutoCreateTopics() Option { return func(s *settings) { s.AutoCreateTopics = true } }

// Properties sets settings of the brokers under Kafka's names.
func Properties(p map[string]string) Option {
	return func(s *settings) {
		if s.Properties == nil {
			s.Properties = make(map[string]string)
		}
		maps.Copy(s.Properties, p)
	}
}

// New starts a cluster with a schema registry (see [broker.Cluster.RegistryURL]) and closes it when the test ends. It ends the test at once when the cluster cannot start.
func New(t testing.TB, opts ...Option) *Cluster {
	t.Helper()
	logged := new(syncBuffer)
	var cfg settings
	cfg.Registry = &broker.Registry{}
	cfg.Logger = slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, o := range opts {
		o(&cfg)
	}
	if cfg.Network == nil && inBubble() {
		cfg.Network = broker.NewNetwork()
	}
	ids, err := cfg.secure()
	if err != nil {
		t.Fatalf("brokertest: %v", err)
	}
	if cfg.temporary {
		cfg.DataDir = t.TempDir()
	}
	if err := cfg.settle(); err != nil {
		t.Fatalf("brokertest: %v", err)
	}
	started, err := broker.Start(cfg.Config)
	if err != nil {
		t.Fatalf("brokertest: %v", err)
	}
	cluster := &Cluster{Cluster: started, t: t, inMemory: cfg.Network != nil, identities: ids, cfg: cfg.Config}
	cluster.stays()
	t.Cleanup(func() {
		if !t.Failed() {
			cluster.Close()
			return
		}
		var held bytes.Buffer
		cluster.Dump(&held)
		cluster.Close()
		t.Logf("log of the reference broker:\n%s", logged)
		t.Logf("the reference broker held:\n%s", held.Bytes())
	})
	return cluster
}

// inBubble says whether the test runs in a bubble of testing/synctest. The package does not tell; but time in a bubble begins with the year 2000.
func inBubble() bool { return time.Now().Year() < 2020 }

// syncBuffer holds the end of what is written to it.
type syncBuffer struct {
	mu  sync.Mutex // guards buf
	buf []byte
}

// maxLog is how much of the log is kept.
const maxLog = 256 << 10

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.buf) > 2*maxLog {
		b.buf = append(b.buf[:0], b.buf[len(b.buf)-maxLog:]...)
	}
	b.buf = append(b.buf, p...)
	return len(p), nil
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.buf)
}
