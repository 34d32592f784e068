package commitmeta

import (
	"encoding/base64"
	"fmt"
	"unicode/utf8"
)

// foreign says whose metadata s is, as far as it can be told.
func foreign(s string) error {
	if s == "" {
		return ErrEmpty
	}
	if name := writer(s); name != "" {
		return fmt.Errorf("%w: written by %s", ErrForeign, name)
	}
	const shown = 32
	if len(s) <= shown {
		return fmt.Errorf("%w: %q", ErrForeign, s)
	}
	cut := shown
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Errorf("%w: %q and %d bytes more", ErrForeign, s[:cut], len(s)-cut)
}

// writer recognises by their magic byte what Java clients keep in commit metadata, in standard base64: Kafka Streams (TopicPartitionMetadata,
// versions 1 and 2) and Confluent's parallel-consumer (OffsetEncoding).
func writer(s string) string {
	data, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(data) < 3 {
		return ""
	}
	switch data[0] {
	case 1, 2:
		if len(data) >= 9 {
			return fmt.Sprintf("Kafka Streams (version %d)", data[0])
		}
	case 'l', 'o', 'a', 's':
		return fmt.Sprintf("parallel-consumer (bit set, magic %q)", data[0])
	case 'n', 'e', 'J', 'p':
		return fmt.Sprintf("parallel-consumer (run length, magic %q)", data[0])
	case 'L', 0xee:
		return fmt.Sprintf("parallel-consumer (byte array, magic %q)", data[0])
	}
	return ""
}
