package broker

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// principalMapper makes a principal's name of a client certificate's subject (ssl.principal.mapping.rules, KIP-371).
type principalMapper struct{ rules []principalRule }

type principalRule struct {
	whole       *regexp.Regexp // what the rule is about; nil: DEFAULT, any subject as it is
	pattern     *regexp.Regexp // what it replaces
	replacement string
	fold        func(string) string
}

// newPrincipalMapper reads rules such as "RULE:^CN=(.*?),.*$/$1/L, DEFAULT". The first that matches the whole subject holds.
func newPrincipalMapper(rules string) (*principalMapper, error) {
	m := new(principalMapper)
	rest := strings.TrimSpace(rules)
	for rest != "" {
		var r principalRule
		switch {
		case strings.HasPrefix(rest, "DEFAULT"):
			rest = rest[len("DEFAULT"):]
		case strings.HasPrefix(rest, "RULE:"):
			fields := principalRuleText.FindStringSubmatch(rest)
			if fields == nil {
				return nil, fmt.Errorf("ssl.principal.mapping.rules: %q is not RULE:pattern/replacement/ with L, U or nothing behind it", rest)
			}
			var err error
			if r.pattern, err = regexp.Compile(fields[1]); err != nil {
				return nil, fmt.Errorf("ssl.principal.mapping.rules: %w", err)
			}
			r.whole = regexp.MustCompile(`\A(?:` + fields[1] + `)\z`)
			r.replacement = javaReference.ReplaceAllString(fields[2], "$${$1}")
			switch fields[3] {
			case "L":
				r.fold = strings.ToLower
			case "U":
				r.fold = strings.ToUpper
			}
			rest = rest[len(fields[0]):]
		default:
			return nil, fmt.Errorf("ssl.principal.mapping.rules: %q is neither DEFAULT nor a RULE", rest)
		}
		m.rules = append(m.rules, r)
		rest = strings.TrimSpace(rest)
		if rest != "" && !strings.HasPrefix(rest, ",") {
			return nil, fmt.Errorf("ssl.principal.mapping.rules: a comma is missing before %q", rest)
		}
		rest = strings.TrimSpace(strings.TrimPrefix(rest, ","))
	}
	if len(m.rules) == 0 {
		m.rules = []principalRule{{}}
	}
	return m, nil
}

var (
	principalRuleText = regexp.MustCompile(`\ARULE:((?:\\.|[^\\/])*)/((?:\\.|[^\\/])*)/([LU]?)`)
	javaReference     = regexp.MustCompile(`\$(\d)`)
)

// errNoRule says that no rule matches a subject.
var errNoRule = errors.New("no rule of ssl.principal.mapping.rules matches the client's certificate")

// name applies the rules to a subject.
func (m *principalMapper) name(subject string) (string, error) {
	for _, r := range m.rules {
		if r.whole == nil {
			return subject, nil
		}
		if !r.whole.MatchString(subject) {
			continue
		}
		name := r.pattern.ReplaceAllString(subject, r.replacement)
		if r.fold != nil {
			name = r.fold(name)
		}
		return name, nil
	}
	return "", fmt.Errorf("subject %q: %w", subject, errNoRule)
}

// subjectOf writes a certificate's subject as Java does (RFC 2253): the last part first, and types without a name there as numbers.
func subjectOf(cert *x509.Certificate) string {
	var names []nameSET
	if rest, err := asn1.Unmarshal(cert.RawSubject, &names); err != nil || len(rest) > 0 {
		return cert.Subject.String()
	}
	parts := make([]string, 0, len(names))
	for i := len(names) - 1; i >= 0; i-- {
		var set []string
		for _, a := range names[i] {
			set = append(set, a.String())
		}
		parts = append(parts, strings.Join(set, "+"))
	}
	return strings.Join(parts, ",")
}

// nameSET is one part of a distinguished name; the decoder takes a type whose name ends so for a set.
type nameSET []attribute

type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// attributeNames are those that RFC 2253 gives.
var attributeNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU",
	"0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}

func (a attribute) String() string {
	oid := a.Type.String()
	var text string
	if name, known := attributeNames[oid]; known {
		if _, err := asn1.Unmarshal(a.Value.FullBytes, &text); err == nil {
			return name + "=" + escapeDN(text)
		}
	}
	return oid + "=#" + hex.EncodeToString(a.Value.FullBytes)
}

// escapeDN escapes what has a meaning in a distinguished name.
func escapeDN(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case strings.ContainsRune(`,+"\<>;`, r), r == '#' && i == 0, r == ' ' && (i == 0 || i == len(s)-1):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
