package brokercommand

import (
	"strings"
	"testing"

	"github.com/sordini-go/sordini/broker"
)

func TestVariablesOfKafkasImagesAreUnderstood(t *testing.T) {
	cfg := broker.Config{Properties: map[string]string{}}
	err := kafkaEnvironment(&cfg, []string{
		"KAFKA_LISTENERS=BROKER://0.0.0.0:9092,PLAINTEXT://0.0.0.0:9093,CONTROLLER://0.0.0.0:9094", "KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://127.0.0.1:30001,BROKER://c0ffee:9092",
		"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=BROKER:PLAINTEXT,PLAINTEXT:PLAINTEXT,CONTROLLER:SASL_SSL", "KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER",
		"KAFKA_REST_BOOTSTRAP_SERVERS=x", "KAFKA_CONTROLLER_QUORUM_VOTERS=1@localhost:9094", "KAFKA_INTER_BROKER_LISTENER_NAME=BROKER", "KAFKA_PROCESS_ROLES=broker,controller",
		"KAFKA_NODE_ID=1", "KAFKA_BROKER_ID=1", "KAFKA_HEAP_OPTS=-Xmx1g", "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS=1", "KAFKA_LOG_DIRS=/data", "KAFKA_NUM_PARTITIONS=", "PATH=/bin",
	})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Listen != "0.0.0.0:9093" || strings.Join(cfg.Advertise, ",") != "127.0.0.1:30001" || len(cfg.Listeners) != 1 || cfg.Listeners[0].Name != "BROKER" ||
		cfg.Listeners[0].Listen != "0.0.0.0:9092" || strings.Join(cfg.Listeners[0].Advertise, ",") != "c0ffee:9092" {
		t.Errorf("listeners are %q %v %+v", cfg.Listen, cfg.Advertise, cfg.Listeners)
	}
	if len(cfg.Properties) != 1 || cfg.Properties["offsets.topic.num.partitions"] != "1" {
		t.Errorf("properties are %v", cfg.Properties)
	}
	if s := setting("KAFKA_A_B__C___D"); s != "a.b_c-d" {
		t.Errorf("KAFKA_A_B__C___D is %s", s)
	}
}

func TestKafkasVariablesThatCanNotHoldHereAreRefused(t *testing.T) {
	for env, want := range map[string]string{
		"KAFKA_NODE_ID=2":                                                                      "this process is a whole cluster",
		"KAFKA_PROCESS_ROLES=controller":                                                       "this is a broker",
		"KAFKA_LISTENERS=9092":                                                                 `"9092" is not NAME://host:port`,
		"KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://x:1":                                           "$KAFKA_LISTENERS is not",
		"KAFKA_LISTENERS=A://:1 KAFKA_ADVERTISED_LISTENERS=B://x:1":                            "there is no listener B",
		"KAFKA_LISTENERS=A://:1 KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=A:SASL_SSL":               "listener A speaks SASL_SSL",
		"KAFKA_LISTENERS=A://:1,B://:2 KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=A:PLAINTEXT,B:SSL": "listener B speaks SSL",
	} {
		cfg := broker.Config{Properties: map[string]string{}}
		if err := kafkaEnvironment(&cfg, strings.Fields(env)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", env, err, want)
		}
	}
}

func TestKafkasEnvironmentReachesTheCommand(t *testing.T) {
	cmd, ready := process(t, []string{"KAFKA_LISTENERS=PLAINTEXT://127.0.0.1:0", "KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://outside:7", "SORDINI_KAFKA_ENVIRONMENT=true"})
	if ready != "outside:7" {
		t.Errorf("readiness line says %q", ready)
	}
	stop(t, cmd)
}
