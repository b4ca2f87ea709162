package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// requestLog writes a line for each request. The key stays out of it even if a client
// puts it where it does not belong.
func requestLog(w io.Writer, key string) *slog.Logger {
	return slog.New(discreet{slog.NewTextHandler(w, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			switch {
			case a.Key == slog.LevelKey, a.Key == "reply" && a.Value.String() == whoptest.Serve().String():
				return slog.Attr{}
			case a.Value.Kind() == slog.KindString:
				a.Value = slog.StringValue(oneLine(strings.ReplaceAll(a.Value.String(), key, mask)))
			}
			return a
		},
	})})
}

// discreet logs only time, status and reason of a request without the right key: the rest may
// contain a secret meant for another server.
type discreet struct{ slog.Handler }

func (d discreet) Handle(ctx context.Context, r slog.Record) error {
	unauthorized, reason := false, http.StatusText(http.StatusUnauthorized)
	r.Attrs(func(a slog.Attr) bool {
		switch {
		case a.Key == "status" && a.Value.Kind() == slog.KindInt64:
			unauthorized = a.Value.Int64() == http.StatusUnauthorized
		case a.Key == "reason":
			reason = a.Value.String()
		}
		return true
	})
	if unauthorized {
		kept := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
		kept.AddAttrs(slog.Int("status", http.StatusUnauthorized), slog.String("reason", reason))
		r = kept
	}
	return d.Handler.Handle(ctx, r)
}
