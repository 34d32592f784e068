package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sordini-go/sordini/integration/process"
)

//go:embed testdata/aim.go
var aim []byte

const (
	franz = "github.com/twmb/franz-go"
	kfake = "github.com/twmb/franz-go/pkg/kfake"
)

// copyModules copies franz-go and kfake into dir, where their tests can be run: the module cache is not to be written to.
func copyModules(ctx context.Context, dir string) error {
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		return fmt.Errorf("not in the folder of the integration module: %w", err)
	}
	for module, to := range map[string]string{franz: "franz", kfake: "kfake"} {
		from, err := process.Output(ctx, "", "go", "mod", "download", "-json", module)
		if err != nil {
			return err
		}
		at := regexp.MustCompile(`"Dir": "(.*)"`).FindStringSubmatch(from)
		if at == nil {
			return fmt.Errorf("no folder of %s in:\n%s", module, from)
		}
		to = filepath.Join(dir, to)
		if err := os.CopyFS(to, os.DirFS(at[1])); err != nil {
			return err
		}
		if err := makeWritable(to); err != nil {
			return err
		}
		// What this module requires has been checked.
		sum, err := os.ReadFile(filepath.Join(to, "go.sum"))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, "go.sum"), append(append(sum, '\n'), sums...), 0o600); err != nil {
			return err
		}
	}
	// One version of the client, that which the SDK is built with.
	edit := exec.CommandContext(ctx, "go", "mod", "edit", "-replace", franz+"=../franz")
	edit.Dir = filepath.Join(dir, "kfake")
	if out, err := edit.CombinedOutput(); err != nil {
		return fmt.Errorf("go mod edit: %w\n%s", err, out)
	}
	return aimKfake(filepath.Join(dir, "kfake"))
}

// aimKfake renames the functions of kfake's own that aim.go has under the same names.
func aimKfake(dir string) error {
	var own []string
	for _, m := range regexp.MustCompile(`(?m)^func (?:\(c \*Cluster\) )?([A-Z]\w*)\(`).FindAllSubmatch(aim, -1) {
		own = append(own, string(m[1]))
	}
	re := regexp.MustCompile(`(?m)^func (\(c \*Cluster\) )?(` + strings.Join(own, "|") + `)\(`)
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, re.ReplaceAll(text, []byte("func ${1}unaimed${2}(")), 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "aim.go"), aim, 0o600)
}

// makeWritable undoes the protection of the module cache.
func makeWritable(dir string) error {
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return os.Chmod(path, 0o600)
	})
}
