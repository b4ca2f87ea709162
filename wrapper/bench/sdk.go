package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// sdkPackage is the name under which the interop test installs Whop's own SDK, in the
// newest version that speaks the vendored contract.
const sdkPackage = "whop-sdk-0.0.42"

//go:embed sdk.mjs
var sdkProgram string

// contendBySDK is Whop's own SDK for TypeScript, run by node, from the directory in which
// npm has installed it. The error says why that is not possible here.
func contendBySDK(dir string) (contender, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return contender{}, errors.New("node is not installed")
	}
	file, err := os.ReadFile(filepath.Join(dir, "node_modules", sdkPackage, "package.json"))
	if err != nil {
		return contender{}, fmt.Errorf("run npm ci in %s first: %w", dir, err)
	}
	var installed struct{ Name, Version string }
	if err := json.Unmarshal(file, &installed); err != nil {
		return contender{}, fmt.Errorf("%s: %w", sdkPackage, err)
	}
	return contender{installed.Name + " " + installed.Version, func(ctx context.Context, baseURL string, n int) (account, error) {
		program := exec.CommandContext(ctx, node, "--input-type=module", "--eval", sdkProgram, "--",
			sdkPackage, baseURL, strconv.Itoa(n), strconv.Itoa(senders),
			strconv.FormatInt(attemptTimeout.Milliseconds(), 10), strconv.Itoa(retries), companyID, title)
		program.Dir = dir
		program.Env = []string{"PATH=" + os.Getenv("PATH"), "WHOP_API_KEY=" + apiKey}
		var complaints bytes.Buffer
		program.Stderr = &complaints
		out, err := program.Output()
		if err != nil {
			return account{}, fmt.Errorf("node: %w: %s", err, complaints.String())
		}
		var did struct {
			Sent []bool
			MS   float64
		}
		if err := json.Unmarshal(out, &did); err != nil {
			return account{}, fmt.Errorf("what node printed: %w", err)
		}
		a := account{took: time.Duration(did.MS * float64(time.Millisecond))}
		for _, sent := range did.Sent {
			v := saidFailed
			if sent {
				v = saidSent
			}
			a.said = append(a.said, v)
		}
		return a, nil
	}}, nil
}
