package brokercommand

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/sordini-go/sordini/broker"
)

// securityFlags are the flags about who may connect and do what.
type securityFlags struct {
	tls                       bool
	cert, key, clientCA, auth string
	caOut                     string

	users      []broker.User
	mechanisms []string
	oauth      broker.OAuth
	jwks       string
	unsigned   bool

	authorizer broker.Authorizer
	authorized bool // an authorizer was asked for
}

func (s *securityFlags) add(flags *flag.FlagSet) {
	flags.BoolVar(&s.tls, "tls", false, "speak TLS with a certificate that is made now, for the loopback interface and what is advertised; see -tls-ca-out")
	flags.StringVar(&s.caOut, "tls-ca-out", "", "write the certificate authority of -tls to this `file`, for clients")
	flags.StringVar(&s.cert, "tls-cert", "", "`file` with the brokers' certificate chain in PEM; turns TLS on")
	flags.StringVar(&s.key, "tls-key", "", "`file` with the private key of -tls-cert in PEM")
	flags.StringVar(&s.clientCA, "tls-client-ca", "", "`file` with the authorities that sign clients' certificates in PEM; clients must show one")
	flags.StringVar(&s.auth, "tls-client-auth", "", "`whether` clients show a certificate: required (default with -tls-client-ca), requested or none")
	flags.Func("sasl-user", "let a user authenticate, `name:password[:mechanism]`; may be repeated. Better in -sasl-users-file or $"+variable("sasl-user"), s.addUser)
	flags.Func("sasl-users-file", "`file` with users as -sasl-user has them, one a line", func(path string) error {
		return eachLine(path, s.addUser)
	})
	flags.Func("sasl-mechanism", "enable a `mechanism`: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER; may be repeated (default: those that can be used)", func(m string) error {
		s.mechanisms = append(s.mechanisms, strings.ToUpper(m))
		return nil
	})
	flags.StringVar(&s.jwks, "oauth-jwks", "", "JSON web key `set`, a file or a URL: accept the tokens that it verifies (OAUTHBEARER)")
	flags.StringVar(&s.oauth.Issuer, "oauth-issuer", "", "`issuer` that tokens must have")
	flags.Func("oauth-audience", "`audience` of which tokens must have one; may be repeated", func(a string) error {
		s.oauth.Audience = append(s.oauth.Audience, a)
		return nil
	})
	flags.BoolVar(&s.unsigned, "oauth-unsigned", false, "accept tokens that nobody signed, as Kafka does by default: anybody can make one")
	flags.Func("super-user", "`principal` that may do anything, such as User:admin; turns authorization on, may be repeated", func(p string) error {
		if !strings.Contains(p, ":") {
			p = "User:" + p
		}
		s.authorized = true
		s.authorizer.SuperUsers = append(s.authorizer.SuperUsers, p)
		return nil
	})
	flags.Func("acl", "`rule` such as \"allow User:alice READ,DESCRIBE TOPIC orders\" or \"deny User:* ALL GROUP secret-* 10.0.0.1\"; turns authorization on, may be repeated", s.addACL)
	flags.Func("acl-file", "`file` with rules as -acl has them, one a line", func(path string) error { return eachLine(path, s.addACL) })
	flags.BoolVar(&s.authorizer.AllowUnlisted, "allow-if-no-acl", false, "with -acl or -super-user: everyone may use what no rule is about")
}

// addUser reads name:password[:mechanism]. The last part is a mechanism only if it is the name of one, so a password may have colons.
func (s *securityFlags) addUser(text string) error {
	name, password, ok := strings.Cut(text, ":")
	if i := strings.LastIndexByte(password, ':'); i >= 0 {
		if m := strings.ToUpper(password[i+1:]); slices.Contains([]string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}, m) {
			password = password[:i]
			if !slices.Contains(s.mechanisms, m) {
				s.mechanisms = append(s.mechanisms, m)
			}
		}
	}
	if !ok || name == "" || password == "" {
		return errors.New("a user is name:password[:mechanism]") // without the text: it may be a password
	}
	s.users = append(s.users, broker.NewUser(name, password))
	return nil
}

// addACL reads allow|deny principal operations resource name [host].
func (s *securityFlags) addACL(text string) error {
	words := strings.Fields(text)
	if len(words) < 5 || len(words) > 6 || words[0] != "allow" && words[0] != "deny" {
		return fmt.Errorf("%q is not \"allow|deny principal operations resource name [host]\"", text)
	}
	a := broker.ACL{Principal: words[1], Operations: strings.Split(words[2], ","), Resource: words[3], Name: words[4], Deny: words[0] == "deny"}
	if name, ok := strings.CutSuffix(a.Name, "*"); ok && name != "" {
		a.Name, a.Prefixed = name, true
	}
	if len(words) == 6 {
		a.Host = words[5]
	}
	s.authorized = true
	s.authorizer.ACLs = append(s.authorizer.ACLs, a)
	return nil
}

