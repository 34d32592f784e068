package proxy

import (
	"encoding/binary"
	"net"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// rewrites reports whether responses of the kind can name brokers, or teach the proxy which topic an id stands for.
func rewrites(api int16) bool {
	switch kmsg.Key(api) {
	case kmsg.Metadata, kmsg.FindCoordinator, kmsg.DescribeCluster, kmsg.Produce, kmsg.Fetch, kmsg.ShareFetch, kmsg.ShareAcknowledge, kmsg.CreateTopics, kmsg.ApiVersions:
		return true
	}
	return false
}

// rewrite puts the proxy's addresses in place of the brokers'. It returns the frame as it came where nothing had to change.
func (p *Proxy) rewrite(h header, frame []byte) ([]byte, error) {
	if !rewrites(h.api) {
		return frame, nil
	}
	if h.api == int16(kmsg.ApiVersions) && len(frame) >= 10 && binary.BigEndian.Uint16(frame[8:]) == uint16(kerr.UnsupportedVersion.Code) {
		return frame, nil // to a client that is too new, in version 0 whatever it asked for
	}
	resp := h.response(frame)
	if resp == nil {
		return nil, &UndecodableError{API: h.api, Version: h.version}
	}
	changed, err := p.rewriteResponse(resp)
	if err != nil || !changed {
		return frame, err
	}
	return h.responseFrame(resp), nil
}

func (p *Proxy) rewriteResponse(resp kmsg.Response) (changed bool, err error) {
	set := func(id int32, host *string, port *int32) {
		if *host == "" || err != nil {
			return
		}
		var addr string
		if addr, err = p.listenFor(id, net.JoinHostPort(*host, strconv.Itoa(int(*port)))); err != nil {
			return
		}
		h, ps, _ := net.SplitHostPort(addr)
		n, _ := strconv.Atoi(ps)
		*host, *port, changed = h, int32(n), true
	}
	switch resp := resp.(type) {
	case *kmsg.MetadataResponse:
		for i := range resp.Brokers {
			b := &resp.Brokers[i]
			set(b.NodeID, &b.Host, &b.Port)
		}
		for _, t := range resp.Topics {
			if t.Topic != nil {
				p.learn(t.TopicID, *t.Topic)
			}
		}
	case *kmsg.CreateTopicsResponse:
		for _, t := range resp.Topics {
			p.learn(t.TopicID, t.Topic)
		}
	case *kmsg.FindCoordinatorResponse:
		set(resp.NodeID, &resp.Host, &resp.Port)
		for i := range resp.Coordinators {
			c := &resp.Coordinators[i]
			set(c.NodeID, &c.Host, &c.Port)
		}
	case *kmsg.DescribeClusterResponse:
		for i := range resp.Brokers {
			b := &resp.Brokers[i]
			set(b.NodeID, &b.Host, &b.Port)
		}
	case *kmsg.ProduceResponse:
		for i := range resp.Brokers {
			b := &resp.Brokers[i]
			set(b.NodeID, &b.Host, &b.Port)
		}
	case *kmsg.FetchResponse:
		for i := range resp.Brokers {
			b := &resp.Brokers[i]
			set(b.NodeID, &b.Host, &b.Port)
		}
	case *kmsg.ShareFetchResponse:
		for i := range resp.NodeEndpoints {
			b := &resp.NodeEndpoints[i]
			set(b.NodeID, &b.Host, &b.Port)
		}
	case *kmsg.ShareAcknowledgeResponse:
		for i := range resp.NodeEndpoints {
			b := &resp.NodeEndpoints[i]
			set(b.NodeID, &b.Host, &b.Port)
		}
	case *kmsg.ApiVersionsResponse:
		// A client may not choose a version that the proxy can not read where it has to.
		for i := range resp.ApiKeys {
			k := &resp.ApiKeys[i]
			if req := kmsg.RequestForKey(k.ApiKey); req != nil && rewrites(k.ApiKey) && k.MaxVersion > req.MaxVersion() {
				k.MaxVersion, changed = req.MaxVersion(), true
			}
		}
	}
	return changed, err
}

func (p *Proxy) learn(id [16]byte, topic string) {
	if id == ([16]byte{}) || topic == "" {
		return
	}
	p.mu.Lock()
	p.topics[id] = topic
	p.mu.Unlock()
}
