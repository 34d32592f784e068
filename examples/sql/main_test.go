package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker/brokertest"
	"github.com/sordini-go/sordini/middleware"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEachPaymentIsHandledOnceHoweverOftenTheServiceDies(t *testing.T) {
	c := brokertest.New(t).SDK()
	c.Logger = slog.New(slog.DiscardHandler)
	var out bytes.Buffer
	if err := run(t.Context(), c, filepath.Join(t.TempDir(), "accounts.db"), 2000, 3, &out); err != nil {
		t.Error(err)
	}
	t.Log(out.String())
	m := regexp.MustCompile(`delivered (\d+) times`).FindStringSubmatch(out.String())
	if m == nil {
		t.Fatal("it does not say how often")
	}
	if n, _ := strconv.Atoi(m[1]); n <= 2000 {
		t.Errorf("%d deliveries: nothing came again, so this test shows nothing", n)
	}
}

func table(t *testing.T) (*Table, *sql.DB) {
	t.Helper()
	db, err := open(t.Context(), filepath.Join(t.TempDir(), "t.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	table, err := NewTable(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return table, db
}

func handling(id string, fence int64) middleware.Handling {
	return middleware.Handling{Group: "g", ID: id, Topic: "payments", Fence: fence}
}

func pay(ctx context.Context) error {
	_, err := Tx(ctx).ExecContext(ctx, `INSERT INTO accounts VALUES ('a', 1, 1) ON CONFLICT (name) DO UPDATE SET cents = cents + 1`)
	return err
}

func cents(t *testing.T, db *sql.DB) int64 {
	t.Helper()
	n, _, err := balance(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNoteAndWritesAreOneTransaction(t *testing.T) {
	table, db := table(t)
	boom := errors.New("boom")
	for name, fails := range map[string]func(context.Context) error{
		"error":        func(context.Context) error { return boom },
		"context ends": func(ctx context.Context) error { ctx.Value(cancelKey{}).(context.CancelFunc)(); return nil },
		"panic":        func(context.Context) error { panic(boom) },
		"refused write": func(ctx context.Context) error {
			_, err := Tx(ctx).ExecContext(ctx, "INSERT INTO nowhere VALUES (1)")
			return err
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		ctx = context.WithValue(ctx, cancelKey{}, cancel)
		err := func() (err error) {
			defer func() {
				if v := recover(); v != nil {
					err = v.(error)
				}
			}()
			return table.Once(ctx, handling("1", 1), func(ctx context.Context) error {
				if err := pay(ctx); err != nil {
					return err
				}
				return fails(ctx)
			})
		}()
		cancel()
		if err == nil || errors.Is(err, middleware.ErrHandledBefore) || cents(t, db) != 0 {
			t.Errorf("%s: %v, %d cents", name, err, cents(t, db))
		}
	}
	if err := table.Once(t.Context(), handling("1", 1), pay); err != nil || cents(t, db) != 1 {
		t.Errorf("%v, %d cents", err, cents(t, db))
	}
	err := table.Once(t.Context(), handling("1", 1), func(context.Context) error { t.Error("called again"); return nil })
	if !errors.Is(err, middleware.ErrHandledBefore) || !errors.Is(err, sordini.ErrSkipped) {
		t.Error(err)
	}
}

type cancelKey struct{}

func TestLateOwnerWritesNothing(t *testing.T) {
	table, db := table(t)
	if err := table.Once(t.Context(), handling("1", 5), pay); err != nil {
		t.Fatal(err)
	}
	if err := table.Once(t.Context(), handling("2", 4), pay); !errors.Is(err, middleware.ErrFenced) || cents(t, db) != 1 {
		t.Errorf("%v, %d cents", err, cents(t, db))
	}
	other := handling("2", 4)
	other.Partition = 1
	if err := table.Once(t.Context(), other, pay); err != nil {
		t.Errorf("another partition: %v", err)
	}
	if err := table.Once(t.Context(), handling("3", 6), pay); err != nil {
		t.Errorf("a later owner: %v", err)
	}
}

func TestSameIdentityAtTheSameTimeIsHandledOnce(t *testing.T) {
	table, db := table(t)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			if err := table.Once(t.Context(), handling(fmt.Sprint(i%5), 1), pay); err != nil && !errors.Is(err, middleware.ErrHandledBefore) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := cents(t, db); n != 5 {
		t.Errorf("%d cents, want 5", n)
	}
}

func TestForgetForgetsWhatIsOld(t *testing.T) {
	table, db := table(t)
	for _, id := range []string{"old", "young"} {
		if err := table.Once(t.Context(), handling(id, 1), pay); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.ExecContext(t.Context(), `UPDATE sordini_handled SET handled_at = ? WHERE id = 'old'`, time.Now().Add(-25*time.Hour).UnixMilli()); err != nil {
		t.Fatal(err)
	}
	if n, err := table.Forget(t.Context(), 24*time.Hour); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := table.Once(t.Context(), handling("young", 1), pay); !errors.Is(err, middleware.ErrHandledBefore) {
		t.Error(err)
	}
}
