package consumer_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/sordini-go/sordini/consumer"
)

// A health endpoint writes it as it is: keys are part of the API.
func TestHealthIsJSONWithKeysOfItsOwn(t *testing.T) {
	h := consumer.Health{State: "running", Reasons: []consumer.Reason{{Code: "stuck", Summary: "s", Topic: "orders", Partition: 3, Offset: 7, Since: time.Unix(0, 0).UTC(), Notice: true}}}
	for want, h := range map[string]consumer.Health{
		`{"ok":false,"state":"running","reasons":[{"code":"stuck","summary":"s","topic":"orders","partition":3,"offset":7,"since":"1970-01-01T00:00:00Z","notice":true}]}`: h,
		`{"ok":true,"state":"running"}`: {OK: true, State: "running"},
	} {
		if got, err := json.Marshal(h); err != nil || string(got) != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
}
