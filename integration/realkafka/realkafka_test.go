package realkafka_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	"go.uber.org/goleak"

	"github.com/sordini-go/sordini/integration/realkafka"
)

// starter, in the environment, makes this test binary a program that starts a broker, says its process id and waits to be killed.
const starter = "REALKAFKA_TEST_STARTER"

func TestMain(m *testing.M) {
	if os.Getenv(starter) != "" {
		c, err := realkafka.Start(context.Background(), realkafka.Config{Brokers: 1, Dir: os.Getenv(starter)})
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		if err := c.PauseBroker(1); err != nil { // the guard must end a paused broker, too
			fmt.Println("error:", err)
		}
		fmt.Println(c.Pid(1))
		select {}
	}
	goleak.VerifyTestMain(m)
}

func start(t *testing.T, cfg realkafka.Config) *realkafka.Cluster {
	t.Helper()
	c, err := realkafka.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func createTopic(t *testing.T, cl *kgo.Client, topic string, partitions int32) {
	t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = topic, partitions, -1
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(t.Context(), cl)
	if err != nil || resp.Topics[0].ErrorCode != 0 {
		t.Fatalf("create topic: %v %+v", err, resp)
	}
}

func produce(t *testing.T, cl *kgo.Client, topic, value string) *kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	r, err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(value)}).First()
	if err != nil {
		t.Fatalf("produce %q: %v", value, err)
	}
	return r
}

func TestThreeBrokersSurviveKillPauseStopAndMoves(t *testing.T) {
	c := start(t, realkafka.Config{})
	cl, err := c.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	createTopic(t, cl, "orders", 1)
	produce(t, cl, "orders", "before")
	for id := int32(1); id <= 3; id++ {
		if err := c.MoveLeader(ctx, "orders", 0, id); err != nil {
			t.Fatal(err)
		}
		if err := c.MoveCoordinator(ctx, "billing", id); err != nil {
			t.Fatal(err)
		}
		if got, err := c.Leader(ctx, "orders", 0); err != nil || got != id {
			t.Fatalf("leader %d, %v; moved it to %d", got, err, id)
		}
	}
	if err := c.KillBroker(3); err != nil || c.Up(3) {
		t.Fatalf("kill: %v, up %t", err, c.Up(3))
	}
	produce(t, cl, "orders", "while broker 3 is dead")
	if leader, err := c.Leader(ctx, "orders", 0); err != nil || leader == 3 {
		t.Fatalf("leader %d, %v with broker 3 dead", leader, err)
	}
	if err := c.StartBroker(ctx, 3); err != nil {
		t.Fatal(err)
	}
	if err := c.MoveLeader(ctx, "orders", 0, 3); err != nil { // in sync again
		t.Fatal(err)
	}
	if err := c.StopBroker(3); err != nil {
		t.Fatal(err)
	}
	produce(t, cl, "orders", "while broker 3 is stopped")
	if err := c.StartBroker(ctx, 3); err != nil {
		t.Fatal(err)
	}
	if err := c.MoveLeader(ctx, "orders", 0, 3); err != nil {
		t.Fatal(err)
	}
	if err := c.PauseBroker(3); err != nil {
		t.Fatal(err)
	}
	produce(t, cl, "orders", "while broker 3 hangs")
	if err := c.ResumeBroker(3); err != nil {
		t.Fatal(err)
	}
	r := produce(t, cl, "orders", "last")
	if r.Offset != 4 {
		t.Errorf("last offset %d, want 4: every record once", r.Offset)
	}
}

func TestDataAndPortsOutliveTheCluster(t *testing.T) {
	dir := t.TempDir()
	c := start(t, realkafka.Config{Brokers: 1, Dir: dir})
	cl, err := c.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	createTopic(t, cl, "orders", 1)
	produce(t, cl, "orders", "first")
	addr := c.Addrs()[0]
	c.Close()
	if c.Up(1) {
		t.Fatal("up after Close")
	}
	c = start(t, realkafka.Config{Dir: dir})
	if got := c.Addrs(); len(got) != 1 || got[0] != addr {
		t.Fatalf("addresses %v, want %s", got, addr)
	}
	if r := produce(t, cl, "orders", "second"); r.Offset != 1 {
		t.Errorf("offset %d after the restart, want 1", r.Offset)
	}
}

func TestSecurityIsEnforced(t *testing.T) {
	c := start(t, realkafka.Config{Brokers: 1, TLS: true, ACL: true})
	if c.Protocol() != "SASL_SSL" {
		t.Fatalf("protocol %s", c.Protocol())
	}
	admin, err := c.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	createTopic(t, admin, "orders", 1)
	tls, err := c.TLSConfig("")
	if err != nil {
		t.Fatal(err)
	}
	try := func(user, password string) error {
		cl, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...), kgo.DialTLSConfig(tls.Clone()), kgo.UnknownTopicRetries(-1), kgo.RecordRetries(2),
			kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism()))
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		return cl.ProduceSync(ctx, &kgo.Record{Topic: "orders"}).FirstErr()
	}
	if err := try("admin", "admin-secret"); err != nil {
		t.Errorf("admin: %v", err)
	}
	if err := try("alice", "alice-secret"); err == nil || !strings.Contains(err.Error(), "AUTHORIZATION") {
		t.Errorf("alice without rights: %v", err)
	}
	if err := try("alice", "wrong"); err == nil || strings.Contains(err.Error(), "TOPIC_AUTHORIZATION") {
		t.Errorf("wrong password: %v", err)
	}
}

func TestClientCertificateNamesThePrincipal(t *testing.T) {
	c := start(t, realkafka.Config{Brokers: 1, MTLS: true, ACL: true})
	for user, allowed := range map[string]bool{"admin": true, "bob": false} {
		tls, err := c.TLSConfig(user)
		if err != nil {
			t.Fatal(err)
		}
		cl, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...), kgo.DialTLSConfig(tls))
		if err != nil {
			t.Fatal(err)
		}
		req := kmsg.NewPtrCreateTopicsRequest()
		rt := kmsg.NewCreateTopicsRequestTopic()
		rt.Topic, rt.NumPartitions, rt.ReplicationFactor = "of-"+user, 1, 1
		req.Topics = append(req.Topics, rt)
		resp, err := req.RequestWith(t.Context(), cl)
		if err != nil || (resp.Topics[0].ErrorCode == 0) != allowed {
			t.Errorf("%s: %v %+v, allowed should be %t", user, err, resp, allowed)
		}
		cl.Close()
	}
}

func TestBrokerDiesWithItsStarter(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), starter+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var line [256]byte
	n, _ := out.Read(line[:])
	pid, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
	if err != nil {
		t.Fatalf("starter said %q", line[:n])
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("broker %d does not run: %v", pid, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	deadline := time.After(10 * time.Second)
	for tick := time.NewTicker(20 * time.Millisecond); syscall.Kill(pid, 0) == nil && !zombie(pid); {
		select {
		case <-deadline:
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("the broker outlived the process that started it by 10 s")
		case <-tick.C:
		}
	}
}

// zombie reports whether the process is dead and only waits for its parent, as in a container without an init.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}
