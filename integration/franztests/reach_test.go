package main

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestReachedFollowsHelpersAndTellsPackagesApart(t *testing.T) {
	dir := t.TempDir()
	text := `package x
func TestDirect(t *testing.T)  { c.Fault() }
func TestThrough(t *testing.T) { helper() }
func TestOther(t *testing.T)   { kgo.Fault(); other() }
func TestOption(t *testing.T)  { kgo.ShareGroup() }
func helper()                  { deeper() }
func deeper()                  { helper(); c.Fault() }
func other()                   {}
`
	if err := os.WriteFile(filepath.Join(dir, "x_test.go"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := reached(dir, map[string]string{"Fault": "", "kgo.ShareGroup": ""})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"TestDirect": {"Fault"}, "TestThrough": {"Fault"}, "TestOther": {}, "TestOption": {"kgo.ShareGroup"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestJudgeRefusesWhatIsNotListed(t *testing.T) {
	s := &suite{
		name: "x", tests: map[string]string{"TestA": "", "TestB": "", "TestC": "not ours"},
		expected: map[string]string{"TestB": "known"}, results: map[string]string{"TestA": "pass", "TestB": "fail"},
	}
	if err := s.judge(false); err != nil {
		t.Errorf("all as listed: %v", err)
	}
	for what, results := range map[string]map[string]string{
		"a failure":                {"TestA": "fail", "TestB": "fail"},
		"a skip":                   {"TestA": "skip", "TestB": "fail"},
		"a listed one that passes": {"TestA": "pass", "TestB": "pass"},
		"one that did not end":     {"TestB": "fail"},
	} {
		s.results = results
		if s.judge(false) == nil {
			t.Errorf("%s is let through", what)
		}
	}
	s.results, s.expected = map[string]string{"TestA": "pass", "TestB": "fail"}, map[string]string{"TestB": "known", "TestGone": "gone"}
	if s.judge(false) == nil {
		t.Error("a listed test that does not exist is let through")
	}
}
