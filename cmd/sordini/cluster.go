package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/sordini-go/sordini"
)

// clusterFlags are the flags of a command that connects to a cluster. Each stands for a variable of the environment, which it overrides: what
// sordini.FromEnv reads is thus what every command takes. A password is never a flag: other users of the machine see command lines.
type clusterFlags struct {
	plain *bool
}

// clusterVariables are the flags and the variables that they stand for.
var clusterVariables = []struct{ flag, variable, usage string }{
	{"brokers", "KAFKA_BROKERS", "`host:port`,… of the cluster"},
	{"security-protocol", "KAFKA_SECURITY_PROTOCOL", "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"},
	{"ca-file", "KAFKA_CA_FILE", "PEM `file` of who signed the brokers' certificates"},
	{"cert-file", "KAFKA_CERT_FILE", "PEM `file` of the client's certificate"},
	{"key-file", "KAFKA_KEY_FILE", "PEM `file` of the client's private key"},
	{"sasl-mechanism", "KAFKA_SASL_MECHANISM", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"},
	{"username", "KAFKA_USERNAME", "SASL user `name`"},
	{"password-file", "KAFKA_PASSWORD_FILE", "`file` with the SASL password; or set KAFKA_PASSWORD"},
}

// newClusterFlags adds the flags to a command's.
func newClusterFlags(flags *flag.FlagSet) clusterFlags {
	for _, v := range clusterVariables {
		flags.Func(v.flag, fmt.Sprintf("%s (default $%s)", v.usage, v.variable), func(s string) error { return os.Setenv(v.variable, s) })
	}
	return clusterFlags{flags.Bool("allow-plain-without-tls", false, "send the password of SASL PLAIN in clear text")}
}

// cluster returns what the flags and the environment say, once the flags are parsed.
func (f clusterFlags) cluster() (sordini.Cluster, error) {
	c, err := sordini.FromEnv()
	if err != nil {
		return sordini.Cluster{}, fmt.Errorf("%w (or use the flags that stand for the variables, see -h)", err)
	}
	c.ClientID = "sordini"
	c.AllowPlainWithoutTLS = *f.plain
	return c, nil
}
