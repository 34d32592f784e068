package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// change is a line of the tables that hold the rules of compatibility.
type change struct{ Change, Want, Writer, Reader string }

// TestVerdictsAreThoseOfARealRegistry puts every change of the tables to both registries, forwards and backwards.
func TestVerdictsAreThoseOfARealRegistry(t *testing.T) {
	url := ours(t)
	for _, typ := range []string{"AVRO", "PROTOBUF", "JSON"} {
		met := 0
		for i, c := range changes(t, typ) {
			for _, level := range []string{"BACKWARD", "FORWARD"} {
				name := fmt.Sprintf("%s/%s/%s", typ, level, c.Change)
				t.Run(name, func(t *testing.T) {
					subject := fmt.Sprintf("verdict-%s-%s-%d", typ, level, i)
					old, updated := c.Writer, c.Reader
					if level == "FORWARD" { // what reads is the old one
						old, updated = updated, old
					}
					mine, its := verdict(t, url, subject, typ, level, old, updated), verdict(t, real.URL(), subject, typ, level, old, updated)
					if want := fmt.Sprint(c.Want == ""); mine != want {
						t.Errorf("ours says %s, want %s", mine, want)
					}
					reason, departs := departures[typ+"/"+c.Change]
					switch {
					case departs && mine == its:
						t.Errorf("it is expected to depart (%s), and does not", reason)
					case departs:
						met++
					case mine != its:
						t.Errorf("ours says %s, Apicurio says %s", mine, its)
					}
				})
			}
		}
		t.Logf("%s: %d departures, all expected", typ, met)
	}
}

// verdict registers a schema and checks another against it.
func verdict(t *testing.T, url, subject, typ, level, old, updated string) string {
	t.Helper()
	schema := func(s string) map[string]string {
		if typ == "JSON" && !strings.HasPrefix(s, `{"type":"object"`) && !strings.Contains(s, `"$ref"`) { // Apicurio takes objects only
			s = `{"type":"object","properties":{"wrapped":` + s + `}}`
		}
		return map[string]string{"schemaType": typ, "schema": s}
	}
	if a := ask(t, url, "POST /subjects/"+subject+"/versions", schema(old)); a.status != 200 {
		return fmt.Sprintf("register %d", a.status)
	}
	if a := ask(t, url, "PUT /config/"+subject, map[string]string{"compatibility": level}); a.status != 200 {
		return fmt.Sprintf("config %d", a.status)
	}
	a := ask(t, url, "POST /compatibility/subjects/"+subject+"/versions/latest", schema(updated))
	var v struct {
		Is *bool `json:"is_compatible"`
	}
	if a.status != 200 || json.Unmarshal([]byte(a.body), &v) != nil || v.Is == nil {
		return fmt.Sprintf("check %d", a.status)
	}
	return fmt.Sprint(*v.Is)
}

func changes(t *testing.T, typ string) (cs []change) {
	t.Helper()
	f, err := os.Open("../../broker/registry/testdata/changes/" + strings.ToLower(typ) + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for d := json.NewDecoder(f); ; {
		var c change
		if err := d.Decode(&c); errors.Is(err, io.EOF) {
			return cs
		} else if err != nil {
			t.Fatal(err)
		}
		cs = append(cs, c)
	}
}
