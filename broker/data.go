package broker

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sordini-go/sordini/broker/internal/files"
	"github.com/sordini-go/sordini/broker/internal/metalog"
	"github.com/sordini-go/sordini/broker/internal/storage"
)

// Fsync says when what is written to [Config.DataDir] is made to last through a loss of power. Through the end of the process alone, even by SIGKILL, lasts
// everything that was written, whatever the policy.
type Fsync int

const (
	// FsyncPromises syncs before it promises: no record is visible to consumers, acknowledged to a producer that wants all in-sync replicas (acks=all),
	// and no offset, transaction, topic, setting, quota, user or ACL is confirmed, that is not on the disk of every replica in sync. Many
	// promises share a sync. A producer with acks=1 is answered before, as it is before the followers have the record.
	FsyncPromises Fsync = iota
	// FsyncSegments syncs a segment when it is complete and when the broker stops, and leaves the rest to the operating system, as Kafka does where
	// flush.messages and flush.ms are not set: what was acknowledged within the last half minute or so may be lost with the machine. The metadata of the
	// cluster is synced before it is confirmed under this policy, too, as Kafka's controllers do.
	FsyncSegments
)

var fsyncs = [...]string{FsyncPromises: "promises", FsyncSegments: "segments"}

// String is the policy's name: promises or segments.
func (f Fsync) String() string {
	if f < 0 || int(f) >= len(fsyncs) {
		return fmt.Sprintf("Fsync(%d)", int(f))
	}
	return fsyncs[f]
}

// MarshalText is String.
func (f Fsync) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads a policy's name.
func (f *Fsync) UnmarshalText(text []byte) error {
	i := slices.Index(fsyncs[:], string(text))
	if i < 0 {
		return fmt.Errorf("%q is not %s", text, strings.Join(fsyncs[:], " or "))
	}
	*f = Fsync(i)
	return nil
}

// ErrDataDir says that a data directory cannot be used as it is.
var ErrDataDir = errors.New("data directory")

// store is where a cluster keeps its data besides memory. A nil store keeps nothing. What is in it: for each broker a directory as a Kafka broker has
// it, and in the first broker's the log of the controllers.
type store struct {
	cluster *Cluster
	fs      files.FS
	dir     string
	fsync   Fsync
	lock    io.Closer
	ids     [][16]byte // of the brokers' directories
	clean   []bool     // the broker ended in order
	known   [3][]storage.Checkpoint

	passing  sync.Mutex // held while logs are flushed, and while directories get other names; taken before all others
	metaSafe int64      // up to where the controllers' log is synced; who holds passing may touch it

	metaMu sync.Mutex // guards what follows; it is taken last
	meta   *metalog.Log
	image  *metalog.Image
	remove []string // directories of deleted partitions, to be removed once it is sure that they are deleted

	owning sync.Mutex // held while a coordinator writes; guards own
	own    []ownEntry // what coordinators could not write yet, in order

	mu      sync.Mutex // guards what follows; it is taken last
	dirty   []held     // logs that a flush is due for
	changed chan struct{}
	failing error // why the last flush has failed

	wake    chan struct{} // has room for one word that there is something to do
	done    chan struct{} // closed when nothing is flushed any more
	written atomic.Int64  // counts what answers depend on, but records
	safe    atomic.Int64  // how much of it is on the disk
}

// held is one broker's log of a partition.
type held struct {
	p   *partition
	dir *storage.Dir
}

// The checkpoints of a broker's directory.
const (
	recoveryPoints = iota
	logStarts
	highWatermarks
)

var checkpointFiles = [3]string{"recovery-point-offset-checkpoint", "log-start-offset-checkpoint", "replication-offset-checkpoint"}

// cleanShutdown is the file that says that a broker ended in order; Kafka's brokers look for it, too.
const cleanShutdown = ".kafka_cleanshutdown"

// brokerDir is the directory of a broker.
func (s *store) brokerDir(id int32) string { return filepath.Join(s.dir, fmt.Sprintf("broker-%d", id)) }

