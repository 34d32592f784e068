package realkafka

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Cluster is a running Apache Kafka cluster. Its methods are safe for concurrent use.
type Cluster struct {
	set   settings
	dir   string
	libs  string
	java  string
	own   bool // dir is a temporary folder of ours
	nodes []*node

	foreign []string // addresses of brokers that were not started here

	adminMu sync.Mutex
	admin   *adminClient
}

// Start fetches the jars if they are not there, lays the cluster out and returns once every broker serves. It takes about 8 s for three brokers, and at
// most until ctx ends; without a deadline in ctx, 3 minutes.
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 3*time.Minute)
		defer cancel()
	}
	var err error
	for try := range 3 {
		var c *Cluster
		if c, err = start(ctx, cfg); err == nil {
			return c, nil
		}
		// Somebody else took a port between our look and the broker's bind.
		if try < 2 && cfg.PortBase == 0 && strings.Contains(err.Error(), "Address already in use") {
			continue
		}
		break
	}
	return nil, fmt.Errorf("start Apache Kafka: %w", err)
}

func start(ctx context.Context, cfg Config) (_ *Cluster, err error) {
	c := &Cluster{dir: cfg.Dir}
	if c.java, err = exec.LookPath("java"); err != nil {
		return nil, fmt.Errorf("it needs Java 17 or later: %w", err)
	}
	if c.dir == "" {
		if c.dir, err = os.MkdirTemp("", "sordini-kafka-"); err != nil {
			return nil, err
		}
		c.own = true
	}
	if c.dir, err = filepath.Abs(c.dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	settingsFile := filepath.Join(c.dir, "cluster.json")
	text, err := os.ReadFile(settingsFile)
	switch {
	case err == nil:
		if err := json.Unmarshal(text, &c.set); err != nil {
			return nil, fmt.Errorf("read %s: %w", settingsFile, err)
		}
		c.addNodes()
	case errors.Is(err, fs.ErrNotExist):
		c.set.Config = cfg.withDefaults()
	default:
		return nil, err
	}
	if c.libs, err = Jars(ctx, c.set.Version); err != nil {
		return nil, err
	}
	if c.nodes == nil {
		if err := c.format(ctx); err != nil {
			return nil, err
		}
		text, err := json.MarshalIndent(c.set, "", "\t")
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(settingsFile, text, 0o600); err != nil {
			return nil, err
		}
	}
	return c, c.each(func(n *node) error { return c.start(ctx, n) })
}

// format writes every broker's settings and empty log folder.
func (c *Cluster) format(ctx context.Context) error {
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	c.set.ClusterID = base64.RawURLEncoding.EncodeToString(id)
	if strings.HasPrefix(c.set.ClusterID, "-") {
		c.set.ClusterID = "A" + c.set.ClusterID[1:] // Kafka refuses ids that look like an option
	}
	if c.set.Base = c.set.PortBase; c.set.Base == 0 {
		base, err := freePorts(3 * c.set.Brokers)
		if err != nil {
			return err
		}
		c.set.Base = base
	}
	c.addNodes()
	if c.set.TLS {
		if err := c.set.writeCertificates(c.dir); err != nil {
			return fmt.Errorf("make certificates: %w", err)
		}
	}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	if c.set.JWKS != "" {
		if err := os.WriteFile(filepath.Join(c.dir, "jwks.json"), []byte(c.set.JWKS), 0o600); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(c.dir, "admin.properties"), []byte(c.set.adminProperties(c.dir)), 0o600); err != nil {
		return err
	}
	return c.each(func(n *node) error {
		if err := os.MkdirAll(n.dir, 0o755); err != nil {
			return err
		}
		file := filepath.Join(n.dir, "server.properties")
		if err := os.WriteFile(file, []byte(c.set.properties(n.id, n.dir)), 0o600); err != nil {
			return err
		}
		args := []string{"format", "-t", c.set.ClusterID, "-c", file}
		for _, name := range slices.Sorted(maps.Keys(c.set.Features)) {
			args = append(args, "--feature", fmt.Sprintf("%s=%d", name, c.set.Features[name]))
		}
		if c.set.SASL {
			for _, user := range slices.Sorted(maps.Keys(c.set.Users)) {
				for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
					args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,iterations=4096,password=%s]", mechanism, user, c.set.Users[user]))
				}
			}
		}
		if out, err := c.Command(ctx, "kafka.tools.StorageTool", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("format broker %d: %w\n%s", n.id, err, lastLines(string(out), 8))
		}
		return nil
	})
}

func (c *Cluster) addNodes() {
	for id := 1; id <= c.set.Brokers; id++ {
		c.nodes = append(c.nodes, &node{id: id, dir: filepath.Join(c.dir, "node-"+strconv.Itoa(id))})
	}
}

