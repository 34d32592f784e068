package main

import (
	"context"
	"path/filepath"

	"github.com/sordini-go/sordini/integration/process"
)

// kgoSuite is the client's own tests, which speak to one broker that stays.
func kgoSuite(ctx context.Context, dir string, full bool) (*suite, error) {
	b, err := process.Start(ctx, filepath.Join(dir, "sordini"), "broker", "--listen", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr, err := b.Line(ctx, `ready (\S+)`)
	if err != nil {
		b.Kill()
		return nil, err
	}
	records := "1000"
	if full {
		records = "100000"
	}
	s := &suite{
		name: "kgo", dir: filepath.Join(dir, "franz", "pkg", "kgo"), stop: b.Kill, tests: make(map[string]string),
		env: []string{"KGO_SEEDS=" + addr, "KGO_TEST_RF=1", "KGO_LOG_LEVEL=none", "KGO_TEST_RECORDS=" + records},
	}
	found, err := reached(s.dir, nil)
	if err != nil {
		b.Kill()
		return nil, err
	}
	for test := range found {
		s.tests[test] = kgoSkips[test]
	}
	return s, nil
}

// kfakeSuite is kfake's tests, each of which starts its own cluster.
func kfakeSuite(dir string) (*suite, error) {
	s := &suite{
		name: "kfake", dir: filepath.Join(dir, "kfake"), tests: make(map[string]string), expected: kfakeFails,
		env: []string{"SORDINI=" + filepath.Join(dir, "sordini")},
	}
	of := map[string]string{"NewCluster": ""}
	for name, reason := range needs {
		of[name] = reason
	}
	found, err := reached(s.dir, of)
	if err != nil {
		return nil, err
	}
	for test, names := range found {
		s.tests[test] = noCluster
		for _, name := range names {
			if name == "NewCluster" && s.tests[test] == noCluster {
				s.tests[test] = ""
			} else if name != "NewCluster" {
				s.tests[test] = needs[name]
			}
		}
	}
	for test, reason := range kfakeSkips {
		s.tests[test] = reason
	}
	return s, nil
}
