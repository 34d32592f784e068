package sordini

import (
	"fmt"
	"log/slog"
	"strings"
)

// Format prints the cluster for every verb without its secrets (guarantee G14).
//
// A Cluster in an unexported field of somebody's struct is printed by fmt itself, which calls no methods there. That shows no secret either: TLS is a
// pointer, passwords are in closures, and both are printed as addresses.
func (c Cluster) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.describe())) }

// LogValue is Format for slog.
func (c Cluster) LogValue() slog.Value { return slog.StringValue(c.describe()) }

// MarshalText is Format for encoders.
func (c Cluster) MarshalText() ([]byte, error) { return []byte(c.describe()), nil }

func (c Cluster) describe() string {
	brokers := make([]string, len(c.Brokers))
	for i, b := range c.Brokers {
		if brokers[i] = b; strings.Contains(b, "@") { // refused by Validate, and maybe a password
			brokers[i] = "[redacted]"
		}
	}
	parts := []string{fmt.Sprintf("brokers=%v client-id=%s tls=%s", brokers, c.Name(), c.describeTLS())}
	if c.SASL == nil {
		parts = append(parts, "sasl=none")
	} else if m, ok := c.SASL.(*mechanism); ok {
		parts = append(parts, fmt.Sprintf("sasl=(%v)", m))
	} else {
		parts = append(parts, "sasl="+c.SASL.Name()) // what else it holds is its own business, and maybe a secret
	}
	if len(c.Registry.URLs) > 0 {
		parts = append(parts, fmt.Sprintf("registry=(%v)", c.Registry))
	}
	if c.AllowPlainWithoutTLS {
		parts = append(parts, "allow-plain-without-tls")
	}
	if c.Dial != nil {
		parts = append(parts, "own-dial")
	}
	switch {
	case c.Development:
		parts = append(parts, "development")
	case c.Strict:
		parts = append(parts, "strict")
	}
	if len(c.Kgo) > 0 {
		parts = append(parts, fmt.Sprintf("kgo-options=%d", len(c.Kgo)))
	}
	return "cluster(" + strings.Join(parts, " ") + ")"
}

func (c Cluster) describeTLS() string {
	t := c.TLS
	switch {
	case !c.usesTLS():
		return "none"
	case t != nil && t.InsecureSkipVerify && t.VerifyConnection == nil && t.VerifyPeerCertificate == nil:
		return "unverified"
	case t != nil && (len(t.Certificates) > 0 || t.GetClientCertificate != nil) || c.TLSFiles.Cert != "":
		return "mutual"
	}
	return "on"
}
