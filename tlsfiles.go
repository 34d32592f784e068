package sordini

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// TLSFiles names certificates in PEM files. They are read when something connects for the first time and looked at again at each further connection: one
// that was changed counts from then on, without a restart. One that is broken by then, or gone, is reported to the cluster's logger, and what was read before
// is used. Nothing watches them in between.
type TLSFiles struct {
	CA        string // who signed the brokers' certificates; the system's authorities when empty
	Cert, Key string // the client's own certificate and its key; none when both are empty
}

// IsZero reports whether no file is named.
func (f TLSFiles) IsZero() bool { return f == TLSFiles{} }

func (c Cluster) usesTLS() bool { return c.TLS != nil || !c.TLSFiles.IsZero() }

// inspectTLSFiles adds what can not work about the files, which includes what is in them.
func (c Cluster) inspectTLSFiles(bad func(string, ...any)) {
	f := c.TLSFiles
	if f.IsZero() {
		return
	}
	if c.TLS != nil && c.TLS.RootCAs != nil && f.CA != "" {
		bad("TLS.RootCAs and TLSFiles.CA are both set; leave one out")
	}
	if c.TLS != nil && (len(c.TLS.Certificates) > 0 || c.TLS.GetClientCertificate != nil) && (f.Cert != "" || f.Key != "") {
		bad("TLS has a client certificate and TLSFiles.Cert names one; leave one out")
	}
	if _, err := TLSFromFiles(f.CA, f.Cert, f.Key); err != nil {
		bad("TLSFiles: %s", withoutErrCluster(err))
	}
}

// certificateSubject is the subject of the client's certificate, "" without one.
func (c Cluster) certificateSubject() string {
	var leaf *x509.Certificate
	switch {
	case c.TLSFiles.Cert != "":
		if pair, err := keyPair(c.TLSFiles.Cert, c.TLSFiles.Key); err == nil {
			leaf = pair.Leaf
		}
	case c.TLS != nil && len(c.TLS.Certificates) > 0:
		leaf = c.TLS.Certificates[0].Leaf
	}
	if leaf == nil {
		return ""
	}
	return leaf.Subject.String()
}

// tlsSource makes the configuration of each connection.
type tlsSource struct {
	base  *tls.Config
	files TLSFiles
	log   *slog.Logger

	mu            sync.Mutex // guards what follows: what was read last, and what came of it
	ca, cert, key []byte
	roots         *x509.CertPool
	pair          *tls.Certificate
}

// newTLSSource returns nil where the cluster uses no TLS.
func (c Cluster) newTLSSource() (*tlsSource, error) {
	if !c.usesTLS() {
		return nil, nil //nolint:nilnil // no TLS is not an error
	}
	s := &tlsSource{base: c.TLS, files: c.TLSFiles, log: c.Log()}
	if s.base == nil {
		s.base = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if err := s.reload(); err != nil {
		return nil, fmt.Errorf("cluster: TLSFiles: %w", err)
	}
	return s, nil
}

// config returns the configuration of one more connection.
func (s *tlsSource) config() *tls.Config {
	cfg := s.base.Clone()
	if s.files.IsZero() {
		return cfg
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.reload(); err != nil {
		text := fmt.Sprintf("%s; what it held before is used", withoutErrCluster(err))
		if ok, _ := warned.Allow("tls", text); ok {
			s.log.Warn("cluster: " + text)
		}
	}
	if s.roots != nil {
		cfg.RootCAs = s.roots
	}
	if s.pair != nil {
		cfg.Certificates = []tls.Certificate{*s.pair}
	}
	return cfg
}

// reload reads the files, and parses those that are not what they were. What is broken is left as it was. They are read in full rather than asked for their
// time: a file that is replaced within a tick of the file system's clock would go unseen, and a handshake costs more than both.
func (s *tlsSource) reload() error { return errors.Join(s.reloadAuthorities(), s.reloadPair()) }

func (s *tlsSource) reloadAuthorities() error {
	if s.files.CA == "" {
		return nil
	}
	data, err := readFile("CA file", s.files.CA)
	if err != nil || bytes.Equal(data, s.ca) {
		return err
	}
	roots, err := authorities(s.files.CA, data)
	if err != nil {
		return err
	}
	s.ca, s.roots = data, roots
	return nil
}

func (s *tlsSource) reloadPair() error {
	if s.files.Cert == "" {
		return nil
	}
	cert, err := readFile("certificate file", s.files.Cert)
	if err != nil {
		return err
	}
	key, err := readFile("key file", s.files.Key)
	if err != nil {
		return err
	}
	if s.pair != nil && bytes.Equal(cert, s.cert) && bytes.Equal(key, s.key) {
		return nil
	}
	pair, err := parseKeyPair(s.files.Cert, s.files.Key, cert, key)
	if err != nil {
		return err
	}
	s.cert, s.key, s.pair = cert, key, &pair
	return nil
}
