package sharegroups

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Reset is share.auto.offset.reset: where a group begins to read a partition.
type Reset struct {
	Kind ResetKind
	Back time.Duration // of [ResetBack]
}

// ResetKind is a kind of [Reset].
type ResetKind int

// The kinds. The zero value is Kafka's default.
const (
	ResetLatest   ResetKind = iota // at what comes next
	ResetEarliest                  // at the first record
	ResetBack                      // at the first record that is not older than a duration
)

const byDuration = "by_duration:"

// longest is what each unit of a duration counts for at most: some seventy years, before which there are no records.
const longest = time.Duration(math.MaxInt64 / 4)

var duration = regexp.MustCompile(`(?i)^([-+]?)P(?:([-+]?\d+)D)?(T(?:([-+]?\d+)H)?(?:([-+]?\d+)M)?(?:([-+]?\d+)(?:[.,](\d{0,9}))?S)?)?$`)

// ParseReset reads the setting: earliest, latest, or by_duration: and a duration as Java's Duration has it (PnDTnHnMn.nS), which must not be negative.
func ParseReset(text string) (Reset, error) {
	switch {
	case text == "latest":
		return Reset{}, nil
	case text == "earliest":
		return Reset{Kind: ResetEarliest}, nil
	case !strings.HasPrefix(text, byDuration):
		return Reset{}, fmt.Errorf("sharegroups: reset %q: must be earliest, latest or by_duration:<PnDTnHnMn.nS>", text)
	}
	m := duration.FindStringSubmatch(text[len(byDuration):])
	if m == nil || strings.EqualFold(m[3], "T") || m[2] == "" && m[3] == "" {
		return Reset{}, fmt.Errorf("sharegroups: reset %q: not a duration of the form PnDTnHnMn.nS", text)
	}
	total := time.Duration(0)
	for i, unit := range map[int]time.Duration{2: 24 * time.Hour, 4: time.Hour, 5: time.Minute, 6: time.Second} {
		if m[i] == "" {
			continue
		}
		n, err := strconv.ParseInt(m[i], 10, 32)
		if err != nil {
			return Reset{}, fmt.Errorf("sharegroups: reset %q: %w", text, err)
		}
		most := int64(longest / unit)
		total += time.Duration(min(max(n, -most), most)) * unit
	}
	if fraction := m[7]; fraction != "" {
		n, _ := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
		if strings.HasPrefix(m[6], "-") {
			n = -n
		}
		total += time.Duration(n)
	}
	if m[1] == "-" {
		total = -total
	}
	if total < 0 {
		return Reset{}, fmt.Errorf("sharegroups: reset %q: negative duration", text)
	}
	return Reset{Kind: ResetBack, Back: total}, nil
}
