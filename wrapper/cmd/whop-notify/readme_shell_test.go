package main_test

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
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// shell is a bash that runs one command of a README after the other.
type shell struct {
	t     *testing.T
	dir   string
	env   []string
	in    io.Writer
	out   *bufio.Reader
	known []string // of the README's values and what stands for them here, in pairs
}

// newShell has the command in its path.
func newShell(t *testing.T) *shell {
	t.Helper()
	s := &shell{t: t, dir: t.TempDir(), env: []string{
		"HOME=" + t.TempDir(), "PATH=" + filepath.Dir(binary) + string(os.PathListSeparator) + os.Getenv("PATH"),
	}}
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

// run returns what the command printed, on either stream, and its exit code, which is that
// of $? for the next one.
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
	return strings.TrimSuffix(printed, "\x00"), code
}

// script runs a fence of commands, each of which succeeds.
func (s *shell) script(text string) {
	s.t.Helper()
	for _, command := range scripted.FindAllString(text, -1) {
		printed, code := s.run(command)
		require.Zero(s.t, code, "%s%s", command, printed)
	}
}

// send runs a script with a stand-in of its own, and each command of it that sends does.
func (s *shell) send(text string) {
	s.t.Helper()
	server := whoptest.NewServer(s.t)
	s.script("export WHOP_BASE_URL=" + server.URL() + " WHOP_API_KEY=" + server.APIKey() + "\n")
	s.script(text)
	sending := regexp.MustCompile(`(?m)^(bin/)?whop-notify (send|batch) `).FindAllString(text, -1)
	require.NotEmpty(s.t, sending)
	require.Len(s.t, server.Queued(), len(sending))
}

// queue runs a script whose NATS server is hub, and which works until all has been sent.
func (s *shell) queue(text string, hub *natsServer, server *whoptest.Server) {
	s.t.Helper()
	s.script("export WHOP_BASE_URL=" + server.URL() + " WHOP_API_KEY=" + server.APIKey() + "\n")
	for _, command := range scripted.FindAllString(text, -1) {
		switch {
		case strings.HasPrefix(command, "export NATS_URL="):
			s.script("export NATS_URL=" + hub.url() + "\n")
		case command == "whop-notify work\n":
			s.script("whop-notify work >/dev/null 2>&1 & worker=$!\n")
			require.Eventually(s.t, func() bool { return len(server.Queued()) > 0 }, patience, 10*time.Millisecond)
		default:
			s.script(command)
		}
	}
	s.script("kill $worker && wait $worker\n")
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
				s.known = append([]string{there, here[i]}, s.known...) // the latest wins
			}
		}
	}
}

// serve leaves the stand-in running, on a port that is free here.
func (s *shell) serve(command string) string {
	s.t.Helper()
	_, out := s.start("bash", "-c", "exec "+strings.TrimSpace(command)+" --addr 127.0.0.1:0")
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(s.t, err, command)
	return line
}

var (
	commands  = regexp.MustCompile(`(?m)^\$ ((?:.*\\\n)*.*\n)((?:[^$].*\n|\n)*)`) // and what each prints
	scripted  = regexp.MustCompile(`(?m)^(?:.*\\\n)*.*\n`)
	uuids     = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	addresses = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	durations = regexp.MustCompile(`\d+\.\d\d s\b`)
	dates     = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \w+`)
)

// fence is a block of code.
type fence struct{ heading, language, text string }

func fencesOf(markdown string) (fences []fence) {
	heading := ""
	for _, m := range regexp.MustCompile("(?ms)^#+ ([^\n]+)$|^```(\\w*)\n(.*?)^```$").FindAllStringSubmatch(markdown, -1) {
		if m[1] != "" {
			heading = m[1]
			continue
		}
		fences = append(fences, fence{heading: heading, language: m[2], text: m[3]})
	}
	return fences
}

// steadied takes out of a text what differs in every run.
func steadied(text string) string {
	text = uuids.ReplaceAllString(text, "UUID")
	text = addresses.ReplaceAllString(text, "ADDRESS")
	text = dates.ReplaceAllString(text, "DATE")
	return durations.ReplaceAllString(text, "DURATION")
}
