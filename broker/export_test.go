package broker

import "github.com/sordini-go/sordini/broker/internal/files"

// StartOn is Start on another file system than the operating system's.
func StartOn(cfg Config, fs files.FS) (*Cluster, error) {
	cfg.fs = fs
	return Start(cfg)
}
