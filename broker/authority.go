package broker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Authority is a certificate authority to throw away: it makes certificates for a cluster and its clients in tests. Its keys are in memory only. It is
// safe for concurrent use.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority returns a new authority. Its certificates are valid in every year of this century, which is also when virtual time begins.
func NewAuthority() (*Authority, error) {
	a := new(Authority)
	cert, key, err := a.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "reference broker test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	a.cert, a.key = cert, key
	return a, nil
}

func (a *Authority) issue(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, nil, err
	}
	template.NotBefore, template.NotAfter = time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(2099, 12, 31, 0, 0, 0, 0, time.UTC)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

// Server makes a certificate for brokers on the loopback interface, and on the hosts that are given, and returns the settings that use it. Clients need
// no certificate; set ClientAuth to ask for one, which the authority must have signed.
func (a *Authority) Server(hosts ...string) (*tls.Config, error) {
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "broker"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	pair, err := a.pair(template)
	if err != nil {
		return nil, fmt.Errorf("server certificate: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: a.pool(), MinVersion: tls.VersionTLS12}, nil
}

// Client returns the settings of a client that trusts the authority. With a name it has a certificate of its own with that common name.
func (a *Authority) Client(name string) (*tls.Config, error) {
	cfg := &tls.Config{RootCAs: a.pool(), MinVersion: tls.VersionTLS12}
	if name == "" {
		return cfg, nil
	}
	return cfg, a.addClient(cfg, pkix.Name{CommonName: name})
}

func (a *Authority) addClient(cfg *tls.Config, subject pkix.Name) error {
	pair, err := a.pair(&x509.Certificate{Subject: subject, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return fmt.Errorf("client certificate: %w", err)
	}
	cfg.Certificates = []tls.Certificate{pair}
	return nil
}

// PEM returns the authority's own certificate, for clients that read files.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

func (a *Authority) pair(template *x509.Certificate) (tls.Certificate, error) {
	cert, key, err := a.issue(template)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{cert.Raw, a.cert.Raw}, PrivateKey: key, Leaf: cert}, nil
}

func (a *Authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}
