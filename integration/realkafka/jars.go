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

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>sordini.integration</groupId><artifactId>kafka-jars</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>%[1]s</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>%[1]s</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
`

// Jars returns the folder that holds the jars of Apache Kafka's broker and tools in that version ("" is DefaultVersion), fetching them with Maven the
// first time (55 MB). They are kept in the user's cache folder, which SORDINI_KAFKA_CACHE replaces; a file lock keeps two processes from filling it at once.
func Jars(ctx context.Context, version string) (string, error) {
	if version == "" {
		version = DefaultVersion
	}
	cache := os.Getenv("SORDINI_KAFKA_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("kafka jars: no cache folder; set SORDINI_KAFKA_CACHE: %w", err)
		}
		cache = filepath.Join(user, "sordini", "kafka")
	}
	dir := filepath.Join(cache, version)
	libs, complete := filepath.Join(dir, "libs"), filepath.Join(dir, "complete")
	if _, err := os.Stat(complete); err == nil {
		return libs, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("kafka jars: %w", err)
	}
	unlock, err := lockFile(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return "", fmt.Errorf("kafka jars: %w", err)
	}
	defer unlock()
	if _, err := os.Stat(complete); err == nil {
		return libs, nil
	}
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), fmt.Appendf(nil, pom, version), 0o644); err != nil {
		return "", fmt.Errorf("kafka jars: %w", err)
	}
	var out []byte
	for try := range 3 {
		if try > 0 {
			time.Sleep(2 * time.Second)
		}
		if err := os.RemoveAll(libs); err != nil {
			return "", fmt.Errorf("kafka jars: %w", err)
		}
		mvn := exec.CommandContext(ctx, "mvn", "-q", "-B", "-ntp", "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
			"-DincludeScope=runtime", "-DoutputDirectory="+libs)
		mvn.Dir = dir
		if out, err = mvn.CombinedOutput(); err == nil {
			return libs, os.WriteFile(complete, nil, 0o644)
		}
		if errors.Is(err, exec.ErrNotFound) {
			return "", fmt.Errorf("kafka jars: Maven fetches them, and there is no mvn on the PATH; install Maven: %w", err)
		}
		if ctx.Err() != nil {
			return "", fmt.Errorf("kafka jars: fetch Apache Kafka %s: %w", version, ctx.Err())
		}
	}
	return "", fmt.Errorf("kafka jars: fetch Apache Kafka %s from Maven Central: %w\n%s", version, err, lastLines(string(out), 8))
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
