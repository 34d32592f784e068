package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/records"
	"github.com/sordini-go/sordini/broker/internal/storage"
	"github.com/sordini-go/sordini/broker/registry"
)

// Registry says how the schema registry of a cluster is reached. The zero value listens on a free port and lets everybody in.
type Registry struct {
	// Listen is the address, default "127.0.0.1:0". It is on the cluster's Network.
	Listen string
	// Compatibility is the level where none has been set. Default BACKWARD.
	Compatibility string
	// Users, where there are any, must authenticate with their passwords (HTTP basic).
	Users map[string]registry.Password
}

// schemaTopic is where the registry keeps its schemas, as Confluent's does.
const schemaTopic = "_schemas"

// schemaServer is the registry's HTTP server.
type schemaServer struct {
	registry *registry.Registry
	server   *http.Server
	url      string
	served   sync.WaitGroup // the accepting goroutine
	conns    sync.WaitGroup // one for each connection
}

// startRegistry starts the schema registry that the configuration asks for.
func (c *Cluster) startRegistry(cfg Registry) error {
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	r, err := registry.New(registry.Config{
		Log: &schemaLog{cluster: c}, Compatibility: cfg.Compatibility, Users: cfg.Users, ClusterID: c.id, Logger: c.log,
	})
	if err != nil {
		return err
	}
	var l net.Listener
	if c.network != nil {
		l, err = c.network.Listen(cfg.Listen)
	} else {
		l, err = net.Listen("tcp", cfg.Listen)
	}
	if err != nil {
		return fmt.Errorf("schema registry: %w", err)
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		l.Close()
		return fmt.Errorf("schema registry: address %s: %w", l.Addr(), err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	s := &schemaServer{registry: r, url: "http://" + net.JoinHostPort(host, port)}
	s.server = &http.Server{
		Handler:           r,
		ReadHeaderTimeout: time.Minute,
		ConnState:         s.connState,
		ErrorLog:          log.New(logWriter{c.log}, "", 0),
	}
	c.registry = s
	s.served.Go(func() { _ = s.server.Serve(l) })
	return nil
}

// connState counts connections, so that none outlives the server.
func (s *schemaServer) connState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.conns.Done()
	}
}

// close ends every connection and waits until nothing runs any more.
func (s *schemaServer) close() {
	_ = s.registry.Close()
	s.server.Close()
	s.served.Wait()
	s.conns.Wait()
}

// RegistryURL returns the URL of the cluster's schema registry, "" where it has none. Over a [Network] it is reached by an HTTP client whose transport
// dials with [Cluster.Dial].
func (c *Cluster) RegistryURL() string {
	if c.registry == nil {
		return ""
	}
	return c.registry.url
}

// logWriter takes what net/http logs.
type logWriter struct{ log *slog.Logger }

func (w logWriter) Write(b []byte) (int, error) {
	w.log.Debug("schema registry", "message", strings.TrimSpace(string(b)))
	return len(b), nil
}

// schemaLog is [registry.Log] in a topic of the cluster. The topic is made when the first schema is.
type schemaLog struct {
	cluster *Cluster

	mu    sync.Mutex // guards topic
	topic *topic     // that has been read until now
}

// current returns the topic's partition, nil where there is no topic, and whether it is the one that was read until now.
func (l *schemaLog) current() (p *partition, same bool) {
	t := l.cluster.lookup(schemaTopic)
	l.mu.Lock()
	defer l.mu.Unlock()
	same = l.topic == nil || l.topic == t
	l.topic = t
	if t == nil {
		return nil, same
	}
	return l.cluster.partition(schemaTopic, 0), same
}

