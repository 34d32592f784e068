package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sordini-go/sordini/integration/process"
	"github.com/sordini-go/sordini/integration/realkafka"
)

// target is a cluster that scripts run on.
type target struct {
	name    string
	brokers string // bootstrap addresses
	restart func(ctx context.Context, id int) error
	close   func()
}

// properties are the settings of both sides where they are not Kafka's defaults: short times, and small internal topics.
func properties(brokers int) map[string]string {
	replicas, inSync := "1", "1"
	if brokers >= 3 {
		replicas, inSync = "3", "2"
	}
	return map[string]string{
		"default.replication.factor":               replicas,
		"min.insync.replicas":                      inSync,
		"offsets.topic.num.partitions":             "5",
		"transaction.state.log.num.partitions":     "5",
		"group.initial.rebalance.delay.ms":         "0",
		"group.min.session.timeout.ms":             "1000",
		"group.consumer.heartbeat.interval.ms":     "1000",
		"group.consumer.min.heartbeat.interval.ms": "500",
		"group.consumer.min.session.timeout.ms":    "3000",
		"group.consumer.assignment.interval.ms":    "0",
		"group.share.assignment.interval.ms":       "0",
	}
}

// reference starts the binary.
func reference(ctx context.Context, dir string, brokers int, secured bool) (*target, error) {
	args := []string{"broker", "-listen", "127.0.0.1:0", "-brokers", fmt.Sprint(brokers), "-no-auto-create", "-control", "127.0.0.1:0", "-rack", racks(brokers)}
	for name, value := range properties(brokers) {
		args = append(args, "-property", name+"="+value)
	}
	if secured {
		args = append(args, "-super-user", "User:admin", "-sasl-user", "admin:admin-secret", "-sasl-user", "alice:alice-secret", "-sasl-user", "bob:bob-secret")
	}
	b, err := process.Start(ctx, filepath.Join(dir, "sordini"), args...)
	if err != nil {
		return nil, fmt.Errorf("reference broker: %w", err)
	}
	said, err := b.Line(ctx, `^ready (.*)$`)
	if err != nil {
		b.Kill()
		return nil, fmt.Errorf("reference broker: %w", err)
	}
	addrs, rest, _ := strings.Cut(said, " ")
	_, control, _ := strings.Cut(rest, "control ")
	restart := func(ctx context.Context, id int) error {
		for _, verb := range []string{"stop", "start"} {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("%s/brokers/%d/%s", control, id, verb), http.NoBody)
			if err != nil {
				return err
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return err
			}
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusNoContent {
				return fmt.Errorf("%s broker %d: %s", verb, id, resp.Status)
			}
		}
		return nil
	}
	return &target{name: "reference broker", brokers: addrs, restart: restart, close: b.Kill}, nil
}

// kafka starts Apache Kafka.
func kafka(ctx context.Context, brokers int, secured bool) (*target, error) {
	k, err := realkafka.Start(ctx, realkafka.Config{
		Brokers: brokers, ACL: secured, Properties: properties(brokers),
		Features: map[string]int{"streams.version": 0}, // the reference broker is a Kafka with that feature off
	})
	if err != nil {
		return nil, err
	}
	restart := func(ctx context.Context, id int) error {
		if err := k.StopBroker(int32(id)); err != nil {
			return err
		}
		return k.StartBroker(ctx, int32(id))
	}
	return &target{name: "Apache Kafka " + realkafka.DefaultVersion, brokers: strings.Join(k.Addrs(), ","), restart: restart, close: k.Close}, nil
}

func racks(brokers int) string {
	names := make([]string, brokers)
	for i := range names {
		names[i] = fmt.Sprintf("rack-%d", i+1)
	}
	return strings.Join(slices.Clip(names), ",")
}