// openStore takes a data directory for a number of brokers, and makes it where there is none. It returns the id of the cluster that it is of.
func openStore(fsys files.FS, dir string, fsync Fsync, brokers int) (s *store, clusterID string, err error) {
	if fsync < 0 || int(fsync) >= len(fsyncs) {
		return nil, "", fmt.Errorf("there is no policy %v", fsync)
	}
	if fsys == nil {
		fsys = files.OS
	}
	s = &store{fs: fsys, dir: dir, fsync: fsync, wake: make(chan struct{}, 1), done: make(chan struct{}), changed: make(chan struct{})}
	fail := func(err error) (*store, string, error) {
		if s.lock != nil {
			err = errors.Join(err, s.lock.Close())
		}
		return nil, "", fmt.Errorf("%w %s: %w", ErrDataDir, dir, err)
	}
	if err := errors.Join(s.fs.MkdirAll(dir), s.fs.SyncDir(filepath.Dir(dir))); err != nil {
		return fail(err)
	}
	if s.lock, err = s.fs.Lock(filepath.Join(dir, ".lock")); err != nil {
		return fail(err)
	}
	names, err := s.fs.ReadDir(dir)
	if err != nil {
		return fail(err)
	}
	for _, name := range names {
		sub, isDir := files.IsDir(name)
		if id, err := strconv.Atoi(strings.TrimPrefix(sub, "broker-")); err == nil && isDir && strings.HasPrefix(sub, "broker-") && id > brokers {
			return fail(fmt.Errorf("it is of %d brokers or more: start as many", id))
		}
		if name == metaProperties {
			return fail(errors.New("it is of a broker of Apache Kafka: give a directory in which there is one for each broker, such as broker-1"))
		}
	}
	for id := range int32(brokers) {
		was, directory, err := s.readProperties(id + 1)
		if err != nil {
			return fail(err)
		}
		if was != "" && clusterID != "" && was != clusterID {
			return fail(fmt.Errorf("broker-%d is of cluster %s, another of %s", id+1, was, clusterID))
		}
		clusterID = cmp.Or(was, clusterID)
		s.ids = append(s.ids, directory)
	}
	clusterID = cmp.Or(clusterID, newID())
	for id := range int32(brokers) {
		if err := s.prepare(id+1, clusterID); err != nil {
			return fail(err)
		}
	}
	if err := s.fs.SyncDir(dir); err != nil {
		return fail(err)
	}
	all, err := metalog.Read(s.fs, s.brokerDir(1))
	if err != nil {
		return fail(err)
	}
	s.image = metalog.NewImage()
	s.image.Apply(all...)
	return s, clusterID, nil
}

// metaProperties is the file in which Kafka says whose a directory is.
const metaProperties = "meta.properties"

