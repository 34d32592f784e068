package containers

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	mobycontainer "github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/exec"
	"github.com/testcontainers/testcontainers-go/wait"
)

// largest is how large the image may be, in bytes.
const largest = 20_000_000

// hardened is how a careful cluster runs an image: no capabilities, nothing to write to.
func hardened(host *mobycontainer.HostConfig) {
	host.ReadonlyRootfs = true
	host.CapDrop = []string{"ALL"}
	host.SecurityOpt = []string{"no-new-privileges"}
}

func TestImageRunsAsNobodyOnAReadOnlyRoot(t *testing.T) {
	ctr, err := testcontainers.Run(t.Context(), sordiniImage, testcontainers.WithHostConfigModifier(hardened), testcontainers.WithExposedPorts("9092/tcp", "8080/tcp"),
		testcontainers.WithEnv(map[string]string{"SORDINI_TOPIC": "orders:3", "SORDINI_BROKERS": "2"}), testcontainers.WithWaitStrategy(wait.ForHealthCheck()))
	testcontainers.CleanupContainer(t, ctr)
	if err != nil {
		t.Fatal(err)
	}
	inspect, err := ctr.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if inspect.Config.User != "65532:65532" {
		t.Errorf("the image runs as %q", inspect.Config.User)
	}
	if code, _, err := ctr.Exec(t.Context(), []string{"touch", "/usr/bin/x"}); err != nil || code == 0 {
		t.Errorf("its root can be written to: %v", err)
	}
	code, out, err := ctr.Exec(t.Context(), []string{"sordini-broker", "health"}, exec.Multiplexed())
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(out); err != nil || code != 0 || string(text) != "ok\n" {
		t.Errorf("health: status %d, %q, %v", code, text, err)
	}
	if logs := logs(t, ctr); !strings.Contains(logs, "ready localhost:9092,localhost:9093 registry http://") {
		t.Errorf("it said %q", logs)
	}
	timeout := 5 * time.Second
	if err := ctr.Stop(t.Context(), &timeout); err != nil {
		t.Fatal(err)
	}
	if state, err := ctr.State(t.Context()); err != nil || state.ExitCode != 0 {
		t.Errorf("after SIGTERM: exit status %d, %v", state.ExitCode, err)
	}
}

func TestImageIsSmall(t *testing.T) {
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		t.Fatal(err)
	}
	defer provider.Close()
	image, err := provider.Client().ImageInspect(t.Context(), sordiniImage)
	if err != nil {
		t.Fatal(err)
	}
	if image.Size >= largest {
		t.Errorf("the image has %d bytes, %d are the limit", image.Size, largest)
	}
	t.Logf("%d bytes", image.Size)
}

func TestImageRefusesAVariableThatItDoesNotKnow(t *testing.T) {
	ctr, err := testcontainers.Run(t.Context(), sordiniImage, testcontainers.WithEnv(map[string]string{"SORDINI_TOPICS": "orders:3"}), testcontainers.WithWaitStrategy(wait.ForExit()))
	testcontainers.CleanupContainer(t, ctr)
	if err != nil {
		t.Fatal(err)
	}
	state, err := ctr.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if logs := logs(t, ctr); state.ExitCode != 1 || !strings.Contains(logs, "$SORDINI_TOPICS stands for no flag") {
		t.Errorf("exit status %d: %q", state.ExitCode, logs)
	}
}

func logs(t *testing.T, ctr testcontainers.Container) string {
	t.Helper()
	r, err := ctr.Logs(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
