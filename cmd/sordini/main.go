// Command sordini is Sordini's command line.
//
//	sordini broker   run the reference broker
//	sordini dlt      look at dead letters
//	sordini schema   check, register and look at schemas
//
// Each command says what it takes with -h.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/sordini-go/sordini/cmd/internal/brokercommand"
)

// command is one subcommand. run ends when ctx does; what it returns is printed, and the process exits with status 1.
type command struct {
	name, summary string
	run           func(ctx context.Context, args []string, stdout, stderr io.Writer) error
}

// commands are listed in the order in which help shows them.
var commands = []command{
	{"broker", "run the reference broker, for tests and laptops", brokercommand.Run},
	{"dlt", "look at dead letters", runDLT},
	{"schema", "check, register and look at schemas", runSchema},
}

// errUsage says that the command line was wrong; what is wrong has been printed.
var errUsage = brokercommand.ErrUsage

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes the command line and returns the exit status: 0, 1 after an error, 2 after a wrong command line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 || args[0] == "-h" || args[0] == "-help" || args[0] == "--help" || args[0] == "help" {
		usage(stdout)
		if len(args) == 0 {
			return 2
		}
		return 0
	}
	for _, c := range commands {
		if c.name != args[0] {
			continue
		}
		err := c.run(ctx, args[1:], stdout, stderr)
		switch {
		case err == nil, errors.Is(err, flag.ErrHelp):
			return 0
		case errors.Is(err, errUsage):
			return 2
		}
		fmt.Fprintf(stderr, "sordini %s: %v\n", c.name, err)
		return 1
	}
	fmt.Fprintf(stderr, "sordini: unknown command %q\n\n", args[0])
	usage(stderr)
	return 2
}

func usage(w io.Writer) {
	fmt.Fprint(w, "usage: sordini <command> [flags]\n\ncommands:\n")
	for _, c := range commands {
		fmt.Fprintf(w, "  %-8s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\nsordini <command> -h shows a command's flags\n")
}

// parse reads a command's flags. Nothing may follow them.
func parse(flags *flag.FlagSet, args []string) error {
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return errUsage
	case flags.NArg() > 0:
		fmt.Fprintf(flags.Output(), "unexpected argument %q\n", flags.Arg(0))
		flags.Usage()
		return errUsage
	}
	return nil
}
