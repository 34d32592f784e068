package sordini

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/sordini-go/sordini/internal/lograte"
)

// warned bounds how often a process repeats a warning about its settings: each part of it that connects finds the same.
var warned lograte.Limiter

// Validate reports everything that can not work, joined, each with the field and the fix; each wraps [ErrCluster]. It talks to no broker.
func (c Cluster) Validate() error {
	problems, _ := c.inspect()
	if err := clusterError(problems); err != nil {
		return err
	}
	_, err := c.checkKgo()
	return err
}

func clusterError(problems []string) error {
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = fmt.Errorf("cluster: %s: %w", p, ErrCluster)
	}
	return errors.Join(errs...)
}

// inspect returns what can not work and what should not be. With Strict the latter can not work either.
func (c Cluster) inspect() (problems, warnings []string) {
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	doubtful := func(format string, args ...any) {
		if c.Strict {
			bad(format+", and Strict is set", args...)
			return
		}
		warnings = append(warnings, fmt.Sprintf(format, args...))
	}

	if len(c.Brokers) == 0 {
		bad("Brokers is empty; give at least one host:port")
	}
	for i, b := range c.Brokers {
		if why := brokerProblem(b); why != "" {
			bad("Brokers[%d] %s", i, why)
		}
	}
	if len(c.ClientID) > maxClientID {
		bad("ClientID has %d characters; at most %d are allowed", len(c.ClientID), maxClientID)
	}
	if c.Strict && c.Development {
		bad("Strict and Development exclude each other; leave one out (Development is for one broker on a laptop)")
	}
	c.inspectTLS(c.TLS, "TLS", doubtful)
	c.inspectTLSFiles(bad)
	c.inspectSASL(bad, doubtful)
	c.inspectRegistry(bad, doubtful)
	return problems, warnings
}

func (c Cluster) inspectTLS(t *tls.Config, field string, doubtful func(string, ...any)) {
	if t == nil {
		return
	}
	if t.InsecureSkipVerify && t.VerifyConnection == nil && t.VerifyPeerCertificate == nil {
		doubtful("%s.InsecureSkipVerify trusts whoever answers; give the CA instead (sordini.TLSFromFiles)", field)
	}
	if t.MinVersion != 0 && t.MinVersion < tls.VersionTLS12 {
		doubtful("%s.MinVersion allows %s; use tls.VersionTLS12 or leave it out", field, tls.VersionName(t.MinVersion))
	}
}

func (c Cluster) inspectRegistry(bad, doubtful func(string, ...any)) {
	r := c.Registry
	secrets := !r.Password.IsZero() || !r.BearerToken.IsZero()
	if len(r.URLs) == 0 && (secrets || r.Username != "") {
		bad("Registry has credentials and no URLs")
	}
	if r.Timeout < 0 {
		bad("Registry.Timeout is negative; leave it out for 5 s")
	}
	clear := false
	for i, s := range r.URLs {
		u, err := url.Parse(s)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			bad("Registry.URLs[%d] is not a URL like https://registry:8081", i) // its text may hold a password
		case u.User != nil:
			bad("Registry.URLs[%d] has credentials in it, which would be printed; use Registry.Username and Registry.Password", i)
		case u.Scheme == "http":
			clear = true
		}
	}
	if clear && secrets {
		if !c.AllowPlainWithoutTLS {
			bad("Registry.URLs with http:// would send the credentials in clear text; use https://, or say AllowPlainWithoutTLS as well")
		} else {
			doubtful("Registry.URLs with http:// send the credentials in clear text (AllowPlainWithoutTLS)")
		}
	}
	if !r.BearerToken.IsZero() && (r.Username != "" || !r.Password.IsZero()) {
		bad("Registry has both a BearerToken and a Username or Password; leave one out")
	}
	if r.Username == "" && !r.Password.IsZero() {
		bad("Registry has a Password and no Username")
	}
	c.inspectTLS(r.TLS, "Registry.TLS", doubtful)
}

// brokerProblem says what is wrong with one element of Brokers, "" when nothing is. It does not repeat what may be a password.
func brokerProblem(b string) string {
	switch {
	case b == "":
		return "is empty; give a host:port"
	case strings.Contains(b, "@"):
		return "has an '@': credentials do not belong here; use SASL"
	case strings.Contains(b, "://"):
		return fmt.Sprintf("is %q; leave out the scheme and set TLS or SASL instead", b)
	case strings.ContainsAny(b, ","):
		return fmt.Sprintf("is %q; give each broker an element of its own", b)
	case strings.ContainsAny(b, " \t\r\n/"):
		return fmt.Sprintf("is %q; a host:port has neither blanks nor slashes", b)
	}
	host, port, err := net.SplitHostPort(b)
	if err != nil {
		return fmt.Sprintf("is %q; give a host:port such as %s", b, net.JoinHostPort(strings.Trim(strings.TrimSuffix(b, "]:"), "[]"), "9092"))
	}
	if host == "" {
		return fmt.Sprintf("is %q, without a host", b)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Sprintf("is %q; the port is a number from 1 to 65535", b)
	}
	return ""
}

// withoutErrCluster is an error's text without that of ErrCluster at its end, for where it will be said again.
func withoutErrCluster(err error) string {
	return strings.TrimSuffix(err.Error(), ": "+ErrCluster.Error())
}
