package broker

import (
	"math"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/quotas"
)

// Quotas are felt as in Kafka (KIP-219): the answer comes at once and says for how long the client is throttled, and then the connection is not read
// for that time. Each broker measures what its clients use of it.

// limit finds the quota that binds the request's client.
func (r *request) limit(key quotas.Key) (quotas.Limit, bool) {
	c := r.node.cluster
	if !c.quotas.Any() {
		return quotas.Limit{}, false
	}
	return c.quotas.Find(key, strings.TrimPrefix(r.conn.principal, "User:"), r.client)
}

// use notes what the request used of a quota.
func (r *request) use(key quotas.Key, n float64) {
	if l, ok := r.limit(key); ok {
		r.throttle = max(r.throttle, r.node.meter.Use(key, l, n, time.Now()))
	}
}

// What a request is taken to cost of a thread's time: request_percentage bounds it. What it really costs is not measured, since no time passes while a
// request is handled in virtual time, and since a test should not depend on how fast the machine is.
const (
	costRequest = 100 * time.Microsecond
	costByte    = time.Nanosecond
	maxRequest  = time.Second // that a request is throttled for what it cost, at most, as in Kafka
)

// account notes what the request used that has a frame of some bytes, before its answer is sent.
func (r *request) account(frame int) {
	if !r.node.cluster.quotas.Any() {
		return
	}
	if r.key == int16(kmsg.Produce) {
		r.use(quotas.Produce, float64(frame))
	}
	r.useTime(frame)
}

func (r *request) useTime(bytes int) {
	if l, ok := r.limit(quotas.Request); ok {
		cost := costRequest + time.Duration(bytes)*costByte
		r.throttle = max(r.throttle, min(maxRequest, r.node.meter.Use(quotas.Request, l, 100*cost.Seconds(), time.Now())))
	}
}

// fetchLimit bounds how much a fetch may read to what a client may have in all windows of its quota.
func (r *request) fetchLimit(limit int) int {
	if l, ok := r.limit(quotas.Fetch); ok {
		return int(min(float64(limit), max(1, l.Value*quotas.Span.Seconds())))
	}
	return limit
}

// throttledFetch notes what a fetch has read. It reports true when the client has had more than it may: then it gets nothing, and asks again later.
func (r *request) throttledFetch() bool {
	if !r.node.cluster.quotas.Any() {
		return false
	}
	bytes := 0
	for _, p := range r.fetch.parts {
		bytes += p.bytes
	}
	if bytes == 0 {
		return false
	}
	l, ok := r.limit(quotas.Fetch)
	if !ok {
		return false
	}
	wait := r.node.meter.Use(quotas.Fetch, l, float64(bytes), time.Now())
	if wait == 0 {
		return false
	}
	r.node.meter.Unuse(quotas.Fetch, l, float64(bytes), time.Now())
	r.throttle = max(r.throttle, wait)
	return true
}

// mutate takes what creating or deleting partitions costs of controller_mutation_rate. Clients that know the error (the versions from strict on) are
// refused when they are in debt; others are throttled only (KIP-599).
func (r *request) mutate(partitions int, strict int16) error {
	l, ok := r.limit(quotas.Mutation)
	if !ok {
		return nil
	}
	// The controllers are one for all brokers: the first broker's meter stands for them.
	wait, refused := r.node.cluster.nodes[0].meter.Take(quotas.Mutation, l, float64(partitions), r.msg.GetVersion() >= strict, time.Now())
	r.throttle = max(r.throttle, wait)
	if refused {
		return codef(kerr.ThrottlingQuotaExceeded, "The throttling quota has been exceeded.")
	}
	return nil
}

// tell writes into the answer for how long the client is throttled.
func (r *request) tell(a answer) {
	ms := int32(min(r.throttle.Milliseconds(), math.MaxInt32))
	if a.fetch != nil {
		a.fetch.throttle = ms
	} else if resp, ok := a.resp.(kmsg.SetThrottleResponse); ok {
		resp.SetThrottle(ms)
	}
}

// delayConnection says how long a connection from an address is held before it is closed, because too many have come (connection_creation_rate).
func (n *node) delayConnection(ip string) time.Duration {
	q := &n.cluster.quotas
	if !q.Any() {
		return 0
	}
	v, ok := q.FindIP(ip)
	if !ok {
		return 0
	}
	l := quotas.Limit{Value: v, Users: "ip=" + ip}
	wait := n.meter.Use(quotas.Connections, l, 1, time.Now())
	if wait > 0 {
		n.meter.Unuse(quotas.Connections, l, 1, time.Now())
	}
	return wait
}

// pace blocks after a connection was accepted while more have come than max.connection.creation.rate allows. It reports false when the cluster closes.
func (n *node) pace() bool {
	rate := n.property().Int("max.connection.creation.rate")
	if rate <= 0 || rate == math.MaxInt32 {
		return true
	}
	wait := n.meter.Use(quotas.Connections, quotas.Limit{Value: float64(rate), Users: "broker"}, 1, time.Now())
	if wait == 0 {
		return true
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-n.cluster.done:
		return false
	}
}
