package main

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer"
	"github.com/sordini-go/sordini/serde"

	_ "modernc.org/sqlite" // without cgo
)

// Payment is money that comes in.
type Payment struct {
	ID, Account string
	Cents       int64
}

// Paid is the contract of both sides.
var Paid = sordini.Topic[Payment]{
	Name:  "payments",
	Key:   sordini.KeyString(func(p Payment) string { return p.Account }),
	Value: serde.JSON[Payment](),
}

// open opens the database of the accounts. SQLite has one writer at a time: with one connection they stand in line, and do not run into each other's locks.
func open(ctx context.Context, file string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, cents BIGINT NOT NULL, payments BIGINT NOT NULL)`)
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("create the accounts: %w", err)
	}
	return db, nil
}

// credit is the handler. Adding to a balance is not idempotent by itself: a payment that is handled twice is money out of nothing.
func credit(ctx context.Context, m *consumer.Message[Payment]) error {
	_, err := Tx(ctx).ExecContext(ctx,
		`INSERT INTO accounts (name, cents, payments) VALUES (?, ?, 1) ON CONFLICT (name) DO UPDATE SET cents = cents + excluded.cents, payments = payments + 1`,
		m.Value.Account, m.Value.Cents)
	return err
}

// balance is what all accounts have together.
func balance(ctx context.Context, db *sql.DB) (cents, payments int64, err error) {
	err = db.QueryRowContext(ctx, `SELECT COALESCE(SUM(cents), 0), COALESCE(SUM(payments), 0) FROM accounts`).Scan(&cents, &payments)
	return cents, payments, err
}
