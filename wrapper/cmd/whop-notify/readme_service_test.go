package main_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

const serviceHeading = "systemd and the image"

// The relay and the worker run as systemd would run them by the units of the README.
func TestREADMEUnits(t *testing.T) {
	t.Parallel()
	var units []unit
	for _, fence := range fencesOf(document(t, "README.md")) {
		if fence.heading == serviceHeading && fence.language == "ini" {
			units = append(units, unitOf(fence.text))
		}
	}
	require.Len(t, units, 2)
	server, hub := whoptest.NewServer(t), startNATS(t)

	p := units[0].start(t, server, "127.0.0.1:9464", "127.0.0.1:0")
	metrics := shown(p)
	base := strings.TrimPrefix(p.await("listening on "), "listening on ")
	require.Equal(t, 200, ask(t, base, request{body: toCompany}).status)
	untilSent(t, server, metrics, p, 1)

	worker := maps.Clone(units[0])
	maps.Copy(worker, units[1])
	worker["LoadCredential"] = worker["LoadCredential"][:1] // without that of the relay
	delete(worker, "StateDirectory")
	hub.open()
	require.Zero(t, execute(t, []string{"NATS_URL=" + hub.url()}, "enqueue", fileOf(t, 1)).code)
	p = worker.start(t, server, "127.0.0.1:9465", "127.0.0.1:0", "nats://nats.internal:4222", hub.url())
	untilSent(t, server, shown(p), p, 2)
}

// The relay runs as the README's docker run has it in the image, with the files of its volumes.
func TestREADMEImage(t *testing.T) {
	t.Parallel()
	server, sh := whoptest.NewServer(t), newShell(t)
	sh.script(`sudo() { local a=(); for w; do [ "$w" = --owner=65532 ] || a+=("$w"); done; "${a[@]}"; }` + "\n")
	var p *process
	var c container
	seen := []string{}
	for _, fence := range fencesOf(document(t, "README.md")) {
		if fence.heading != serviceHeading || fence.language != "sh" {
			continue
		}
		for _, command := range scripted.FindAllString(fence.text, -1) {
			name := strings.Join(strings.Fields(command)[:2], " ")
			seen = append(seen, name)
			switch name {
			case "docker load":
				require.Contains(t, command, " whop-notify_image_amd64.tar\n")
				require.Contains(t, document(t, "../../../.ci/release-image"), `/whop-notify_image_$arch.tar" "whop-notify:$version"`)
			case "head -c":
				require.Contains(t, command, " --owner=65532 ")
				require.Contains(t, document(t, "Dockerfile"), "\nUSER 65532:65532\n")
				sh.script(command)
			case "export WHOP_API_KEY=...":
			case "docker run":
				c = containerOf(t, command)
				p = c.start(t, sh.dir, server)
			case "curl --fail":
				require.Contains(t, command, " http://127.0.0.1:9464/readyz\n")
				require.Contains(t, c.flags["--publish"], "127.0.0.1:9464:9464")
				metrics := shown(p)
				base := strings.TrimPrefix(p.await("listening on "), "listening on ")
				key := strings.TrimSpace(document(t, filepath.Join(sh.dir, "relay.key")))
				sent := ask(t, base, request{body: toCompany, header: map[string]string{"Authorization": "Bearer " + key}})
				require.Equal(t, 200, sent.status, sent.body)
				untilSent(t, server, metrics, p, 1)
			default:
				sh.script(command)
			}
		}
	}
	require.Subset(t, seen, []string{"docker load", "docker run", "curl --fail"})
}

// untilSent waits until a process is ready and Whop has taken so many in all, and stops it.
func untilSent(t *testing.T, server *whoptest.Server, metrics string, p *process, sent int) {
	t.Helper()
	untilReady(t, metrics)
	require.Eventually(t, func() bool { return len(server.Queued()) == sent }, patience, 10*time.Millisecond)
	p.signal(syscall.SIGTERM)
	f := p.finish()
	require.Zero(t, f.code, f.stderr)
}

// unit is a systemd unit: the values of each directive.
type unit map[string][]string

