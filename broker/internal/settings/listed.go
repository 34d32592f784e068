package settings

import (
	_ "embed"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// brokers lists the settings of a broker of Apache Kafka 4.3.1, one a line: name, type, who can alter it while brokers run (nobody: "fixed"; for all
// brokers or one: "cluster"; for one only: "broker"; for one, under a listener's prefix: "listener"), default ("-" for null, "\"\"" for empty) and
// bounds. They were read off Kafka's own definitions and what it answers to DescribeConfigs.
//
//go:embed brokers.txt
var brokers string

// listed adds to the settings that have an effect here all others that Kafka has. Who can alter a setting is taken from Kafka's list.
func listed(acted []Def) []Def {
	index := make(map[string]int, len(acted))
	for i := range acted {
		index[acted[i].Name] = i
	}
	for line := range strings.Lines(brokers) {
		d := parseDef(strings.Fields(line))
		if i, known := index[d.Name]; known {
			acted[i].ReadOnly, acted[i].Scope = d.ReadOnly, d.Scope
			continue
		}
		d.Inert = true
		acted = append(acted, d)
	}
	return sorted(acted)
}

// parseDef reads a line of the list.
func parseDef(words []string) Def {
	d := Def{Name: words[0], Default: words[3]}
	for k := Boolean; k <= Password; k++ {
		if k.String() == words[1] {
			d.Kind = k
		}
	}
	switch words[2] {
	case "fixed":
		d.ReadOnly = true
	case "broker":
		d.Scope = OneBroker
	case "listener":
		d.Scope = OneListener
	}
	switch d.Default {
	case "-":
		d.Default, d.Unset = "", true
	case `""`:
		d.Default = ""
	}
	if len(words) < 5 {
		return d
	}
	bounds := words[4]
	if values, ok := strings.CutPrefix(bounds, "one:"); ok {
		d.oneOf = strings.Split(values, ",")
	} else if values, ok := strings.CutPrefix(bounds, "anycase:"); ok {
		d.oneOf, d.anyCase = strings.Split(values, ","), true
	} else if from, to, ok := strings.Cut(bounds, ".."); ok {
		d.min, d.max = parseBound(from, 0), parseBound(to, math.MaxInt64)
	}
	return d
}

func parseBound(s string, none int64) int64 {
	if s == "" {
		return none
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic(fmt.Sprintf("list of settings: bound %q", s))
	}
	return int64(f)
}
