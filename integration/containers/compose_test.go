package containers

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	mobycontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"gopkg.in/yaml.v3"

	"github.com/sordini-go/sordini"
	"github.com/sordini-go/sordini/broker"
	"github.com/sordini-go/sordini/examples/billing/billingtest"
)

const examples = "../../examples/compose"

// service is what is looked at in a service of a Compose file.
type service struct {
	Image       string
	Ports       []string
	Environment map[string]string
	ReadOnly    bool `yaml:"read_only"`
	Healthcheck struct{ Test []string }
}

// compose reads a Compose file's services.
func compose(t *testing.T, file string) map[string]service {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(examples, file))
	if err != nil {
		t.Fatal(err)
	}
	var parsed struct{ Services map[string]service }
	if err := yaml.Unmarshal(text, &parsed); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return parsed.Services
}

// composeFiles are the Compose files, and how many brokers each has.
var composeFiles = map[string]int{"sordini.yaml": 1, "sordini-three.yaml": 3, "kafka.yaml": 1, "kafka-three.yaml": 3}

func TestComposeFilesSayWhatTheImagesUnderstand(t *testing.T) {
	all, err := filepath.Glob(filepath.Join(examples, "*.yaml"))
	if err != nil || len(all) != len(composeFiles)+1 { // and that of GitHub Actions
		t.Fatalf("files are %v, %v", all, err)
	}
	for file := range composeFiles {
		for name, s := range compose(t, file) {
			where := file + ": " + name
			if s.Image != sordiniImage && s.Image != "apache/kafka:"+strings.SplitN(kafkaImage, ":", 2)[1] {
				t.Errorf("%s: image %s is not the one that is tested", where, s.Image)
			}
			checkPorts(t, where, s)
			for variable, value := range s.Environment {
				checkVariable(t, where, s.Image, variable, value)
			}
		}
	}
}

// checkPorts wants every published port on the loopback interface, and each advertised there under the number that it has outside.
func checkPorts(t *testing.T, where string, s service) {
	t.Helper()
	registry := 0
	for _, p := range s.Ports {
		outside, ok := strings.CutPrefix(p, "127.0.0.1:")
		i := strings.LastIndexByte(outside, ':')
		if !ok || i < 0 {
			t.Errorf("%s: port %s is not published on the loopback interface alone", where, p)
			continue
		}
		if outside[i+1:] == "8081" {
			registry = 1
			continue
		}
		if advertised := s.Environment["SORDINI_ADVERTISE"] + s.Environment["KAFKA_ADVERTISED_LISTENERS"]; !strings.Contains(advertised+",", "localhost:"+outside[:i]+",") {
			t.Errorf("%s: port %s is advertised as %s", where, p, advertised)
		}
		if listens := s.Environment["KAFKA_LISTENERS"]; listens != "" && !strings.Contains(listens, "EXTERNAL://:"+outside[i+1:]+",") {
			t.Errorf("%s: nothing listens on %s", where, outside[i+1:])
		}
	}
	if n := strings.Count(s.Environment["SORDINI_ADVERTISE"]+s.Environment["KAFKA_ADVERTISED_LISTENERS"], "localhost:"); n == 0 || n != len(s.Ports)-registry {
		t.Errorf("%s: %d addresses are advertised outside for %d ports", where, n, len(s.Ports)-registry)
	}
}

