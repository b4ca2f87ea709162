package main_test

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHelpHasExamplesAndGoesToStandardOutput(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--help"}, {"help"}, {"send", "--help"}, {"help", "send"}, {"serve", "--help"}, {"relay", "--help"}, {"demo", "--help"},
	} {
		f := execute(t, nil, args...)
		require.Zero(t, f.code, args)
		require.Contains(t, f.stdout, "Examples:\n", args)
		require.Contains(t, f.stdout, "whop-notify", args)
		require.Empty(t, f.stderr, args)
	}
}

func TestHelpListsTheExitCodes(t *testing.T) {
	t.Parallel()
	require.Contains(t, execute(t, nil, "--help").stdout, "3  unknown")
}

// A script whose variable is empty must not take help for success.
func TestWithoutACommandItShowsItsHelp(t *testing.T) {
	t.Parallel()
	f := execute(t, nil)
	require.Equal(t, 2, f.code)
	require.Equal(t, execute(t, nil, "--help").stdout, f.stdout)
	require.Contains(t, f.stderr, "no command given")
}

func TestVersionNamesTheModulesAndGos(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"--version", "version"} {
		f := execute(t, nil, arg)
		require.Zero(t, f.code)
		require.Regexp(t, `^whop-notify (devel|v\d\S+) \(go1\.\S+ \w+/\w+\)\n$`, f.stdout)
		require.Empty(t, f.stderr)
	}
}

func TestCompletionForEachShell(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		f := execute(t, nil, "completion", shell)
		require.Zero(t, f.code, shell)
		require.Greater(t, len(f.stdout), 1000, shell)
		require.Contains(t, f.stdout, "whop-notify", shell)
	}
	require.Equal(t, "text\njson\n:4\n", execute(t, nil, "__complete", "send", "--output", "").stdout)
}

func TestWrongCommands(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"unknown":          {[]string{"broadcast"}, `unknown command "broadcast"`},
		"nearly":           {[]string{"sned"}, "Did you mean this? send"},
		"unknown flag":     {[]string{"--nothing"}, "unknown flag: --nothing"},
		"unknown topic":    {[]string{"help", "nothing"}, `unknown command "nothing"`},
		"no shell":         {[]string{"completion"}, "no shell given"},
		"unknown shell":    {[]string{"completion", "tcsh"}, `unknown command "tcsh"`},
		"argument of demo": {[]string{"demo", "now"}, `unexpected argument "now"`},
	} {
		t.Run(name, func(t *testing.T) {
			f := execute(t, nil, c.args...)
			require.Equal(t, 2, f.code)
			require.Contains(t, f.stderr, c.says)
			require.Empty(t, f.stdout)
		})
	}
}

func TestImportersOfThePackageDoNotBuildTheCommandsDependencies(t *testing.T) {
	t.Parallel()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "github.com/whopnotify/whopnotify/wrapper")
	packages, err := list.Output()
	require.NoError(t, err)
	require.NotContains(t, string(packages), "spf13")
}
