package groups

import (
	"bytes"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// member is one member of a classic group.
type member struct {
	id       string
	instance *string // group.instance.id of a static member
	client   Client

	session, rebalance time.Duration
	protocols          []protocol // by preference

	assignment []byte
	fresh      bool  // has not been through a completed join phase: may expire while its join waits
	join, sync *call // what of it waits, if anything
	heartbeat  alarm
}

type protocol struct {
	name     string
	metadata []byte
}

func protocolsOf(req *kmsg.JoinGroupRequest) []protocol {
	ps := make([]protocol, len(req.Protocols))
	for i, p := range req.Protocols {
		ps[i] = protocol{p.Name, bytes.Clone(p.Metadata)}
	}
	return ps
}

// offers reports whether m joined with exactly these protocols, in this order.
func (m *member) offers(ps []protocol) bool {
	return slices.EqualFunc(m.protocols, ps, func(a, b protocol) bool {
		return a.name == b.name && bytes.Equal(a.metadata, b.metadata)
	})
}

func (m *member) metadata(name string) []byte {
	for _, p := range m.protocols {
		if p.name == name {
			return p.metadata
		}
	}
	return nil
}

// alive reports whether m is excused from heartbeats: while a request of it is
// parked here it cannot send any. A fresh member is not, or the joins of
// clients that are gone would pile up.
func (m *member) alive() bool { return !m.fresh && (m.join != nil || m.sync != nil) }

func millis(ms int32) time.Duration { return time.Duration(ms) * time.Millisecond }
