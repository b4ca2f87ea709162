package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// noArguments refuses arguments, and explains what a stray one usually means.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if cmd.Flags().Lookup("user") != nil {
		hint = "Put a text with spaces in quotes, and repeat --user for each id."
	}
	return usageError(fmt.Errorf("unexpected argument %q", args[0]), hint)
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
	switch {
	case len(args) > 1:
		return usageError(fmt.Errorf("one file at a time, not also %q", args[1]), "")
	case len(args) == 1 && args[0] == "":
		return usageError(errors.New("the name of the file is empty; was a variable empty?"), "")
	}
	return nil
}

// mayBeEmpty are the flags that set a text of a notification. Where one is required, or an
// empty one is a mistake, Validate says so.
var mayBeEmpty = []string{"company", "experience", "title", "content", "subtitle", "rest-path", "icon-user", "idempotency-key"}

// checkEmptied refuses what an empty variable leaves behind. An empty value would count as no
// flag. Without quotes, as in "--user $ID --dry-run", the next flag is taken for the value.
func checkEmptied(flags *pflag.FlagSet) error {
	var err error
	flags.Visit(func(f *pflag.Flag) {
		if f.Value.Type() == "string" && f.Value.String() == "" && err == nil && !slices.Contains(mayBeEmpty, f.Name) {
			err = fmt.Errorf("--%s is empty; was a variable empty? Leave the flag out for its default", f.Name)
		}
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
