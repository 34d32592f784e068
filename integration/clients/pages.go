package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// page is one of docs/clients, whose programs are run as they are shown.
type page struct {
	name     string
	commands [][]string // in a folder with the page's files; the last one runs the tests
	says     string     // what the last command prints when all have passed
}

// pages are those of all languages. folder is that of this package.
func pages(folder string) ([]page, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	libs := filepath.Join(folder, "java", "libs", "*")
	return []page{
		{name: "python.md", commands: [][]string{{filepath.Join(folder, "python", "venv", "bin", "python"), "-m", "unittest", "test_orders.py"}}, says: `Ran 2 tests`},
		{name: "node.md", commands: [][]string{{"node", "--test", "orders.test.js"}}, says: `(?m)pass 2$`},
		{name: "java.md", commands: [][]string{
			{"javac", "-cp", libs, "-d", "classes", "Sordini.java", "OrdersTest.java"},
			{"java", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp", "classes:" + libs, "org.junit.platform.console.ConsoleLauncher", "execute", "--select-class=OrdersTest"},
		}, says: `2 tests successful`},
	}, nil
}

// file is a block of code whose first line is a comment with a file's name.
var file = regexp.MustCompile("(?ms)^```\\w+\n(?:#|//) ([\\w.]+)\n.*?^```$")

// runPages runs what the pages show, with the binary in dir.
func runPages(ctx context.Context, folder, dir string, c *checks) error {
	all, err := pages(folder)
	if err != nil {
		return err
	}
	began := time.Now()
	for _, p := range all {
		if err := p.run(ctx, folder, dir); err != nil {
			c.that(false, "docs/clients/%s: %v", p.name, err)
			continue
		}
		c.passed++
	}
	fmt.Printf("docs/clients: %d pages run in %s\n", len(all), time.Since(began).Round(100*time.Millisecond))
	return nil
}

func (p page) run(ctx context.Context, folder, dir string) error {
	text, err := os.ReadFile(filepath.Join("..", "docs", "clients", p.name))
	if err != nil {
		return err
	}
	files, err := os.MkdirTemp(dir, "page-")
	if err != nil {
		return err
	}
	blocks := file.FindAllStringSubmatch(string(text), -1)
	if len(blocks) == 0 {
		return fmt.Errorf("shows no program")
	}
	for _, b := range blocks {
		_, code, _ := strings.Cut(strings.TrimSuffix(b[0], "```"), "\n")
		if err := os.WriteFile(filepath.Join(files, b[1]), []byte(code), 0o600); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	modules, err := filepath.Abs(filepath.Join(folder, "kafkajs", "node_modules"))
	if err != nil {
		return err
	}
	var out []byte
	for _, argv := range p.commands {
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Dir = files
		cmd.Env = append(os.Environ(), "SORDINI="+filepath.Join(dir, "sordini"), "NODE_PATH="+modules)
		if out, err = cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", argv[0], err, out)
		}
	}
	if !regexp.MustCompile(p.says).Match(out) {
		return fmt.Errorf("did not say %q:\n%s", p.says, out)
	}
	return nil
}
