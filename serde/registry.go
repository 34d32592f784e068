package serde

import (
	"crypto/tls"

	"github.com/sordini-go/sordini/internal/secret"
)

// Registry is where a schema registry is and how to authenticate to it. It holds settings only: the client is made by serde/registry when a serde that
// needs one is bound, so that a service with JSON alone links none. The zero value means that there is no registry.
type Registry struct {
	URLs        []string // tried in order
	Username    string   // basic authentication
	Password    secret.Secret
	BearerToken secret.Secret
	TLS         *tls.Config
}
