// Package brokercommand is the command that runs the reference broker: "sordini broker" for people, and the program of the container image, which has
// nothing else in it.
package brokercommand

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker"
)

// ErrUsage says that the command line was wrong; what is wrong has been printed.
var ErrUsage = errors.New("wrong usage")

// options are what the flags say.
type options struct {
	cfg           broker.Config
	security      securityFlags
	advertiseFile string
	noAutoCreate  bool
	registry      string
	health        string
	control       string
	kafka         bool
	verbose       bool
}

func (o *options) add(flags *flag.FlagSet) {
	o.cfg.Properties = map[string]string{}
	flags.StringVar(&o.cfg.Listen, "listen", "127.0.0.1:9092", "`address` of the first broker; further brokers take the following ports, port 0 takes free ones")
	flags.Func("advertise", "`addresses` that clients are told, separated by commas, one for each broker; for one alone, further brokers have the following ports", func(s string) error {
		o.cfg.Advertise = strings.Split(s, ",")
		return nil
	})
	flags.StringVar(&o.advertiseFile, "advertise-file", "", "wait for this `file`, advertise what its first line says instead of -advertise, and remove it: for who learns of mapped ports late, at each start anew")
	flags.Func("listener", "a further listener, `NAME://address[=advertised,...]`, for clients that reach the brokers another way; may be repeated", func(s string) error {
		l, err := parseListener(s)
		o.cfg.Listeners = append(o.cfg.Listeners, l)
		return err
	})
	flags.IntVar(&o.cfg.Brokers, "brokers", 1, "how `many` brokers the cluster has")
	flags.Func("topic", "create a topic, `name:partitions[:replication]`; may be repeated", func(s string) error {
		t, err := parseTopic(s)
		o.cfg.Topics = append(o.cfg.Topics, t)
		return err
	})
	flags.Func("property", "broker `setting=value` under Kafka's name; may be repeated", func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("%q is not setting=value", s)
		}
		o.cfg.Properties[name] = value
		return nil
	})
	flags.Func("rack", "the brokers' `racks` in the order of their ids, separated by commas; as many as there are brokers", func(s string) error {
		o.cfg.Racks = strings.Split(s, ",")
		return nil
	})
	o.security.add(flags)
	flags.BoolVar(&o.cfg.AutoCreateTopics, "auto-create", true, "create a topic when a client asks for it, as Kafka does by default")
	flags.BoolVar(&o.noAutoCreate, "no-auto-create", false, "the opposite of -auto-create")
	flags.StringVar(&o.cfg.DataDir, "data", "", "`directory` to keep everything in, in Apache Kafka's format, so that it survives the end of the process; empty for memory alone")
	flags.TextVar(&o.cfg.Fsync, "fsync", broker.FsyncPromises, "`when` to sync what is written there: promises, before anything is acknowledged to acks=all, or segments, when one is complete, as Kafka does")
	flags.StringVar(&o.registry, "registry", "", "`address` of a schema registry beside the brokers, such as 127.0.0.1:8081; empty for none")
	flags.StringVar(&o.health, "health", "", "`address` that answers GET /healthz, with 200 while every broker answers; \"sordini broker health\" asks it; empty for none")
	flags.StringVar(&o.control, "control", "", "`address` on which tests in any language kill, stop, start, pause and resume brokers by HTTP; empty for none")
	flags.BoolVar(&o.kafka, "kafka-environment", false, "take listeners and settings from KAFKA_ variables as images of Kafka do, and say ready in Kafka's words as well")
	flags.BoolVar(&o.verbose, "v", false, "log what the brokers do")
}

// Run runs the reference broker until ctx ends. One line on stdout says when every listener answers. args are the flags, without the command's name;
// what they do not say the environment may. With the first argument "health" it asks a running broker how it is instead.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "health" {
		return askHealth(ctx, args[1:], stdout, stderr)
	}
	var o options
	flags := flag.NewFlagSet("sordini broker", flag.ContinueOnError)
	flags.SetOutput(stderr)
	o.add(flags)
	flags.Usage = func() {
		fmt.Fprint(stderr, "usage: sordini broker [flags]\n       sordini broker health [-address host:port]\n\n")
		flags.PrintDefaults()
		fmt.Fprint(stderr, "\n"+environmentHelp)
	}
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := fromEnvironment(flags, os.Environ()); err != nil {
		return err
	}
	if err := o.apply(ctx, stderr); err != nil {
		return err
	}
	return o.serve(ctx, stdout)
}

// apply completes the configuration.
func (o *options) apply(ctx context.Context, stderr io.Writer) error {
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelDebug
	}
	o.cfg.Logger = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	o.cfg.AutoCreateTopics = o.cfg.AutoCreateTopics && !o.noAutoCreate
	if o.registry != "" {
		o.cfg.Registry = &broker.Registry{Listen: o.registry}
	}
	if n := len(o.cfg.Racks); n > 0 && n != o.cfg.Brokers {
		return fmt.Errorf("-rack names %d racks, -brokers says %d", n, o.cfg.Brokers)
	}
	if o.kafka {
		if err := kafkaEnvironment(&o.cfg, os.Environ()); err != nil {
			return err
		}
	}
	if o.advertiseFile != "" {
		line, err := awaitLine(ctx, o.advertiseFile)
		if err != nil {
			return fmt.Errorf("-advertise-file: %w", err)
		}
		o.cfg.Advertise = strings.Split(line, ",")
	}
	return o.security.apply(&o.cfg)
}

