package sordini

import (
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/sordini-go/sordini/internal/nearest"
)

// The variables that FromEnv reads. User and password may stand in a file that the same name with _FILE names.
const (
	envBrokers   = "KAFKA_BROKERS"
	envProtocol  = "KAFKA_SECURITY_PROTOCOL"
	envMechanism = "KAFKA_SASL_MECHANISM"
	envUsername  = "KAFKA_USERNAME"
	envPassword  = "KAFKA_PASSWORD"
	envCA        = "KAFKA_CA_FILE"
	envCert      = "KAFKA_CERT_FILE"
	envKey       = "KAFKA_KEY_FILE"
	envRegistry  = "SCHEMA_REGISTRY_URL"
	fileSuffix   = "_FILE"
)

var envNames = []string{
	envBrokers, envProtocol, envMechanism, envUsername, envUsername + fileSuffix, envPassword, envPassword + fileSuffix, envCA, envCert, envKey,
}

// kubernetes matches what Kubernetes sets in every pod beside a Service named kafka, or kafka-something.
var kubernetes = regexp.MustCompile(`^KAFKA_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// FromEnv returns the cluster that the environment describes:
//
//	KAFKA_BROKERS            host:port, several separated by commas; required
//	KAFKA_SECURITY_PROTOCOL  PLAINTEXT (when nothing else is set), SSL, SASL_PLAINTEXT or SASL_SSL
//	KAFKA_SASL_MECHANISM     PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
//	KAFKA_USERNAME, KAFKA_PASSWORD, or KAFKA_USERNAME_FILE, KAFKA_PASSWORD_FILE with the value in a file (one line end is cut off)
//	KAFKA_CA_FILE            who signed the brokers' certificates, PEM; the system's authorities when unset
//	KAFKA_CERT_FILE, KAFKA_KEY_FILE  the client's certificate, PEM
//	SCHEMA_REGISTRY_URL      several separated by commas; a user and password in it are taken out of it
//
// A variable that is set to nothing counts as unset. Settings that contradict each other are refused, and so is a variable under KAFKA_ that is not known but
// looks like a misspelling of one that is; any other is reported to the default logger and left alone: the service's own, or for Java. Names that Kubernetes
// sets beside a Service (KAFKA_PORT, KAFKA_SERVICE_HOST …) are not mentioned. Errors wrap [ErrCluster] and name every problem; they show no value.
//
// The files are read now: a password that changes later needs a restart. PLAIN over SASL_PLAINTEXT is accepted here and refused by whatever connects, unless
// AllowPlainWithoutTLS is set on the result.
func FromEnv() (Cluster, error) {
	e := environment{values: map[string]string{}}
	for _, kv := range os.Environ() {
		if name, value, ok := strings.Cut(kv, "="); ok && value != "" {
			e.values[name] = value
		}
	}
	c, unknown, err := e.cluster()
	if err != nil {
		return Cluster{}, err
	}
	if len(unknown) > 0 {
		c.Log().Warn("environment variables under KAFKA_ that Sordini does not read", "names", unknown, "reads", append(slices.Clone(envNames), envRegistry))
	}
	return c, nil
}

type environment struct {
	values   map[string]string
	problems []string
}

func (e *environment) bad(format string, args ...any) {
	e.problems = append(e.problems, fmt.Sprintf(format, args...))
}

func (e *environment) cluster() (Cluster, []string, error) {
	var c Cluster
	unknown := e.unknown()
	for b := range strings.SplitSeq(e.values[envBrokers], ",") {
		if b = strings.TrimSpace(b); b != "" {
			c.Brokers = append(c.Brokers, b)
		}
	}
	if len(c.Brokers) == 0 {
		if other := firstSet(e.values, "KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVER", "KAFKA_HOSTS", "KAFKA_URL"); other != "" {
			e.bad("%s is not set (%s is, but is not read); set it to host:port,…", envBrokers, other)
		} else {
			e.bad("%s is not set; set it to host:port,…", envBrokers)
		}
	}
	e.security(&c)
	e.registry(&c)
	if len(e.problems) > 0 {
		return Cluster{}, nil, clusterError(e.problems)
	}
	check := c
	check.AllowPlainWithoutTLS = true // the caller may still say so
	if err := check.Validate(); err != nil {
		return Cluster{}, nil, err
	}
	return c, unknown, nil
}

// unknown returns the names under KAFKA_ that nobody reads, and refuses those that look like a misspelling.
func (e *environment) unknown() []string {
	var names []string
	for name := range e.values {
		if !strings.HasPrefix(name, "KAFKA_") || slices.Contains(envNames, name) || kubernetes.MatchString(name) {
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.DeleteFunc(names, func(name string) bool {
		near, ok := nearest.Name(name, envNames)
		if !ok || nearest.Distance(name, near) > 2 {
			return false
		}
		e.bad("%s is set, which is not known; is %s meant?", name, near)
		return true
	})
}

func (e *environment) security(c *Cluster) {
	protocol := strings.ToUpper(e.values[envProtocol])
	useSASL, useTLS := false, false
	switch protocol {
	case "", "PLAINTEXT":
	case "SSL":
		useTLS = true
	case "SASL_PLAINTEXT":
		useSASL = true
	case "SASL_SSL":
		useSASL, useTLS = true, true
	default:
		e.bad("%s is %q; it is one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL", envProtocol, protocol)
		return
	}
	said := protocol
	if said == "" {
		said = "not set, which is PLAINTEXT"
	}
	if name := firstSet(e.values, envCA, envCert, envKey); name != "" && !useTLS {
		e.bad("%s is set, but %s is %s; set it to SSL or SASL_SSL", name, envProtocol, said)
	}
	if name := firstSet(e.values, envMechanism, envUsername, envUsername+fileSuffix, envPassword, envPassword+fileSuffix); name != "" && !useSASL {
		e.bad("%s is set, but %s is %s; set it to SASL_SSL", name, envProtocol, said)
	}
	if useTLS {
		t, err := TLSFromFiles(e.values[envCA], e.values[envCert], e.values[envKey])
		if err != nil {
			e.bad("%s, %s, %s: %s", envCA, envCert, envKey, strings.TrimSuffix(err.Error(), ": "+ErrCluster.Error()))
		}
		c.TLS = t
	}
	if !useSASL {
		return
	}
	username, password := e.valueOrFile(envUsername), e.valueOrFile(envPassword)
	if username == "" {
		e.bad("%s is %s, but %s is not set", envProtocol, protocol, envUsername)
	}
	if password == "" {
		e.bad("%s is %s, but neither %s nor %s has a password", envProtocol, protocol, envPassword, envPassword+fileSuffix)
	}
	switch m := strings.ToUpper(e.values[envMechanism]); m {
	case "PLAIN":
		c.SASL = Plain(username, password)
	case "SCRAM-SHA-256":
		c.SASL = ScramSHA256(username, password)
	case "SCRAM-SHA-512":
		c.SASL = ScramSHA512(username, password)
	case "":
		e.bad("%s is %s, but %s is not set; it is one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512", envProtocol, protocol, envMechanism)
	default:
		e.bad("%s is %q; it is one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512", envMechanism, m)
	}
}

// valueOrFile returns a variable's value, or the content of the file that it names with _FILE.
func (e *environment) valueOrFile(name string) string {
	value, file := e.values[name], e.values[name+fileSuffix]
	if file == "" {
		return value
	}
	if value != "" {
		e.bad("%s and %s are both set; leave one out", name, name+fileSuffix)
		return value
	}
	data, err := os.ReadFile(file)
	if err != nil {
		e.bad("%s: %v", name+fileSuffix, err)
		return ""
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
}

func (e *environment) registry(c *Cluster) {
	for s := range strings.SplitSeq(e.values[envRegistry], ",") {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		u, err := url.Parse(s)
		if err != nil {
			e.bad("%s has an element that is not a URL like https://registry:8081", envRegistry) // its text may hold a password
			return
		}
		if u.User != nil {
			password, _ := u.User.Password()
			if c.Registry.Username != "" && (c.Registry.Username != u.User.Username() || c.Registry.Password.Reveal() != password) {
				e.bad("%s has more than one user and password", envRegistry)
			}
			c.Registry.Username, c.Registry.Password = u.User.Username(), NewSecret(password)
			u.User = nil
		}
		c.Registry.URLs = append(c.Registry.URLs, u.String())
	}
}

// firstSet returns the first of the names that has a value, "" where none has.
func firstSet(values map[string]string, names ...string) string {
	for _, name := range names {
		if values[name] != "" {
			return name
		}
	}
	return ""
}
