// Command real-kafka runs Apache Kafka on loopback from Maven Central, for a person or around another command.
//
//	go run ./cmd/real-kafka                          three brokers until Ctrl-C; type "help" for faults by hand
//	go run ./cmd/real-kafka -tls -sasl -acl          with security
//	go run ./cmd/real-kafka -- go test ./...         around a command that finds it in KAFKA_BROKERS; its exit status is ours
//	go run ./cmd/real-kafka -fetch                   only fill the cache of jars
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sordini-go/sordini/integration/realkafka"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code, err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "real-kafka:", err)
	}
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) (int, error) {
	cfg := realkafka.Config{Properties: map[string]string{}, Users: map[string]string{}, Features: map[string]int{}}
	flags := flag.NewFlagSet("real-kafka", flag.ContinueOnError)
	flags.IntVar(&cfg.Brokers, "brokers", 3, "how many brokers")
	flags.StringVar(&cfg.Version, "version", realkafka.DefaultVersion, "version of Apache Kafka")
	flags.StringVar(&cfg.Dir, "dir", "", "folder to keep the cluster in; a temporary one when empty")
	flags.BoolVar(&cfg.SASL, "sasl", false, "SASL PLAIN and SCRAM; admin/admin-secret, alice/alice-secret, bob/bob-secret")
	flags.BoolVar(&cfg.OAuth, "oauth", false, "SASL OAUTHBEARER with unsigned tokens")
	flags.BoolVar(&cfg.TLS, "tls", false, "TLS")
	flags.BoolVar(&cfg.MTLS, "mtls", false, "TLS with client certificates")
	flags.BoolVar(&cfg.ACL, "acl", false, "authorization; User:admin is the super user")
	flags.BoolVar(&cfg.AutoCreate, "auto-create", false, "create topics that clients name")
	flags.StringVar(&cfg.Heap, "heap", "", "heap of each broker")
	flags.IntVar(&cfg.PortBase, "port", 0, "first client port; broker N listens on port + 3(N-1)")
	flags.Func("set", "broker setting key=value, may be repeated", pairs(cfg.Properties, "="))
	flags.Func("feature", "feature=level to finalise in a new cluster, may be repeated", func(s string) error {
		name, text, _ := strings.Cut(s, "=")
		level, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not feature=level", s)
		}
		cfg.Features[name] = level
		return nil
	})
	flags.Func("user", "user name:password, may be repeated", pairs(cfg.Users, ":"))
	fetch := flags.Bool("fetch", false, "fetch the jars and end")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0, nil
		}
		return 2, nil // flag has said what is wrong
	}
	if *fetch {
		libs, err := realkafka.Jars(ctx, cfg.Version)
		if err != nil {
			return 1, err
		}
		fmt.Fprintln(stdout, libs)
		return 0, nil
	}
	began := time.Now()
	c, err := realkafka.Start(ctx, cfg)
	if err != nil {
		return 1, err
	}
	defer c.Close()
	fmt.Fprintf(stdout, "ready in %s: %s (%s), files in %s\n", time.Since(began).Round(100*time.Millisecond), strings.Join(c.Addrs(), ","), c.Protocol(), c.Dir())
	if flags.NArg() > 0 {
		return around(ctx, c, flags.Args())
	}
	console(ctx, c, stdin, stdout)
	return 0, nil
}

func pairs(into map[string]string, separator string) func(string) error {
	return func(s string) error {
		k, v, ok := strings.Cut(s, separator)
		if !ok {
			return fmt.Errorf("%q has no %q", s, separator)
		}
		into[k] = v
		return nil
	}
}

// around runs a command with the cluster's settings in its environment, under the names that sordini.FromEnv reads.
func around(ctx context.Context, c *realkafka.Cluster, argv []string) (int, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "KAFKA_BROKERS="+strings.Join(c.Addrs(), ","), "KAFKA_SECURITY_PROTOCOL="+c.Protocol())
	if strings.HasPrefix(c.Protocol(), "SASL") {
		cmd.Env = append(cmd.Env, "KAFKA_SASL_MECHANISM=SCRAM-SHA-512", "KAFKA_USERNAME=admin", "KAFKA_PASSWORD=admin-secret")
	}
	if strings.HasSuffix(c.Protocol(), "SSL") {
		cmd.Env = append(cmd.Env, "KAFKA_CA_FILE="+c.CAFile())
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= 0 {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}

const help = `kill N | stop N | start N | pause N | resume N        a broker
leader TOPIC PARTITION [N]                            show it, or move it to broker N
coordinator GROUP [N]                                 show it, or move it to broker N
tool CLASS ARGS...                                    one of Kafka's programs, e.g. tool org.apache.kafka.tools.TopicCommand --list
status | quit`

func console(ctx context.Context, c *realkafka.Cluster, stdin io.Reader, stdout io.Writer) {
	lines := make(chan string)
	go func() { // ends with the process: a read of the terminal can not be interrupted
		for in := bufio.NewScanner(stdin); in.Scan(); {
			lines <- in.Text()
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case line := <-lines:
			words := strings.Fields(line)
			if len(words) == 0 {
				continue
			}
			if words[0] == "quit" {
				return
			}
			if err := command(ctx, c, words, stdout); err != nil {
				fmt.Fprintln(stdout, "error:", err)
			}
		}
	}
}

func command(ctx context.Context, c *realkafka.Cluster, words []string, stdout io.Writer) error {
	number := func(i int) int32 {
		if i < len(words) {
			if n, err := strconv.Atoi(words[i]); err == nil {
				return int32(n)
			}
		}
		return -1
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	say := func(err error) error {
		if err == nil {
			fmt.Fprintln(stdout, "done")
		}
		return err
	}
	switch {
	case words[0] == "kill":
		return say(c.KillBroker(number(1)))
	case words[0] == "stop":
		return say(c.StopBroker(number(1)))
	case words[0] == "start":
		return say(c.StartBroker(ctx, number(1)))
	case words[0] == "pause":
		return say(c.PauseBroker(number(1)))
	case words[0] == "resume":
		return say(c.ResumeBroker(number(1)))
	case words[0] == "leader" && len(words) == 3:
		id, err := c.Leader(ctx, words[1], number(2))
		fmt.Fprintln(stdout, id)
		return err
	case words[0] == "leader" && len(words) == 4:
		return say(c.MoveLeader(ctx, words[1], number(2), number(3)))
	case words[0] == "coordinator" && len(words) == 2:
		id, err := c.Coordinator(ctx, words[1])
		fmt.Fprintln(stdout, id)
		return err
	case words[0] == "coordinator" && len(words) == 3:
		return say(c.MoveCoordinator(ctx, words[1], number(2)))
	case words[0] == "tool" && len(words) > 1:
		cmd := c.Command(ctx, words[1], append(c.AdminFlags(), words[2:]...)...)
		cmd.Stdout, cmd.Stderr = stdout, stdout
		return cmd.Run()
	case words[0] == "status":
		for id := range int32(c.Brokers()) {
			fmt.Fprintf(stdout, "broker %d: pid %d\n", id+1, c.Pid(id+1))
		}
		return nil
	}
	fmt.Fprintln(stdout, help)
	return nil
}