// serve starts the cluster and what stands beside it, and ends them with ctx.
func (o *options) serve(ctx context.Context, stdout io.Writer) error {
	cluster, err := broker.Start(o.cfg)
	if err != nil {
		return err
	}
	defer cluster.Close()
	if err := awaitReady(ctx, cluster, o.cfg.TLS); err != nil {
		return err
	}
	ready := "ready " + strings.Join(cluster.Advertised(), ",")
	if url := cluster.RegistryURL(); url != "" {
		ready += " registry " + url
	}
	if o.health != "" {
		url, stop, err := serveHealth(o.health, func(ctx context.Context) error { return awaitReady(ctx, cluster, o.cfg.TLS) })
		if err != nil {
			return err
		}
		defer stop()
		ready += " health " + url
	}
	if o.control != "" {
		url, stop, err := serveControl(o.control, cluster)
		if err != nil {
			return err
		}
		defer stop()
		ready += " control " + url
	}
	fmt.Fprintln(stdout, ready)
	if o.kafka {
		fmt.Fprintln(stdout, "The broker has been unfenced. Transitioning from RECOVERY to RUNNING.") // what waits for a Kafka waits for that
	}
	<-ctx.Done()
	return cluster.Close()
}

// Main is the whole life of a program that is nothing but this command, up to its exit status: 0, 1 after an error, 2 after a wrong command line. name is
// what errors begin with.
func Main(name string, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := Run(ctx, args, os.Stdout, os.Stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, ErrUsage):
		return 2
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	return 1
}

// parse reads the flags. Nothing may follow them.
func parse(flags *flag.FlagSet, args []string) error {
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return ErrUsage
	case flags.NArg() > 0:
		fmt.Fprintf(flags.Output(), "unexpected argument %q\n", flags.Arg(0))
		flags.Usage()
		return ErrUsage
	}
	return nil
}

// parseTopic reads name:partitions[:replication].
func parseTopic(s string) (t broker.Topic, err error) {
	parts := strings.Split(s, ":")
	if len(parts) > 3 {
		return t, fmt.Errorf("%q is not name:partitions[:replication]", s)
	}
	t.Name = parts[0]
	for i, to := range []*int{&t.Partitions, &t.ReplicationFactor} {
		if len(parts) <= i+1 {
			break
		}
		if *to, err = strconv.Atoi(parts[i+1]); err != nil || *to < 1 {
			return t, fmt.Errorf("%q is not name:partitions[:replication]", s)
		}
	}
	return t, nil
}

// parseListener reads NAME://address[=advertised,...].
func parseListener(s string) (l broker.Listener, err error) {
	name, rest, ok := strings.Cut(s, "://")
	listen, advertise, given := strings.Cut(rest, "=")
	if !ok || listen == "" || given && advertise == "" {
		return l, fmt.Errorf("%q is not NAME://address[=advertised,...]", s)
	}
	l.Name, l.Listen = name, listen
	if given {
		l.Advertise = strings.Split(advertise, ",")
	}
	return l, nil
}

// awaitLine waits until a file has a whole line, returns the first one, and removes the file: at the next start another one may be right.
func awaitLine(ctx context.Context, path string) (string, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if line, _, whole := strings.Cut(string(text), "\n"); whole {
			return strings.TrimSpace(line), os.Remove(path)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", fmt.Errorf("%s has no line: %w", path, ctx.Err())
		}
	}
}

// awaitReady asks every broker which versions it speaks, which is what a client does first.
func awaitReady(ctx context.Context, cluster *broker.Cluster, secured *tls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, addr := range cluster.Addrs() {
		if err := askVersions(ctx, cluster, addr, secured); err != nil {
			return fmt.Errorf("broker at %s does not answer: %w", addr, err)
		}
	}
	return nil
}

func askVersions(ctx context.Context, cluster *broker.Cluster, addr string, secured *tls.Config) error {
	conn, err := cluster.Dial(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if secured != nil {
		// It is asked whether the listener answers, not who it is: the address need not be in the certificate.
		client := tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}) //nolint:gosec // see above
		if err := client.HandshakeContext(ctx); err != nil || secured.ClientAuth == tls.RequireAndVerifyClientCert {
			return err // who has to show a certificate gets no further
		}
		conn = client
	}
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("sordini")).AppendRequest(nil, kmsg.NewPtrApiVersionsRequest(), 1)
	if _, err := conn.Write(frame); err != nil {
		return err
	}
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return err
	}
	_, err = io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(size[:])))
	return err
}
