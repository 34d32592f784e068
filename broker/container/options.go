package container

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/network"
)

type options struct {
	brokers    int
	topics     []string
	properties []string
	tls        bool
	users      []func() string // closures, which nothing prints
	superUser  string
	rules      []string
	alias      string
	volume     string

	customizers []testcontainers.ContainerCustomizer
}

// Option is a setting of the broker. [Run] takes it beside testcontainers' own options; what those say goes first.
type Option func(*options) error

// Customize makes an Option one of testcontainers' options. It changes nothing: Run itself reads it.
func (Option) Customize(*testcontainers.GenericContainerRequest) error { return nil }

// WithBrokers has a cluster of n brokers in the container, up to 100. Default 1.
func WithBrokers(n int) Option {
	return func(o *options) error {
		if n < 1 || n > 100 {
			return fmt.Errorf("%d brokers: must be 1 to 100", n)
		}
		o.brokers = n
		return nil
	}
}

// WithTopic creates a topic before Run returns, on every broker where there are up to 3, else on 3 of them. It may be repeated. Topics that clients name
// are created as well, with one partition.
func WithTopic(name string, partitions int) Option {
	return func(o *options) error {
		if name == "" || strings.ContainsAny(name, ":,\n") || partitions < 1 {
			return fmt.Errorf("topic %q with %d partitions: a name and at least one partition are needed", name, partitions)
		}
		o.topics = append(o.topics, name+":"+strconv.Itoa(partitions))
		return nil
	}
}

// WithProperty sets a broker setting under Kafka's name, such as message.max.bytes. It may be repeated.
func WithProperty(name, value string) Option {
	return func(o *options) error {
		if name == "" || strings.ContainsAny(name, "=;\n") || strings.ContainsAny(value, ";\n") {
			return fmt.Errorf("property %q: a name without = is needed, and neither it nor its value may have a semicolon or a line end", name)
		}
		o.properties = append(o.properties, name+"="+value)
		return nil
	}
}

// WithTLS has the brokers speak TLS with a certificate of their own, for the host's address and that of [WithNetworkListener]. Clients trust
// [Container.CertificateAuthority]. The key does not leave the container.
func WithTLS() Option {
	return func(o *options) error {
		o.tls = true
		return nil
	}
}

// WithSASL has clients authenticate, and lets this user in by PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. It may be repeated.
func WithSASL(user, password string) Option {
	return func(o *options) error {
		if user == "" || password == "" || strings.ContainsAny(user, ":\n#") || strings.Contains(password, "\n") {
			return fmt.Errorf("SASL user %q: a name without a colon and a password are needed, without line ends", user)
		}
		o.users = append(o.users, func() string { return user + ":" + password })
		return nil
	}
}

// WithACLs lets clients do only what a rule allows, such as "allow User:alice READ,DESCRIBE TOPIC orders" or "deny User:* ALL GROUP secret-* 10.0.0.1".
// The super user, such as "User:admin", may do anything; "" is none. It may be repeated for more rules.
func WithACLs(superUser string, rules ...string) Option {
	return func(o *options) error {
		if superUser == "" && len(rules) == 0 {
			return errors.New("ACLs: with neither a super user nor a rule nobody could do anything")
		}
		for _, r := range rules {
			if strings.Contains(r, "\n") {
				return fmt.Errorf("rule %q: has a line end", r)
			}
		}
		if superUser != "" {
			o.superUser = superUser
		}
		o.rules = append(o.rules, rules...)
		return nil
	}
}

// WithNetworkListener puts the container into a network and has it listen there as well, for clients that are containers in it: those reach the brokers
// under the alias, at [Container.NetworkBrokers].
func WithNetworkListener(nw *testcontainers.DockerNetwork, alias string) Option {
	return func(o *options) error {
		if nw == nil || alias == "" || strings.ContainsAny(alias, ":;,/\n") {
			return fmt.Errorf("network listener %q: a network and an alias that is a host name are needed", alias)
		}
		o.alias = alias
		o.customizers = append(o.customizers, network.WithNetwork([]string{alias}, nw))
		return nil
	}
}

// WithData keeps everything in a Docker volume of that name, which is made where it is missing, so that it is there for the next container with the same
// volume and as many brokers. Without it everything is in memory and gone when the container stops. testcontainers.RemoveVolumes removes it in the end.
func WithData(volume string) Option {
	return func(o *options) error {
		if volume == "" || strings.ContainsAny(volume, "/:\n") {
			return fmt.Errorf("data volume %q: the name of a Docker volume is needed; a folder of this machine would have the wrong owner", volume)
		}
		o.volume = volume
		o.customizers = append(o.customizers, testcontainers.WithMounts(testcontainers.VolumeMount(volume, dataDir)))
		return nil
	}
}

// environment is the options as variables of the image, which are the broker's flags.
func (o *options) environment() map[string]string {
	env := map[string]string{
		"SORDINI_LISTEN": ":" + strconv.Itoa(hostPort), "SORDINI_BROKERS": strconv.Itoa(o.brokers), "SORDINI_ADVERTISE_FILE": advertiseFile,
		"SORDINI_REGISTRY": ":" + strings.TrimSuffix(registryPort, "/tcp"), "SORDINI_HEALTH": ":" + strings.TrimSuffix(healthPort, "/tcp"),
	}
	if len(o.topics) > 0 {
		replicas := ":" + strconv.Itoa(min(o.brokers, 3))
		env["SORDINI_TOPIC"] = strings.Join(o.topics, replicas+",") + replicas
	}
	if len(o.properties) > 0 {
		env["SORDINI_PROPERTY"] = strings.Join(o.properties, ";")
	}
	if o.tls {
		env["SORDINI_TLS"], env["SORDINI_TLS_CA_OUT"] = "true", authorityFile
	}
	if len(o.users) > 0 {
		env["SORDINI_SASL_USERS_FILE"] = usersFile
	}
	if o.superUser != "" {
		env["SORDINI_SUPER_USER"] = o.superUser
	}
	if len(o.rules) > 0 {
		env["SORDINI_ACL_FILE"] = rulesFile
	}
	if o.volume != "" {
		env["SORDINI_DATA"] = dataDir
	}
	if o.alias != "" {
		env["SORDINI_LISTENER"] = "NETWORK://:" + strconv.Itoa(networkPort) + "=" + net.JoinHostPort(o.alias, strconv.Itoa(networkPort))
	}
	return env
}

// files are what does not belong into the environment, where docker inspect would show it.
func (o *options) files() []testcontainers.ContainerFile {
	var files []testcontainers.ContainerFile
	add := func(path string, lines []string) {
		if len(lines) > 0 {
			files = append(files, testcontainers.ContainerFile{Reader: strings.NewReader(strings.Join(lines, "\n") + "\n"), ContainerFilePath: path, FileMode: 0o644})
		}
	}
	users := make([]string, len(o.users))
	for i, u := range o.users {
		users[i] = u()
	}
	add(usersFile, users)
	add(rulesFile, o.rules)
	return files
}
