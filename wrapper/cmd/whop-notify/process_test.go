package main_test

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "6") // most tests wait for processes that wait
	dir, err := os.MkdirTemp("", "whop-notify-test-")
	if err == nil {
		binary, err = build(dir, "whop-notify")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "building the command:", err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

func build(dir, name string, flags ...string) (string, error) {
	name = filepath.Join(dir, name)
	cmd := exec.Command("go", append(append([]string{"build"}, flags...), "-o", name, ".")...)
	cmd.Stderr = os.Stderr
	return name, cmd.Run()
}

// raced builds the command with the race detector, if the tests have it, for what does much
// at the same time: it takes three times as long.
var raced = sync.OnceValues(func() (string, error) {
	return build(filepath.Dir(binary), "whop-notify-raced", raceFlags...)
})

// patience is how long a process may take before a test fails.
const patience = 30 * time.Second

// process is one run of the command.
type process struct {
	*exec.Cmd
	t      *testing.T
	secret string // what no output may hold
	lines  chan string
	stdout bytes.Buffer
	stderr safeBuffer
	reader sync.WaitGroup
}

// start runs the command with nothing of ours in its environment but env.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return startWith(t, "", env, args...)
}

func startWith(t *testing.T, stdin string, env []string, args ...string) *process {
	t.Helper()
	return startCommand(t, binary, stdin, env, args...)
}

// startRaced runs the command with the race detector.
func startRaced(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	name, err := raced()
	require.NoError(t, err)
	return startCommand(t, name, "", env, args...)
}

func startCommand(t *testing.T, name, stdin string, env []string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.CommandContext(t.Context(), name, args...), t: t, lines: make(chan string, 1000)}
	p.Env = append([]string{"HOME=" + t.TempDir(), "GORACE=atexit_sleep_ms=0"}, env...)
	for _, v := range env {
		if key, ok := strings.CutPrefix(v, "WHOP_API_KEY="); ok {
			p.secret = key
		}
	}
	p.Stdin = strings.NewReader(stdin)
	out, err := p.StdoutPipe()
	require.NoError(t, err)
	errs, err := p.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	var both sync.WaitGroup
	both.Go(func() { p.scan(io.TeeReader(out, &p.stdout)) })
	both.Go(func() { p.scan(io.TeeReader(errs, &p.stderr)) })
	p.reader.Go(func() {
		both.Wait()
		close(p.lines)
	})
	return p
}

func (p *process) scan(r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		p.lines <- lines.Text()
	}
}

// await returns the next line, of either stream, that contains the text.
func (p *process) await(text string) string {
	p.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case line, more := <-p.lines:
			if strings.Contains(line, text) {
				return line
			}
			if !more {
				require.FailNow(p.t, "the process ended without: "+text, p.stderr.String())
			}
		case <-timeout:
			require.FailNow(p.t, "the process did not print: "+text, p.stderr.String())
		}
	}
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.Process.Signal(s))
}

// kill ends it by SIGKILL, unless it has ended.
func (p *process) kill() {
	_ = p.Process.Kill()
	p.reader.Wait()
	_ = p.Wait()
}

// finished is what a process leaves behind.
type finished struct {
	code           int
	stdout, stderr string
}

// finish waits for the end. A process that has to be killed fails the test.
func (p *process) finish() finished {
	p.t.Helper()
	kill := time.AfterFunc(patience, func() { _ = p.Process.Kill() })
	p.reader.Wait()
	_ = p.Wait()
	require.True(p.t, kill.Stop(), "the process did not end\n%s", p.stderr.String())
	if status, ok := p.ProcessState.Sys().(syscall.WaitStatus); ok {
		require.False(p.t, status.Signaled(), "ended by a signal that it should have handled: %v", p.ProcessState)
	}
	f := finished{p.ProcessState.ExitCode(), p.stdout.String(), p.stderr.String()}
	if p.secret != "" {
		assert.NotContains(p.t, f.stdout, p.secret)
		assert.NotContains(p.t, f.stderr, p.secret)
	}
	return f
}

// execute runs the command to its end.
func execute(t *testing.T, env []string, args ...string) finished {
	t.Helper()
	return start(t, env, args...).finish()
}

func executeWith(t *testing.T, stdin string, env []string, args ...string) finished {
	t.Helper()
	return startWith(t, stdin, env, args...).finish()
}

// environment is that of a command that sends to the server.
func environment(s *whoptest.Server) []string {
	return []string{"WHOP_BASE_URL=" + s.URL(), "WHOP_API_KEY=" + s.APIKey()}
}

// sendArgs are those of a valid send, and more.
func sendArgs(more ...string) []string {
	return append([]string{"send", "--company", "biz_1", "--everybody", "--title", "Paid", "--content", "Invoice 7 is paid"}, more...)
}

// safeBuffer can be read while a process still writes.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
