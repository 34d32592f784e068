package realkafka

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// DefaultVersion is the Apache Kafka that the project is tested against.
const DefaultVersion = "4.3.1"

// Artifacts are what Maven fetches, with all that they need at run time.
type Artifacts []Artifact

// Artifact is one of Maven Central.
type Artifact struct{ Group, Name, Version string }

func (as Artifacts) pom() string {
	var b strings.Builder
	b.WriteString(`<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>sordini.integration</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
`)
	for _, a := range as {
		fmt.Fprintf(&b, "<dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>\n", a.Group, a.Name, a.Version)
	}
	b.WriteString("</dependencies></project>\n")
	return b.String()
}

// Jars returns the folder that holds the jars of Apache Kafka's broker and tools in that version ("" is DefaultVersion), fetching them the first time (55
// MB). SORDINI_KAFKA_CACHE replaces the folder of the user's cache that they are kept in.
func Jars(ctx context.Context, version string) (string, error) {
	if version == "" {
		version = DefaultVersion
	}
	return fetch(ctx, os.Getenv("SORDINI_KAFKA_CACHE"), filepath.Join("kafka", version), Artifacts{
		{"org.apache.kafka", "kafka_2.13", version}, {"org.apache.kafka", "kafka-tools", version}, {"org.slf4j", "slf4j-simple", "1.7.36"},
	})
}

// Fetch returns the folder that holds the jars of the artifacts, fetching them with Maven the first time. They are kept in the user's cache under that
// name; a file lock keeps two processes from filling it at once.
func Fetch(ctx context.Context, name string, artifacts Artifacts) (string, error) {
	return fetch(ctx, "", name, artifacts)
}

func fetch(ctx context.Context, cache, name string, artifacts Artifacts) (string, error) {
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("%s jars: no cache folder: %w", name, err)
		}
		cache = filepath.Join(user, "sordini", filepath.Dir(name))
	}
	dir := filepath.Join(cache, filepath.Base(name))
	libs, complete := filepath.Join(dir, "libs"), filepath.Join(dir, "complete")
	if _, err := os.Stat(complete); err == nil {
		return libs, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("%s jars: %w", name, err)
	}
	unlock, err := lockFile(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return "", fmt.Errorf("%s jars: %w", name, err)
	}
	defer unlock()
	if _, err := os.Stat(complete); err == nil {
		return libs, nil
	}
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), []byte(artifacts.pom()), 0o644); err != nil {
		return "", fmt.Errorf("%s jars: %w", name, err)
	}
	var out []byte
	for try := range 3 {
		if try > 0 {
			time.Sleep(2 * time.Second)
		}
		if err := os.RemoveAll(libs); err != nil {
			return "", fmt.Errorf("%s jars: %w", name, err)
		}
		mvn := exec.CommandContext(ctx, "mvn", "-q", "-B", "-ntp", "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
			"-DincludeScope=runtime", "-DoutputDirectory="+libs)
		mvn.Dir = dir
		if out, err = mvn.CombinedOutput(); err == nil {
			return libs, os.WriteFile(complete, nil, 0o644)
		}
		if errors.Is(err, exec.ErrNotFound) {
			return "", fmt.Errorf("%s jars: Maven fetches them, and there is no mvn on the PATH; install Maven: %w", name, err)
		}
		if ctx.Err() != nil {
			return "", fmt.Errorf("%s jars: fetch them: %w", name, ctx.Err())
		}
	}
	return "", fmt.Errorf("%s jars: fetch them from Maven Central: %w\n%s", name, err, lastLines(string(out), 8))
}

// lockFile holds an exclusive lock on a file, which the kernel gives back when this process ends however it ends.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("wait for the lock on %s: %w", path, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
