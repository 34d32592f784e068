package producer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/internal/txn"
)

// TransactionalID lets a producer have transactions, see [Begin]. The id is the service instance's own: what an earlier producer with the same id left open is
// aborted, and that producer is fenced ([ErrFenced]). It needs the right to write with it. Sends outside of transactions are not affected.
func TransactionalID(id string) Option {
	return func(c *config) { c.transactionalID, c.transactional = id, true }
}

// What goes wrong with transactions, wrapped beside [ErrNotWritten] or [ErrOutcomeUnknown].
var (
	// ErrFenced says that another producer has begun with the same TransactionalID: this one is taken for dead and has no transactions any more.
	ErrFenced = errors.New("fenced: another producer with the same TransactionalID took over; give each instance its own, or stop this one")

	// ErrNotTransactional is returned by Begin for a producer without the option TransactionalID.
	ErrNotTransactional = errors.New("the producer has no transactions: give producer.New the option TransactionalID")

	// ErrTransactionFull says that a transaction exceeds what the producer may buffer; see [MaxBuffered].
	ErrTransactionFull = errors.New("the transaction exceeds MaxBuffered: what is sent in it is kept in memory until it is committed")
)

// transactionTimeout is after how long the coordinator aborts a transaction that was not ended. All of a transaction is there when it is begun on the brokers.
const transactionTimeout = 20 * time.Second

// transaction is what a Tx of Begin has beside its stage.
type transaction struct {
	p     *Producer
	busy  chan struct{} // held, by what is in it, by Commit and Abort
	outs  []txn.Output
	done  bool        // committed or aborted
	doubt *kgo.Record // an output of the transaction whose end is not known, at its place
}

// transactor is what a producer with a TransactionalID has.
type transactor struct {
	client *txn.Client
	busy   chan struct{} // held, by what is in it, while a transaction is carried out
	fenced error
}

func newTransactor(p *Producer) *transactor {
	return &transactor{
		busy:   make(chan struct{}, 1),
		client: txn.NewClient(txn.Config{ID: p.cfg.transactionalID, Timeout: transactionTimeout, New: p.cluster.NewClient}),
	}
}

// Begin begins a transaction: what [Publisher.In] sends in it becomes visible to readers of committed records all at once with [Tx.Commit], or not at all. The
// producer needs the option [TransactionalID].
//
// A transaction is kept in memory until it is committed, so it may take as long as it likes, several may be begun at the same time, and one that the cluster
// aborts is carried out again by Commit. Begin waits, no longer than ctx, until what an earlier producer with the same id left open is aborted.
func Begin(ctx context.Context, p *Producer) (*Tx, error) {
	if p.tx == nil {
		return nil, ErrNotTransactional
	}
	release, err := p.tx.take(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("begin a transaction: %w", err)
	}
	defer release()
	if err := p.tx.client.Open(ctx); err != nil {
		return nil, fmt.Errorf("begin a transaction: %w", p.explain(err))
	}
	return &Tx{live: true, own: &transaction{p: p, busy: make(chan struct{}, 1)}}, nil
}

// take waits for the producer's turn.
func (x *transactor) take(ctx context.Context, p *Producer) (release func(), err error) {
	select {
	case x.busy <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-p.shut:
		return nil, ErrClosed
	}
	release = func() { <-x.busy }
	select {
	case <-p.shut:
		err = ErrClosed
	default:
		err = x.fenced
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// Commit makes what was sent in the transaction visible. It returns nil only when that is so: all of it, on every in-sync replica. It tries again, whatever
// the cluster does, until ctx ends or the delivery timeout passes.
//
// An error that wraps [ErrNotWritten] says that nothing of it is visible or ever will be, unless Commit is called again, which is allowed; one that wraps
// [ErrOutcomeUnknown] says that all of it may be: Commit may be called again to find out. A record that its topic refuses is not committed however often one
// tries. Further sends in the transaction fail. The transaction of a handler is its group's to commit.
func (tx *Tx) Commit(ctx context.Context) error {
	t, err := tx.ours("commit")
	if err != nil {
		return err
	}
	select {
	case t.busy <- struct{}{}:
		defer func() { <-t.busy }()
	case <-ctx.Done():
		return notCommitted(context.Cause(ctx))
	}
	if t.done {
		return notCommitted(ErrTransactionOver)
	}
	if err := tx.stage.Settle(); err != nil {
		return notCommitted(fmt.Errorf("a SendAsync in the transaction failed: %w", err))
	}
	t.outs, _ = tx.stage.Outputs()
	if len(t.outs) == 0 {
		t.done = true
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, t.p.cfg.deliveryTimeout, fmt.Errorf("%w of %s", ErrDeliveryTimeout, t.p.cfg.deliveryTimeout))
	defer cancel()
	ctx, closed := context.WithCancelCause(ctx)
	defer closed(nil)
	defer context.AfterFunc(t.p.ctx, func() { closed(ErrClosed) })()
	release, err := t.p.tx.take(ctx, t.p)
	if err != nil {
		return t.failure(err)
	}
	defer release()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		final, err := t.attempt(ctx)
		if err == nil {
			t.done = true
			return nil
		}
		if ctx.Err() != nil {
			return t.failure(fmt.Errorf("%w: %w", context.Cause(ctx), err))
		}
		if final {
			return t.failure(err)
		}
		t.p.log.Warn("transaction failed; it is carried out again", "transactional_id", t.p.cfg.transactionalID, "error", err)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return t.failure(fmt.Errorf("%w: %w", context.Cause(ctx), err))
		}
	}
}