// known are the variables of the broker's image, by its help.
func known(t *testing.T) []string {
	t.Helper()
	help, err := exec.CommandContext(t.Context(), sordiniProgram, "-h").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, help)
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^  -([a-z-]{2,})`).FindAllStringSubmatch(string(help), -1) {
		names = append(names, "SORDINI_"+strings.ToUpper(strings.ReplaceAll(m[1], "-", "_")))
	}
	return names
}

// checkVariable wants a variable to stand for a flag of the reference broker, or for a setting of Kafka, which itself says nothing of those it does not know.
func checkVariable(t *testing.T, where, image, variable, value string) {
	t.Helper()
	setting, ok := strings.CutPrefix(variable, "KAFKA_")
	switch {
	case strings.Contains(image, "sordini"):
		if !slices.Contains(known(t), variable) {
			t.Errorf("%s: %s stands for no flag", where, variable)
		}
	case variable == "CLUSTER_ID":
	case !ok:
		t.Errorf("%s: %s is no variable of Kafka's image", where, variable)
	default:
		name := strings.ReplaceAll(strings.ToLower(setting), "_", ".")
		cluster, err := broker.Start(broker.Config{Network: broker.NewNetwork(), Properties: map[string]string{name: value}})
		if err == nil {
			cluster.Close()
		} else if strings.Contains(err.Error(), "Unknown broker config name") {
			t.Errorf("%s: %s: %v", where, variable, err)
		}
	}
}

func TestSettingThatKafkaDoesNotHaveIsFound(t *testing.T) {
	_, err := broker.Start(broker.Config{Network: broker.NewNetwork(), Properties: map[string]string{"offsets.topic.replicas": "1"}})
	if err == nil || !strings.Contains(err.Error(), "Unknown broker config name") {
		t.Errorf("checkVariable looks for words that are not there any more: %v", err)
	}
}

func TestJobOfGitHubActionsSaysWhatTheImageUnderstands(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(examples, "github-actions.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var workflow struct {
		Jobs map[string]struct {
			Services map[string]struct {
				Image string
				Ports []string
				Env   map[string]string
			}
			Env map[string]string
		}
	}
	if err := yaml.Unmarshal(text, &workflow); err != nil {
		t.Fatal(err)
	}
	job := workflow.Jobs["test"]
	kafka := job.Services["kafka"]
	if !slices.Equal(kafka.Ports, []string{"9092:9092", "8081:8081"}) || !strings.Contains(kafka.Image, "sordini-broker") || len(kafka.Env) == 0 {
		t.Errorf("service is %+v", kafka)
	}
	for variable, value := range kafka.Env {
		checkVariable(t, "github-actions.yaml", kafka.Image, variable, value)
	}
	for name, value := range job.Env {
		t.Setenv(name, value)
	}
	cluster, err := sordini.FromEnv()
	if err != nil || !slices.Equal(cluster.Brokers, []string{"localhost:9092"}) || len(cluster.Registry.URLs) != 1 {
		t.Errorf("the job's environment is %+v, %v", cluster, err)
	}
}

func TestComposeFilesServeOrders(t *testing.T) {
	tag := exec.CommandContext(t.Context(), "docker", "tag", kafkaImage, "apache/kafka:"+strings.SplitN(kafkaImage, ":", 2)[1]) // so that nothing is pulled
	if out, err := tag.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for file, brokers := range composeFiles {
		t.Run(file, func(t *testing.T) {
			addresses, env := ports(t, brokers)
			up(t, file, env)
			billingtest.OrdersAreSettled(t, sordini.Cluster{Brokers: addresses, Development: brokers == 1})
		})
	}
}

// ports takes free ports for the brokers and a registry, and returns the brokers' addresses and the variables that tell Compose.
func ports(t *testing.T, brokers int) (addresses, env []string) {
	t.Helper()
	for i := range brokers + 1 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		switch i {
		case brokers:
			env = append(env, "REGISTRY_PORT="+port)
			continue
		case 0:
			env = append(env, "KAFKA_PORT="+port)
		default:
			env = append(env, fmt.Sprintf("KAFKA_PORT_%d=%s", i+1, port))
		}
		addresses = append(addresses, "localhost:"+port)
	}
	return addresses, env
}

// up starts the services of a file, ends them with the test, and returns when all are healthy.
func up(t *testing.T, file string, env []string) {
	t.Helper()
	project := "sordini-" + strings.TrimSuffix(file, ".yaml")
	run := func(ctx context.Context, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(ctx, "docker-compose", append([]string{"-p", project, "-f", filepath.Join(examples, file)}, args...)...)
		cmd.Env = append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("docker-compose %v: %v\n%s", args, err, out)
		}
	}
	t.Cleanup(func() { run(context.Background(), "down", "-v", "-t", "1") })
	run(t.Context(), "up", "-d")

	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		t.Fatal(err)
	}
	defer provider.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !healthy(ctx, t, provider.Client(), project, len(compose(t, file))) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			run(t.Context(), "logs", "--tail", "20")
			t.Fatalf("%s: the services did not become healthy", file)
		}
	}
}

// healthy says whether a project has that many containers, all of them healthy.
func healthy(ctx context.Context, t *testing.T, docker client.APIClient, project string, services int) bool {
	t.Helper()
	list, err := docker.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("label", "com.docker.compose.project="+project)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list.Items {
		if c.State != mobycontainer.StateRunning {
			t.Fatalf("%v is %s: %s", c.Names, c.State, c.Status)
		}
		if !strings.Contains(c.Status, "(healthy)") {
			return false
		}
	}
	return len(list.Items) == services
}