// start launches one broker and waits until it serves.
func (c *Cluster) start(ctx context.Context, n *node) error {
	r, from, err := n.launch([]string{
		c.java, "-Xms64m", "-Xmx" + c.set.Heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Xshare:auto",
		"-Djava.awt.headless=true", "-Djava.security.egd=file:/dev/./urandom", "-Dkafka.logs.dir=" + n.dir,
		"-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
		"-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config.AbstractConfig=warn",
		"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=" + jwksURL(c.dir), "-Dorg.apache.kafka.sasl.oauthbearer.allowed.files=" + filepath.Join(c.dir, "jwks.json"),
		"-cp", filepath.Join(c.libs, "*"), "kafka.Kafka", filepath.Join(n.dir, "server.properties"),
	})
	if err == nil {
		err = n.waitStarted(ctx, r, from)
	}
	if err != nil {
		return fmt.Errorf("start broker %d: %w", n.id, err)
	}
	return nil
}

// each runs f for all brokers at once and joins what failed.
func (c *Cluster) each(f func(*node) error) error {
	errs := make([]error, len(c.nodes))
	var wg sync.WaitGroup
	for i, n := range c.nodes {
		wg.Go(func() { errs[i] = f(n) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (c *Cluster) node(id int32) (*node, error) {
	if c.foreign != nil {
		return nil, fmt.Errorf("broker %d: %w", id, errForeign)
	}
	if id < 1 || int(id) > len(c.nodes) {
		return nil, fmt.Errorf("there is no broker %d; ids are 1 to %d", id, len(c.nodes))
	}
	return c.nodes[id-1], nil
}

// Addrs returns the brokers' client listeners, in the order of their ids.
func (c *Cluster) Addrs() []string {
	if c.foreign != nil {
		return slices.Clone(c.foreign)
	}
	addrs := make([]string, c.set.Brokers)
	for i := range addrs {
		addrs[i] = fmt.Sprintf("127.0.0.1:%d", c.set.clientPort(i+1))
	}
	return addrs
}

// Protocol is the client listeners' security.protocol: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
func (c *Cluster) Protocol() string { return c.set.protocol() }

// Brokers returns how many brokers there are; their ids are 1 to that.
func (c *Cluster) Brokers() int { return c.set.Brokers }

// Dir is the cluster's folder: node-ID/kafka.log, node-ID/server.properties, admin.properties, tls.
func (c *Cluster) Dir() string { return c.dir }

// Up reports whether the broker's process runs; a paused one does.
func (c *Cluster) Up(id int32) bool {
	n, err := c.node(id)
	return err == nil && n.current() != nil
}

// Pid returns the broker's process id, 0 while it is down.
func (c *Cluster) Pid(id int32) int {
	if n, err := c.node(id); err == nil {
		if r := n.current(); r != nil {
			return r.process.Pid
		}
	}
	return 0
}

// KillBroker ends the broker as a crash would (SIGKILL) and returns once its process is gone. A broker that is down stays down.
func (c *Cluster) KillBroker(id int32) error {
	n, err := c.node(id)
	if err == nil {
		n.end(syscall.SIGKILL, time.Second)
	}
	return err
}

// StopBroker shuts the broker down in order: it hands its leaderships over first. After 20 s it is killed.
func (c *Cluster) StopBroker(id int32) error {
	n, err := c.node(id)
	if err == nil {
		n.end(syscall.SIGTERM, 20*time.Second)
	}
	return err
}

// PauseBroker freezes the broker (SIGSTOP): its connections stay open and nobody answers.
func (c *Cluster) PauseBroker(id int32) error {
	n, err := c.node(id)
	if err != nil {
		return err
	}
	return n.signal(syscall.SIGSTOP)
}

// ResumeBroker lets a paused broker go on.
func (c *Cluster) ResumeBroker(id int32) error {
	n, err := c.node(id)
	if err != nil {
		return err
	}
	return n.signal(syscall.SIGCONT)
}

// StartBroker starts a broker that is down, on its old data and ports, and returns once it serves.
func (c *Cluster) StartBroker(ctx context.Context, id int32) error {
	n, err := c.node(id)
	if err != nil {
		return err
	}
	return c.start(ctx, n)
}

// Command returns a run of one of Kafka's own programs, by its Java class, with the cluster's jars: kafka.tools.StorageTool,
// org.apache.kafka.tools.TopicCommand and the like. AdminFlags has the arguments that most of them want.
func (c *Cluster) Command(ctx context.Context, class string, args ...string) *exec.Cmd {
	argv := []string{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", filepath.Join(c.libs, "*"), class}
	return exec.CommandContext(ctx, c.java, append(argv, args...)...)
}

// AdminFlags are the --bootstrap-server and --command-config of Kafka's own tools, as the super user.
func (c *Cluster) AdminFlags() []string {
	return []string{"--bootstrap-server", strings.Join(c.Addrs(), ","), "--command-config", filepath.Join(c.dir, "admin.properties")}
}

// Close ends every broker, in order where that takes no longer than 10 s, and removes the data where Config.Dir was not given. It may be called twice.
func (c *Cluster) Close() {
	c.adminMu.Lock()
	if c.admin != nil {
		c.admin.Close()
		c.admin = nil
	}
	c.adminMu.Unlock()
	_ = c.each(func(n *node) error {
		n.mu.Lock()
		n.stop = true
		n.mu.Unlock()
		if c.own {
			n.end(syscall.SIGKILL, time.Second) // nobody will look at its data again
		} else {
			n.end(syscall.SIGTERM, 10*time.Second)
		}
		return nil
	})
	if c.own {
		_ = os.RemoveAll(c.dir)
	}
}
