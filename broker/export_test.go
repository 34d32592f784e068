package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// Unserved says that Kafka has a request and the broker does not.
func Unserved(key int16) bool { return unserved[kmsg.Key(key)] != "" }