// readProperties says of which cluster a broker's directory is, and what its id is; it makes an id where there is none.
func (s *store) readProperties(id int32) (clusterID string, directory [16]byte, err error) {
	directory = newUUID()
	name := filepath.Join(s.brokerDir(id), metaProperties)
	in, err := s.fs.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", directory, nil
	}
	if err != nil {
		return "", directory, err
	}
	for line := range strings.Lines(string(in)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.ReplaceAll(value, `\`, "") // Java escapes
		switch key {
		case "cluster.id":
			clusterID = value
		case "node.id":
			if value != strconv.Itoa(int(id)) {
				return "", directory, fmt.Errorf("%s: it is of node %s", name, value)
			}
		case "directory.id":
			if raw, err := base64.RawURLEncoding.DecodeString(value); err == nil && len(raw) == len(directory) {
				directory = [16]byte(raw)
			}
		}
	}
	if clusterID == "" {
		return "", directory, fmt.Errorf("%s: there is no cluster.id", name)
	}
	return clusterID, directory, nil
}

// prepare makes a broker's directory its own, and reads what is noted in it.
func (s *store) prepare(id int32, clusterID string) error {
	dir := s.brokerDir(id)
	if err := s.fs.MkdirAll(dir); err != nil {
		return err
	}
	properties := fmt.Sprintf("#\nversion=1\ncluster.id=%s\nnode.id=%d\ndirectory.id=%s\n", clusterID, id, base64.RawURLEncoding.EncodeToString(s.ids[id-1][:]))
	name := filepath.Join(dir, metaProperties)
	if was, err := s.fs.ReadFile(name); err != nil || string(was) != properties {
		if err := files.Replace(s.fs, name, []byte(properties)); err != nil {
			return err
		}
	}
	for kind, file := range checkpointFiles {
		in, err := s.fs.ReadFile(filepath.Join(dir, file))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		s.known[kind] = append(s.known[kind], storage.ReadCheckpoint(in))
	}
	_, err := s.fs.ReadFile(filepath.Join(dir, cleanShutdown))
	clean := err == nil
	if s.clean = append(s.clean, clean); !clean {
		return nil // the names in a new directory are synced with what is written there
	}
	return errors.Join(s.fs.Remove(filepath.Join(dir, cleanShutdown)), s.fs.SyncDir(dir))
}

// logDirOf is the directory of a broker's log of a partition.
func (s *store) logDirOf(broker int32, topic string, partition int32) string {
	return filepath.Join(s.brokerDir(broker), fmt.Sprintf("%s-%d", topic, partition))
}

// newLog makes the log of a partition that a broker holds nothing of yet.
func (p *partition) newLog(broker int32) *storage.Log {
	s := p.cluster.store
	if s == nil {
		return storage.NewLog()
	}
	return storage.NewLogIn(s.newDir(p, broker))
}

func (s *store) newDir(p *partition, broker int32) *storage.Dir {
	var dir *storage.Dir
	dir = storage.NewDir(s.fs, s.logDirOf(broker, p.topic.name, p.index), p.topic.id, s.fsync == FsyncPromises, func() { s.flushSoon(held{p, dir}) })
	return dir
}

// close stops the flushing, makes everything last and notes that it was done in order.
func (s *store) close() error {
	if s == nil {
		return nil
	}
	var errs []error
	if s.meta != nil { // else it was never started
		<-s.done
		errs = append(errs, s.finish())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// finish is the orderly end.
func (s *store) finish() error {
	c := s.cluster
	logs := make(map[int32][]*storage.Log)
	points := make([][3]storage.Checkpoint, len(c.nodes))
	for i := range points {
		points[i] = [3]storage.Checkpoint{make(storage.Checkpoint), make(storage.Checkpoint), make(storage.Checkpoint)}
	}
	s.writeOwnAgain()
	var errs []error
	for _, p := range c.everyPartition() {
		p.mu.Lock()
		for _, r := range p.copies {
			if f := r.log.BeginFlush(true); f != nil {
				errs = append(errs, f.Run())
				r.log.EndFlush(f)
			}
			logs[r.id] = append(logs[r.id], r.log)
			of := storage.TopicPartition{Topic: p.topic.name, Partition: p.index}
			if r.log.Made() {
				at := points[r.id-1]
				at[recoveryPoints][of], at[logStarts][of], at[highWatermarks][of] = r.log.End(), r.log.Start(), r.hw
			}
		}
		p.mu.Unlock()
	}
	s.metaMu.Lock()
	errs = append(errs, s.meta.Pending(), s.meta.Sync(), s.meta.Close())
	s.metaMu.Unlock()
	for _, n := range c.nodes {
		for _, l := range logs[n.id] {
			errs = append(errs, l.Close())
		}
		for kind, file := range checkpointFiles {
			errs = append(errs, files.Replace(s.fs, filepath.Join(s.brokerDir(n.id), file), points[n.id-1][kind].Bytes()))
		}
	}
	s.owning.Lock()
	if n := len(s.own); n > 0 {
		errs = append(errs, fmt.Errorf("%d entries of coordinators were not written: %w", n, storage.ErrStorage))
	}
	s.owning.Unlock()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w %s: the next start has to recover it: %w", ErrDataDir, s.dir, err)
	}
	for _, n := range c.nodes {
		dir := s.brokerDir(n.id)
		end := fmt.Sprintf(`{"version":0,"brokerEpoch":%d}`, brokerEpoch)
		errs = append(errs, files.Replace(s.fs, filepath.Join(dir, cleanShutdown), []byte(end)), s.fs.SyncDir(dir))
	}
	return errors.Join(errs...)
}

// deletedDir is the end of the name of the directory of a deleted partition, as in Kafka.
const deletedDir = "-delete"
