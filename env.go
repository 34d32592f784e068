package sordini

import (
	"crypto/tls"
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

	envToken      = "KAFKA_OAUTH_TOKEN"
	envTokenURL   = "KAFKA_OAUTH_TOKEN_ENDPOINT_URL"
	envClientID   = "KAFKA_OAUTH_CLIENT_ID"
	envSecret     = "KAFKA_OAUTH_CLIENT_SECRET"
	envScope      = "KAFKA_OAUTH_SCOPE"
	envAudience   = "KAFKA_OAUTH_AUDIENCE"
	envExtensions = "KAFKA_OAUTH_EXTENSIONS"

	envAWSKey     = "AWS_ACCESS_KEY_ID"
	envAWSSecret  = "AWS_SECRET_ACCESS_KEY"
	envAWSSession = "AWS_SESSION_TOKEN"
	envAWSRegion  = "AWS_REGION"
)

// Which variables belong to which mechanisms.
var (
	envLogin = []string{envUsername, envUsername + fileSuffix, envPassword, envPassword + fileSuffix}
	envGrant = []string{envTokenURL, envClientID, envSecret, envSecret + fileSuffix, envScope, envAudience}
	envOAuth = append([]string{envToken, envToken + fileSuffix, envExtensions}, envGrant...)
	envNames = slices.Concat([]string{envBrokers, envProtocol, envMechanism}, envLogin, []string{envCA, envCert, envKey}, envOAuth)
)

const mechanisms = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, AWS_MSK_IAM"

