// Package proxy stands between Kafka clients and brokers, knows Kafka's frames, and breaks what a network or a broker breaks: it refuses a request
// without forwarding it, drops a response after the broker has applied the request, cuts a frame in the middle, delays, stalls, and ends connections.
//
//	p, err := proxy.Start(proxy.Config{Brokers: map[int32]string{1: "127.0.0.1:9092"}})
//	defer p.Close()
//	cluster := sordini.Cluster{Brokers: p.Addrs()}
//	lost := p.Inject(proxy.Fault{API: kmsg.Produce, Topic: "orders", Count: 1, Do: proxy.DropResponse})
//	… send …
//	err = lost.Wait(ctx, 1) // the broker has the record, and the client was not told
//
// Clients stay behind it: addresses of brokers in responses (Metadata, FindCoordinator, DescribeCluster, and the hints of KIP-951 in Produce and Fetch) are
// rewritten to the proxy's own listeners, one for each broker. What it does not read it passes on byte for byte.
//
// It does not look into TLS, so it stands before plaintext listeners (SASL_PLAINTEXT among them, where SaslHandshake is of version 1).
package proxy
