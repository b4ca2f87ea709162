package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

const drillSeed, drillSize = 3, 250 // nearly every fault comes

// The drill must show duplicates and lost notifications where there are any.
func TestDrillTellsClientsApart(t *testing.T) {
	for _, test := range []struct {
		client        contender
		twice, failed bool // notified twice; said failed, and was sent
		sent          bool // said sent, and was not
	}{
		{client: contendBySend()},
		{client: contendBySendAgain()},
		{client: contendByRetryable(), twice: true, sent: true},
		{client: contendByCareful(), failed: true},
		{client: contendByHand(), failed: true, sent: true},
	} {
		t.Run(test.client.name, func(t *testing.T) {
			t.Parallel()
			got, err := drill(t.Context(), test.client, drillSeed, drillSize)
			require.NoError(t, err)
			assert.Equal(t, test.twice, got.twice > 0, "notified twice: %d", got.twice)
			assert.Equal(t, test.failed, got.wronglyFailed > 0, "said failed, was sent: %d", got.wronglyFailed)
			assert.Equal(t, test.sent, got.wronglySent > 0, "said sent, was not: %d", got.wronglySent)
			assert.GreaterOrEqual(t, got.requests, drillSize)
		})
	}
}

func TestFatesFollowFromTheSeed(t *testing.T) {
	const requests = 100_000
	met := map[string]int{}
	for i := range requests {
		reply := fate(drillSeed, i, 1+i%3).String()
		require.Equal(t, reply, fate(drillSeed, i, 1+i%3).String())
		met[reply]++
	}
	share := 1 - float64(met[whoptest.Serve().String()])/requests
	assert.InDelta(t, 0.075, share, 0.005)
	for _, f := range fates {
		assert.NotZero(t, met[f.reply.String()], f.reply)
	}
	assert.NotEqual(t, fatesOf(1), fatesOf(2))
}

func fatesOf(seed uint64) (replies []string) {
	for i := range 1000 {
		replies = append(replies, fate(seed, i, 1).String())
	}
	return replies
}

func TestWhatTheLimitRefusesIsLost(t *testing.T) {
	server, err := whoptest.New()
	require.NoError(t, err)
	server.SetRateLimit(5)
	got, err := contend(t.Context(), contendByHand(), server, 8)
	require.NoError(t, err)
	assert.Equal(t, tally{n: 8, told: 5, requests: 8, took: got.took}, got)
}

func TestUnknownTableIsRefused(t *testing.T) {
	err := bench(t.Context(), t.Output(), settings{only: "drill,limits", drill: 1})
	assert.ErrorContains(t, err, `there is no "limits"; there are cost, growth, tail, limit, drill`)
}

func TestSDKIsTheOneThatInteropPins(t *testing.T) {
	file, err := os.ReadFile(filepath.FromSlash("../cmd/whop-notify/testdata/interop/package.json"))
	require.NoError(t, err)
	var pinned struct{ Dependencies map[string]string }
	require.NoError(t, json.Unmarshal(file, &pinned))
	assert.Contains(t, pinned.Dependencies, sdkPackage)
}
