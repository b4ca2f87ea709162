package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// However much comes, and however large, what a relay keeps for its page is bounded.
func TestRelayKeepsABoundedPast(t *testing.T) {
	for _, test := range []struct {
		name           string
		requests, size int
		kept           int
	}{
		{name: "many", requests: 3 * relayKeep, size: 10, kept: relayKeep},
		{name: "large", requests: 100, size: relayMaxBody, kept: relayKeepBytes/relayKeepBody - 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := newRelayInbox(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n, err := io.Copy(io.Discard, r.Body)
				require.NoError(t, err)
				require.EqualValues(t, test.size, n)
				w.WriteHeader(http.StatusOK)
			}), testRelayKey)
			body := bytes.Repeat([]byte("x"), test.size)
			for range test.requests {
				r := httptest.NewRequest(http.MethodPost, relayPath, bytes.NewReader(body))
				r.Header.Set(keyHeader, "k")
				in.ServeHTTP(httptest.NewRecorder(), r)
			}
			kept := in.Requests()
			require.Len(t, kept, test.kept)
			require.Equal(t, test.requests, kept[len(kept)-1].ID)
			require.Len(t, kept[0].Body, min(test.size, relayKeepBody))
			require.LessOrEqual(t, cap(in.kept), 2*relayKeep)
		})
	}
}
