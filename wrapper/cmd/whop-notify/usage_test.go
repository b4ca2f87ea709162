package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// Wrong usage ends with exit code 2 before any network, and says what to do.
func TestSendRefuses(t *testing.T) {
	t.Parallel()
	const noTarget = "--everybody --title=T --content=C "
	const valid = "--company=biz_1 --everybody --title=T --content=C "
	const nobody = "--company=biz_1 --title=T --content=C "
	for _, c := range []struct{ args, says string }{
		{noTarget, "no target: give --company biz_... to notify the team of a company, or --experience"},
		{valid + "--experience=exp_1", "--company and --experience exclude each other"},
		{valid + "--experience=", "--company and --experience exclude each other"},
		{noTarget + "--company=", "--company is required and blank"},
		{noTarget + "--company=exp_1", "use --experience"},
		{noTarget + "--experience=biz_1", "use --company"},
		{"--company=biz_1 --everybody --content=C", "--title is required and blank"},
		{"--company=biz_1 --everybody --title=T --content=", "--content is required and blank"},
		{valid + "--rest-path=settings", "--rest-path must start with / or ?"},
		{valid + "--subtitle=\xff", "--subtitle is not valid UTF-8"},
		{valid + "--idempotency-key=", "--idempotency-key is empty"},
		{valid + "--idempotency-key=" + strings.Repeat("k", 256), "over the 255"},

		// An audience never becomes everybody by mistake.
		{nobody, "nobody is named: give --user ID for each user to notify, or --everybody"},
		{nobody + "--everybody=false", "nobody is named"},
		{valid + "--user=user_1", "--user and --everybody exclude each other"},
		{nobody + "--user=", "--user is blank"},
		{nobody + "--user user_1 --user=", "--user is blank"},
		{nobody + "--user", "flag needs an argument: --user"},
		{nobody + "--user=user_1,user_2", "repeat the flag for each"},
		{nobody + "--user --dry-run", "--user got the flag --dry-run for its value"},
		{valid + "--subtitle --dry-run", "--subtitle got the flag --dry-run for its value"},
		{valid + "--subtitle -v", "--subtitle got the flag -v for its value"},
		{valid + "user_2", `unexpected argument "user_2"`},

		{valid + "--api-key=sk_in_the_arguments", "set WHOP_API_KEY or give --api-key-file"},
		{valid + "--nothing", "unknown flag: --nothing"},
		{valid + "--output=xml", "must be text or json"},
		{valid + "--max-attempts=0", "--max-attempts 0 is under 1"},
		{valid + "--max-attempts=many", "invalid argument"},
		{valid + "--timeout=-1s", "--timeout -1s is negative"},
		{valid + "--attempt-timeout=0s", "--attempt-timeout 0s is not positive"},
		{valid + "--api-version=", "--api-version is empty"},
		{valid + "--base-url=", "--base-url is empty"},
		{valid + "--base-url=http://example.com", "--insecure-http"},
		{valid + "--base-url=https://sk_in_the_url@example.com", "--base-url has credentials in it; the key belongs in WHOP_API_KEY"},
		{valid + "--api-key-file=sk_given_as_a_file", "takes the name of a file that holds the key: no such file"},
		{valid + "--api-key-file=.", "is a directory"},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			server := whoptest.NewServer(t)
			f := execute(t, environment(server), append([]string{"send"}, strings.Fields(c.args)...)...)
			require.Equal(t, 2, f.code)
			require.Contains(t, f.stderr, c.says)
			require.True(t, strings.HasPrefix(f.stderr, "whop-notify: "), f.stderr)
			require.NotContains(t, f.stderr, "sk_")
			require.NotContains(t, f.stderr, "With", "a Go name in: "+f.stderr)
			require.Empty(t, f.stdout)
			require.Empty(t, server.Requests())
		})
	}
}

func TestSendRefusesTheEnvironment(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(file, []byte("\n"), 0o600))
	for name, c := range map[string]struct {
		env, args []string
		says      string
	}{
		"no key":         {nil, nil, "no API key\nSet WHOP_API_KEY, or give --api-key-file"},
		"key with space": {[]string{"WHOP_API_KEY=a secret"}, nil, "WHOP_API_KEY: API key has a space"},
		"empty key file": {nil, []string{"--api-key-file", file}, "--api-key-file: the file is empty"},
		"base URL":       {[]string{"WHOP_API_KEY=long-enough-key", "WHOP_BASE_URL=api.whop.com"}, nil, "WHOP_BASE_URL has no scheme"},
		"version":        {[]string{"WHOP_API_KEY=long-enough-key", "WHOP_API_VERSION=\n"}, nil, `WHOP_API_VERSION "\n" is not of the form YYYY-MM-DD`},
	} {
		t.Run(name, func(t *testing.T) {
			f := execute(t, c.env, sendArgs(c.args...)...)
			require.Equal(t, 2, f.code)
			require.Contains(t, f.stderr, c.says)
			require.Empty(t, f.stdout)
		})
	}
}
