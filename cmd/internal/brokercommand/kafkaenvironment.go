package brokercommand

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sordini-go/sordini/broker"
)

// elsewhere are the settings of images of Kafka that say nothing to this broker: how its process runs, and how its controllers find each other.
var elsewhere = []string{
	"KAFKA_VERSION", "KAFKA_HEAP_OPTS", "KAFKA_OPTS", "KAFKA_JVM_*", "KAFKA_GC_*", "KAFKA_JMX_*", "KAFKA_LOG4J_*", "KAFKA_TOOLS_*", "KAFKA_REST_*",
	"KAFKA_LOG_DIR", "KAFKA_LOG_DIRS", "KAFKA_CONTROLLER_*", "KAFKA_INTER_BROKER_LISTENER_NAME",
}

// kafkaEnvironment takes listeners and settings from the variables that images of Kafka read, so that what was written to start one of those
// starts this broker. KAFKA_LISTENERS and KAFKA_ADVERTISED_LISTENERS are the listeners, those of controllers left out; the one named PLAINTEXT, or the first, is the main one.
// KAFKA_SOME_SETTING is some.setting, with ___ for a hyphen and __ for an underscore. What can not be so here is refused.
func kafkaEnvironment(cfg *broker.Config, environ []string) error {
	env := make(map[string]string)
	for _, entry := range environ {
		if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "KAFKA_") && value != "" {
			env[name] = value
		}
	}
	take := func(name string) string {
		value := env[name]
		delete(env, name)
		return value
	}
	controllers := strings.Split(env["KAFKA_CONTROLLER_LISTENER_NAMES"], ",")
	protocols := make(map[string]string)
	for entry := range strings.SplitSeq(take("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"), ",") {
		name, protocol, _ := strings.Cut(entry, ":")
		protocols[strings.TrimSpace(name)] = strings.TrimSpace(protocol)
	}
	listeners, err := kafkaListeners(take("KAFKA_LISTENERS"), take("KAFKA_ADVERTISED_LISTENERS"), controllers)
	if err != nil {
		return err
	}
	for i, l := range listeners {
		if p := protocols[l.Name]; p != "" && p != "PLAINTEXT" {
			return fmt.Errorf("$KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: listener %s speaks %s; TLS and SASL are turned on by this broker's own flags, such as -tls and -sasl-user", l.Name, p)
		}
		if l.Name == "PLAINTEXT" { // the main listener has the name of its protocol
			listeners[0], listeners[i] = listeners[i], listeners[0]
		}
	}
	if len(listeners) > 0 {
		cfg.Listen, cfg.Advertise, cfg.Listeners = listeners[0].Listen, listeners[0].Advertise, listeners[1:]
	}
	if roles := take("KAFKA_PROCESS_ROLES"); roles != "" && !strings.Contains(roles, "broker") {
		return fmt.Errorf("$KAFKA_PROCESS_ROLES is %q: this is a broker, which has its controllers inside", roles)
	}
	for _, name := range []string{"KAFKA_NODE_ID", "KAFKA_BROKER_ID"} {
		if id := take(name); id != "" && id != "1" {
			return fmt.Errorf("$%s is %s: this process is a whole cluster, whose brokers count from 1; -brokers gives it more", name, id)
		}
	}
	for name, value := range env {
		if !slices.ContainsFunc(elsewhere, func(pattern string) bool { return matches(pattern, name) }) {
			cfg.Properties[setting(name)] = value
		}
	}
	return nil
}

func matches(pattern, name string) bool {
	if start, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, start)
	}
	return pattern == name
}

// setting is the setting that a variable stands for.
func setting(variable string) string {
	name := strings.ToLower(strings.TrimPrefix(variable, "KAFKA_"))
	return strings.NewReplacer("___", "-", "__", "_", "_", ".").Replace(name)
}

// kafkaListeners reads "NAME://host:port,..." twice: what is listened on, and what is advertised.
func kafkaListeners(listen, advertise string, controllers []string) (listeners []broker.Listener, err error) {
	for entry := range strings.SplitSeq(listen, ",") {
		name, address, ok := strings.Cut(strings.TrimSpace(entry), "://")
		switch {
		case entry == "":
		case !ok:
			return nil, fmt.Errorf("$KAFKA_LISTENERS: %q is not NAME://host:port", entry)
		case !slices.Contains(controllers, name):
			listeners = append(listeners, broker.Listener{Name: name, Listen: address})
		}
	}
	for entry := range strings.SplitSeq(advertise, ",") {
		name, address, ok := strings.Cut(strings.TrimSpace(entry), "://")
		i := slices.IndexFunc(listeners, func(l broker.Listener) bool { return l.Name == name })
		switch {
		case entry == "":
		case !ok:
			return nil, fmt.Errorf("$KAFKA_ADVERTISED_LISTENERS: %q is not NAME://host:port", entry)
		case slices.Contains(controllers, name):
		case len(listeners) == 0:
			return nil, errors.New("$KAFKA_ADVERTISED_LISTENERS is set, $KAFKA_LISTENERS is not: both are needed to know which listener is meant")
		case i < 0:
			return nil, fmt.Errorf("$KAFKA_ADVERTISED_LISTENERS: there is no listener %s in $KAFKA_LISTENERS", name)
		default:
			listeners[i].Advertise = []string{address}
		}
	}
	return listeners, nil
}
