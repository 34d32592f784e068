package txns

import (
	"log/slog"
	"time"
)

// Config says what the coordinator needs of the cluster, and its limits. Zero durations are Kafka's defaults.
type Config struct {
	// NewProducerID returns an id that no producer has had.
	NewProducerID func() int64
	// Write is told of each transaction that ends: markers are due in its partitions. It must not block.
	Write func(Ending)

	// WriteDown is told what Kafka writes down of transactional ids, in order, before the request that brought it about is answered. It must not call back.
	// Nil: nobody is.
	WriteDown func([]Entry)

	// MaxTimeout is transaction.max.timeout.ms: the longest timeout that a producer may ask for. 0: 15 minutes.
	MaxTimeout time.Duration
	// AbortInterval is how often transactions that outlive their timeouts are looked for
	// (transaction.abort.timed.out.transaction.cleanup.interval.ms). 0: 10 seconds.
	AbortInterval time.Duration
	// Expiration is how long a transactional id is kept that nobody uses (transactional.id.expiration.ms). 0: 7 days.
	Expiration time.Duration
	// ExpirationInterval is how often such ids are looked for (transaction.remove.expired.transaction.cleanup.interval.ms). 0: 1 hour.
	ExpirationInterval time.Duration

	// Changed is called whenever what can be asked for has changed. It must not block. Nil: nobody is told.
	Changed func()
	// Logger is told of ended and expired transactions and of fenced producers. Nil: nobody is.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&c.MaxTimeout, 15*time.Minute)
	set(&c.AbortInterval, 10*time.Second)
	set(&c.Expiration, 7*24*time.Hour)
	set(&c.ExpirationInterval, time.Hour)
	if c.Write == nil {
		c.Write = func(Ending) {}
	}
	if c.Changed == nil {
		c.Changed = func() {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
