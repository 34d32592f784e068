package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/sordini-go/sordini/integration/realkafka"
)

//go:embed Driver.java
var driver []byte

// programs are what sides run as. What has to be built or fetched is, when it is first needed.
type programs struct {
	dir   string
	built map[string]string // the programs of Go peers, by their modules' directories
	java  []string          // parallel-consumer's command
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
		name, err = p.build(ctx, "peers")
		return name, nil, err
	case confluent:
		name, err = p.build(ctx, "cgopeers", "CGO_ENABLED=1") // said, so that a machine without a C compiler has that as its error
		return name, nil, err
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

func (p *programs) build(ctx context.Context, module string, env ...string) (string, error) {
	if name, ok := p.built[module]; ok {
		return name, nil
	}
	dir, err := p.temp()
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, module)
	cmd := exec.CommandContext(ctx, "go", "build", "-o", name, ".")
	cmd.Dir, cmd.Env = filepath.Join("bench", module), append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build bench/%s (run the command in integration/): %w: %s", module, err, strings.TrimSpace(string(out)))
	}
	if p.built == nil {
		p.built = map[string]string{}
	}
	p.built[module] = name
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
