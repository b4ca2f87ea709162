package wrapper_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// shell is a bash that runs one command of the README after the other.
type shell struct {
	t       *testing.T
	dir     string
	env     []string
	in      io.Writer
	out     *bufio.Reader
	printed string   // by the last command
	known   []string // of the README's values and what stands for them here, in pairs
}

// newcomer has nothing but Go. The module comes from a proxy that holds this tree as
// its one version, and Whop is the server.
func newcomer(t *testing.T, server *whoptest.Server) *shell {
	t.Helper()
	bin := t.TempDir()
	s := newShell(t, t.TempDir(), []string{
		"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"),
		"GOBIN=" + bin,
		"GOPROXY=" + moduleProxy(t),
		"GOMODCACHE=" + t.TempDir(),
		"GOFLAGS=-modcacherw -trimpath", // by -trimpath what was built in another such cache is found again
		"GONOPROXY=none",
		"GOSUMDB=off",
		"GOWORK=off",
		"WHOP_BASE_URL=" + server.URL(),
	})
	s.known = []string{"WHOP_API_KEY=…", "WHOP_API_KEY=" + server.APIKey()}
	return s
}

// maintainer works in a clone, on a day when Whop has published its later contract.
func maintainer(t *testing.T) *shell {
	t.Helper()
	tree := t.TempDir()
	for _, name := range files(t) {
		data, err := os.ReadFile(filepath.Join("..", name))
		require.NoError(t, err)
		info, err := os.Stat(filepath.Join("..", name))
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(tree, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(tree, name), data, info.Mode()))
	}
	s := newShell(t, tree, []string{
		"GOFLAGS=-buildvcs=false", "GOWORK=", "SPEC=gen/specsync/testdata/later.json",
		"GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@example.com", "GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@example.com",
	})
	s.known = []string{"example.com/team/notify", "example.org/renamed"} // this may be a clone that bears the README's name
	s.script("git init --quiet\ngit add --all\n")
	return s
}

// files are those of the tree, committed or not yet.
func files(t *testing.T) (names []string) {
	t.Helper()
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = ".."
	out, err := list.Output()
	require.NoError(t, err)
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		if _, err := os.Stat(filepath.Join("..", name)); err == nil { // else deleted, and not committed yet
			names = append(names, name)
		}
	}
	return names
}

func newShell(t *testing.T, dir string, env []string) *shell {
	t.Helper()
	s := &shell{t: t, dir: dir, env: append(os.Environ(), env...)}
	in, out := s.start("bash", "--norc")
	s.in, s.out = in, bufio.NewReader(out)
	return s
}

// start runs a program until the test ends.
func (s *shell) start(name string, args ...string) (stdin io.Writer, stdout io.Reader) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), name, args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	in, err := cmd.StdinPipe()
	require.NoError(s.t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, cmd.Start())
	s.t.Cleanup(func() { _ = cmd.Wait() }) // the test's context has ended it
	return in, out
}

// run gives what the command printed, on either stream, and its exit code, which is
// that of $? for the next one.
func (s *shell) run(command string) (printed string, code int) {
	s.t.Helper()
	command = strings.NewReplacer(s.known...).Replace(command)
	_, err := fmt.Fprintf(s.in, "{ (exit ${code:-0})\n%s\n} </dev/null 2>&1\ncode=$?; printf '\\0%%s\\0' $code\n", command)
	require.NoError(s.t, err)
	printed, err = s.out.ReadString(0)
	require.NoError(s.t, err, command)
	status, err := s.out.ReadString(0)
	require.NoError(s.t, err, command)
	code, err = strconv.Atoi(strings.TrimSuffix(status, "\x00"))
	require.NoError(s.t, err)
	s.printed = strings.TrimSuffix(printed, "\x00")
	return s.printed, code
}

// script runs a fence of commands, a line each.
func (s *shell) script(text string) {
	s.t.Helper()
	for line := range strings.Lines(text) {
		printed, code := s.run(line)
		if strings.HasPrefix(line, "make spec-diff") { // there is drift on this day
			require.Contains(s.t, printed, "Error 1")
			continue
		}
		require.Zero(s.t, code, "%s%s", line, printed)
	}
}

// session runs a fence of commands, each after a "$ ", and compares what they print.
func (s *shell) session(text string) {
	s.t.Helper()
	require.Regexp(s.t, `^\$ `, text)
	for _, part := range commands.FindAllStringSubmatch(text, -1) {
		command, want := part[1], part[2]
		printed := ""
		if strings.HasPrefix(command, "whop-notify serve ") {
			printed = s.serve(command)
		} else {
			printed, _ = s.run(command)
		}
		require.Equal(s.t, steadied(want), steadied(printed), command)
		for _, re := range []*regexp.Regexp{uuids, addresses} {
			here := re.FindAllString(printed, -1)
			for i, there := range re.FindAllString(want, -1) {
				s.known = append([]string{there, here[i]}, s.known...) // the latest counts
			}
		}
	}
}

// unit asks the command of a systemd unit for its help, which it gives only if it knows
// all flags before.
func (s *shell) unit(text string) {
	s.t.Helper()
	command := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/(.*)$`).FindStringSubmatch(text)
	require.NotNil(s.t, command, text)
	printed, code := s.run(command[1] + " --help\n")
	require.Zero(s.t, code, printed)
	require.Contains(s.t, printed, "Usage:")
}

// serve leaves the stand-in running, on a port that is free here.
func (s *shell) serve(command string) string {
	s.t.Helper()
	_, out := s.start("bash", "-c", "exec "+strings.TrimSpace(command)+" --addr 127.0.0.1:0")
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(s.t, err, command)
	return line
}

func (s *shell) read(name string) string {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, name))
	require.NoError(s.t, err)
	return string(data)
}

var (
	commands  = regexp.MustCompile(`(?m)^\$ ((?:.*\\\n)*.*\n)((?:[^$].*\n|\n)*)`) // and what each prints
	uuids     = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	addresses = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	durations = regexp.MustCompile(`\d+\.\d\d s\b`)
	dates     = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \w+`)
	downloads = regexp.MustCompile(`(?m)^go: downloading .*\n`)
)

// steadied takes out of a text what differs in every run.
func steadied(text string) string {
	text = uuids.ReplaceAllString(text, "UUID")
	text = addresses.ReplaceAllString(text, "ADDRESS")
	text = dates.ReplaceAllString(text, "DATE")
	text = durations.ReplaceAllString(text, "DURATION")
	return downloads.ReplaceAllString(text, "")
}

// moduleProxy gives a GOPROXY that holds this tree as v0.1.0, released as it will be, so that
// go install and go get work as they will then. Everything else comes from what has been
// downloaded before, or from the usual proxy.
func moduleProxy(t *testing.T) string {
	t.Helper()
	clone := maintainer(t)
	proxy := t.TempDir()
	clone.script("git commit --quiet --message released\n.ci/release-commit v0.1.0 " + proxy + "\n")

	settings, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE", "GOPROXY").Output()
	require.NoError(t, err)
	cache, usual, _ := strings.Cut(strings.TrimSpace(string(settings)), "\n")
	downloaded := filepath.Join(cache, "cache", "download")
	return "file://" + filepath.ToSlash(proxy) + ",file://" + filepath.ToSlash(downloaded) + "," + usual
}
