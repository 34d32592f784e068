package brokertest

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/sordini-go/sordini/broker"
)

// DataDir keeps everything in a directory, as broker.Config.DataDir does, so that [Cluster.Restart] finds it again; "" stands for a temporary one, which goes
// with the test. A directory of one's own is kept, for a look at it or for another cluster: one at a time. Whatever the test says of Fsync holds.
//
//	cluster := brokertest.New(t, brokertest.DataDir(""), brokertest.Topic("orders", 12))
//	…
//	cluster.Restart()
func DataDir(dir string) Option {
	return func(s *settings) { s.DataDir, s.temporary = dir, dir == "" }
}

// Restart stops all brokers and the schema registry in order, and starts them again at the same addresses on what is in the directory of [DataDir]. Clients may
// run meanwhile: they find what they would find after a restart of Kafka. Methods of the cluster must not be called until it returns, and what they told
// before (such as a fault that [Cluster.Inject] has put into force) is of the cluster that has ended. It ends the test where there is no such directory, or
// the cluster does not come back.
func (c *Cluster) Restart() {
	c.t.Helper()
	if c.cfg.DataDir == "" {
		c.t.Fatal("brokertest: a cluster without brokertest.DataDir has nothing to be started again on")
	}
	if err := c.Close(); err != nil {
		c.t.Fatalf("brokertest: restart: %v", err)
	}
	again, err := broker.Start(c.cfg)
	for end := time.Now().Add(portsWithin); errors.Is(err, syscall.EADDRINUSE) && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		again, err = broker.Start(c.cfg)
	}
	if err != nil {
		c.t.Fatalf("brokertest: restart: %v", err)
	}
	c.Cluster = again
}

// portsWithin is for how long a connection of somebody may have a port that was the cluster's.
const portsWithin = 10 * time.Second

// settle makes addresses known before the start that have to be the same after another one.
func (s *settings) settle() error {
	if s.DataDir == "" || s.Listen != "" {
		return nil
	}
	if s.Network != nil {
		s.Listen = "127.0.0.1:9092"
		return nil
	}
	port, err := freePorts(max(s.Brokers, 1))
	s.Listen = fmt.Sprintf("127.0.0.1:%d", port)
	return err
}

// stays has the schema registry listen where it does now the next time, too.
func (c *Cluster) stays() {
	if url := c.RegistryURL(); url != "" && c.cfg.DataDir != "" {
		r := *c.cfg.Registry
		r.Listen = strings.TrimPrefix(url, "http://")
		c.cfg.Registry = &r
	}
}

// freePorts finds n ports in a row that nobody listens on, and returns the first.
func freePorts(n int) (first int, err error) {
	for range 100 {
		if first, err = tryPorts(n); err == nil {
			return first, nil
		}
	}
	return 0, fmt.Errorf("find %d free ports in a row: %w", n, err)
}

func tryPorts(n int) (first int, err error) {
	for i := range n {
		address := "127.0.0.1:0"
		if i > 0 {
			address = fmt.Sprintf("127.0.0.1:%d", first+i)
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			return 0, err
		}
		defer l.Close()
		if i == 0 {
			first = l.Addr().(*net.TCPAddr).Port
		}
	}
	return first, nil
}
