package consumer

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/sordini-go/sordini/dlt"
	"github.com/sordini-go/sordini/internal/admin"
)

// The group's metrics, all with the attribute messaging.consumer.group.name. What single attempts cost is measured by the default middleware.
const (
	metricLag        = "sordini.consumer.lag"         // records between the mark and the last stable offset; by topic and partition
	metricInFlight   = "sordini.consumer.in_flight"   // records that were fetched and are not over
	metricOldest     = "sordini.consumer.oldest"      // seconds since the mark moved while something is in flight; by topic and partition
	metricRecords    = "sordini.consumer.records"     // records that ended; by sordini.outcome
	metricRetries    = "sordini.consumer.retries"     // attempts that failed and are followed by another
	metricLetters    = "sordini.consumer.deadletters" // dead letters that were acknowledged; by sordini.class
	metricRefused    = "sordini.consumer.deadletters.refused"
	metricRebalances = "sordini.consumer.rebalances" // revocations and losses
	metricLost       = "sordini.consumer.partitions.lost"
	metricFenced     = "sordini.consumer.fenced" // results of handlers that outlived their partition
	metricMissed     = "sordini.consumer.missed" // records that were gone before they were handled
	metricCommits    = "sordini.consumer.commits"
	metricFailures   = "sordini.consumer.commit.failures"
	metricStuck      = "sordini.consumer.keys.stuck" // keys whose first record in flight has failed or run for a minute or longer
	metricPaused     = "sordini.consumer.paused"     // partitions that the member owns and that are paused as a whole
	metricLimit      = "sordini.consumer.concurrency"
	metricRunning    = "sordini.consumer.running"       // handlers that run
	metricCircuits   = "sordini.consumer.circuit.open"  // 1 or 0; by topic, for handlers with a circuit breaker
	metricWaiting    = "sordini.consumer.inbox.waiting" // records in inboxes that have not ended; by topic and partition
	metricLate       = "sordini.consumer.inbox.late"    // seconds since the first of them that may be handled was due; by topic and partition
	metricHealthy    = "sordini.consumer.healthy"       // 1 or 0
)

const (
	attrGroup     = attribute.Key("messaging.consumer.group.name")
	attrTopic     = attribute.Key("messaging.destination.name")
	attrPartition = attribute.Key("messaging.destination.partition.id")
	attrOutcome   = attribute.Key("sordini.outcome")
	attrClass     = attribute.Key("sordini.class")
)

// measure registers the metrics and returns what takes them back. They are read when they are collected, and cost nothing in between.
func (e *engine) measure() (stop func()) {
	m := e.g.cfg.telemetry.meter()
	group := attrGroup.String(e.g.name)
	type value func(metric.Observer)
	var all []metric.Observable
	var values []value
	failed := func(err error) {
		if err != nil {
			e.log.Warn("a metric can not be registered", "error", err)
		}
	}
	counter := func(name, unit, help string, observe func(put func(n int64, more ...attribute.KeyValue))) {
		c, err := m.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(help))
		failed(err)
		all = append(all, c)
		values = append(values, func(o metric.Observer) {
			observe(func(n int64, more ...attribute.KeyValue) {
				o.ObserveInt64(c, n, metric.WithAttributes(append(more, group)...))
			})
		})
	}
	gauge := func(name, unit, help string, observe func(put func(n int64, more ...attribute.KeyValue))) {
		c, err := m.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(help))
		failed(err)
		all = append(all, c)
		values = append(values, func(o metric.Observer) {
			observe(func(n int64, more ...attribute.KeyValue) {
				o.ObserveInt64(c, n, metric.WithAttributes(append(more, group)...))
			})
		})
	}
	type put = func(n int64, more ...attribute.KeyValue)
	s := &e.stats
	counter(metricRecords, "{record}", "Records that ended.", func(p put) {
		p(s.handled.Load(), attrOutcome.String("handled"))
		p(s.skipped.Load(), attrOutcome.String("skipped"))
		p(s.deadAll(), attrOutcome.String("dead"))
	})
	counter(metricRetries, "{attempt}", "Attempts that failed and are followed by another.", func(p put) { p(s.retried.Load()) })
	counter(metricLetters, "{record}", "Dead letters that every in-sync replica has.", func(p put) {
		for _, c := range classes {
			p(s.letters(c).Load(), attrClass.String(string(c)))
		}
	})
	counter(metricRefused, "{record}", "Dead letters that their topic refused, and that were tried again.", func(p put) { p(s.refusedLetters.Load()) })
	counter(metricRebalances, "{rebalance}", "Revocations and losses of partitions.", func(p put) { p(s.rebalances.Load()) })
	counter(metricLost, "{partition}", "Partitions that were lost.", func(p put) { p(s.lost.Load()) })
	counter(metricFenced, "{attempt}", "Results of handlers that outlived their partition.", func(p put) { p(s.fenced.Load()) })
	counter(metricMissed, "{record}", "Records that were gone before they were handled.", func(p put) { p(s.missed.Load()) })
	counter(metricCommits, "{commit}", "Commits of a partition that were acknowledged.", func(p put) { p(s.commits.Load()) })
	counter(metricFailures, "{commit}", "Commits of a partition that were refused or not answered.", func(p put) { p(s.commitFailures.Load()) })
	gauge(metricInFlight, "{record}", "Records that were fetched and are not over.", func(p put) { p(e.budget.records.Load()) })
	gauge(metricLag, "{record}", "Records between the first that is not over and the end of the log.", func(p put) {
		for _, x := range e.partitions() {
			p(x.lag(), x.attributes()...)
		}
	})
	gauge(metricOldest, "s", "Seconds that the oldest record in flight has held up the commit.", func(p put) {
		now := time.Now()
		for _, x := range e.partitions() {
			p(int64(x.oldest(now)/time.Second), x.attributes()...)
		}
	})
	gauge(metricStuck, "{key}", "Keys whose first record in flight has failed, run or waited for its dead letter for a minute or longer.", func(p put) {
		p(int64(e.g.Status().StuckAll))
	})
	gauge(metricPaused, "{partition}", "Partitions that are paused as a whole.", func(p put) {
		n := int64(0)
		for _, x := range e.partitions() {
			x.mu.Lock()
			if x.hold&holdPause != 0 {
				n++
			}
			x.mu.Unlock()
		}
		p(n)
	})
	gauge(metricLimit, "{handler}", "Handlers that may run at the same time.", func(p put) {
		e.g.mu.Lock()
		n := e.g.cfg.concurrency
		e.g.mu.Unlock()
		p(int64(n))
	})
	gauge(metricRunning, "{handler}", "Handlers that run.", func(p put) {
		n := 0
		for _, x := range e.partitions() {
			x.mu.Lock()
			n += len(x.running)
			x.mu.Unlock()
		}
		p(int64(n))
	})
	gauge(metricCircuits, "1", "1 when a circuit breaker of the topic's handlers is open.", func(p put) {
		for _, t := range e.topics {
			open, any := int64(0), false
			for _, h := range handlersOf(t) {
				if h.circuit != nil {
					any = true
					if h.circuit.opened.Load() {
						open = 1
					}
				}
			}
			if any {
				p(open, attrTopic.String(t.name))
			}
		}
	})
	gauge(metricWaiting, "{record}", "Records in inboxes that have not ended.", func(p put) {
		for _, x := range e.partitions() {
			n, _ := x.inInboxes(time.Now())
			p(int64(n), x.attributes()...)
		}
	})
	gauge(metricLate, "s", "Seconds since the first record in an inbox that may be handled was due.", func(p put) {
		for _, x := range e.partitions() {
			_, late := x.inInboxes(time.Now())
			p(int64(late/time.Second), x.attributes()...)
		}
	})
	gauge(metricHealthy, "1", "1 when the group is well, 0 when Health has a reason.", func(p put) {
		if e.g.Health().OK {
			p(1)
		} else {
			p(0)
		}
	})
	reg, err := m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, v := range values {
			v(o)
		}
		return nil
	}, all...)
	failed(err)
	return func() {
		if reg != nil {
			failed(reg.Unregister())
		}
	}
}

