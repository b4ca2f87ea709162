package wrapper_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/gen"
	whop "github.com/whopnotify/whopnotify/wrapper"
)

// BenchmarkSend compares a Send with the same request written by hand: same headers,
// one marshal, the answer read. Run it with -benchmem; the two take turns under -count.
func BenchmarkSend(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"success":true}`))
	}))
	b.Cleanup(server.Close)

	b.Run("byhand", func(b *testing.B) {
		url := server.URL + "/notifications"
		agent := "whopnotify/devel (" + runtime.Version() + ")"
		b.ReportAllocs()
		for b.Loop() {
			body, err := json.Marshal(&gen.CompanyNotification{CompanyID: "biz_1", Title: "Paid", Content: "Invoice 7 is paid"})
			require.NoError(b, err)
			req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, bytes.NewReader(body))
			require.NoError(b, err)
			req.Header.Set("Authorization", "Bearer benchmark-key")
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Accept", "application/json")
			req.Header.Set("Api-Version-Date", whop.DefaultAPIVersion)
			req.Header.Set("User-Agent", agent)
			req.Header["idempotency-key"] = []string{uuid.NewString()}
			resp, err := http.DefaultClient.Do(req)
			require.NoError(b, err)
			answer, err := io.ReadAll(resp.Body)
			require.NoError(b, err)
			require.NoError(b, resp.Body.Close())
			var ok gen.SuccessResponse
			require.NoError(b, json.Unmarshal(answer, &ok))
		}
	})

	b.Run("Send", func(b *testing.B) {
		client, err := whop.NewClient(whop.WithAPIKey("benchmark-key"), whop.WithBaseURL(server.URL), whop.WithLimiter(nil))
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			_, err := client.Send(b.Context(), whop.ToCompany("biz_1", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"}))
			require.NoError(b, err)
		}
	})
}
