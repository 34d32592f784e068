package brokercommand

import (
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// prefix is what the variables begin with.
const prefix = "SORDINI_"

// environmentHelp ends the help.
const environmentHelp = `Every flag may stand in the environment instead: -tls-ca-out is $SORDINI_TLS_CA_OUT, but -v $SORDINI_VERBOSE and -sasl-user $SORDINI_SASL_USERS.
A flag on the command line goes first; what may be repeated adds up. Several values of one variable stand on lines of their own, or between commas,
or, for -acl, -listener, -property and -super-user, whose values may have commas, between semicolons.
`

// repeated are the flags that may be repeated, with what separates their values in a variable beside the ends of lines.
var repeated = map[string]string{
	"topic": ",", "sasl-user": ",", "sasl-mechanism": ",", "oauth-audience": ",",
	"acl": ";", "listener": ";", "property": ";", "super-user": ";",
}

// variable is the name of a flag's variable.
func variable(name string) string {
	switch name {
	case "v":
		return prefix + "VERBOSE"
	case "sasl-user":
		return prefix + "SASL_USERS"
	}
	return prefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// kubernetes matches what Kubernetes sets in every pod beside a Service named sordini, or sordini-something.
var kubernetes = regexp.MustCompile(`^SORDINI_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// foreign are variables of this project's own tests, which are none of the command's business.
var foreign = []string{"SORDINI_KAFKA_CACHE", "SORDINI_REGISTRY_CACHE", "SORDINI_REGISTRY_JAVA"}

// fromEnvironment sets the flags that the environment has and the command line has not. A variable that is set to nothing counts as unset; one that begins
// like the others and stands for no flag is refused, because somebody meant something by it.
func fromEnvironment(flags *flag.FlagSet, environ []string) error {
	given := make(map[string]bool)
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	byVariable := make(map[string]*flag.Flag)
	flags.VisitAll(func(f *flag.Flag) { byVariable[variable(f.Name)] = f })
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, prefix) || value == "" {
			continue
		}
		f := byVariable[name]
		if f == nil {
			if kubernetes.MatchString(name) || slices.Contains(foreign, name) {
				continue
			}
			return fmt.Errorf("$%s stands for no flag; -h shows the flags, and -some-flag is $%sSOME_FLAG", name, prefix)
		}
		separators, many := repeated[f.Name]
		if given[f.Name] && !many {
			continue
		}
		values := []string{value}
		if many {
			values = strings.FieldsFunc(value, func(r rune) bool { return r == '\n' || strings.ContainsRune(separators, r) })
		}
		for _, v := range values {
			if v = strings.TrimSpace(v); v == "" {
				continue
			}
			if err := flags.Set(f.Name, v); err != nil {
				return fmt.Errorf("$%s: %w", name, err)
			}
		}
	}
	return nil
}
