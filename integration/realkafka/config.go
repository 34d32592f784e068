package realkafka

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// Config says what cluster to start. The zero value is three plain brokers that keep nothing.
type Config struct {
	Brokers int    // 3 when 0; node ids count from 1
	Version string // DefaultVersion when ""

	// Dir holds configuration, data and logs. When it is "", a temporary folder that Close removes. A folder that an earlier cluster used starts that
	// cluster again: same data, same ports, same settings, and the other fields are ignored but for Log.
	Dir string

	SASL       bool   // PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 on the client listener
	OAuth      bool   // OAUTHBEARER with unsigned tokens as well; implies SASL
	JWKS       string // OAUTHBEARER with tokens that this JSON web key set verifies, in place of unsigned ones; implies OAuth
	TLS        bool   // the client listener speaks TLS; see Cluster.TLSConfig
	MTLS       bool   // and asks for a client certificate, whose common name is the principal; implies TLS
	ACL        bool   // StandardAuthorizer; User:admin is the super user. Implies SASL unless MTLS names the principals
	AutoCreate bool   // auto.create.topics.enable

	Features   map[string]int    // levels to finalise when the cluster is made, such as group.version; Kafka's own defaults for those not named
	Users      map[string]string // name to password, beside admin/admin-secret, alice/alice-secret and bob/bob-secret
	Properties map[string]string // further broker settings; they win over the package's own
	Heap       string            // "384m" when ""
	PortBase   int               // first of 3×Brokers ports in a row; free ones are looked for when 0
}

// Settings of a started cluster, kept in its folder so that it can be started again.
type settings struct {
	Config
	ClusterID string
	Base      int
}

func (c Config) withDefaults() Config {
	if c.Brokers == 0 {
		c.Brokers = 3
	}
	if c.Version == "" {
		c.Version = DefaultVersion
	}
	if c.Heap == "" {
		c.Heap = "384m"
	}
	c.OAuth = c.OAuth || c.JWKS != ""
	c.SASL = c.SASL || c.OAuth || c.ACL && !c.MTLS
	c.TLS = c.TLS || c.MTLS
	users := map[string]string{"admin": "admin-secret", "alice": "alice-secret", "bob": "bob-secret"}
	maps.Copy(users, c.Users)
	c.Users = users
	return c
}

// Each broker has three listeners: clients, brokers among themselves, controllers.
func (s settings) clientPort(id int) int     { return s.Base + (id-1)*3 }
func (s settings) internalPort(id int) int   { return s.Base + (id-1)*3 + 1 }
func (s settings) controllerPort(id int) int { return s.Base + (id-1)*3 + 2 }

func (s settings) protocol() string {
	switch {
	case s.SASL && s.TLS:
		return "SASL_SSL"
	case s.SASL:
		return "SASL_PLAINTEXT"
	case s.TLS:
		return "SSL"
	}
	return "PLAINTEXT"
}

