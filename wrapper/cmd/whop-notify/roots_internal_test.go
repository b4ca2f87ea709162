package main

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// On a system without certificates the command trusts the authorities that a browser trusts.
func TestRootsWhereTheSystemHasNone(t *testing.T) {
	if os.Getenv("TEST_ROOTS") == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRootsWhereTheSystemHasNone$", "-test.v")
		none := t.TempDir()
		cmd.Env = append(os.Environ(), "TEST_ROOTS=1", "SSL_CERT_FILE="+none+"/none", "SSL_CERT_DIR="+none)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "--- PASS: TestRootsWhereTheSystemHasNone")
		return
	}
	for _, name := range []string{"isrg-root-x1.pem", "gts-root-r4.pem"} {
		content, err := os.ReadFile("testdata/roots/" + name)
		require.NoError(t, err)
		block, _ := pem.Decode(content)
		require.NotNil(t, block)
		root, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		_, err = root.Verify(x509.VerifyOptions{CurrentTime: root.NotBefore.AddDate(1, 0, 0), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		require.NoError(t, err, name)
	}
}
