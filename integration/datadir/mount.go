package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini/integration/process"
)

// mount starts a broker of Apache Kafka on the directory, and compares what it tells clients.
func mount(ctx context.Context, libs, broker string, known state, who *members) error {
	ports, err := free(2)
	if err != nil {
		return err
	}
	client, controller := fmt.Sprintf("127.0.0.1:%d", ports[0]), fmt.Sprintf("127.0.0.1:%d", ports[1])
	properties := filepath.Join(filepath.Dir(broker), "server.properties")
	if err := os.WriteFile(properties, fmt.Appendf(nil, `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@%s
listeners=PLAINTEXT://%s,CONTROLLER://%s
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=%s
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
transaction.state.log.min.isr=1
`, controller, client, controller, broker), 0o600); err != nil {
		return err
	}
	began := time.Now()
	k, err := process.Start(ctx, "java", "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=info", "-cp", filepath.Join(libs, "*"), "kafka.Kafka", properties)
	if err != nil {
		return err
	}
	defer k.Kill()
	if _, err := k.LineWithin(ctx, 2*time.Minute, `(Kafka Server started)`); err != nil {
		return fmt.Errorf("%w\n%s", err, k.Rest())
	}
	fmt.Printf("mount: Apache Kafka started on it after %s\n", time.Since(began).Round(100*time.Millisecond))
	addrs := []string{client}
	has, err := look(ctx, addrs)
	if err != nil {
		return err
	}
	if err := known.compare(has); err != nil {
		return err
	}
	if err := who.join(ctx, addrs); err != nil {
		return err
	}
	if err := goOn(ctx, addrs); err != nil {
		return fmt.Errorf("go on: %w", err)
	}
	records := 0
	for _, all := range has.records {
		records += len(all)
	}
	fmt.Printf("mount: %d topics, %d committed records, %d committed offsets, settings, quotas, users and ACLs are the same, and a transactional id and %d members have gone on\n",
		len(has.topics), records, len(has.committed), len(who.epochs))
	return nil
}

// goOn continues with a transactional id that the directory knows.
func goOn(ctx context.Context, addrs []string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.TransactionalID("tx-0"))
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		return err
	}
	for _, value := range []string{"on Kafka", "again"} { // the second waits until franz-go 1.22.2 knows that the first is in the transaction
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: []byte(value)}).FirstErr(); err != nil {
			return err
		}
	}
	return cl.EndTransaction(ctx, kgo.TryCommit)
}

// free finds ports that nobody listens on.
func free(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
