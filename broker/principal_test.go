package broker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
)

func TestSubjectsAreMappedByRules(t *testing.T) {
	const dn = "CN=Duke,OU=ServiceUsers,O=Org,C=US"
	for _, test := range []struct{ rules, subject, want string }{
		{"DEFAULT", dn, dn},
		{"", dn, dn},
		{"RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/", dn, "Duke"},
		{"RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/L", dn, "duke"},
		{"RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/U", dn, "DUKE"},
		{"RULE:^CN=(.*?),OU=(.*?),O=(.*?),C=(.*?)$/$1@$2/L, DEFAULT", dn, "duke@serviceusers"},
		{"RULE:^OU=(.*?)$/$1/, RULE:^CN=(.*?),.*$/user-$1/", dn, "user-Duke"},
		{"RULE:^OU=(.*?)$/$1/, DEFAULT", dn, dn},
		{"RULE:CN=(.*?)/$1/", dn, "Duke,OU=ServiceUsers,O=Org,C=US"}, // the pattern matches all and replaces less
		{"RULE:CN=[a-z]*/x/", "CN=a,OU=b", "-"},                      // a rule is about the whole subject
		{"RULE:^OU=(.*?)$/$1/", "CN=x", "-"},                         // no rule
	} {
		m, err := newPrincipalMapper(test.rules)
		if err != nil {
			t.Errorf("%s: %v", test.rules, err)
			continue
		}
		got, err := m.name(test.subject)
		if err != nil {
			got = "-"
		}
		if got != test.want {
			t.Errorf("%s of %s: %q, want %q", test.rules, test.subject, got, test.want)
		}
	}
	for _, rules := range []string{"NONE", "RULE:x", "RULE:a/b", "RULE:(/b/", "DEFAULT DEFAULT", "RULE:^CN=(.*?),.*$/$1/X"} {
		if _, err := newPrincipalMapper(rules); err == nil {
			t.Errorf("rules %q are accepted", rules)
		}
	}
}

func TestSubjectsAreWrittenAsJavaDoes(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for want, name := range map[string]pkix.Name{
		"CN=alice":                      {CommonName: "alice"},
		"CN=alice,OU=b,OU=a,O=Org,C=US": {CommonName: "alice", OrganizationalUnit: []string{"b"}, Organization: []string{"Org"}, Country: []string{"US"}},
		`CN=a\,b\+c\"d`:                 {CommonName: `a,b+c"d`},
		`CN=\#x\ `:                      {CommonName: "#x "},
		"UID=u,CN=x":                    {CommonName: "x"},
		"2.5.4.5=#130137,CN=x":          {CommonName: "x", SerialNumber: "7"},
	} {
		switch want {
		case "UID=u,CN=x":
			name.ExtraNames = []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "x"},
				{Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, Value: "u"}}
			name.CommonName = ""
		case "CN=alice,OU=b,OU=a,O=Org,C=US":
			name = pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{
				{Type: asn1.ObjectIdentifier{2, 5, 4, 6}, Value: "US"}, {Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: "Org"},
				{Type: asn1.ObjectIdentifier{2, 5, 4, 11}, Value: "a"}, {Type: asn1.ObjectIdentifier{2, 5, 4, 11}, Value: "b"},
				{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "alice"}}}
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: name}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if got := subjectOf(cert); got != want {
			t.Errorf("subject %s, want %s", got, want)
		}
	}
}
