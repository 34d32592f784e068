package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sordini-go/sordini/integration/process"
	"github.com/sordini-go/sordini/integration/realkafka"
)

//go:embed Driver.java
var driver []byte

func main() {
	onKafka := flag.Bool("kafka", false, "run on Apache Kafka instead of the reference broker")
	verbose := flag.Bool("v", false, "print what each tool took and said")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute)
	passed, err := run(ctx, *onKafka, *verbose)
	cancel()
	stop()
	if err != nil {
		fmt.Println(err)
		fmt.Printf("javatools: %d passed, and some failed\n", passed)
		os.Exit(1)
	}
	fmt.Printf("javatools: %d passed\n", passed)
}

func run(ctx context.Context, onKafka, verbose bool) (passed int, err error) {
	dir, err := os.MkdirTemp("", "sordini-javatools-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	libs, err := realkafka.Jars(ctx, "")
	if err != nil {
		return 0, err
	}
	for name, text := range map[string]string{
		"Driver.java":   string(driver),
		"Shares.java":   string(shares),
		"delete.json":   `{"partitions": [{"topic": "orders", "partition": 0, "offset": 0}], "version": 1}`,
		"reassign.json": `{"version": 1, "partitions": [{"topic": "orders", "partition": 0, "replicas": [3, 2, 1]}]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return 0, err
		}
	}
	if !onKafka {
		if err := process.Build(ctx, dir, "cmd/sordini"); err != nil {
			return 0, err
		}
	}
	var all error
	for _, secure := range []bool{false, true} {
		t := &target{dir: dir, libs: libs, secure: secure, verbose: verbose}
		began := time.Now()
		n, err := t.run(ctx, onKafka)
		passed += n
		all = errors.Join(all, err)
		fmt.Printf("%s: %d passed in %s\n", t.protocol(), n, time.Since(began).Round(100*time.Millisecond))
	}
	return passed, all
}

// properties are the brokers' on either side: members of share groups wait for less time, and there are delegation tokens.
var properties = map[string]string{
	"group.share.min.heartbeat.interval.ms": "1",
	"group.share.heartbeat.interval.ms":     "300",
	"delegation.token.secret.key":           "a-key",
}

// target is one cluster that the tools run on.
type target struct {
	dir, libs       string
	secure, verbose bool
	brokers         string
	clients         string // the tools' settings
}

func (t *target) protocol() string {
	if t.secure {
		return "SASL_SSL"
	}
	return "PLAINTEXT"
}

func (t *target) run(ctx context.Context, onKafka bool) (int, error) {
	var ca string
	if onKafka {
		c, err := realkafka.Start(ctx, realkafka.Config{Brokers: 3, TLS: t.secure, SASL: t.secure, ACL: t.secure, Properties: properties})
		if err != nil {
			return 0, err
		}
		defer c.Close()
		t.brokers, ca = strings.Join(c.Addrs(), ","), c.CAFile()
	} else {
		args := []string{"broker", "--listen", "127.0.0.1:0", "--brokers", "3", "--property", "default.replication.factor=3"}
		for name, value := range properties {
			args = append(args, "--property", name+"="+value)
		}
		if t.secure {
			ca = filepath.Join(t.dir, "ca.crt")
			args = append(args, "--tls", "--tls-ca-out", ca, "--sasl-user", "admin:admin-secret", "--sasl-user", "alice:alice-secret", "--super-user", "User:admin")
		}
		b, err := process.Start(ctx, filepath.Join(t.dir, "sordini"), args...)
		if err != nil {
			return 0, err
		}
		defer b.Kill()
		if t.brokers, err = b.Line(ctx, `(127\.0\.0\.1:\d+(?:,127\.0\.0\.1:\d+)*)`); err != nil {
			return 0, err
		}
	}
	settings := "security.protocol=" + t.protocol() + "\n"
	if t.secure {
		settings += "ssl.truststore.type=PEM\nssl.truststore.location=" + ca + "\nsasl.mechanism=SCRAM-SHA-512\n" +
			`sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="admin" password="admin-secret";` + "\n"
	}
	t.clients = filepath.Join(t.dir, t.protocol()+".properties")
	if err := os.WriteFile(t.clients, []byte(settings), 0o600); err != nil {
		return 0, err
	}
	open, err := t.hang(ctx, ca)
	if err != nil {
		return 0, err
	}
	defer open.Close()
	passed, err := t.driven(ctx)
	alone, aloneErr := t.alone(ctx)
	passed += alone
	var shareErr error
	if !t.secure {
		var n int
		n, shareErr = t.shareConsumers(ctx)
		passed += n
	}
	return passed, errors.Join(err, aloneErr, shareErr)
}

// argv is the command line of a tool, with the flags that say where the cluster is.
func (t *target) argv(c command) []string {
	var args []string
	for _, a := range c.args {
		args = append(args, strings.Replace(a, "FILES/", t.dir+"/", 1))
	}
	bootstrap := []string{"--bootstrap-server", t.brokers}
	switch c.tool {
	case "kafka-leader-election":
		return append(append(bootstrap, "--admin.config", t.clients), args...)
	case "kafka-cluster":
		return append(args, "--bootstrap-server", t.brokers, "--config", t.clients)
	case "kafka-transactions", "kafka-metadata-quorum", "kafka-features":
		return append(append(bootstrap, "--command-config", t.clients), args...)
	}
	return append(append(bootstrap, "--command-config", t.clients), args...)
}

func (t *target) java(ctx context.Context, args ...string) *exec.Cmd {
	argv := []string{"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx384m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", filepath.Join(t.libs, "*")}
	return exec.CommandContext(ctx, "java", append(argv, args...)...)
}

// driven runs all commands in one JVM.
func (t *target) driven(ctx context.Context) (passed int, all error) {
	var script strings.Builder
	var asked []command
	for _, c := range commands {
		if c.alone || c.secure && !t.secure {
			continue
		}
		asked = append(asked, c)
		line := []string{tools[c.tool], base64.StdEncoding.EncodeToString([]byte(c.stdin))}
		for _, a := range t.argv(c) {
			line = append(line, base64.StdEncoding.EncodeToString([]byte(a)))
		}
		script.WriteString(strings.Join(line, "\t") + "\n")
	}
	file := filepath.Join(t.dir, t.protocol()+".commands")
	if err := os.WriteFile(file, []byte(script.String()), 0o600); err != nil {
		return 0, err
	}
	cmd := t.java(ctx, filepath.Join(t.dir, "Driver.java"), file)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	n := 0
	for n < len(asked) && lines.Scan() {
		parts := strings.Split(lines.Text(), "\t")
		if len(parts) != 3 {
			continue
		}
		said, err := base64.StdEncoding.DecodeString(parts[2])
		if err != nil {
			continue
		}
		status, _ := strconv.Atoi(parts[0])
		c := asked[n]
		n++
		if t.verbose {
			fmt.Printf("--- %s %s: status %d after %s ms\n%s", c.tool, strings.Join(c.args, " "), status, parts[1], said)
		}
		if err := c.check(status, string(said)); err != nil {
			all = errors.Join(all, fmt.Errorf("%s: %w", t.protocol(), err))
			continue
		}
		passed++
	}
	err = cmd.Wait()
	if n < len(asked) {
		all = errors.Join(all, fmt.Errorf("%s: %d of %d commands ran: %w\n%s", t.protocol(), n, len(asked), err, stderr.String()))
	}
	return passed, all
}

// alone runs tools as processes of their own, as the scripts do.
func (t *target) alone(ctx context.Context) (passed int, all error) {
	for _, c := range commands {
		if !c.alone {
			continue
		}
		cmd := t.java(ctx, append([]string{tools[c.tool]}, t.argv(c)...)...)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			return passed, err
		}
		if t.verbose {
			fmt.Printf("--- %s, alone: %v\n%s", c.tool, err, out)
		}
		if err := c.check(cmd.ProcessState.ExitCode(), string(out)); err != nil {
			all = errors.Join(all, fmt.Errorf("%s: %w", t.protocol(), err))
			continue
		}
		passed++
	}
	return passed, all
}

// check compares what a tool said with what it should say.
func (c command) check(status int, said string) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%s %s: %s; it said:\n%s", c.tool, strings.Join(c.args, " "), fmt.Sprintf(format, args...), said)
	}
	if status != c.status {
		return fail("exit status %d, want %d", status, c.status)
	}
	for _, p := range c.says {
		if !regexp.MustCompile(p).MatchString(said) {
			return fail("nothing that matches %q", p)
		}
	}
	for _, p := range c.never {
		if regexp.MustCompile(p).MatchString(said) {
			return fail("something that matches %q", p)
		}
	}
	return nil
}
