package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// progress shows how far a batch has come: a bar at a terminal, else a line now and then.
type progress struct {
	out   io.Writer
	total int
	meter meter

	bar    *mpb.Bar // nil where there is no terminal
	bars   *mpb.Progress
	behind atomic.Value // what stands behind the bar

	told time.Time
}

func newProgress(out io.Writer, total int) *progress {
	p := &progress{out: out, total: total, told: time.Now()}
	if isTerminal(out) && os.Getenv("TERM") != "dumb" {
		p.behind.Store("")
		p.bars = mpb.New(mpb.WithOutput(out), mpb.WithWidth(40), mpb.WithAutoRefresh())
		p.bar = p.bars.AddBar(int64(total),
			mpb.PrependDecorators(decor.CountersNoUnit("%d of %d ")),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return p.behind.Load().(string) })))
	}
	return p
}

const (
	progressInterval = 200 * time.Millisecond
	lineInterval     = 10 * time.Second // where there is no terminal
)

func (p *progress) update(s queue.Stats) {
	now := time.Now()
	done := s.Sent + s.Dead
	p.meter.add(now, done)
	parts := p.meter.pace(p.total - done)
	if s.Dead > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", s.Dead))
	}
	behind := " " + strings.Join(parts, ", ")
	if p.bar != nil {
		p.behind.Store(behind)
		p.bar.SetCurrent(int64(done))
		return
	}
	if now.Sub(p.told) >= lineInterval {
		p.told = now
		fmt.Fprintf(p.out, "%d of %d,%s\n", done, p.total, behind)
	}
}

// close leaves the bar as it is.
func (p *progress) close() {
	if p.bar != nil {
		p.bar.Abort(false)
		p.bars.Wait()
	}
}
