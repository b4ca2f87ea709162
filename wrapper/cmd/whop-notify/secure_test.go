package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"
)

// authority issues certificates into files of a directory.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.issue("ca")
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// issue makes a certificate NAME.pem with its key NAME.key; the first is that of the authority.
func (a *authority) issue(name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		IsCA:                  a.cert == nil,
	}
	parent, signer := template, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(a.t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(a.t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(a.t, err)
	for file, block := range map[string]*pem.Block{
		name + ".pem": {Type: "CERTIFICATE", Bytes: der},
		name + ".key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		require.NoError(a.t, os.WriteFile(a.file(file), pem.EncodeToMemory(block), 0o600))
	}
	return cert, key
}

func TestNATSOverTLSWithCertificatesAndAPassword(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	a.issue("server")
	a.issue("client")
	hub := startNATS(t, "--tlsverify", "--tlscacert", a.file("ca.pem"), "--tlscert", a.file("server.pem"), "--tlskey", a.file("server.key"),
		"--user", "billing", "--pass", "secret")
	file := fileOf(t, 3)
	trust := []string{"--nats-ca", a.file("ca.pem"), "--nats-cert", a.file("client.pem"), "--nats-key", a.file("client.key")}
	enqueue := func(password string, flags ...string) finished {
		env := []string{"NATS_URL=tls://billing:" + password + "@127.0.0.1:" + hub.port}
		return execute(t, env, append([]string{"enqueue", file}, flags...)...)
	}
	require.Eventually(t, func() bool { return enqueue("secret", trust...).code == 0 }, patience, 100*time.Millisecond)
	for name, f := range map[string]finished{
		"authority not known":  enqueue("secret"),
		"no certificate":       enqueue("secret", trust[:2]...),
		"password not correct": enqueue("wrong", trust...),
	} {
		require.Equal(t, 1, f.code, name)
		require.Contains(t, f.stderr, "the NATS server tls://127.0.0.1:"+hub.port, name)
		require.NotContains(t, f.stderr, "secret", name)
	}
}

func TestNATSCredentials(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pair := func(kind nkeys.PrefixByte) (nkeys.KeyPair, string) {
		key, err := nkeys.CreatePair(kind)
		require.NoError(t, err)
		public, err := key.PublicKey()
		require.NoError(t, err)
		return key, public
	}
	operator, operatorID := pair(nkeys.PrefixByteOperator)
	account, accountID := pair(nkeys.PrefixByteAccount)
	_, systemID := pair(nkeys.PrefixByteAccount) // which JetStream wants
	user, userID := pair(nkeys.PrefixByteUser)
	operatorJWT, err := jwt.NewOperatorClaims(operatorID).Encode(operator)
	require.NoError(t, err)
	claims := jwt.NewAccountClaims(accountID)
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	accountJWT, err := claims.Encode(operator)
	require.NoError(t, err)
	systemJWT, err := jwt.NewAccountClaims(systemID).Encode(operator)
	require.NoError(t, err)
	userJWT, err := jwt.NewUserClaims(userID).Encode(account)
	require.NoError(t, err)
	seed, err := user.Seed()
	require.NoError(t, err)
	creds, err := jwt.FormatUserConfig(userJWT, seed)
	require.NoError(t, err)
	credsFile, config := filepath.Join(dir, "user.creds"), filepath.Join(dir, "nats.conf")
	require.NoError(t, os.WriteFile(credsFile, creds, 0o600))
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, "operator: %s\nsystem_account: %s\nresolver: MEMORY\nresolver_preload: { %s: %s, %s: %s }\n",
		operatorJWT, systemID, systemID, systemJWT, accountID, accountJWT), 0o600))

	hub := startNATS(t, "-c", config)
	file := fileOf(t, 3)
	require.Eventually(t, func() bool {
		return execute(t, nil, "enqueue", file, "--nats", hub.url(), "--nats-creds", credsFile).code == 0
	}, patience, 100*time.Millisecond)
	f := execute(t, []string{"NATS_CREDS=" + credsFile}, "dead", "list", "--nats", hub.url())
	require.Zero(t, f.code, f.stderr)
	f = execute(t, nil, "enqueue", file, "--nats", hub.url())
	require.Equal(t, 1, f.code)
	require.Contains(t, f.stderr, "Authorization Violation")
}
