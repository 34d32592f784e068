package groups

import "testing"

// TestIllegalExpressionsAreRefusedInKafkasWords compares with what Apache Kafka 4.3.1 answered.
func TestIllegalExpressionsAreRefusedInKafkasWords(t *testing.T) {
	for expression, want := range map[string]string{
		"[":             "missing closing ]",
		"(":             "missing closing )",
		")":             "regexp/syntax: internal error",
		"a)":            "regexp/syntax: internal error",
		"*":             "missing argument to repetition operator",
		"x**":           "invalid nested repetition operator",
		"a{2,1}":        "invalid repeat count",
		"a{1001}":       "invalid repeat count",
		`(a)\1`:         "invalid escape sequence",
		`\`:             "trailing backslash at end of expression",
		"(?=a)":         "invalid or unsupported Perl syntax",
		"[[:nothing:]]": "invalid character class range",
	} {
		if _, err := compileRegex(expression); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", expression, err, want)
		}
	}
	for _, expression := range []string{"", "orders-.*", "a|b", "(?i)ORDERS", `\p{L}+`} {
		if _, err := compileRegex(expression); err != nil {
			t.Errorf("%s: %v", expression, err)
		}
	}
}