func unitOf(text string) unit {
	u := unit{}
	for _, m := range regexp.MustCompile(`(?m)^(\w+)=(.*)$`).FindAllStringSubmatch(strings.ReplaceAll(text, "\\\n", " "), -1) {
		u[m[1]] = append(u[m[1]], m[2])
	}
	return u
}

// start runs what the unit starts, with its credentials and state in directories of the test,
// and with other words in the place of some.
func (u unit) start(t *testing.T, server *whoptest.Server, other ...string) *process {
	t.Helper()
	credentials, states := t.TempDir(), t.TempDir()
	keys := map[string]string{"api-key": server.APIKey(), "relay-key": relayKey}
	for _, credential := range u["LoadCredential"] {
		name, file, _ := strings.Cut(credential, ":")
		require.Equal(t, "/etc/whop-notify/"+name, file)
		require.Contains(t, keys, name)
		require.NoError(t, os.WriteFile(filepath.Join(credentials, name), []byte(keys[name]+"\n"), 0o400))
	}
	for _, name := range u["StateDirectory"] {
		require.Equal(t, []string{"0700"}, u["StateDirectoryMode"])
		require.NoError(t, os.Mkdir(filepath.Join(states, name), 0o700))
	}
	require.Len(t, u["ExecStart"], 1)
	known := append([]string{"%d", credentials, "%S", states}, other...)
	words := strings.Fields(strings.NewReplacer(known...).Replace(u["ExecStart"][0]))
	require.Equal(t, "/usr/local/bin/whop-notify", words[0])
	if words[1] == "relay" {
		words = append(words, "--addr", "127.0.0.1:0")
	}
	p := start(t, []string{"WHOP_BASE_URL=" + server.URL()}, words[1:]...)
	t.Cleanup(func() {
		made, err := os.ReadDir(states)
		require.NoError(t, err)
		require.Len(t, made, len(u["StateDirectory"]), "a state that systemd does not keep")
	})
	return p
}

// container is one that docker run starts.
type container struct {
	flags map[string][]string
	args  []string // of the command in it
}

func containerOf(t *testing.T, command string) container {
	t.Helper()
	c := container{flags: map[string][]string{}}
	words := strings.Fields(strings.NewReplacer("\\\n", " ", `"`, "").Replace(command))[2:]
	image := slices.Index(words, "whop-notify")
	require.Positive(t, image)
	c.args = words[image+1:]
	for options := words[:image]; len(options) > 0; {
		name := options[0]
		require.Contains(t, []string{"--detach", "--name", "--restart", "--stop-timeout", "--env", "--volume", "--publish"}, name)
		if options = options[1:]; name != "--detach" {
			c.flags[name] = append(c.flags[name], options[0])
			options = options[1:]
		}
	}
	return c
}

// start runs the command with the files of the container's volumes, and no other.
func (c container) start(t *testing.T, dir string, server *whoptest.Server) *process {
	t.Helper()
	require.Equal(t, []string{"30"}, c.flags["--stop-timeout"])
	require.Contains(t, document(t, "Dockerfile"), "\nENTRYPOINT [\"/whop-notify\"]\n")
	env := []string{"WHOP_BASE_URL=" + server.URL()}
	for _, name := range c.flags["--env"] {
		require.Equal(t, "WHOP_API_KEY", name)
		env = append(env, name+"="+server.APIKey())
	}
	files := map[string]string{} // by their names in the container
	for _, volume := range c.flags["--volume"] {
		outside, inside, _ := strings.Cut(volume, ":")
		if named := !strings.HasPrefix(outside, "$PWD/"); named {
			require.Contains(t, document(t, "Dockerfile"), "\nWORKDIR "+inside+"\n") // which gives it its owner
			outside = filepath.Join("$PWD", "volumes", outside)
		}
		files[strings.TrimSuffix(inside, ":ro")] = strings.Replace(outside, "$PWD", dir, 1)
	}
	args := slices.Clone(c.args)
	for i, arg := range args {
		if port, listens := strings.CutPrefix(arg, "0.0.0.0:"); listens {
			require.Contains(t, c.flags["--publish"], "127.0.0.1:"+port+":"+port)
			args[i] = "0.0.0.0:0"
		}
		if strings.HasPrefix(arg, "/") {
			require.Contains(t, files, arg)
			args[i] = files[arg]
		}
	}
	return start(t, env, args...)
}
