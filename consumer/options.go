package consumer

import (
	"log/slog"
	"time"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/consumer/internal/breaker"
	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/internal/history"
	"github.com/sordini-go/sordini/middleware"
)

// Option changes a group; give it to New.
type Option interface{ applyGroup(*config) }

// HandlerOption changes one handler when it is given to Handle, and the default of every handler when it is given to New.
type HandlerOption interface {
	Option
	applyHandler(*handlerConfig)
}

type groupOption func(*config)

func (o groupOption) applyGroup(c *config) { o(c) }

type handlerOption func(*handlerConfig)

func (o handlerOption) applyGroup(c *config)          { o(&c.handler) }
func (o handlerOption) applyHandler(c *handlerConfig) { o(c) }

// config is a group's configuration, defaults applied by newConfig and checked by check.
type config struct {
	concurrency      int
	drainTimeout     time.Duration
	maxRecords       int
	maxBytes         int64
	claims           middleware.ClaimStore
	commitInterval   time.Duration // 0: the default
	instance         string        // of transactions
	protocol         GroupProtocol
	static, rack     string
	start            Start
	otherTypes       OtherTypesPolicy
	format           dlt.Format
	deadLetters      bool
	noDeadLetters    string
	middleware       []sordini.AttemptMiddleware
	batchChosen      bool
	batchMiddleware  []sordini.BatchMiddleware
	noDefaults       bool
	telemetry        Telemetry
	logger           *slog.Logger
	recorder         history.Recorder
	healthyPaused    bool
	parallelConsumer bool // what it left in commits is believed
	showKey          func(key []byte) string
	handler          handlerConfig
	errs             []error
}

// handlerConfig is what one handler may set for itself.
type handlerConfig struct {
	retry    RetryPolicy
	timeout  time.Duration
	ordering OrderingPolicy
	flood    breaker.Config
	limits   []limiter
	circuit  *CircuitPolicy
	later    laterConfig
	ladders  []errorLadder // of some errors
	batch    batchConfig
	errs     []error
}

const (
	defaultConcurrency    = 64
	maxConcurrency        = 10_000
	defaultDrainTimeout   = 20 * time.Second
	defaultHandlerTimeout = 5 * time.Minute
	defaultCommitInterval = 200 * time.Millisecond
	defaultTxInterval     = 100 * time.Millisecond
	defaultMaxRecords     = 10_000
	defaultMaxBytes       = 64 << 20
)

func newConfig(cluster sordini.Cluster, opts []Option) config {
	c := config{
		concurrency:  defaultConcurrency,
		drainTimeout: defaultDrainTimeout,
		maxRecords:   defaultMaxRecords,
		maxBytes:     defaultMaxBytes,
		start:        Earliest(),
		deadLetters:  true,
		logger:       cluster.Log(),
		handler:      handlerConfig{timeout: defaultHandlerTimeout, batch: batchConfig{linger: defaultBatchLinger}},
	}
	for _, o := range opts {
		o.applyGroup(&c)
	}
	return c
}

// OrderingPolicy says which records of a partition wait for each other.
type OrderingPolicy uint8

const (
	// ByKey, the default, handles the records of one key one after the other in the order of the log, and different keys at the same time. Records with
	// a null key are unordered among themselves.
	ByKey OrderingPolicy = iota

	// ByPartition handles the records of a partition one after the other, whatever their keys. One that fails holds up its whole partition while it is
	// retried.
	ByPartition

	// Unordered lets no record wait for another.
	Unordered
)

// Ordering sets which records wait for each other: ByKey unless said otherwise. Handlers of one topic must agree.
func Ordering(p OrderingPolicy) HandlerOption {
	return handlerOption(func(c *handlerConfig) {
		if p > Unordered {
			c.errs = append(c.errs, refuse("Ordering(%d): use ByKey, ByPartition or Unordered", p))
		}
		c.ordering = p
	})
}

// Retry sets when a failed record is tried again; see RetryPolicy for the defaults.
func Retry(p RetryPolicy) HandlerOption {
	return handlerOption(func(c *handlerConfig) {
		if err := p.check(); err != nil {
			c.errs = append(c.errs, err)
		}
		c.retry = p
	})
}

// HandlerTimeout sets how long one attempt may take, 5 minutes by default (Kafka's max.poll.interval.ms): then its context is cancelled with cause
// ErrHandlerTimeout. A handler that goes on all the same holds its lane, is reported, and makes the group unhealthy.
func HandlerTimeout(d time.Duration) HandlerOption {
	return handlerOption(func(c *handlerConfig) {
		if d <= 0 {
			c.errs = append(c.errs, refuse("HandlerTimeout(%v): give a positive duration; a handler without a limit can hold its key for ever", d))
		}
		c.timeout = d
	})
}

// FloodBreaker sets after how many dead letters of one cause, with no success in between, a handler's dependency is to blame rather than its records: then
// no more die, and waiting ones are tried again at intervals from minWait to maxWait until one succeeds. The defaults are 4, 1 s and 1 min; zero keeps a
// default. A negative count turns the breaker off, and an outage then empties the topic into its dead-letter topic.
func FloodBreaker(casualties int, minWait, maxWait time.Duration) HandlerOption {
	return handlerOption(func(c *handlerConfig) {
		if minWait < 0 || maxWait < 0 {
			c.errs = append(c.errs, refuse("FloodBreaker: a wait may not be negative, they are %v and %v", minWait, maxWait))
		}
		c.flood = breaker.Config{Casualties: casualties, MinWait: minWait, MaxWait: maxWait}
	})
}