// Abort drops what was sent in the transaction: nothing of it becomes visible. It returns an error after a Commit that succeeded or whose outcome is unknown. It
// does not wait for brokers.
func (tx *Tx) Abort() error {
	t, err := tx.ours("abort")
	if err != nil {
		return err
	}
	t.busy <- struct{}{}
	defer func() { <-t.busy }()
	switch {
	case t.doubt != nil:
		return fmt.Errorf("abort the transaction: call Commit again to find out whether it is committed: %w", ErrOutcomeUnknown)
	case t.done:
		return fmt.Errorf("abort the transaction: %w", ErrTransactionOver)
	}
	t.done = true
	tx.stage.Close()
	return nil
}

func (tx *Tx) ours(what string) (*transaction, error) {
	if !tx.live {
		return nil, ErrNoTransaction
	}
	if tx.own == nil {
		return nil, fmt.Errorf("%s a handler's transaction: that is the group's; return nil to have it committed, an error to have it dropped", what)
	}
	return tx.own, nil
}

// attempt carries the transaction out once. final says that trying again is no use.
func (t *transaction) attempt(ctx context.Context) (final bool, err error) {
	client := t.p.tx.client
	if err := client.Open(ctx); err != nil {
		return lasting(err), err
	}
	if t.doubt != nil {
		committed, err := t.visible(ctx)
		if err != nil {
			return lasting(err), fmt.Errorf("find out whether the transaction is committed: %w", err)
		}
		t.doubt = nil
		if committed {
			return false, nil
		}
	}
	began := time.Now()
	var last *kgo.Record
	failed, err := client.Produce(ctx, t.outs, func(i int, r *kgo.Record) {
		if i == len(t.outs)-1 {
			last = r
		}
	})
	if err == nil && len(failed) > 0 {
		f := failed[0]
		o := t.outs[f.Index].Record
		if err = fmt.Errorf("record %d, to %s: %w", f.Index, o.Topic, t.p.topic(o.Topic).explain(f.Err)); txn.Refused(f.Err) {
			client.Close()
			return true, err
		}
	}
	if err != nil {
		client.Close()
		return t.overtaken(err, began)
	}
	if err = client.Commit(ctx); err == nil {
		return false, nil
	}
	client.Close()
	t.doubt = last
	final, err = t.overtaken(err, began)
	if t.p.tx.fenced == nil {
		return final, err
	}
	// Whoever took over has had the transaction finished or aborted: by a request whose answer was lost it may be committed all the same.
	committed, unseen := t.visible(ctx)
	if unseen != nil {
		return true, fmt.Errorf("%w; and it can not be seen whether the transaction is committed: %w", err, unseen)
	}
	t.doubt = nil
	if committed {
		return false, nil
	}
	return true, err
}

// overtaken tells a producer that was fenced by another from one whose transaction took so long that the coordinator aborted it: both are told that the epoch is
// an old one.
func (t *transaction) overtaken(err error, began time.Time) (final bool, _ error) {
	if time.Since(began) >= transactionTimeout || !errors.Is(err, kerr.ProducerFenced) && !errors.Is(err, kerr.InvalidProducerEpoch) {
		return lasting(err), err
	}
	t.p.tx.fenced = fmt.Errorf("%w: %w", ErrFenced, err)
	return true, t.p.tx.fenced
}

// visible looks whether the output at a known place is committed. The transaction has ended.
func (t *transaction) visible(ctx context.Context) (bool, error) {
	at := t.doubt
	cl, err := t.p.cluster.NewClient(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{at.Topic: {at.Partition: kgo.NewOffset().At(at.Offset)}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the marker comes whether the record does or not
	)
	if err != nil {
		return false, err
	}
	defer cl.Close()
	for {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return false, context.Cause(ctx)
		}
		for r := range fetches.RecordsAll() {
			return r.Offset == at.Offset, nil
		}
		if err := fetches.Err(); err != nil {
			return false, err
		}
	}
}

// lasting says whether an error of the cluster will not go away by itself.
func lasting(err error) bool {
	for _, e := range []*kerr.Error{
		kerr.TransactionalIDAuthorizationFailed, kerr.ClusterAuthorizationFailed, kerr.TopicAuthorizationFailed, kerr.InvalidTransactionTimeout, kerr.UnsupportedVersion,
		kerr.SaslAuthenticationFailed,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func notCommitted(cause error) error {
	return fmt.Errorf("commit the transaction: %w: %w", ErrNotWritten, cause)
}

// failure is Commit's error.
func (t *transaction) failure(err error) error {
	if t.doubt != nil {
		return fmt.Errorf("commit the transaction: %w: %w", ErrOutcomeUnknown, t.p.explain(err))
	}
	return notCommitted(t.p.explain(err))
}

func (p *Producer) explain(err error) error {
	return sordini.Explain(err, sordini.About{Operation: "produce", Principal: p.cluster.Principal()})
}

// close waits, no longer than until the deadline, for the transaction that is being carried out, ends it with cancel, and closes the client.
func (x *transactor) close(deadline time.Time, cancel func()) {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case x.busy <- struct{}{}:
		cancel()
	case <-timer.C:
		cancel()
		x.busy <- struct{}{}
	}
	x.client.Close()
}
