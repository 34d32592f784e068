package admin

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// failure is nil for code 0, and else the broker's error with its message, wrapped with what was being done.
func failure(code int16, message *string, format string, args ...any) error {
	err := kerr.ErrorForCode(code)
	if err == nil {
		return nil
	}
	if message != nil && *message != "" {
		return fmt.Errorf("%s: %w (broker: %s)", fmt.Sprintf(format, args...), err, *message)
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}
