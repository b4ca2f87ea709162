package main_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// While the disk is full nothing is a success; when there is room, the relay goes on by itself,
// and what it said was stored is sent.
func TestRelayOnAFullDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "size=32m")
	if disk == "" {
		return
	}
	server := whoptest.NewServer(t)
	p, base, metrics := watchedRelay(t, environment(server), "--state", filepath.Join(disk, "relay"), "--rate-limit", "0")
	accepted, refused := map[string]bool{}, 0
	text := strings.Repeat("x", 100<<10) // so that what the files have reserved is soon used up
	post := func(i int) int {
		key := fmt.Sprintf("k-%d", i)
		body := fmt.Sprintf(`{"company_id":"biz_1","title":"%s","content":%q}`, key, text)
		a := ask(t, base, request{body: body, header: map[string]string{"Idempotency-Key": key}})
		switch a.status {
		case 200:
			accepted[key] = true
		case 503:
			refused++
			require.Equal(t, "2", a.header.Get("Retry-After"))
		default:
			require.Fail(t, "neither stored nor to be tried again", "%d %s", a.status, a.body)
		}
		return a.status
	}
	require.Equal(t, 200, post(0))
	untilReady(t, metrics)
	free := fill(t, disk)
	require.Eventually(t, func() bool { // before anybody loses time with it
		status, body := look(t, metrics+"/readyz")
		return status == 503 && strings.Contains(body, "that its disk has room")
	}, patience, 100*time.Millisecond)
	i := 1
	for ; i < 100 && refused == 0; i++ {
		post(i)
	}
	require.Positive(t, refused)
	free()
	require.Eventually(t, func() bool { i++; return post(i) == 200 }, patience, 200*time.Millisecond)
	untilReady(t, metrics)
	require.Eventually(t, func() bool {
		sent := map[string]int{}
		for _, r := range server.Queued() {
			sent[r.IdempotencyKey]++
		}
		for key := range accepted {
			if sent[key] != 1 {
				return false
			}
		}
		return true
	}, patience, 50*time.Millisecond)
	p.signal(syscall.SIGTERM)
	f := p.finish()
	require.Zero(t, f.code, f.stderr)
	t.Logf("%d stored, %d refused", len(accepted), refused)
}
