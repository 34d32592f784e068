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

// Run runs the reference broker until ctx ends. One line on stdout says when every listener answers. args are the flags, without the command's name.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	cfg := broker.Config{Properties: map[string]string{}}
	flags := flag.NewFlagSet("sordini broker", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&cfg.Listen, "listen", "127.0.0.1:9092", "`address` of the first broker; further brokers take the following ports, port 0 takes free ones")
	flags.IntVar(&cfg.Brokers, "brokers", 1, "how `many` brokers the cluster has")
	flags.Func("topic", "create a topic, `name:partitions[:replication]`; may be repeated", func(s string) error {
		t, err := parseTopic(s)
		cfg.Topics = append(cfg.Topics, t)
		return err
	})
	flags.Func("property", "broker `setting=value` under Kafka's name; may be repeated", func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("%q is not setting=value", s)
		}
		cfg.Properties[name] = value
		return nil
	})
	flags.Func("rack", "the brokers' `racks` in the order of their ids, separated by commas; as many as there are brokers", func(s string) error {
		cfg.Racks = strings.Split(s, ",")
		return nil
	})
	var security securityFlags
	security.add(flags)
	flags.BoolVar(&cfg.AutoCreateTopics, "auto-create", true, "create a topic when a client asks for it, as Kafka does by default")
	forbid := flags.Bool("no-auto-create", false, "the opposite of -auto-create")
	registry := flags.String("registry", "", "`address` of a schema registry beside the brokers, such as 127.0.0.1:8081; empty for none")
	verbose := flags.Bool("v", false, "log what the brokers do")
	if err := parse(flags, args); err != nil {
		return err
	}
	cfg.AutoCreateTopics = cfg.AutoCreateTopics && !*forbid
	if *registry != "" {
		cfg.Registry = &broker.Registry{Listen: *registry}
	}
	if err := security.apply(&cfg); err != nil {
		return err
	}
	if n := len(cfg.Racks); n > 0 && n != cfg.Brokers {
		return fmt.Errorf("-rack names %d racks, -brokers says %d", n, cfg.Brokers)
	}
	level := slog.LevelWarn
	if *verbose {
		level = slog.LevelDebug
	}
	cfg.Logger = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))

	cluster, err := broker.Start(cfg)
	if err != nil {
		return err
	}
	defer cluster.Close()
	if err := awaitReady(ctx, cluster, cfg.TLS); err != nil {
		return err
	}
	ready := "ready " + strings.Join(cluster.Addrs(), ",")
	if url := cluster.RegistryURL(); url != "" {
		ready += " registry " + url
	}
	fmt.Fprintln(stdout, ready)
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
