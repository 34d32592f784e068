package registry

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sordini-go/sordini/broker"
	brokerregistry "github.com/sordini-go/sordini/broker/registry"
)

// TestClientsOfOtherLanguagesWorkUnmodified runs the scripts of java/, python/ and node/, which integration/registry/run has given what they need.
func TestClientsOfOtherLanguagesWorkUnmodified(t *testing.T) {
	for name, command := range map[string][]string{
		"python": {"python/venv/bin/python", "python/client.py"},
		"node":   {"node", "node/client.js"},
		"java":   {"java", "-XX:TieredStopAtLevel=1", "-cp", "java/libs/*", "java/Client.java"},
	} {
		for _, users := range []map[string]brokerregistry.Password{nil, {"alice": "s3cret"}} {
			t.Run(name, func(t *testing.T) {
				c, err := broker.Start(broker.Config{Registry: &broker.Registry{Users: users}})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				args := append(command[1:len(command):len(command)], c.RegistryURL())
				for user, password := range users {
					args = append(args, user, string(password))
				}
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				out, err := exec.CommandContext(ctx, command[0], args...).CombinedOutput()
				if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "ok") {
					t.Errorf("%v: %v\n%s", args, err, out)
				}
			})
		}
	}
}
