package main

import (
	"path/filepath"
	"slices"
	"strings"
)

// program runs scripts of one or several clients. Their names begin with the client's and a slash.
type program struct {
	argv    []string
	env     []string // beside that of the suite
	plain   []string // on three brokers without security
	secured []string // on one broker whose clients authenticate and have rights
	restart []string // on three brokers that restart, together with those of all programs
	full    []string // as plain, in a full run only
	across  []string // from each kind of cluster to the other one, in a full run only
}

// programs are all that take part. The folder is that of this package, dir holds what was built.
func programs(folder, dir string) []program {
	of := func(client string, scripts ...string) []string {
		for i, s := range scripts {
			scripts[i] = client + "/" + s
		}
		return scripts
	}
	java := []string{
		"java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off",
		"-cp", filepath.Join(folder, "java", "classes") + ":" + filepath.Join(folder, "java", "libs", "*"), "Main",
	}
	python := filepath.Join(folder, "python", "venv", "bin", "python")
	return []program{
		{
			argv:    java,
			plain:   of("java", "produce", "groups", "consumer-protocol", "shares", "transactions", "admin", "errors"),
			secured: of("java", "rights"),
			restart: of("java", "restart"),
		},
		{
			argv:   java,
			plain:  slices.Concat(of("streams", "exactly-once"), of("connect", "dead-letters"), of("mirrormaker", "mirror"), of("spring", "retryable-topic")),
			full:   slices.Concat(of("streams", "joins"), of("spring", "transactions")),
			across: of("mirrormaker", "across"),
		},
		{
			argv:    []string{"node", filepath.Join(folder, "kafkajs", "scripts.js")},
			plain:   of("kafkajs", "produce", "groups", "transactions", "admin", "errors"),
			secured: of("kafkajs", "rights"),
			restart: of("kafkajs", "restart"),
		},
		{
			argv:    []string{python, filepath.Join(folder, "python", "aiokafka_scripts.py")},
			plain:   of("aiokafka", "produce", "groups", "transactions", "admin", "errors"),
			secured: of("aiokafka", "rights"),
			restart: of("aiokafka", "restart"),
		},
		{
			argv:    []string{python, filepath.Join(folder, "kcat", "scripts.py")},
			plain:   of("kcat", "produce", "groups", "transactions", "metadata", "errors"),
			secured: of("kcat", "rights"),
			restart: of("kcat", "restart"),
		},
		{
			argv:    []string{filepath.Join(dir, "golang")},
			plain:   of("sarama", "produce", "groups", "transactions", "admin", "errors"),
			secured: of("sarama", "rights"),
			restart: of("sarama", "restart"),
		},
		{
			argv:    []string{filepath.Join(dir, "golang")},
			plain:   of("kafka-go", "produce", "groups", "admin", "errors"),
			secured: of("kafka-go", "rights"),
			restart: of("kafka-go", "restart"),
		},
		{
			argv:    []string{python, filepath.Join(folder, "python", "confluent.py")},
			plain:   of("confluent-kafka", "produce", "groups", "consumer-protocol", "transactions", "admin", "errors"),
			secured: of("confluent-kafka", "rights"),
			restart: of("confluent-kafka", "restart"),
		},
	}
}

// only keeps the scripts of the named clients; all where none is named.
func (p program) only(clients []string) program {
	if len(clients) == 0 {
		return p
	}
	drop := func(scripts []string) []string {
		return slices.DeleteFunc(slices.Clone(scripts), func(s string) bool {
			client, _, _ := strings.Cut(s, "/")
			return !slices.Contains(clients, client)
		})
	}
	p.plain, p.secured, p.restart, p.full, p.across = drop(p.plain), drop(p.secured), drop(p.restart), drop(p.full), drop(p.across)
	return p
}
