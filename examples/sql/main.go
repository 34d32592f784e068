// Command sql handles each payment once, in a database, although its process dies again and again between writing to the database and committing to Kafka:
// middleware.Idempotent with a table of handled records that is in the same transaction as the handler's writes, and a fence for owners that are late. table.go is what
// to copy. It runs on the embedded broker and SQLite without cgo:
//
//	cd examples/sql && go run . -payments 10000 -crashes 5
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/middleware"
	"github.com/sordini-go/sordini/producer"
)

func main() {
	payments := flag.Int("payments", 10_000, "how many payments come in")
	crashes := flag.Int("crashes", 5, "how often the service dies meanwhile")
	flag.Parse()
	if err := demo(*payments, *crashes); err != nil {
		log.Fatal(err)
	}
}

func demo(payments, crashes int) error {
	b, err := broker.Start(broker.Config{})
	if err != nil {
		return err
	}
	defer b.Close()
	dir, err := os.MkdirTemp("", "sordini-sql-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cluster := sordini.Cluster{Brokers: b.Addrs(), Development: true, Logger: slog.New(slog.DiscardHandler)}
	return run(ctx, cluster, filepath.Join(dir, "accounts.db"), payments, crashes, os.Stdout)
}

// run publishes payments, handles them with a service that dies so many times, and says whether the accounts are right.
func run(ctx context.Context, cluster sordini.Cluster, file string, payments, crashes int, out io.Writer) error {
	if err := sordini.EnsureTopics(ctx, cluster, Paid); err != nil {
		return err
	}
	want, err := publish(ctx, cluster, payments)
	if err != nil {
		return err
	}
	db, err := open(ctx, file)
	if err != nil {
		return err
	}
	defer db.Close()
	table, err := NewTable(ctx, db)
	if err != nil {
		return err
	}
	var deliveries atomic.Int64
	for life := range crashes + 1 {
		until := payments
		if life < crashes {
			until = payments * (life + 1) / (crashes + 1)
		}
		if err := live(ctx, cluster, db, table, until, life == crashes, &deliveries); err != nil {
			return err
		}
	}
	cents, handled, err := balance(ctx, db)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d payments, delivered %d times in %d lives of the service\n", payments, deliveries.Load(), crashes+1)
	fmt.Fprintf(out, "the accounts hold %d of %d cents, from %d payments\n", cents, want, handled)
	if cents != want || handled != int64(payments) {
		return errors.New("a payment was lost or handled twice")
	}
	return nil
}

// publish sends n payments to some accounts and returns what they come to.
func publish(ctx context.Context, cluster sordini.Cluster, n int) (cents int64, err error) {
	p, err := producer.New(cluster, producer.Source("bank"))
	if err != nil {
		return 0, err
	}
	defer p.Close()
	paid, err := producer.To(p, Paid)
	if err != nil {
		return 0, err
	}
	all := make([]Payment, n)
	for i := range all {
		all[i] = Payment{ID: fmt.Sprint(i), Account: fmt.Sprintf("account-%d", i%100), Cents: int64(i % 1000)}
		cents += all[i].Cents
	}
	return cents, paid.SendBatch(ctx, all)
}

// live is one life of the service. It ends when the accounts have seen so many payments: by a crash, whose last commits are lost, or, the last one, cleanly.
func live(ctx context.Context, cluster sordini.Cluster, db *sql.DB, table *Table, until int, last bool, deliveries *atomic.Int64) error {
	w := &wire{dial: cluster.Dial}
	cluster.Dial = w.connect
	count := func(next sordini.Handler) sordini.Handler {
		return func(ctx context.Context, d *sordini.Delivery) error {
			deliveries.Add(1)
			return next(ctx, d)
		}
	}
	g, err := consumer.New(cluster, "ledger",
		consumer.Middleware(count, middleware.Idempotent(table)),
		consumer.StaticMember("one"), // a restarted service has its partitions back at once
		consumer.CommitInterval(time.Second),
		consumer.DrainTimeout(time.Second))
	if err != nil {
		return err
	}
	if err := consumer.Handle(g, Paid, credit); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	for {
		_, handled, err := balance(ctx, db)
		if err != nil {
			return err
		}
		if handled >= int64(until) {
			break
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the group ended: %w", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	if !last {
		w.cut()
	}
	stop()
	if err := <-ended; err != nil && last {
		return err
	}
	return nil
}

// wire is what the service is connected by, until it dies.
type wire struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)

	mu    sync.Mutex // guards what follows
	dead  bool
	conns []net.Conn
}

func (w *wire) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	dial := w.dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return nil, errors.New("the process is dead")
	}
	conn, err := dial(ctx, network, addr)
	if err == nil {
		w.conns = append(w.conns, conn)
	}
	return conn, err
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = true
	for _, c := range w.conns {
		c.Close()
	}
}
