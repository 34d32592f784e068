package sordini

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
	"time"
)

// TLSFromFiles returns a TLS configuration from PEM files: ca is who signed the brokers' certificates (the system's authorities when empty), cert and key are
// the client's own (none when both are empty). TLS 1.2 is the least. Errors name the file and what is wrong with it; they wrap [ErrCluster]. The files are read
// once: name them in Cluster.TLSFiles to have them read again when they change.
func TLSFromFiles(ca, cert, key string) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		data, err := readFile("CA file", ca)
		if err != nil {
			return nil, err
		}
		if t.RootCAs, err = authorities(ca, data); err != nil {
			return nil, err
		}
	}
	switch {
	case cert == "" && key == "":
		return t, nil
	case key == "":
		return nil, fmt.Errorf("certificate file %s comes without a key file: %w", cert, ErrCluster)
	case cert == "":
		return nil, fmt.Errorf("key file %s comes without a certificate file: %w", key, ErrCluster)
	}
	pair, err := keyPair(cert, key)
	if err != nil {
		return nil, err
	}
	t.Certificates = []tls.Certificate{pair}
	return t, nil
}

// authorities returns the certificates of a CA file.
func authorities(ca string, data []byte) (*x509.CertPool, error) {
	blocks, err := pemBlocks("CA file", ca, data)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	n := 0
	for _, b := range blocks {
		if b.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("CA file %s: certificate %d: %w: %w", ca, n+1, err, ErrCluster)
		}
		pool.AddCert(c)
		n++
	}
	if n == 0 {
		return nil, fmt.Errorf("CA file %s has %s and no certificate; give the file that signed the brokers' certificates: %w", ca, kinds(blocks), ErrCluster)
	}
	return pool, nil
}

func keyPair(cert, key string) (tls.Certificate, error) {
	certPEM, err := readFile("certificate file", cert)
	if err != nil {
		return tls.Certificate{}, err
	}
	keyPEM, err := readFile("key file", key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return parseKeyPair(cert, key, certPEM, keyPEM)
}

func parseKeyPair(cert, key string, certPEM, keyPEM []byte) (tls.Certificate, error) {
	if _, err := pemBlocks("certificate file", cert, certPEM); err != nil {
		return tls.Certificate{}, err
	}
	keys, err := pemBlocks("key file", key, keyPEM)
	if err != nil {
		return tls.Certificate{}, err
	}
	for _, b := range keys {
		if b.Type == "ENCRYPTED PRIVATE KEY" || b.Headers["DEK-Info"] != "" {
			return tls.Certificate{}, fmt.Errorf("key file %s is encrypted; decrypt it (openssl pkey -in %s -out plain.key): %w", key, key, ErrCluster)
		}
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certificate file %s with key file %s: %w: %w", cert, key, err, ErrCluster)
	}
	if leaf := pair.Leaf; leaf != nil {
		if now := time.Now(); now.After(leaf.NotAfter) {
			return tls.Certificate{}, fmt.Errorf("certificate file %s: the certificate of %s expired at %s: %w", cert, leaf.Subject, leaf.NotAfter.Format(time.RFC3339), ErrCluster)
		}
	}
	return pair, nil
}

func readFile(what, name string) ([]byte, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", what, err, ErrCluster)
	}
	return data, nil
}

func pemBlocks(what, name string, data []byte) ([]*pem.Block, error) {
	var blocks []*pem.Block
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			break
		}
		blocks = append(blocks, b)
	}
	if len(blocks) > 0 {
		return blocks, nil
	}
	hint := ""
	switch {
	case len(data) > 1 && data[0] == 0x30:
		hint = "; it looks like DER or PKCS#12: convert it with openssl x509 -inform der, or openssl pkcs12 -nodes"
	case len(data) > 3 && data[0] == 0xfe && data[1] == 0xed:
		hint = "; it looks like a Java keystore: convert it with keytool -importkeystore -deststoretype PKCS12, then openssl pkcs12 -nodes"
	}
	return nil, fmt.Errorf("%s %s has nothing in PEM (-----BEGIN …) in it%s: %w", what, name, hint, ErrCluster)
}

func kinds(blocks []*pem.Block) string {
	var names []string
	for _, b := range blocks {
		names = append(names, b.Type)
	}
	return strings.Join(names, ", ")
}
