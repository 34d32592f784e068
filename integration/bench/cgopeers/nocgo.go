//go:build !cgo

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "built without cgo: confluent-kafka-go needs CGO_ENABLED=1 and a C compiler")
	os.Exit(1)
}
