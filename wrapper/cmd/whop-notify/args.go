package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// noArguments refuses arguments, and explains what a stray one usually means.
func noArguments(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError(fmt.Errorf("unexpected argument %q", args[0]),
		"Put a text with spaces in quotes, and repeat --user for each id.")
}

// fileArgument wants the name of one file.
func fileArgument(_ *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return usageError(errors.New("no file given; - is standard input"), "")
	}
	return atMostOneFile(nil, args)
}

func atMostOneFile(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usageError(fmt.Errorf("one file at a time, not also %q", args[1]), "")
	}
	return nil
}

// checkSwallowed refuses a value that is itself a flag: after an empty variable without
// quotes, as in "--user $ID --dry-run", the next flag would be taken for the value.
func checkSwallowed(flags *pflag.FlagSet) error {
	var err error
	flags.Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, v := range values {
			if err == nil && isFlag(flags, v) {
				err = fmt.Errorf("--%s got the flag %s for its value; was a variable empty? Put it in quotes", f.Name, v)
			}
		}
	})
	return err
}

func isFlag(flags *pflag.FlagSet, value string) bool {
	if name, long := strings.CutPrefix(value, "--"); long {
		name, _, _ = strings.Cut(name, "=")
		return flags.Lookup(name) != nil
	}
	return len(value) == 2 && value[0] == '-' && flags.ShorthandLookup(value[1:]) != nil
}

// hintOnFlag helps those who look for a flag that is left out on purpose.
func hintOnFlag(err error) string {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && unknown.GetSpecifiedName() == "api-key" {
		return "A key among the arguments shows in ps and in the shell's history: set WHOP_API_KEY or give --api-key-file."
	}
	return ""
}
