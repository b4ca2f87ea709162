package wrapper_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/gen"
	whop "github.com/whopnotify/whopnotify/wrapper"
)

// BenchmarkSend compares a Send with the same request written by hand with net/http:
// same headers, one marshal, the answer read. Allocations are those of client and
// server together, the same server for both.
func BenchmarkSend(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, queuedBody)
	}))
	b.Cleanup(server.Close)
	client := newClient(b, server.URL)
	bySend := func(ctx context.Context) error {
		_, err := client.Send(ctx, whop.ToCompany("biz_1", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"}))
		return err
	}
	url := server.URL + "/notifications"
	agent := "whopnotify/devel (" + runtime.Version() + ")"
	byHand := func(ctx context.Context) error { return sendByHand(ctx, url, agent) }

	for name, send := range map[string]func(context.Context) error{"byhand": byHand, "Send": bySend} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, send(b.Context()))
			}
		})
	}

	benchmarkTurns(b, "throughput-of-byhand",
		func() { require.NoError(b, byHand(b.Context())) },
		func() { require.NoError(b, bySend(b.Context())) })
}

func sendByHand(ctx context.Context, url, agent string) error {
	body, err := json.Marshal(&gen.CompanyNotification{CompanyID: "biz_1", Title: "Paid", Content: "Invoice 7 is paid"})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Api-Version-Date", whop.DefaultAPIVersion)
	req.Header.Set("User-Agent", agent)
	req.Header.Set("Idempotency-Key", uuid.NewString())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var ok gen.SuccessResponse
	if err := json.Unmarshal(answer, &ok); err != nil {
		return err
	}
	if !ok.Success {
		return errors.New("not queued")
	}
	return nil
}

// BenchmarkManyUsers compares building, validating and encoding a notification to 10,000
// users with encoding the same alone.
func BenchmarkManyUsers(b *testing.B) {
	ids := make([]string, 10_000)
	for i := range ids {
		ids[i] = fmt.Sprintf("user_%014d", i)
	}
	bare := func() ([]byte, error) {
		return json.Marshal(&gen.CompanyNotification{CompanyID: "biz_1", Title: "Paid", Content: "Invoice 7 is paid", UserIDs: &ids})
	}
	whole := func() ([]byte, error) {
		return whop.ToCompany("biz_1", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"}).OnlyUsers(ids...).MarshalJSON()
	}
	want, err := bare()
	require.NoError(b, err)
	got, err := whole()
	require.NoError(b, err)
	require.JSONEq(b, string(want), string(got))

	for name, encode := range map[string]func() ([]byte, error){"bare": bare, "notification": whole} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = encode()
			}
		})
	}
	benchmarkTurns(b, "throughput-of-bare", func() { _, _ = bare() }, func() { _, _ = whole() })
}

// benchmarkTurns reports the throughput of the second as part of the first's. They take
// turns, so that whatever else the machine does happens to both.
func benchmarkTurns(b *testing.B, metric string, first, second func()) {
	b.Run("turns", func(b *testing.B) {
		var took [2]time.Duration
		turns := [2]func(){first, second}
		for i := 0; b.Loop(); i++ {
			for j := range turns {
				turn := (i + j) % 2
				start := time.Now()
				turns[turn]()
				took[turn] += time.Since(start)
			}
		}
		b.ReportMetric(float64(took[0])/float64(took[1]), metric)
	})
}
