package wrapper_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// The first program of the README, as a new user would run it.
func TestFirstProgramOfTheREADME(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```go\n(.*?)```").FindSubmatch(readme)
	require.NotNil(t, block)
	program := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(program, block[1], 0o600))

	server := whoptest.NewServer(t)
	run := exec.CommandContext(t.Context(), "go", "run", program)
	run.Env = append(os.Environ(), "WHOP_API_KEY="+server.APIKey(), "WHOP_BASE_URL="+server.URL(), "WHOP_COMPANY_ID=biz_1")
	out, err := run.CombinedOutput()
	require.NoError(t, err, "%s", out)

	queued := server.Queued()
	require.Len(t, queued, 1)
	assert.Equal(t, "queued under the idempotency key "+queued[0].IdempotencyKey+"\n", string(out))
}
