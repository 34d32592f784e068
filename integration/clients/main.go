// Clients runs foreign clients against the order-service: kcat and kafkajs read what it published and place orders that it handles, on the reference broker and
// on Apache Kafka. `integration/clients/run` installs the clients first.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/sordini-go/sordini/integration/process"
	"github.com/sordini-go/sordini/integration/realkafka"
)

// checks counts what was asserted, for the closing line.
type checks struct{ passed, failed int }

func (c *checks) that(ok bool, format string, args ...any) {
	if ok {
		c.passed++
		return
	}
	c.failed++
	fmt.Printf("FAILED: "+format+"\n", args...)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, 12*time.Minute)
	var c checks
	err := run(ctx, &c)
	cancel()
	stop()
	if err != nil {
		fmt.Println("FAILED:", err)
		c.failed++
	}
	fmt.Printf("clients: %d passed, %d failed\n", c.passed, c.failed)
	if c.failed > 0 {
		os.Exit(1)
	}
}

func run(ctx context.Context, c *checks) error {
	dir, err := os.MkdirTemp("", "sordini-clients-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := process.Build(ctx, dir, "cmd/sordini", "examples/order-service"); err != nil {
		return err
	}
	return errors.Join(onReference(ctx, dir, c), onKafka(ctx, dir, c))
}

func onReference(ctx context.Context, dir string, c *checks) error {
	b, err := process.Start(ctx, filepath.Join(dir, "sordini"), "broker", "--listen", "127.0.0.1:0", "--brokers", "3")
	if err != nil {
		return fmt.Errorf("reference broker: %w", err)
	}
	defer b.Kill()
	addrs, err := b.Line(ctx, `(127\.0\.0\.1:\d+(?:,127\.0\.0\.1:\d+)*)`)
	if err != nil {
		return fmt.Errorf("reference broker: %w", err)
	}
	return scenario(ctx, "reference broker", dir, addrs, c)
}

func onKafka(ctx context.Context, dir string, c *checks) error {
	k, err := realkafka.Start(ctx, realkafka.Config{Brokers: 3})
	if err != nil {
		return err
	}
	defer k.Close()
	return scenario(ctx, "Apache Kafka "+realkafka.DefaultVersion, dir, strings.Join(k.Addrs(), ","), c)
}
