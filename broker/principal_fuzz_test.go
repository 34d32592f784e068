package broker

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"
)

// FuzzSubject takes certificates' subjects of any bytes: a subject is as many parts as its certificate has, so that nobody's name can add one, and takes
// little more room than its bytes.
func FuzzSubject(f *testing.F) {
	for _, name := range []pkix.Name{
		{CommonName: "alice"}, {CommonName: `a,O=b+c\`, Organization: []string{"#d ", " e"}}, {SerialNumber: "7", Country: []string{"US", "NO"}},
	} {
		raw, err := asn1.Marshal(name.ToRDNSequence())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff})
	mapper, err := newPrincipalMapper("RULE:^CN=(.*?),.*$/$1/L, DEFAULT")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		subject := subjectOf(&x509.Certificate{RawSubject: raw})
		if len(subject) > 64*(len(raw)+1) {
			t.Errorf("%d bytes make a subject of %d", len(raw), len(subject))
		}
		_, _ = mapper.name(subject)
		var sets []nameSET
		if rest, err := asn1.Unmarshal(raw, &sets); err != nil || len(rest) > 0 {
			return
		}
		attributes := 0
		for _, set := range sets {
			attributes += max(1, len(set))
		}
		parts, escaped := 1, false
		for _, r := range subject {
			if !escaped && strings.ContainsRune(",+", r) {
				parts++
			}
			escaped = r == '\\' && !escaped
		}
		if attributes > 0 && parts != attributes {
			t.Errorf("%d attributes make a subject of %d parts: %q", attributes, parts, subject)
		}
	})
}
