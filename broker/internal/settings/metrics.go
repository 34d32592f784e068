package settings

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ClientMetrics defines the settings of a subscription to clients' metrics (KIP-714), sorted by name. They have no effect: the broker has no plugin
// that takes metrics.
var ClientMetrics = sorted([]Def{
	{Name: "interval.ms", Kind: Int, Default: "300000", Inert: true},
	{Name: "match", Kind: List, Inert: true},
	{Name: "metrics", Kind: List, Inert: true},
})

// MetricsError says that a subscription is refused. Its text is Kafka's.
type MetricsError struct {
	Text   string
	Config bool // a value is not of its type, or a pattern is none; otherwise the request is wrong
}

func (e *MetricsError) Error() string { return e.Text }

// patterns are what clients can be told apart by.
var patterns = []string{"client_instance_id", "client_id", "client_software_name", "client_software_version", "client_source_address", "client_source_port"}

// CheckClientMetrics checks the settings of a subscription: first that all are known, then that they are of their type, then their values.
func CheckClientMetrics(values map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, ok := Lookup(ClientMetrics, name); !ok {
			return &MetricsError{Text: "Unknown client metrics configuration: " + name}
		}
	}
	if value, ok := values["interval.ms"]; ok {
		d, _ := Lookup(ClientMetrics, "interval.ms")
		if err := d.Check(value); err != nil {
			return &MetricsError{Text: err.Error(), Config: true}
		}
		if n, err := strconv.Atoi(strings.TrimSpace(value)); err != nil || n < 100 || n > 3_600_000 {
			return &MetricsError{Text: fmt.Sprintf("Invalid value %d for interval.ms, interval must be between 100 and 3600000 (1 hour)", n)}
		}
	}
	for _, p := range SplitList(values["match"]) {
		key, expr, ok := strings.Cut(p, "=")
		_, err := regexp.Compile(strings.TrimSpace(expr))
		if !ok || err != nil || !slices.Contains(patterns, strings.TrimSpace(key)) {
			return &MetricsError{Text: "Illegal client matching pattern: " + p, Config: true}
		}
	}
	return nil
}
