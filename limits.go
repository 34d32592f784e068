package sordini

import (
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What the SDK allows a connection and a request. franz-go's own defaults change between its minor versions, and with them a broker that hangs (it accepts
// connections and answers nothing) costs tens of seconds: a client leaves such a broker within
// 10 seconds, which is requestTimeout and what the request allows the broker, 4 seconds for a produce or a fetch, and a moment to find the next.
const (
	dialTimeout    = 5 * time.Second        // connect and TLS handshake together
	requestTimeout = 5 * time.Second        // for an answer, on top of what the request itself allows the broker (a fetch's wait, a produce's timeout)
	produceTimeout = 4 * time.Second        // how long a leader waits for its in-sync replicas
	retryTimeout   = 30 * time.Second       // for all attempts of one request; a produce and a fetch have limits of their own
	idleTimeout    = 2 * time.Minute        // an idle connection is closed within twice that: less than the 350 s of cloud load balancers
	backoffMin     = 100 * time.Millisecond // before the second attempt; doubled each time
	backoffMax     = 5 * time.Second
	metadataMinAge = 250 * time.Millisecond // how soon metadata is asked for again when something moved
	metadataMaxAge = time.Minute            // and when nothing did: how soon a new partition is seen
	maxFrame       = 100 << 20              // bytes in one request or response, as the brokers' socket.request.max.bytes
)

// limits are the options that come before Kgo: a user may change each of them there.
func (c Cluster) limits() []kgo.Opt {
	return []kgo.Opt{
		kgo.RequestTimeoutOverhead(requestTimeout),
		kgo.ProduceRequestTimeout(produceTimeout),
		kgo.ConnIdleTimeout(idleTimeout),
		kgo.RequestRetries(20),
		kgo.RetryTimeout(retryTimeout),
		kgo.RetryBackoffFn(backoff),
		kgo.MetadataMinAge(metadataMinAge),
		kgo.MetadataMaxAge(metadataMaxAge),
		kgo.ConsiderMissingTopicDeletedAfter(15 * time.Second),
		kgo.BrokerMaxWriteBytes(maxFrame),
		kgo.BrokerMaxReadBytes(maxFrame),
		// A broker that restarts closes connections before their first answer. Without this franz-go takes that for TLS or SASL set wrongly and fails what is
		// buffered. Where it is set wrongly, the error and the log say so all the same.
		kgo.AlwaysRetryEOF(),
		kgo.DisableClientMetrics(), // KIP-714: measuring is OpenTelemetry's, and a push at Close would delay it
		kgo.WithLogger(newKgoLogger(c.Log())),
	}
}

// backoff is 100 ms doubling to 5 s, 20 % more or less.
func backoff(fails int) time.Duration {
	d := backoffMax
	if fails < 7 {
		d = backoffMin << max(fails-1, 0)
	}
	return min(time.Duration(float64(d)*(0.8+0.4*rand.Float64())), backoffMax)
}
