package brokercommand

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
)

// runMain is set in the child that a test starts: it runs the command itself.
const runMain = "TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) == "1" {
		os.Exit(Main("sordini broker", os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

func TestBrokerSaysWhenItIsReadyAndStopsOnSIGTERM(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-listen", "127.0.0.1:0", "-brokers", "2", "-topic", "orders:4:2")
	cmd.Env = append(os.Environ(), runMain+"=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("no readiness line: %v\n%s", err, stderr.String())
	}
	addrs := strings.Split(strings.TrimPrefix(strings.TrimSpace(line), "ready "), ",")
	if len(addrs) != 2 {
		t.Fatalf("readiness line %q", line)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, topic := range []string{"orders", "made-by-asking"} {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("v")}).FirstErr(); err != nil {
			t.Errorf("produce to %s: %v", topic, err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("exit after SIGTERM: %v\n%s", err, stderr.String())
	}
}

// command is the command as somebody at a terminal sees it: what is wrong stands in the output, or in the error.
func command(ctx context.Context, args []string, out *bytes.Buffer) error {
	err := Run(ctx, args, out, out)
	if err != nil {
		out.WriteString(err.Error())
	}
	return err
}

func TestWrongCommandLinesAreRefused(t *testing.T) {
	for line, want := range map[string]string{
		"extra":                      `unexpected argument "extra"`,
		"-topic orders:none":         "not name:partitions[:replication]",
		"-topic orders:1:1:1":        "not name:partitions[:replication]",
		"-property message.max.byts": "not setting=value",
		"-listen 127.0.0.1:0 -property message.max.byts=1": "Unknown broker config name: message.max.byts",
		"-listen nowhere":                    "listen address",
		"-listen 127.0.0.1:0 -topic a/b:1":   "Topic name is invalid",
		"-listen 127.0.0.1:0 -topic a:1:2":   "only 1 broker(s) are registered",
		"-listen 127.0.0.1:0 -brokers=-1":    "must be at least 1",
		"-listen 127.0.0.1:65535 -brokers=2": "leaves room for 2 brokers",
		"-fsync sometimes":                   `"sometimes" is not promises or segments`,
		"-data /dev/null/x":                  "data directory /dev/null/x",
	} {
		var out bytes.Buffer
		if err := command(context.Background(), strings.Fields(line), &out); err == nil {
			t.Errorf("sordini broker %s: no error", line)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("sordini broker %s: output has no %q:\n%s", line, want, out.String())
		}
	}
}
