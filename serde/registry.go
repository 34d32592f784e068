package serde

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/sordini-go/sordini/internal/secret"
)

// Registry is where a schema registry is and how to authenticate to it. It holds settings only: the client is made by serde/registry when a serde that
// needs one is bound, so that a service with JSON alone links none. The zero value means that there is no registry.
type Registry struct {
	URLs        []string // tried in order; where one does not answer, the next is asked
	Username    string   // basic authentication
	Password    secret.Secret
	BearerToken secret.Secret
	TLS         *tls.Config

	// File holds schemas that are answered without asking anybody, as serde/registry's Save writes them. With no URLs the service works offline: a
	// schema that is not in the file is unknown.
	File string
	// Timeout bounds one request to one URL. Default 5 s.
	Timeout time.Duration
	// Dial replaces the dialling of TCP connections, for tests in memory.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}
