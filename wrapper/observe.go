package wrapper

import (
	"context"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Attempt is one attempt of a send, as a [WithObserver] function sees it. It is one request,
// or up to four: see [RetryPolicy].
type Attempt struct {
	Number         int           // from 1
	IdempotencyKey string        // may change between attempts only after a replayed refusal
	StatusCode     int           // 0: no response
	Err            error         // nil if it was queued; else an *APIError or why there was no response
	Waited         time.Duration // for the hold after a 429 and the limiter, before the attempt
	Duration       time.Duration // from asking for the token to the end of the answer
	RetryIn        time.Duration // 0: the last
}

// observer tells those who watch a client about its attempts.
type observer struct {
	logger     *slog.Logger                   // nil: none
	f          func(context.Context, Attempt) // nil: none
	deprecated atomic.Bool                    // it has been logged
}

// lastGrace is how long a send whose context has ended waits for the observer.
const lastGrace = 100 * time.Millisecond

func (o *observer) report(ctx context.Context, attempt Attempt) {
	if o.f != nil {
		alive := ctx
		if ctx.Err() != nil {
			var cancel context.CancelFunc
			alive, cancel = context.WithTimeout(context.WithoutCancel(ctx), lastGrace)
			defer cancel()
		}
		_ = await(alive, func() { o.f(ctx, attempt) }) // it ends only with the context, which the send sees
	}
	level, msg := slog.LevelDebug, "whop: attempt"
	if attempt.RetryIn > 0 {
		level, msg = slog.LevelWarn, "whop: attempt failed, will retry"
	}
	if o.logger == nil || !o.logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.Int("attempt", attempt.Number),
		slog.String("idempotency_key", attempt.IdempotencyKey),
		slog.Int("status", attempt.StatusCode),
		slog.Duration("took", attempt.Duration),
	}
	if attempt.Waited >= time.Millisecond {
		attrs = append(attrs, slog.Duration("waited", attempt.Waited))
	}
	if attempt.RetryIn > 0 {
		attrs = append(attrs, slog.Duration("retry_in", attempt.RetryIn))
	}
	if attempt.Err != nil {
		attrs = append(attrs, slog.String("error", attempt.Err.Error()))
	}
	o.logger.LogAttrs(ctx, level, msg, attrs...)
}

// A link of a Link header and its parameters, and the relation among these (RFC 8288).
var (
	link     = regexp.MustCompile(`<([^<>]*)>((?:\s*;\s*[^\s=;,"]+\s*(?:=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))?)*)`)
	relation = regexp.MustCompile(`(?i);\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))`)
)

// successorOf returns the target of the link that says rel="successor-version".
func successorOf(h http.Header) string {
	for _, m := range link.FindAllStringSubmatch(strings.Join(h.Values("Link"), ", "), -1) {
		rel := relation.FindStringSubmatch(m[2])
		if rel != nil && slices.Contains(strings.Fields(strings.ToLower(rel[1]+rel[2])), "successor-version") {
			return m[1]
		}
	}
	return ""
}

// deprecation logs, once for a client, that Whop is about to retire what it was asked for:
// it answers with Deprecation, then Sunset (docs.whop.com, developer/api/versioning).
func (o *observer) deprecation(ctx context.Context, h http.Header, token string) {
	if h.Get("Deprecation") == "" && h.Get("Sunset") == "" || o.logger == nil || o.deprecated.Swap(true) {
		return
	}
	var attrs []any
	for _, name := range []string{"Deprecation", "Sunset"} {
		if value := h.Get(name); value != "" {
			attrs = append(attrs, slog.String(strings.ToLower(name), oneLine(redact(value, token), maxErrorWords)))
		}
	}
	if target := successorOf(h); target != "" {
		attrs = append(attrs, slog.String("successor", oneLine(redact(target, token), maxErrorWords)))
	}
	o.logger.WarnContext(ctx, "whop: this version of the API is going to be retired; see WithAPIVersion", attrs...)
}
