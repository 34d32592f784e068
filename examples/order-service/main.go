// Order-service is the example to copy from: a service that publishes orders, handles them in two groups and loses none.
//
//	go run ./examples/order-service                       on an embedded broker
//	go run ./examples/order-service -demo 10000           with generated orders, and a table at the end
//	go run ./examples/order-service -brokers host:9092    on a cluster; also -ca, -cert, -key, -sasl, -username, or the environment (KAFKA_…)
//	go run ./examples/order-service -brokers host:9092 -verify FILE
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
)

type options struct {
	listen   string
	ledger   string
	verify   string
	demo     int
	json     bool
	deadline time.Duration
	dev      bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code, err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "order-service:", err)
		if d, ok := sordini.Diagnose(err); ok {
			fmt.Fprintf(os.Stderr, "  likely cause: %s\n  fix: %s\n", d.LikelyCause, d.Fix)
		}
	}
	os.Exit(code)
}

// run is main without the process: it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	var o options
	flags := flag.NewFlagSet("order-service", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8080", "where HTTP is served")
	flags.StringVar(&o.ledger, "ledger", "", "keep the acceptance ledger in this `file` (default: a temporary one)")
	flags.StringVar(&o.verify, "verify", "", "compare the topics with the ledger `file`, print the table and end")
	flags.IntVar(&o.demo, "demo", 0, "publish this many generated orders, print a table and end")
	flags.BoolVar(&o.json, "json", false, "print the table as one JSON object")
	flags.DurationVar(&o.deadline, "deadline", 30*time.Second, "how long a stop waits for accepted orders to end on the embedded broker")
	flags.BoolVar(&o.dev, "development", false, "accept the cluster's replication factor: for a cluster of one broker")
	env := map[string]*string{ // flags that stand for a variable of the environment
		"KAFKA_BROKERS":        flags.String("brokers", "", "host:port,… of a cluster (default: an embedded broker)"),
		"KAFKA_CA_FILE":        flags.String("ca", "", "TLS: certificate authority, PEM `file`"),
		"KAFKA_CERT_FILE":      flags.String("cert", "", "TLS: client certificate, PEM `file`"),
		"KAFKA_KEY_FILE":       flags.String("key", "", "TLS: client key, PEM `file`"),
		"KAFKA_SASL_MECHANISM": flags.String("sasl", "", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; the password comes from KAFKA_PASSWORD or KAFKA_PASSWORD_FILE"),
		"KAFKA_USERNAME":       flags.String("username", "", "SASL user name"),
	}
	if err := flags.Parse(args); err != nil {
		return 2, nil // flag has said why
	}
	if flags.NArg() > 0 {
		return 2, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	for name, value := range env {
		if *value != "" {
			if err := os.Setenv(name, *value); err != nil {
				return 2, err
			}
		}
	}
	embedded := os.Getenv("KAFKA_BROKERS") == ""

	info := stdout
	if o.json {
		info = stderr // stdout has the object and nothing else
	}
	var cluster sordini.Cluster
	if embedded {
		if o.verify != "" {
			return 2, errors.New("-verify needs -brokers: the embedded broker's topics went with its process")
		}
		b, err := broker.Start(broker.Config{})
		if err != nil {
			return 1, err
		}
		defer b.Close()
		cluster = sordini.Cluster{Brokers: b.Addrs(), Development: true}
		fmt.Fprintf(info, "embedded broker at %s: its memory goes with this process, so a stop waits for every accepted order\n", b.Addrs()[0])
	} else {
		var err error
		if cluster, err = sordini.FromEnv(); err != nil {
			return 2, err
		}
		cluster.Development = o.dev
	}

	if o.verify != "" {
		return conclude(ctx, cluster, o.verify, stdout, o.json)
	}
	return serve(ctx, cluster, embedded, o, stdout, info)
}

// serve runs the service until ctx ends or the demo is through.
func serve(ctx context.Context, cluster sordini.Cluster, embedded bool, o options, stdout, info io.Writer) (int, error) {
	if o.ledger == "" {
		dir, err := os.MkdirTemp("", "order-service-")
		if err != nil {
			return 1, err
		}
		defer os.RemoveAll(dir)
		o.ledger = filepath.Join(dir, "ledger.jsonl")
	}
	l, err := openLedger(o.ledger)
	if err != nil {
		return 1, err
	}
	defer l.close()
	s, err := newService(ctx, cluster, l)
	if err != nil {
		return 1, err
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return 1, errors.Join(err, s.producer.Close())
	}
	p := newProgress()
	a := &api{service: s, progress: p}
	server := &http.Server{Handler: a.handler(), ReadHeaderTimeout: 5 * time.Second}
	fmt.Fprintf(info, "orders at http://%s/orders, health at /healthz, ledger %s\n", listener.Addr(), l.path())

	// The groups and the view live in a context of their own: a signal first stops what comes in.
	working, quit := context.WithCancel(context.WithoutCancel(ctx))
	defer quit()
	failed := make(chan error, 3)
	var wg sync.WaitGroup
	wg.Go(func() { failed <- s.run(working) })
	wg.Go(func() { failed <- server.Serve(listener) })
	// The dead-letter topics are there once the groups are: run creates them.
	wg.Go(func() { failed <- followWhenReady(working, p, cluster) })

	var demoErr error
	demoDone := make(chan struct{})
	feeding, enough := context.WithCancel(ctx)
	defer enough()
	if o.demo > 0 {
		wg.Go(func() { watch(feeding, info, l, p) })
		wg.Go(func() {
			defer close(demoDone)
			demoErr = feed(feeding, s, p, o.demo)
			p.settled(feeding)
		})
	}

	var runErr error
	select {
	case <-ctx.Done():
		fmt.Fprintln(info, "stopping: no further orders are accepted")
	case <-demoDone:
	case runErr = <-failed:
	}
	enough()
	if o.demo > 0 {
		<-demoDone
	}

	code := 0
	a.refuse()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.deadline)
	defer cancel()
	runErr = errors.Join(runErr, server.Shutdown(closing))
	if embedded && runErr == nil {
		if n := p.settled(closing); n > 0 {
			code = 1
			fmt.Fprintf(info, "%d accepted orders have not ended after %s and go with the embedded broker\n", n, o.deadline)
		}
	}
	quit()
	wg.Wait()
	close(failed)
	for err := range failed {
		if err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, context.Canceled) {
			runErr = errors.Join(runErr, err)
		}
	}
	runErr = errors.Join(runErr, demoErr, s.producer.Close())
	if runErr != nil {
		return 1, runErr
	}
	if o.demo == 0 {
		return code, nil
	}
	if ctx.Err() != nil && !embedded {
		fmt.Fprintf(info, "interrupted: what was accepted is handled after the next start; -verify %s tells\n", l.path())
		return code, nil
	}
	verdict, err := conclude(context.WithoutCancel(ctx), cluster, l.path(), stdout, o.json)
	return max(code, verdict), err
}

// conclude prints the report; the status is 1 when an order is lost.
func conclude(ctx context.Context, cluster sordini.Cluster, ledgerPath string, w io.Writer, asJSON bool) (int, error) {
	r, err := verify(ctx, cluster, ledgerPath)
	if err != nil {
		return 1, err
	}
	if err := r.write(w, asJSON); err != nil {
		return 1, err
	}
	if r.Lost > 0 {
		return 1, nil
	}
	return 0, nil
}
