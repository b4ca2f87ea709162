package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// A batch that cannot send says why, at first after ten seconds and then each minute.
func TestStall(t *testing.T) {
	failure := queue.Event{Err: errors.New("whop: 503\x1b[2J"), RetryIn: time.Second}
	for _, test := range []struct {
		name string
		each queue.Event // each second
		at   map[int]queue.Event
		says map[int]string
	}{
		{name: "all goes out", each: queue.Event{Receipt: &whop.Receipt{}}},
		{
			name: "nothing is answered", each: queue.Event{}, says: map[int]string{
				10: "Whop has taken none for 10s; 3 notifications to go; waiting for Whop's answer, or for a turn under the rate limit",
				70: "Whop has taken none for 1m10s; 3 notifications to go; waiting for Whop's answer, or for a turn under the rate limit",
			},
		},
		{name: "all are refused for good", each: queue.Event{Err: failure.Err, Dead: true}},
		{
			name: "nothing goes out", each: failure, says: map[int]string{
				10: "Whop has taken none for 10s; 3 notifications to go; what failed is tried again: whop: 503 [2J",
				70: "Whop has taken none for 1m10s; 3 notifications to go; what failed is tried again: whop: 503 [2J",
			},
		},
		{
			name: "then one does", each: failure, at: map[int]queue.Event{65: {Receipt: &whop.Receipt{}}}, says: map[int]string{
				10: "Whop has taken none for 10s; 3 notifications to go; what failed is tried again: whop: 503 [2J",
				75: "Whop has taken none for 10s; 3 notifications to go; what failed is tried again: whop: 503 [2J",
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &stall{since: time.Now()}
				said := map[int]string{}
				for second := range 100 {
					event, other := test.at[second]
					if !other {
						event = test.each
					}
					s.note(event)
					if text := s.text(3); text != "" {
						said[second] = text
					}
					time.Sleep(time.Second)
				}
				if test.says == nil {
					test.says = map[int]string{}
				}
				require.Equal(t, test.says, said)
			})
		})
	}
}

// Counting takes as long as it takes, but ends soon after an interrupt.
func TestOutlasting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		longer, end := outlasting(ctx, 10*time.Second)
		defer end()
		time.Sleep(time.Hour)
		require.NoError(t, longer.Err())
		interrupt()
		time.Sleep(10*time.Second - 1)
		synctest.Wait()
		require.NoError(t, longer.Err())
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.Error(t, longer.Err())
	})
	synctest.Test(t, func(t *testing.T) { // and leaves nothing behind
		ctx, interrupt := context.WithCancel(t.Context())
		_, end := outlasting(ctx, 10*time.Second)
		interrupt()
		synctest.Wait()
		end()
		synctest.Wait()
	})
}
