package queue

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// FuzzItem reads messages that anybody could have published. A valid notification must be the
// same after encoding it again.
func FuzzItem(f *testing.F) {
	f.Add(`{"company_id":"biz_1","title":"T","content":"C"}`, "key", "", "1", "2026-11-24T12:00:00Z", "true")
	f.Add(`{"experience_id":"exp_1","title":"T","content":"C","user_ids":[]}`, "key", "other", "x", "yesterday", "")
	f.Add(`null`, "", "", "", "", "")
	f.Fuzz(func(t *testing.T, data, id, key, position, first, generated string) {
		header := nats.Header{}
		for name, value := range map[string]string{
			jetstream.MsgIDHeader: id, keyHeader: key, positionHeader: position, firstAttemptHeader: first, generatedHeader: generated,
		} {
			header.Set(name, value)
		}
		it, err := itemOf(header, []byte(data))
		if err != nil {
			return
		}
		require.NoError(t, it.notification.Validate())
		require.Equal(t, it.key, it.notification.IdempotencyKey())
		again, err := itemOf(it.message("subject", "id").Header, it.body)
		require.NoError(t, err)
		require.True(t, it.firstAttempt.Equal(again.firstAttempt))
		it.firstAttempt, again.firstAttempt = time.Time{}, time.Time{}
		require.Equal(t, it, again)
	})
}