func (p *partition) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{attrTopic.String(p.topic.name), attrPartition.Int(int(p.id))}
}

// inInboxes is how many records wait in the partition's inboxes, and how late the first one is.
func (p *partition) inInboxes(now time.Time) (n int, late time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range p.logs {
		if x.ix == nil {
			continue
		}
		n += x.ix.Len()
		if due, ok := x.ix.NextDue(); ok {
			late = max(late, now.Sub(time.UnixMilli(due)))
		}
	}
	return n, late
}

// lag is how many records are between the first that is not over and the end of the log.
func (p *partition) lag() int64 { return max(0, p.end.Load()-p.mark.Load()) }

// oldest is how long the mark has not moved while something is in flight.
func (p *partition) oldest(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.win.Oldest(); !ok {
		return 0
	}
	return now.Sub(p.markMoved)
}

// lagLoop asks for the ends of logs that are not being fetched: fetches tell them for all others.
func (e *engine) lagLoop(stop <-chan struct{}) {
	running, stopped := until(stop)
	defer stopped()
	tick := time.NewTicker(lagInterval)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		blocked := e.budget.free() == 0
		ask := map[string][]int32{}
		for _, p := range e.partitions() {
			p.mu.Lock()
			if blocked || p.paused {
				ask[p.topic.name] = append(ask[p.topic.name], p.id)
			}
			p.mu.Unlock()
		}
		if len(ask) == 0 {
			continue
		}
		ctx, cancel := context.WithTimeout(running, lagInterval)
		ends, err := admin.ListOffsets(ctx, e.side, true, admin.Latest, ask)
		cancel()
		if err != nil {
			continue // the next round asks again; commits and fetches say if the cluster is away
		}
		for _, p := range e.partitions() {
			if o, ok := ends[p.topic.name][p.id]; ok && o.Err == nil {
				p.end.Store(max(p.end.Load(), o.Offset))
			}
		}
	}
}

const lagInterval = 15 * time.Second

// Counts is what a group did on this member since it started.
type Counts struct {
	Handled int64               `json:"handled"` // records whose handler returned nil
	Skipped int64               `json:"skipped"` // records that ended by Skip, or as a type that the group skips
	Dead    map[dlt.Class]int64 `json:"dead"`    // dead letters that every in-sync replica has, by class
	Retried int64               `json:"retried"` // attempts that failed and are followed by another
	Missed  int64               `json:"missed"`  // records that were gone before they were handled
	Fenced  int64               `json:"fenced"`  // results of handlers that outlived their partition
	Lag     int64               `json:"lag"`     // records from the first one that is not over to the end of the log, over all partitions that the member owns
}

// Counts returns what the group did on this member so far, also after Run has returned.
func (g *Group) Counts() Counts {
	g.mu.Lock()
	e := g.engine
	g.mu.Unlock()
	c := Counts{Dead: map[dlt.Class]int64{}}
	if e == nil {
		return c
	}
	s := &e.stats
	c.Handled, c.Skipped, c.Retried, c.Missed, c.Fenced = s.handled.Load(), s.skipped.Load(), s.retried.Load(), s.missed.Load(), s.fenced.Load()
	for _, class := range classes {
		if n := s.letters(class).Load(); n > 0 {
			c.Dead[class] = n
		}
	}
	for _, p := range e.partitions() {
		c.Lag += p.lag()
	}
	return c
}
