package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The commands of the README under "# Benchmarks" build this folder, and ask for tables that there are.
func TestREADME(t *testing.T) {
	document, err := os.ReadFile("README.md")
	require.NoError(t, err)
	fences := regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(string(document), -1)
	require.Len(t, fences, 1)
	commands := strings.Split(strings.TrimSpace(fences[0][1]), "\n")
	require.Len(t, commands, 2)
	require.Equal(t, "go build -C wrapper/bench -o ../../bin/bench .", commands[0])
	command, comment, _ := strings.Cut(commands[1], " # ")
	require.Equal(t, strings.Join(parts, ", "), comment)
	args, found := strings.CutPrefix(command, "bin/bench -only ")
	require.True(t, found, command)
	require.Subset(t, parts, strings.Split(args, ","))
}
