package wrapper

import (
	"context"
	"log/slog"
	"time"
)

// Attempt is one request of a send, as a [WithObserver] function sees it.
type Attempt struct {
	Number         int           // from 1
	IdempotencyKey string        // may change between attempts only after a replayed refusal
	StatusCode     int           // 0: no response
	Err            error         // nil if it was queued; else an *APIError or why there was no response
	Duration       time.Duration // from asking for the token to the end of the answer
	RetryIn        time.Duration // 0: the last
}

// observer tells those who watch a client about its attempts.
type observer struct {
	logger *slog.Logger                   // nil: none
	f      func(context.Context, Attempt) // nil: none
}

func (o observer) report(ctx context.Context, attempt Attempt) {
	if o.f != nil {
		o.f(ctx, attempt)
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
	if attempt.RetryIn > 0 {
		attrs = append(attrs, slog.Duration("retry_in", attempt.RetryIn))
	}
	if attempt.Err != nil {
		attrs = append(attrs, slog.String("error", attempt.Err.Error()))
	}
	o.logger.LogAttrs(ctx, level, msg, attrs...)
}
