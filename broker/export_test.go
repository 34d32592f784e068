package broker

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sordini-go/sordini/broker/internal/files"
)

// Unserved says that Kafka has a request and the broker does not.
func Unserved(key int16) bool { return unserved[kmsg.Key(key)] != "" }

// StartOn is Start on another file system than the operating system's.
func StartOn(cfg Config, fs files.FS) (*Cluster, error) {
	cfg.fs = fs
	return Start(cfg)
}
