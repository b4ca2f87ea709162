package main_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README names every command, and no command or flag that is not there.
func TestREADME(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("README.md")
	require.NoError(t, err)
	text := string(content)
	for _, command := range regexp.MustCompile(`(?m)^  ([a-z]+) {2,}`).FindAllStringSubmatch(execute(t, nil, "--help").stdout, -1) {
		if name := command[1]; name != "completion" && name != "help" {
			require.Regexp(t, "`(whop-notify )?"+name+"\\b", text)
		}
	}
	fences := regexp.MustCompile("(?ms)^```(?:sh|ini)\n(.*?)^```$").FindAllStringSubmatch(text, -1)
	checked := 0
	for _, fence := range fences {
		script := strings.ReplaceAll(fence[1], "\\\n", " ")
		for _, line := range regexp.MustCompile(`(?m)^(?:ExecStart=/usr/local/bin/)?whop-notify (.*)$`).FindAllStringSubmatch(script, -1) {
			args := strings.Fields(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(line[1], "TEXT"))
			f := execute(t, nil, append(args, "--help")...)
			require.Zero(t, f.code, "%s: %s", line[1], f.stderr)
			require.Contains(t, f.stdout, "Usage:", line[1])
			checked++
		}
	}
	require.Greater(t, checked, 5)
	for _, code := range regexp.MustCompile(`(?m)^  (\d+) +(\S.*)$`).FindAllStringSubmatch(execute(t, nil, "--help").stdout, -1) {
		require.Contains(t, text, "\n| "+code[1]+" | ")
	}
	require.Contains(t, text, "\nWants=network-online.target\n")
}
