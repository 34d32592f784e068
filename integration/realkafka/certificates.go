package realkafka

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// writeCertificates makes a certificate authority, a broker certificate for localhost and, for MTLS, one for each user, as PEM files in dir/tls:
// ca.crt, NAME.crt, NAME.key (PKCS #8, which Kafka wants) and NAME.pem (key, certificate and authority in one, a Kafka PEM key store).
func (s settings) writeCertificates(dir string) error {
	dir = filepath.Join(dir, "tls")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial := int64(1)
	template := func(name string) *x509.Certificate {
		serial++
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		}
	}
	ca := template("sordini-test-authority")
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return err
	}
	caPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	if err := os.WriteFile(filepath.Join(dir, "ca.crt"), caPEM, 0o644); err != nil {
		return err
	}
	issue := func(name string, broker bool) error {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		cert := template(name)
		cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
		cert.DNSNames = []string{name}
		if broker {
			cert.DNSNames, cert.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
		}
		der, err := x509.CreateCertificate(rand.Reader, cert, ca, &key.PublicKey, caKey)
		if err != nil {
			return err
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return err
		}
		certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
		for suffix, content := range map[string][]byte{".crt": certPEM, ".key": keyPEM, ".pem": slices.Concat(keyPEM, certPEM, caPEM)} {
			if err := os.WriteFile(filepath.Join(dir, name+suffix), content, 0o600); err != nil {
				return err
			}
		}
		return nil
	}
	if err := issue("broker", true); err != nil || !s.MTLS {
		return err
	}
	for _, user := range slices.Sorted(maps.Keys(s.Users)) {
		if err := issue(user, false); err != nil {
			return err
		}
	}
	return nil
}

// TLSConfig trusts the cluster's authority and, for MTLS, presents that user's certificate ("" presents none). It returns nil where the cluster speaks
// no TLS.
func (c *Cluster) TLSConfig(user string) (*tls.Config, error) {
	if !c.set.TLS {
		return nil, nil
	}
	pemBytes, err := os.ReadFile(c.CAFile())
	if err != nil {
		return nil, fmt.Errorf("cluster certificates: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pemBytes)
	cfg := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	if user != "" && c.set.MTLS {
		cert, err := tls.LoadX509KeyPair(filepath.Join(c.dir, "tls", user+".crt"), filepath.Join(c.dir, "tls", user+".key"))
		if err != nil {
			return nil, fmt.Errorf("cluster certificates: %w", err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

// CAFile is the path of the authority's certificate, for clients that read files.
func (c *Cluster) CAFile() string { return filepath.Join(c.dir, "tls", "ca.crt") }
