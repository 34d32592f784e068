package main

import (
	"context"
	_ "embed"
	"fmt"
	"path/filepath"
	"strings"
)

//go:embed Shares.java
var shares []byte

// shared is what Shares.java prints on Apache Kafka 4.3.1.
const shared = `first: v0 v1 v2 v3 v4 v5
commit: share-0=ok
again: v1 v4 lock 30000
renew: share-0=ok
renewed: v1
commit: share-0=ok
twice: IllegalStateException
describe: Stable members 1 [share-0]
offsets: {share-0=1 lag 0}
list: [g Share share Empty]
limit: 12 deliveries, at most 2
shared: 400 records
committed: committedx1
alter: ok UnknownTopicOrPartitionException
offsets: {share-0=4 lag 2}
from 4: v4x1 v5x1
alter: GroupNotEmptyException
delete: GroupNotEmptyException
delete offsets: ok UnknownTopicOrPartitionException
offsets: {}
delete: ok
delete: GroupIdNotFoundException
describe: GroupIdNotFoundException
classic: InconsistentGroupProtocolException
consumer: GroupIdNotFoundException
`

// shareConsumers runs a program with share consumers (KIP-932) of kafka-clients.
func (t *target) shareConsumers(ctx context.Context) (passed int, err error) {
	cmd := t.java(ctx, filepath.Join(t.dir, "Shares.java"), t.brokers, t.clients)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	said, want := strings.SplitAfter(string(out), "\n"), strings.SplitAfter(shared, "\n")
	for i, w := range want {
		if i >= len(said) || said[i] != w {
			return i, fmt.Errorf("%s: share consumers: line %d is not %q; they said:\n%s%s%v", t.protocol(), i+1, w, out, stderr.String(), cmd.ProcessState)
		}
	}
	if err != nil {
		return len(want) - 1, fmt.Errorf("%s: share consumers: %w\n%s", t.protocol(), err, stderr.String())
	}
	return len(want) - 1, nil
}
