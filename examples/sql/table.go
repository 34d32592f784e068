package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/sordini-go/sordini/middleware"
)

// Table keeps the identities of handled records in the database that the handlers write to, so that what a handler did and its being noted are one transaction.
type Table struct{ db *sql.DB }

// Once runs for SQLite. For PostgreSQL the placeholders are $1, $2 …; and there and in MySQL the question for the fence ends with FOR SHARE, so that a later owner
// waits for what an earlier one is about to commit. MySQL says INSERT IGNORE in place of ON CONFLICT DO NOTHING.
const (
	schema = `
CREATE TABLE IF NOT EXISTS sordini_handled (consumer_group TEXT NOT NULL, id TEXT NOT NULL, handled_at BIGINT NOT NULL, PRIMARY KEY (consumer_group, id));
CREATE INDEX IF NOT EXISTS sordini_handled_at ON sordini_handled (handled_at);
CREATE TABLE IF NOT EXISTS sordini_fences (
	consumer_group TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, fence BIGINT NOT NULL, PRIMARY KEY (consumer_group, topic, partition));`

	askFence   = `SELECT fence FROM sordini_fences WHERE consumer_group = ? AND topic = ? AND partition = ?`
	firstFence = `INSERT INTO sordini_fences (consumer_group, topic, partition, fence) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`
	raiseFence = `UPDATE sordini_fences SET fence = ? WHERE consumer_group = ? AND topic = ? AND partition = ? AND fence < ?`
	note       = `INSERT INTO sordini_handled (consumer_group, id, handled_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`
	forget     = `DELETE FROM sordini_handled WHERE handled_at < ?`
)

// NewTable creates what is missing in the database.
func NewTable(ctx context.Context, db *sql.DB) (*Table, error) {
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, fmt.Errorf("create the table of handled records: %w", err)
	}
	return &Table{db: db}, nil
}

type txKey struct{}

// Tx is the transaction of the handler whose context this is: what it writes there is committed with the note that its record is handled. It is nil elsewhere.
func Tx(ctx context.Context) *sql.Tx {
	tx, _ := ctx.Value(txKey{}).(*sql.Tx)
	return tx
}

// Once implements middleware.HandledTable. The identity is noted before the handler runs, which is safe because it is the same transaction; two attempts at the same
// identity wait for each other there.
func (t *Table) Once(ctx context.Context, h middleware.Handling, handle func(context.Context) error) error {
	tx, err := t.db.BeginTx(ctx, nil) // ends with ctx: an attempt whose partition is taken away writes nothing any more
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit, and all after a panic
	if err := guard(ctx, tx, h); err != nil {
		return err
	}
	noted, err := tx.ExecContext(ctx, note, h.Group, h.ID, time.Now().UnixMilli())
	if err != nil {
		return err
	}
	if n, err := noted.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, fmt.Errorf("%w: %s", middleware.ErrHandledBefore, h.ID))
	}
	if err := handle(context.WithValue(ctx, txKey{}, tx)); err != nil {
		return err
	}
	return tx.Commit()
}

// guard refuses an owner of the partition that is late, and makes those before this one late.
func guard(ctx context.Context, tx *sql.Tx, h middleware.Handling) error {
	if _, err := tx.ExecContext(ctx, raiseFence, h.Fence, h.Group, h.Topic, h.Partition, h.Fence); err != nil {
		return err
	}
	var fence int64
	err := tx.QueryRowContext(ctx, askFence, h.Group, h.Topic, h.Partition).Scan(&fence)
	if errors.Is(err, sql.ErrNoRows) {
		if _, err := tx.ExecContext(ctx, firstFence, h.Group, h.Topic, h.Partition, h.Fence); err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, askFence, h.Group, h.Topic, h.Partition).Scan(&fence)
	}
	switch {
	case err != nil:
		return err
	case fence > h.Fence:
		return fmt.Errorf("%w: %s[%d], fence %d after %d", middleware.ErrFenced, h.Topic, h.Partition, h.Fence, fence)
	}
	return nil
}

// Forget deletes identities that are older than age, which must exceed the retention of the topics and as long as dead letters are to be redriven: a record that comes
// again later is handled again.
func (t *Table) Forget(ctx context.Context, age time.Duration) (int64, error) {
	done, err := t.db.ExecContext(ctx, forget, time.Now().Add(-age).UnixMilli())
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}
