package main

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Where there is no terminal, the first line comes at once, and then one now and then.
func TestProgressInLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(&out, 900, 0)
		require.Equal(t, "0 of 900\n", out.String())
		for i := range 21 * 5 {
			p.update(2*i, i/10)
			time.Sleep(200 * time.Millisecond)
		}
		p.say("the disk is full")
		p.close()
		require.Equal(t, "0 of 900\n"+
			"105 of 900, 10.5/s, 1m16s left, 5 failed\n"+
			"210 of 900, 10.5/s, 1m6s left, 10 failed\n"+
			"whop-notify: the disk is full\n", out.String())
	})
}
