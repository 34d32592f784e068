package containers

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/testcontainers/testcontainers-go"

	"github.com/sordini-go/sordini/integration/process"
)

// The images, as "run" builds them.
const (
	sordiniImage = "sordini/broker:dev"
	kafkaImage   = "sordini-test/kafka:4.3.1"
)

// The order-service and the image's program, built.
var orderServiceProgram, sordiniProgram string

// TestMain runs no test where the containers' ports are not on this machine's loopback interface: nothing here may send a packet anywhere else.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		ctx := context.Background()
		if err := loopback(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "containers: no tests are run:", err)
			return 1
		}
		dir, err := os.MkdirTemp("", "sordini-containers-")
		if err == nil {
			defer os.RemoveAll(dir)
			err = process.Build(ctx, dir, "examples/order-service", "cmd/sordini-broker")
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "containers:", err)
			return 1
		}
		orderServiceProgram, sordiniProgram = filepath.Join(dir, "order-service"), filepath.Join(dir, "sordini-broker")
		return m.Run()
	}())
}

func loopback(ctx context.Context) error {
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return fmt.Errorf("no Docker engine: %w", err)
	}
	defer provider.Close()
	host, err := provider.DaemonHost(ctx)
	if err != nil {
		return fmt.Errorf("host of the engine: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("the containers' host is %s; set TESTCONTAINERS_HOST_OVERRIDE=127.0.0.1, or use integration/containers/run", host)
	}
	return nil
}
