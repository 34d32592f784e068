// Command sordini-broker runs the reference broker and nothing else: it is "sordini broker" without the rest of the command line, for container images.
package main

import (
	"os"

	"github.com/sordini-go/sordini/cmd/internal/brokercommand"
)

func main() { os.Exit(brokercommand.Main("sordini-broker", os.Args[1:])) }