// kubernetes matches what Kubernetes sets in every pod beside a Service named kafka, or kafka-something.
var kubernetes = regexp.MustCompile(`^KAFKA_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// FromEnv returns the cluster that the environment describes:
//
//	KAFKA_BROKERS            host:port, several separated by commas; required
//	KAFKA_SECURITY_PROTOCOL  PLAINTEXT (when nothing else is set), SSL, SASL_PLAINTEXT or SASL_SSL
//	KAFKA_SASL_MECHANISM     PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM
//	KAFKA_USERNAME, KAFKA_PASSWORD, or KAFKA_USERNAME_FILE, KAFKA_PASSWORD_FILE with the value in a file (one line end is cut off); for PLAIN and SCRAM
//	KAFKA_OAUTH_TOKEN, or KAFKA_OAUTH_TOKEN_FILE with the token in a file; for OAUTHBEARER; or instead of them the following, to get one from a token endpoint:
//	KAFKA_OAUTH_TOKEN_ENDPOINT_URL, KAFKA_OAUTH_CLIENT_ID, KAFKA_OAUTH_CLIENT_SECRET or KAFKA_OAUTH_CLIENT_SECRET_FILE
//	KAFKA_OAUTH_SCOPE (several separated by blanks), KAFKA_OAUTH_AUDIENCE
//	KAFKA_OAUTH_EXTENSIONS   SASL extensions, such as logicalCluster=lkc-1,identityPoolId=pool-1
//	AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION  for AWS_MSK_IAM; the region is taken from the brokers' names when unset
//	KAFKA_CA_FILE            who signed the brokers' certificates, PEM; the system's authorities when unset
//	KAFKA_CERT_FILE, KAFKA_KEY_FILE  the client's certificate, PEM
//	SCHEMA_REGISTRY_URL      several separated by commas; a user and password in it are taken out of it
//
// A variable that is set to nothing counts as unset. Settings that contradict each other are refused, and so is a variable under KAFKA_ that is not known but
// looks like a misspelling of one that is; any other is reported to the default logger and left alone: the service's own, or for Java. Names that Kubernetes
// sets beside a Service (KAFKA_PORT, KAFKA_SERVICE_HOST …) are not mentioned. Errors wrap [ErrCluster] and name every problem; they show no value.
//
// The files are checked now and read again at each connection: what is changed in them needs no restart. PLAIN and the like over SASL_PLAINTEXT, and a token
// endpoint with http://, are accepted here and refused by whatever connects, unless AllowPlainWithoutTLS is set on the result.
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
	if name := firstSet(e.values, slices.Concat([]string{envMechanism}, envLogin, envOAuth)...); name != "" && !useSASL {
		e.bad("%s is set, but %s is %s; set it to SASL_SSL", name, envProtocol, said)
	}
	if useTLS {
		c.TLSFiles = TLSFiles{CA: e.values[envCA], Cert: e.values[envCert], Key: e.values[envKey]}
		if _, err := TLSFromFiles(c.TLSFiles.CA, c.TLSFiles.Cert, c.TLSFiles.Key); err != nil {
			e.bad("%s, %s, %s: %s", envCA, envCert, envKey, withoutErrCluster(err))
		}
		if c.TLSFiles.IsZero() {
			c.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		}
	}
	if !useSASL {
		return
	}
	c.SASL = e.mechanism(protocol)
}

// mechanism returns nil where there is a problem.
func (e *environment) mechanism(protocol string) Mechanism {
	m := strings.ToUpper(e.values[envMechanism])
	switch m {
	case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
		e.foreign(m, envOAuth)
		return e.login(m, protocol)
	case "OAUTHBEARER":
		e.foreign(m, envLogin)
		return e.oauth()
	case "AWS_MSK_IAM":
		e.foreign(m, slices.Concat(envLogin, envOAuth))
		return e.aws()
	case "":
		e.bad("%s is %s, but %s is not set; it is one of %s", envProtocol, protocol, envMechanism, mechanisms)
	default:
		e.bad("%s is %q; it is one of %s", envMechanism, m, mechanisms)
	}
	return nil
}

// foreign refuses what another mechanism would read.
func (e *environment) foreign(mechanism string, names []string) {
	if name := firstSet(e.values, names...); name != "" {
		e.bad("%s is set, which %s does not use; leave it out, or correct %s", name, mechanism, envMechanism)
	}
}

func (e *environment) login(name, protocol string) Mechanism {
	l := Login{Username: e.values[envUsername], UsernameFile: e.values[envUsername+fileSuffix], Password: e.secret(envPassword)}
	if l.Username != "" && l.UsernameFile != "" {
		e.bad("%s and %s are both set; leave one out", envUsername, envUsername+fileSuffix)
	}
	if l.Username == "" && l.UsernameFile == "" {
		e.bad("%s is %s, but %s is not set", envProtocol, protocol, envUsername)
	} else if l.UsernameFile != "" {
		e.readable(envUsername, SecretFile(l.UsernameFile))
	}
	if l.Password.IsZero() {
		e.bad("%s is %s, but neither %s nor %s has a password", envProtocol, protocol, envPassword, envPassword+fileSuffix)
	}
	switch {
	case len(e.problems) > 0:
		return nil
	case name == "PLAIN":
		return l.Plain()
	case name == "SCRAM-SHA-256":
		return l.ScramSHA256()
	}
	return l.ScramSHA512()
}

func (e *environment) oauth() Mechanism {
	var opts []OAuthOption
	for pair := range strings.SplitSeq(e.values[envExtensions], ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			e.bad("%s has %q; give name=value,…", envExtensions, pair)
		}
		opts = append(opts, Extension(name, value))
	}
	token, url := e.secret(envToken), e.values[envTokenURL]
	switch {
	case !token.IsZero():
		if name := firstSet(e.values, envGrant...); name != "" {
			e.bad("%s and a token are both set; leave one out", name)
			return nil
		}
		return OAuthBearer(BearerToken(token), opts...)
	case url == "":
		e.bad("%s is OAUTHBEARER, but neither %s, %s nor %s is set", envMechanism, envToken, envToken+fileSuffix, envTokenURL)
		return nil
	}
	cc := ClientCredentials{
		TokenURL: url, ClientID: e.values[envClientID], ClientSecret: e.secret(envSecret), Scopes: strings.Fields(e.values[envScope]), Audience: e.values[envAudience],
	}
	if cc.ClientID == "" {
		e.bad("%s is set, but %s is not", envTokenURL, envClientID)
	}
	if cc.ClientSecret.IsZero() {
		e.bad("%s is set, but neither %s nor %s has a secret", envTokenURL, envSecret, envSecret+fileSuffix)
	}
	if len(e.problems) > 0 {
		return nil
	}
	return OAuthBearer(cc.Tokens(), opts...)
}

func (e *environment) aws() Mechanism {
	for _, name := range []string{envAWSKey, envAWSSecret} {
		if e.values[name] == "" {
			e.bad("%s is AWS_MSK_IAM, but %s is not set (for a role's credentials set Cluster.SASL to sordini.AWSMSKIAM with a function)", envMechanism, name)
		}
	}
	if len(e.problems) > 0 {
		return nil
	}
	c := AWSCredentials{AccessKeyID: e.values[envAWSKey], SecretAccessKey: NewSecret(e.values[envAWSSecret]), SessionToken: NewSecret(e.values[envAWSSession])}
	return AWSMSKIAM(e.values[envAWSRegion], c.Provide)
}

// secret returns a variable's value, or the content of the file that it names with _FILE.
func (e *environment) secret(name string) Secret {
	value, file := e.values[name], e.values[name+fileSuffix]
	switch {
	case file == "":
		return NewSecret(value)
	case value != "":
		e.bad("%s and %s are both set; leave one out", name, name+fileSuffix)
		return NewSecret(value)
	}
	return e.readable(name, SecretFile(file))
}

func (e *environment) readable(name string, s Secret) Secret {
	if _, err := s.Get(); err != nil {
		e.bad("%s: %v", name+fileSuffix, err)
	}
	return s
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