// Read implements [registry.Log].
func (l *schemaLog) Read(from int64) ([]registry.Record, int64, error) {
	p, same := l.current()
	switch {
	case !same && from > 0:
		return nil, 0, registry.ErrRecreated
	case p == nil && from > 0:
		return nil, 0, registry.ErrRecreated
	case p == nil:
		return nil, 0, nil
	}
	p.mu.Lock()
	end := p.highWatermarkLocked()
	var batches []records.Batch
	if from <= end {
		for b := range p.log.Batches(from) {
			batches = append(batches, b)
		}
	}
	p.mu.Unlock()
	if from > end {
		return nil, end, registry.ErrRecreated
	}
	var out []registry.Record
	for _, b := range batches {
		if b.Control() {
			continue
		}
		for r, err := range b.Records() {
			if err != nil {
				return nil, 0, fmt.Errorf("topic %s: %w", schemaTopic, err)
			}
			if r.Offset >= from && r.Offset < end {
				out = append(out, registry.Record{Key: r.Key, Value: r.Value, Time: time.UnixMilli(r.Timestamp)})
			}
		}
	}
	return out, end, nil
}

// Append implements [registry.Log]. What is in the data directory is on the disk before it is confirmed, or read again.
func (l *schemaLog) Append(at int64, recs []registry.Record) error {
	err := l.append(at, recs)
	if s := l.cluster.store; s != nil && (err == nil || errors.Is(err, registry.ErrMoved)) {
		if s.promise(); !s.settle(l.cluster.done) {
			return fmt.Errorf("topic %s: %w", schemaTopic, storage.ErrStorage)
		}
	}
	return err
}

func (l *schemaLog) append(at int64, recs []registry.Record) error {
	if l.cluster.lookup(schemaTopic) == nil {
		spec := newTopicSpec(Topic{Name: schemaTopic, Partitions: 1, Configs: map[string]string{"cleanup.policy": "compact"}})
		if _, err := l.cluster.createTopic(spec); err != nil && l.cluster.lookup(schemaTopic) == nil {
			return fmt.Errorf("create topic %s: %w", schemaTopic, err)
		}
	}
	p, same := l.current()
	if p == nil || !same && at > 0 {
		return registry.ErrMoved
	}
	cfg := p.topic.settings.Load()
	now := time.Now().UnixMilli()
	batch := schemaBatch(recs, now)
	if len(batch) > cfg.MaxMessageBytes {
		return fmt.Errorf("topic %s: %d bytes exceed max.message.bytes %d", schemaTopic, len(batch), cfg.MaxMessageBytes)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.leader == noLeader:
		return fmt.Errorf("topic %s has no leader", schemaTopic)
	case p.log.End() != at:
		return registry.ErrMoved
	}
	if _, err := p.log.Append(batch, p.epoch, now, limits(cfg)); err != nil {
		return fmt.Errorf("topic %s: %w", schemaTopic, err)
	}
	p.appendedLocked(-1)
	return nil
}

// schemaBatch makes one batch of a registry's records.
func schemaBatch(recs []registry.Record, now int64) records.Batch {
	var payload []byte
	for i, r := range recs {
		rec := kmsg.Record{OffsetDelta: int32(i), Key: r.Key, Value: r.Value}
		body := rec.AppendTo(nil)[1:] // without the length, which is 0 and takes a byte
		payload = binary.AppendVarint(payload, int64(len(body)))
		payload = append(payload, body...)
	}
	b := kmsg.RecordBatch{
		Magic: 2, LastOffsetDelta: int32(len(recs) - 1), FirstTimestamp: now, MaxTimestamp: now,
		ProducerID: records.NoProducer, ProducerEpoch: records.NoProducer, FirstSequence: records.NoProducer,
		NumRecords: int32(len(recs)), Records: payload, PartitionLeaderEpoch: -1,
		Length: int32(min(records.HeaderSize-records.Overhead+len(payload), math.MaxInt32)),
	}
	batch := records.Batch(b.AppendTo(nil))
	batch.Seal()
	return batch
}

var _ registry.Log = (*schemaLog)(nil)

// closeRegistry stops the schema registry, where there is one.
func (c *Cluster) closeRegistry() {
	if c.registry != nil {
		c.registry.close()
	}
}