// eachLine hands the lines of a file on; those that are empty or begin with # say nothing. What is wrong with a line is said without the line.
func eachLine(path string, do func(string) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := do(line); err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
	}
	return lines.Err()
}

// apply puts what the flags say into the cluster's configuration.
func (s *securityFlags) apply(cfg *broker.Config) error {
	if err := s.applyTLS(cfg); err != nil {
		return err
	}
	if err := s.applySASL(cfg); err != nil {
		return err
	}
	switch {
	case s.authorized:
		cfg.Authorizer = &s.authorizer
	case s.authorizer.AllowUnlisted:
		return errors.New("-allow-if-no-acl: there is neither -acl nor -super-user, so everyone may do everything")
	}
	return nil
}

func (s *securityFlags) applyTLS(cfg *broker.Config) error {
	switch {
	case (s.cert == "") != (s.key == ""):
		return errors.New("-tls-cert and -tls-key go together")
	case s.tls && s.cert != "":
		return errors.New("-tls makes a certificate, and -tls-cert has one: give one of them")
	case s.caOut != "" && !s.tls:
		return errors.New("-tls-ca-out: only -tls makes an authority")
	case s.cert != "":
		pair, err := tls.LoadX509KeyPair(s.cert, s.key)
		if err != nil {
			return fmt.Errorf("-tls-cert %s, -tls-key %s: %w", s.cert, s.key, err)
		}
		cfg.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	case s.tls:
		authority, err := broker.NewAuthority()
		if err != nil {
			return fmt.Errorf("-tls: %w", err)
		}
		if cfg.TLS, err = authority.Server(advertisedHosts(cfg)...); err != nil {
			return fmt.Errorf("-tls: %w", err)
		}
		if s.caOut != "" {
			if err := os.WriteFile(s.caOut, authority.PEM(), 0o644); err != nil {
				return fmt.Errorf("-tls-ca-out: %w", err)
			}
		}
	case s.clientCA != "" || s.auth != "":
		return errors.New("-tls-client-ca, -tls-client-auth: TLS is off, give -tls-cert and -tls-key, or -tls")
	default:
		return nil
	}
	return s.applyClientAuth(cfg.TLS)
}

// advertisedHosts are the hosts at which clients expect the brokers.
func advertisedHosts(cfg *broker.Config) []string {
	var hosts []string
	add := func(addresses []string) {
		for _, a := range addresses {
			if host, _, err := net.SplitHostPort(a); err == nil { // broker.Start says what is wrong with others
				hosts = append(hosts, host)
			}
		}
	}
	add(cfg.Advertise)
	for _, l := range cfg.Listeners {
		add(l.Advertise)
	}
	return hosts
}

func (s *securityFlags) applyClientAuth(cfg *tls.Config) error {
	if s.auth == "" && s.clientCA != "" {
		s.auth = "required"
	}
	switch s.auth {
	case "", "none":
		return nil
	case "required":
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	case "requested":
		cfg.ClientAuth = tls.VerifyClientCertIfGiven
	default:
		return fmt.Errorf("-tls-client-auth %q: it is required, requested or none", s.auth)
	}
	if s.clientCA == "" {
		return errors.New("-tls-client-auth: -tls-client-ca must say who signs clients' certificates")
	}
	pem, err := os.ReadFile(s.clientCA)
	if err != nil {
		return fmt.Errorf("-tls-client-ca: %w", err)
	}
	cfg.ClientCAs = x509.NewCertPool()
	if !cfg.ClientCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("-tls-client-ca %s: no certificate in it", s.clientCA)
	}
	return nil
}

func (s *securityFlags) applySASL(cfg *broker.Config) error {
	oauth := s.jwks != "" || s.unsigned
	if !oauth && (s.oauth.Issuer != "" || len(s.oauth.Audience) > 0) {
		return errors.New("-oauth-issuer, -oauth-audience: -oauth-jwks must say which keys verify tokens")
	}
	if len(s.users) == 0 && !oauth {
		if len(s.mechanisms) > 0 {
			return errors.New("-sasl-mechanism: there is no -sasl-user and no -oauth-jwks, so nobody could authenticate")
		}
		return nil
	}
	cfg.SASL = &broker.SASL{Users: s.users, Mechanisms: s.mechanisms}
	if !oauth {
		return nil
	}
	s.oauth.AllowUnsigned = s.unsigned
	if u, err := url.Parse(s.jwks); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		s.oauth.JWKSURL = s.jwks
	} else {
		s.oauth.JWKSFile = s.jwks
	}
	cfg.SASL.OAuth = &s.oauth
	return nil
}