// Concurrency sets how many handlers of the group run at the same time on this member, at most: 64 by default, up to 10,000. SetConcurrency changes it while the group runs.
func Concurrency(n int) Option {
	return groupOption(func(c *config) {
		if n < 1 || n > maxConcurrency {
			c.errs = append(c.errs, refuse("Concurrency(%d): give 1 to 10,000", n))
		}
		c.concurrency = n
	})
}

// DrainTimeout sets how long handlers may run on after Run's context was cancelled, 20 s by default. After it their contexts are cancelled with cause
// ErrDraining; committing and leaving the group take up to 3 s more. Keep the sum below what the platform grants (30 s in Kubernetes). Zero cancels at once.
func DrainTimeout(d time.Duration) Option {
	return groupOption(func(c *config) {
		if d < 0 {
			c.errs = append(c.errs, refuse("DrainTimeout(%v): a duration may not be negative", d))
		}
		c.drainTimeout = d
	})
}

// MaxInFlight bounds what has been fetched and is not over yet (guarantee G8), on this member: 10,000 records and 64 MiB of keys, values and headers by
// default. At a bound the group stops fetching until something ends; one poll may exceed the bytes. What the client itself buffers comes on top: at most
// one fetch for each broker.
func MaxInFlight(records int, bytes int64) Option {
	return groupOption(func(c *config) {
		if records < 1 || bytes < 1 {
			c.errs = append(c.errs, refuse("MaxInFlight(%d, %d): both must be positive", records, bytes))
		}
		c.maxRecords, c.maxBytes = records, bytes
	})
}

// CommitInterval sets how often progress is committed: every 200 ms by default, every 100 ms where handlers are transactional, whose outputs become visible with
// it. A crash repeats at most what ended since the last commit.
func CommitInterval(d time.Duration) Option {
	return groupOption(func(c *config) {
		if d <= 0 {
			c.errs = append(c.errs, refuse("CommitInterval(%v): give a positive duration", d))
		}
		c.commitInterval = d
	})
}

// Start is a position: where a group begins on a partition that it has no committed offset for, or where Seek, Replay and Reset move it: Earliest, Latest,
// Time or, for some of these, Offset.
type Start struct {
	kind   startKind
	time   time.Time
	offset int64
}

type startKind uint8

const (
	startEarliest startKind = iota
	startLatest
	startTime
	startOffset
)

// Earliest starts a new group at the oldest record, so that nothing published before its first deployment is missed. It is the default.
func Earliest() Start { return Start{} }

// Latest starts a new group at the end: what was published before is not for it.
func Latest() Start { return Start{kind: startLatest} }

// Time starts a new group at the first record whose timestamp is not before t.
func Time(t time.Time) Start { return Start{kind: startTime, time: t} }

// StartAt sets where a new group starts. The position is committed before the first record is handled, so a crash right after the start does not move it.
func StartAt(s Start) Option {
	return groupOption(func(c *config) {
		if s.kind == startOffset {
			c.errs = append(c.errs, refuse("StartAt: an offset is a position in one partition; use Earliest, Latest or Time, and Seek for one partition"))
		}
		c.start = s
	})
}

// OtherTypesPolicy says what becomes of records whose type no handler of the group is registered for.
type OtherTypesPolicy uint8

const (
	// SkipOthers skips and counts them.
	SkipOthers OtherTypesPolicy = iota + 1
	// DeadOthers writes them to the dead-letter topic.
	DeadOthers
)

// OtherTypes chooses what becomes of records of types that the group does not handle, and of records without a type header where only typed handlers are
// registered. A group that handles a contract with a Type must choose: there is no default.
func OtherTypes(p OtherTypesPolicy) Option {
	return groupOption(func(c *config) {
		if p != SkipOthers && p != DeadOthers {
			c.errs = append(c.errs, refuse("OtherTypes(%d): use SkipOthers or DeadOthers", p))
		}
		c.otherTypes = p
	})
}

// Middleware adds middleware around every attempt, inside the default chain (see NoDefaultMiddleware); the first one added is the outermost. Retrying,
// dead-lettering and recovery are the runner's and are outside all of it.
func Middleware(m ...sordini.AttemptMiddleware) Option {
	return groupOption(func(c *config) {
		for _, f := range m {
			if f == nil {
				c.errs = append(c.errs, refuse("Middleware: a middleware is nil"))
				return
			}
		}
		c.middleware = append(c.middleware, m...)
	})
}

// NoDefaultMiddleware leaves out the default chain: correlation id, tracing, metrics of attempts and logging of failures.
func NoDefaultMiddleware() Option { return groupOption(func(c *config) { c.noDefaults = true }) }

// DeadLetters sets how dead letters are written; see dlt.Format.
func DeadLetters(f dlt.Format) Option {
	return groupOption(func(c *config) { c.format, c.deadLetters = f, true })
}

// WithoutDeadLetters turns dead-lettering off and makes the group need no companion topics. A record that would be dead-lettered then holds up its lane for
// ever: it is tried again each minute, the group is unhealthy, and nothing is committed past it. why is logged at every start; it may not be empty.
func WithoutDeadLetters(why string) Option {
	return groupOption(func(c *config) {
		if why == "" {
			c.errs = append(c.errs, refuse("WithoutDeadLetters: say why; it is logged at every start"))
		}
		c.deadLetters, c.noDeadLetters = false, why
	})
}

// Logger sets where the group reports; the cluster's logger by default.
func Logger(l *slog.Logger) Option {
	return groupOption(func(c *config) {
		if l == nil {
			c.errs = append(c.errs, refuse("Logger(nil): leave the option out for the cluster's logger"))
			return
		}
		c.logger = l
	})
}

// Observe records what the group does in a history that the guarantee checker can judge. It is for Sordini's own tests: it costs on the path of every record.
func Observe(r history.Recorder) Option { return groupOption(func(c *config) { c.recorder = r }) }
