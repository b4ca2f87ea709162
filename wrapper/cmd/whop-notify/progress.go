package main

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress shows the progress of a batch: a bar on a terminal, else a line every 10 s.
type progress struct {
	out   io.Writer
	total int
	meter meter

	bar    *mpb.Bar // nil where there is no terminal
	bars   *mpb.Progress
	behind atomic.Value // what may stand behind the bar: a []string, the longest first

	told time.Time
}

func newProgress(out io.Writer, total, done int) *progress {
	p := &progress{out: out, total: total, told: time.Now()}
	if !canMove(out) {
		fmt.Fprintf(out, "%d of %d\n", done, total)
	} else {
		p.behind.Store([]string(nil))
		p.bars = mpb.New(mpb.WithOutput(out), mpb.WithAutoRefresh())
		p.bar = p.bars.AddBar(int64(total),
			mpb.BarWidth(maxBar),
			mpb.PrependDecorators(decor.CountersNoUnit("%d of %d ")),
			mpb.AppendDecorators(decor.Any(p.fitting)))
	}
	return p
}

const (
	progressInterval = 200 * time.Millisecond
	lineInterval     = 10 * time.Second // where there is no terminal

	maxBar = 40 // columns
	minBar = 20
)

// fitting returns the text behind the bar, as much as leaves room for a useful bar.
func (p *progress) fitting(s decor.Statistics) string {
	for _, text := range p.behind.Load().([]string) {
		if len(text) <= s.AvailableWidth-minBar {
			return text
		}
	}
	return ""
}

func (p *progress) update(sent, dead int) {
	now := time.Now()
	done := sent + dead
	p.meter.add(now, done)
	rate, left := p.meter.pace(p.total - done)
	failed := ""
	if dead > 0 {
		failed = fmt.Sprintf("%d failed", dead)
	}
	if p.bar != nil {
		all, some, one := present(rate, left, failed), present(left, failed), present(left)
		p.behind.Store([]string{" " + strings.Join(all, ", "), " " + strings.Join(some, ", "), " " + strings.Join(one, ", ")})
		p.bar.SetCurrent(int64(done))
		return
	}
	if now.Sub(p.told) >= lineInterval {
		p.told = now
		fmt.Fprintln(p.out, strings.Join(present(fmt.Sprintf("%d of %d", done, p.total), rate, left, failed), ", "))
	}
}

// present returns only the known values.
func present(parts ...string) (known []string) {
	for _, part := range parts {
		if part != "" {
			known = append(known, part)
		}
	}
	return known
}

// say prints a line, above the bar.
func (p *progress) say(format string, args ...any) {
	text := "whop-notify: " + oneLine(fmt.Sprintf(format, args...)) + "\n"
	if p.bars != nil {
		_, _ = io.WriteString(p.bars, text)
		return
	}
	_, _ = io.WriteString(p.out, text)
}

// close stops the bar, and leaves it on the screen.
func (p *progress) close() {
	if p.bar != nil {
		p.bar.Abort(false)
		p.bars.Wait()
	}
}
