package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/sordini-go/sordini/integration/realkafka"
)

//go:embed Driver.java
var driver []byte

// programs are what sides run as. What has to be built or fetched is, when it is first needed.
type programs struct {
	dir   string
	peers string   // the program of the Go peers
	java  []string // parallel-consumer's command
}

func (p *programs) remove() {
	if p.dir != "" {
		_ = os.RemoveAll(p.dir)
	}
}

func (p *programs) temp() (string, error) {
	if p.dir == "" {
		dir, err := os.MkdirTemp("", "sordini-bench-")
		if err != nil {
			return "", err
		}
		p.dir = dir
	}
	return p.dir, nil
}

// of returns a side's program and the arguments before the task's.
func (p *programs) of(ctx context.Context, side string) (name string, args []string, err error) {
	switch side {
	case "sarama", "kafka-go", "watermill":
		if p.peers == "" {
			if p.peers, err = p.build(ctx); err != nil {
				return "", nil, err
			}
		}
		return p.peers, nil, nil
	case pc:
		if p.java == nil {
			if p.java, err = p.compile(ctx); err != nil {
				return "", nil, err
			}
		}
		return p.java[0], p.java[1:], nil
	}
	name, err = os.Executable()
	return name, nil, err
}

func (p *programs) build(ctx context.Context) (string, error) {
	dir, err := p.temp()
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "peers")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", name, ".")
	cmd.Dir = filepath.Join("bench", "peers")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the peers (run the command in integration/): %w: %s", err, out)
	}
	return name, nil
}

func (p *programs) compile(ctx context.Context) ([]string, error) {
	dir, err := p.temp()
	if err != nil {
		return nil, err
	}
	libs, err := realkafka.Fetch(ctx, filepath.Join("parallel-consumer", parallelConsumer[0].Version), parallelConsumer)
	if err != nil {
		return nil, err
	}
	source := filepath.Join(dir, "Driver.java")
	if err := os.WriteFile(source, driver, 0o600); err != nil {
		return nil, err
	}
	classpath := filepath.Join(libs, "*")
	if out, err := exec.CommandContext(ctx, "javac", "-cp", classpath, "-d", dir, source).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("compile %s: %w: %s", source, err, out)
	}
	return []string{"java", "-Xmx1g", "-cp", classpath + string(os.PathListSeparator) + dir, "Driver"}, nil
}

// parallelConsumer is the newest release that Maven Central has, with the client that was its newest then.
var parallelConsumer = realkafka.Artifacts{
	{Group: "io.confluent.parallelconsumer", Name: "parallel-consumer-core", Version: "0.5.3.3"},
	{Group: "org.apache.kafka", Name: "kafka-clients", Version: "4.1.1"},
	{Group: "org.slf4j", Name: "slf4j-nop", Version: "1.7.36"},
}
