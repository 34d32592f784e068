package broker

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/sordini-go/sordini/broker/internal/settings"
)

// awaitRoom blocks while the broker has as many connections as it may have (max.connections): clients then wait in the listener's backlog. It reports
// false when the listener is not the broker's any more.
func (n *node) awaitRoom(i int, l net.Listener) bool {
	for waited := false; ; waited = true {
		limit := n.cluster.property().Int("max.connections")
		n.mu.Lock()
		current, room := n.hasLocked(i, l), len(n.conns) < limit
		n.mu.Unlock()
		if !current || room {
			if waited {
				n.connectionGone() // another listener may be waiting too, and two connections may have left one word
			}
			return current
		}
		<-n.freed
	}
}

// connectionGone wakes who waits for room. Nobody may be waiting.
func (n *node) connectionGone() {
	select {
	case n.freed <- struct{}{}:
	default:
	}
}

// tooManyLocked says whether a client's address has as many connections as one may have. The node's lock must be held.
func (n *node) tooManyLocked(ip string, values settings.Broker) (limit int, tooMany bool) {
	limit = values.Int("max.connections.per.ip")
	if overrides, err := perIP(values); err == nil {
		if l, ok := overrides[ip]; ok {
			limit = l
		}
	}
	if len(n.conns) < limit {
		return limit, false
	}
	have := 0
	for c := range n.conns {
		if c.ip() == ip {
			have++
		}
	}
	return limit, have >= limit
}

// perIP reads max.connections.per.ip.overrides: "127.0.0.1:10,127.0.0.2:20".
func perIP(values settings.Broker) (map[string]int, error) {
	text := values.String("max.connections.per.ip.overrides")
	if text == "" {
		return nil, nil
	}
	limits := make(map[string]int)
	for _, entry := range settings.SplitList(text) {
		i := strings.LastIndexByte(entry, ':')
		if i < 0 {
			return nil, fmt.Errorf("max.connections.per.ip.overrides: %q is not address:number", entry)
		}
		limit, err := strconv.Atoi(entry[i+1:])
		if err != nil || limit < 0 {
			return nil, fmt.Errorf("max.connections.per.ip.overrides: %q is not address:number", entry)
		}
		ip := entry[:i]
		if ip == "localhost" {
			ip = "127.0.0.1"
		}
		limits[ip] = limit
	}
	return limits, nil
}
