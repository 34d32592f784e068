package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sordini-go/sordini/integration/process"
	"github.com/sordini-go/sordini/integration/realkafka"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	err := run(ctx)
	cancel()
	stop()
	if err != nil {
		fmt.Println("datadir:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "sordini-datadir-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	libs, err := realkafka.Jars(ctx, "")
	if err != nil {
		return err
	}
	if err := process.Build(ctx, dir, "cmd/sordini"); err != nil {
		return err
	}
	if err := overfill(ctx, filepath.Join(dir, "sordini"), dir); err != nil {
		return fmt.Errorf("full disk: %w", err)
	}
	data := filepath.Join(dir, "data")
	var who members
	known, err := fill(ctx, filepath.Join(dir, "sordini"), data, &who)
	if err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	if err := dump(ctx, libs, filepath.Join(data, "broker-1"), known); err != nil {
		return fmt.Errorf("dump: %w", err)
	}
	if err := mount(ctx, libs, filepath.Join(data, "broker-1"), known, &who); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	return nil
}

// start runs the reference broker on the directory.
func start(ctx context.Context, binary, data string) (*process.Process, []string, error) {
	b, err := process.Start(ctx, binary, "broker", "--listen", "127.0.0.1:0", "--data", data, "--topic", "orders:2", "--topic", "prices:1", "--super-user", "User:ANONYMOUS",
		"--property", "log.segment.bytes=1048576", "--property", "offsets.topic.num.partitions=4", "--property", "transaction.state.log.num.partitions=4")
	if err != nil {
		return nil, nil, err
	}
	addrs, err := b.Line(ctx, `^ready (\S+)`)
	if err != nil {
		b.Kill()
		return nil, nil, err
	}
	return b, strings.Split(addrs, ","), nil
}

// fill has the broker write something of everything, kills it, has it write more, and stops it.
func fill(ctx context.Context, binary, data string, who *members) (known state, err error) {
	for round := range 3 {
		b, addrs, err := start(ctx, binary, data)
		if err != nil {
			return known, err
		}
		defer b.Kill()
		if round > 0 {
			after, err := look(ctx, addrs)
			if err != nil {
				return known, err
			}
			if err := known.compare(after); err != nil {
				return known, fmt.Errorf("after the broker was killed: %w", err)
			}
		}
		if err := who.join(ctx, addrs); err != nil {
			return known, err
		}
		if err := who.leave(ctx, addrs); err != nil {
			return known, err
		}
		if round == 2 {
			return known, b.Stop(ctx)
		}
		if err := write(ctx, addrs, round); err != nil {
			return known, err
		}
		if known, err = look(ctx, addrs); err != nil {
			return known, err
		}
		b.Kill()
	}
	return known, errors.New("no round was the last")
}

// wrong is what DumpLogSegments says where something is.
var wrong = regexp.MustCompile(`(?i)mismatch|out of order|isvalid: false|found timestamp|exception|error|non-consecutive|corrupt|unexpected`)

// dump runs Kafka's tool on every file.
func dump(ctx context.Context, libs, broker string, known state) error {
	tool := func(args ...string) (string, error) {
		out, err := process.Output(ctx, "", "java", append([]string{"-Xmx256m", "-cp", filepath.Join(libs, "*"), "org.apache.kafka.tools.DumpLogSegments"}, args...)...)
		if err == nil {
			if line := wrong.FindString(strings.Join(slices.DeleteFunc(strings.Split(out, "\n"), harmless), "\n")); line != "" {
				err = fmt.Errorf("DumpLogSegments %s says %q", strings.Join(args, " "), line)
			}
		}
		return out, err
	}
	var all []string
	kinds := make(map[string]int)
	for _, suffix := range []string{".log", ".index", ".timeindex", ".txnindex", ".snapshot"} {
		found, err := filepath.Glob(filepath.Join(broker, "*", "*"+suffix))
		if err != nil {
			return err
		}
		if kinds[suffix] = len(found); len(found) == 0 {
			return fmt.Errorf("there is no %s", suffix)
		}
		all = append(all, found...)
	}
	out, err := tool("--deep-iteration", "--files", strings.Join(all, ","))
	if err != nil {
		return err
	}
	fmt.Printf("dump: %v read, %d lines\n", kinds, strings.Count(out, "\n"))
	for decoder, want := range map[string][]string{
		"--cluster-metadata-decoder": {`"TOPIC_RECORD"`, `"PARTITION_RECORD"`, `"CONFIG_RECORD"`, `"CLIENT_QUOTA_RECORD"`, `"USER_SCRAM_CREDENTIAL_RECORD"`,
			`"ACCESS_CONTROL_ENTRY_RECORD"`, `"PRODUCER_IDS_RECORD"`, `"REGISTER_BROKER_RECORD"`, `"FEATURE_LEVEL_RECORD"`},
		"--offsets-decoder": {`"group":"billing"`, `"groupId":"billing-next"`, `"memberId":"clerk"`, `"subscribedTopicRegex":"pri.*"`, `"assignmentEpochs"`,
			`"groupId":"pickers"`, `"memberId":"picker"`, `"initializedTopics"`, fmt.Sprintf(`"offset":%d`, known.committed["orders-0"])},
		"--transaction-log-decoder": {`"transactionalId":"tx-0"`, `transactionStatus`},
	} {
		topic := map[string]string{"--cluster-metadata-decoder": "__cluster_metadata", "--offsets-decoder": "__consumer_offsets", "--transaction-log-decoder": "__transaction_state"}[decoder]
		logs, err := filepath.Glob(filepath.Join(broker, topic+"-*", "*.log"))
		if err != nil {
			return err
		}
		out, err := tool(decoder, "--files", strings.Join(logs, ","))
		if err != nil {
			return err
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				return fmt.Errorf("%s does not show %s", decoder, w)
			}
		}
	}
	return nil
}

// harmless is a line that names something which only sounds wrong, or a record.
func harmless(line string) bool {
	return strings.HasPrefix(line, "| offset:") || strings.HasPrefix(line, "Dumping ")
}