// properties returns the broker's server.properties. Timeouts are those of a test: a dead broker is noticed after 4 s instead of 9 s, a silent replica
// leaves the in-sync set after 5 s instead of 30 s, and groups may have sessions of a second.
func (s settings) properties(id int, dir string) string {
	rf := min(s.Brokers, 3)
	isr := 1
	if rf == 3 {
		isr = 2
	}
	voters := make([]string, s.Brokers)
	for i := range voters {
		voters[i] = fmt.Sprintf("%d@127.0.0.1:%d", i+1, s.controllerPort(i+1))
	}
	internal := "PLAINTEXT"
	if s.SASL || s.ACL {
		internal = "SASL_PLAINTEXT"
	}
	p := map[string]string{
		"process.roles":             "broker,controller",
		"node.id":                   fmt.Sprint(id),
		"controller.quorum.voters":  strings.Join(voters, ","),
		"controller.listener.names": "CONTROLLER",
		"listeners": fmt.Sprintf("CLIENT://127.0.0.1:%d,INTERNAL://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d",
			s.clientPort(id), s.internalPort(id), s.controllerPort(id)),
		"advertised.listeners":                             fmt.Sprintf("CLIENT://127.0.0.1:%d,INTERNAL://127.0.0.1:%d", s.clientPort(id), s.internalPort(id)),
		"listener.security.protocol.map":                   fmt.Sprintf("CLIENT:%s,INTERNAL:%[2]s,CONTROLLER:%[2]s", s.protocol(), internal),
		"inter.broker.listener.name":                       "INTERNAL",
		"log.dirs":                                         filepath.Join(dir, "data"),
		"broker.rack":                                      fmt.Sprintf("rack-%d", id),
		"auto.create.topics.enable":                        fmt.Sprint(s.AutoCreate),
		"num.partitions":                                   "1",
		"default.replication.factor":                       fmt.Sprint(rf),
		"min.insync.replicas":                              fmt.Sprint(isr),
		"offsets.topic.replication.factor":                 fmt.Sprint(rf),
		"offsets.topic.num.partitions":                     "5",
		"transaction.state.log.replication.factor":         fmt.Sprint(rf),
		"transaction.state.log.min.isr":                    fmt.Sprint(isr),
		"transaction.state.log.num.partitions":             "5",
		"share.coordinator.state.topic.num.partitions":     "5",
		"share.coordinator.state.topic.replication.factor": fmt.Sprint(rf),
		"share.coordinator.state.topic.min.isr":            fmt.Sprint(isr),
		"group.initial.rebalance.delay.ms":                 "0",
		"group.min.session.timeout.ms":                     "1000",
		"group.consumer.heartbeat.interval.ms":             "1000",
		"group.consumer.min.heartbeat.interval.ms":         "500",
		"group.consumer.min.session.timeout.ms":            "3000",
		"broker.heartbeat.interval.ms":                     "500",
		"broker.session.timeout.ms":                        "4000",
		"replica.lag.time.max.ms":                          "5000",
		"num.network.threads":                              "2",
		"num.io.threads":                                   "2",
		"background.threads":                               "2",
		"log.cleaner.threads":                              "1",
		"log.cleaner.dedupe.buffer.size":                   "4194304",
	}
	const plainModule = `org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" password="admin-secret"`
	if internal == "SASL_PLAINTEXT" {
		p["sasl.mechanism.inter.broker.protocol"] = "PLAIN"
		p["sasl.mechanism.controller.protocol"] = "PLAIN"
		for _, l := range []string{"internal", "controller"} {
			p["listener.name."+l+".sasl.enabled.mechanisms"] = "PLAIN"
			p["listener.name."+l+".plain.sasl.jaas.config"] = plainModule + ` user_admin="admin-secret";`
		}
	}
	if s.SASL {
		mechanisms, users := "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512", ""
		for _, u := range slices.Sorted(maps.Keys(s.Users)) {
			users += fmt.Sprintf(" user_%s=%q", u, s.Users[u])
		}
		p["listener.name.client.plain.sasl.jaas.config"] = plainModule + users + ";"
		for _, m := range []string{"scram-sha-256", "scram-sha-512"} {
			p["listener.name.client."+m+".sasl.jaas.config"] = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
		}
		if s.OAuth {
			mechanisms += ",OAUTHBEARER"
			p["listener.name.client.oauthbearer.sasl.jaas.config"] =
				`org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="admin";`
			p["listener.name.client.oauthbearer.sasl.server.callback.handler.class"] =
				"org.apache.kafka.common.security.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"
		}
		if s.JWKS != "" {
			p["listener.name.client.oauthbearer.sasl.jaas.config"] = `org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;`
			p["listener.name.client.oauthbearer.sasl.server.callback.handler.class"] = "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler"
			p["listener.name.client.sasl.oauthbearer.jwks.endpoint.url"] = jwksURL(filepath.Dir(dir))
		}
		p["listener.name.client.sasl.enabled.mechanisms"] = mechanisms
	}
	if s.TLS {
		tls := filepath.Join(filepath.Dir(dir), "tls")
		p["listener.name.client.ssl.keystore.type"] = "PEM"
		p["listener.name.client.ssl.keystore.location"] = filepath.Join(tls, "broker.pem")
		p["listener.name.client.ssl.truststore.type"] = "PEM"
		p["listener.name.client.ssl.truststore.location"] = filepath.Join(tls, "ca.crt")
	}
	if s.MTLS {
		p["listener.name.client.ssl.client.auth"] = "required"
		p["ssl.principal.mapping.rules"] = "RULE:^CN=([^,]+).*$/$1/,DEFAULT"
	}
	if s.ACL {
		p["authorizer.class.name"] = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
		p["super.users"] = "User:admin"
		p["allow.everyone.if.no.acl.found"] = "false"
	}
	maps.Copy(p, s.Properties)
	return render(p)
}

// jwksURL is where a cluster's key set stands.
func jwksURL(dir string) string { return "file://" + filepath.Join(dir, "jwks.json") }

// adminProperties is what Kafka's own tools need to connect as the super user.
func (s settings) adminProperties(dir string) string {
	p := map[string]string{"security.protocol": s.protocol()}
	if s.SASL {
		p["sasl.mechanism"] = "PLAIN"
		p["sasl.jaas.config"] = `org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" password="admin-secret";`
	}
	if s.TLS {
		p["ssl.truststore.type"] = "PEM"
		p["ssl.truststore.location"] = filepath.Join(dir, "tls", "ca.crt")
	}
	if s.MTLS {
		p["ssl.keystore.type"] = "PEM"
		p["ssl.keystore.location"] = filepath.Join(dir, "tls", "admin.pem")
	}
	return render(p)
}

func render(p map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&b, "%s=%s\n", k, p[k])
	}
	return b.String()
}
