package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// logWriter writes a log without ever blocking. If nobody reads it, for example because a pipe's
// reader hangs, it drops lines, and reports how many once the reader continues.
type logWriter struct {
	lines   chan []byte
	ending  chan struct{} // closed by close
	written chan struct{} // closed when all is
	dropped atomic.Int64
}

const logBacklog = 1000 // lines

func newLogWriter(w io.Writer) *logWriter {
	l := &logWriter{lines: make(chan []byte, logBacklog), ending: make(chan struct{}), written: make(chan struct{})}
	go l.writeAll(w)
	return l
}

func (l *logWriter) writeAll(w io.Writer) {
	defer exitOnPanic(os.Stderr)
	defer close(l.written)
	for {
		select {
		case line := <-l.lines:
			l.write(w, line)
			continue
		default:
		}
		select {
		case line := <-l.lines:
			l.write(w, line)
		case <-l.ending:
			return
		}
	}
}

func (l *logWriter) write(w io.Writer, line []byte) {
	if n := l.dropped.Swap(0); n > 0 {
		fmt.Fprintf(w, "%d lines of this log were dropped, since nobody read them\n", n)
	}
	_, _ = w.Write(line) // there is nowhere else to say that it cannot
}

// Write takes one line, and returns at once.
func (l *logWriter) Write(line []byte) (int, error) {
	select {
	case l.lines <- bytes.Clone(line):
	default:
		l.dropped.Add(1)
	}
	return len(line), nil
}

// close waits a moment for the unwritten lines.
func (l *logWriter) close() {
	close(l.ending)
	select {
	case <-l.written:
	case <-time.After(time.Second):
	}
}
