package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// The README names every command, and no command or flag that is not there.
func TestREADME(t *testing.T) {
	t.Parallel()
	text := document(t, "README.md")
	for _, command := range regexp.MustCompile(`(?m)^  ([a-z]+) {2,}`).FindAllStringSubmatch(execute(t, nil, "--help").stdout, -1) {
		if name := command[1]; name != "completion" && name != "help" {
			require.Regexp(t, "`(whop-notify )?"+name+"\\b", text)
		}
	}
	checked := 0
	for _, fence := range fencesOf(text) {
		script := strings.ReplaceAll(fence.text, "\\\n", " ")
		for _, line := range regexp.MustCompile(`(?m)^(?:\$ |ExecStart=/usr/local/bin/)?whop-notify (.*)$`).FindAllStringSubmatch(script, -1) {
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

// The sessions print what the README says, one after the other in one shell, and the
// scripts run. What a section of its own test runs is left to that: TestREADME knows its flags.
func TestREADMESessions(t *testing.T) {
	t.Parallel()
	reader, operator := newShell(t), newShell(t)
	for _, fence := range fencesOf(document(t, "README.md")) {
		switch {
		case fence.language == "console":
			reader.session(fence.text)
		case fence.language == "sh" && fence.heading == "One notification":
			reader.send(fence.text)
		case fence.language == "json" && fence.heading == "A file":
			file := filepath.Join(operator.dir, "paid.ndjson")
			require.NoError(t, os.WriteFile(file, []byte(fence.text), 0o600))
			server := whoptest.NewServer(t)
			require.Zero(t, execute(t, environment(server), "batch", file).code)
			require.Len(t, server.Queued(), strings.Count(fence.text, "\n"))
		case fence.language == "sh" && fence.heading == "A queue":
			server := whoptest.NewServer(t)
			hub := startNATS(t)
			hub.open()
			operator.queue(fence.text, hub, server)
		case fence.language == "sh" && fence.heading == "Dead letters":
			reader.script(fence.text)
		}
	}
}

// The front page's session and commands.
func TestFrontPage(t *testing.T) {
	t.Parallel()
	for _, fence := range fencesOf(document(t, "../../../README.md")) {
		switch {
		case fence.heading == "See it work" && fence.language == "console":
			commands := commands.FindAllStringSubmatch(fence.text, -1)
			require.Len(t, commands, 3)
			require.Equal(t, "git clone https://"+module(t)+"\n", commands[0][1])
			require.Contains(t, []string{"cd " + filepath.Base(module(t)) + "\n", "cd whopnotify\n"}, commands[1][1]) // the latter if renamed
			require.Equal(t, "make demo\n", commands[2][1])
			recipe, err := exec.CommandContext(t.Context(), "make", "-C", "../../..", "-n", "--no-print-directory", "demo").Output()
			require.NoError(t, err)
			require.Equal(t, "go -C wrapper/cmd/whop-notify run . demo\n", string(recipe))
			parts := strings.Split(steadied(commands[2][2]), "…\n")
			printed := steadied(execute(t, nil, "demo").stdout)
			for _, part := range parts {
				require.Contains(t, printed, part)
			}
		case fence.heading == "The command" && fence.language == "sh":
			reader := newShell(t)
			build, rest, _ := strings.Cut(fence.text, "\n")
			require.Equal(t, "go build -o bin/ ./wrapper/cmd/whop-notify", build) // as TestMain did
			reader.script("mkdir bin && ln -s " + binary + " bin/whop-notify\n")
			reader.script("printf '" + `{"company_id":"biz_1","title":"Paid","content":"Invoice 7 is paid"}\n` + "' >paid.ndjson\n")
			reader.send(rest)
		}
	}
}

func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}

// module is the path of the whole.
func module(t *testing.T) string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-m")
	list.Env = append(os.Environ(), "GOWORK=off") // in a workspace it lists every module
	out, err := list.Output()
	require.NoError(t, err)
	return strings.TrimSuffix(strings.TrimSpace(string(out)), "/wrapper/cmd/whop-notify")
}
