package whoptest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

func TestClient(t *testing.T) {
	server := whoptest.NewServer(t)
	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()))
	require.NoError(t, err)

	receipt, err := client.Send(t.Context(), whop.ToCompany("biz_1", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"}))
	require.NoError(t, err)

	queued := server.Queued()
	require.Len(t, queued, 1)
	require.Equal(t, receipt.IdempotencyKey, queued[0].IdempotencyKey)
	require.JSONEq(t, `{"company_id":"biz_1","title":"Paid","content":"Invoice 7 is paid"}`, string(queued[0].Body))
}
