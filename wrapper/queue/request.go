package queue

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// requestTime bounds every request to NATS, whatever the context allows.
	requestTime = 5 * time.Second
	// storeTime bounds the storing of a notification's next state.
	storeTime = 2 * requestTime
	// pingTime is how long a server may take to answer a ping, after it did not answer a
	// request. If it takes longer, the queue reconnects: the server may be frozen or cut
	// off, and the NATS client would notice only after minutes.
	pingTime = 2 * time.Second
)

// ask makes one bounded request. Its error says how to fix the failure.
func (q *Queue) ask(ctx context.Context, request func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	before := q.nc.LastError()
	err := request(bounded)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		q.revive()
	}
	return q.explain(err, before)
}

// revive reconnects if the server does not answer a ping.
func (q *Queue) revive() {
	if !q.reviving.TryLock() {
		return // somebody else does
	}
	defer q.reviving.Unlock()
	if q.nc.IsConnected() && q.nc.Opts.AllowReconnect && errors.Is(q.nc.FlushTimeout(pingTime), nats.ErrTimeout) {
		q.logger.Warn("queue: the NATS server does not answer, connecting anew", "server", q.nc.ConnectedUrlRedacted())
		_ = q.nc.ForceReconnect()
	}
}

// publish stores a message. It tries again until ctx ends, or for storeTime if ctx has no
// deadline; a message id or an expected sequence must make that safe. certain is true if the
// message was certainly not stored.
func (q *Queue) publish(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (ack *jetstream.PubAck, certain bool, err error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, storeTime)
		defer cancel()
	}
	for certain = true; ; {
		err = q.ask(ctx, func(ctx context.Context) error {
			ack, err = q.js.PublishMsg(ctx, m, opts...)
			return err
		})
		switch {
		case err == nil:
			return ack, true, nil
		case errors.Is(err, nats.ErrMaxPayload), isRefusal(err):
			return nil, certain, err
		case errors.Is(err, nats.ErrConnectionClosed):
			return nil, false, err
		}
		certain = certain && errors.Is(err, jetstream.ErrNoStreamResponse) // no stream received it
		if !sleep(ctx, 250*time.Millisecond) {
			return nil, certain, err
		}
	}
}

// JetStream's codes for temporary errors: no quorum, no leader yet, or the same message is
// being stored.
const codeNotAvailable, codeNotLeader, codeInProcess = 10008, 10009, 10158

// isRefusal reports whether the server refused, and would refuse again.
func isRefusal(err error) bool {
	api, answered := errors.AsType[*jetstream.APIError](err)
	return answered && api.ErrorCode != codeNotAvailable && api.ErrorCode != codeNotLeader && api.ErrorCode != codeInProcess
}

// isConflict reports whether the error says that an expected sequence was not the last one.
func isConflict(err error) bool {
	api, answered := errors.AsType[*jetstream.APIError](err)
	return answered && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// get reads the first message from seq on, of the subject if that is not "". If seq is 0, it
// reads the subject's last message. It returns [jetstream.ErrMsgNotFound] if there is none.
func (q *Queue) get(ctx context.Context, stream jetstream.Stream, seq uint64, subject string) (msg *jetstream.RawStreamMsg, err error) {
	err = q.ask(ctx, func(ctx context.Context) error {
		switch {
		case seq == 0:
			msg, err = stream.GetLastMsgForSubject(ctx, subject)
		case subject == "":
			msg, err = stream.GetMsg(ctx, seq)
		default:
			msg, err = stream.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(subject))
		}
		return err
	})
	return msg, err
}

// put replaces an entry of the bucket, and returns its revision.
func (q *Queue) put(ctx context.Context, key string, value []byte, opts ...jetstream.PublishOpt) (revision uint64, err error) {
	err = q.ask(ctx, func(ctx context.Context) error {
		ack, err := q.js.Publish(ctx, q.stateSubject(key), value, opts...)
		if err == nil {
			revision = ack.Sequence
		}
		return err
	})
	return revision, err
}

// remove deletes a message. It returns nil if the message is already gone.
func (q *Queue) remove(ctx context.Context, stream jetstream.Stream, seq uint64) error {
	err := q.ask(ctx, func(ctx context.Context) error { return stream.DeleteMsg(ctx, seq) })
	if err != nil {
		if _, missing := q.get(ctx, stream, seq, ""); errors.Is(missing, jetstream.ErrMsgNotFound) {
			return nil
		}
	}
	return err
}

// info returns the state of a stream.
func (q *Queue) info(ctx context.Context, stream jetstream.Stream) (info *jetstream.StreamInfo, err error) {
	err = q.ask(ctx, func(ctx context.Context) error {
		info, err = stream.Info(ctx)
		return err
	})
	return info, err
}

func (q *Queue) consumerInfo(ctx context.Context, c jetstream.Consumer) (info *jetstream.ConsumerInfo, err error) {
	err = q.ask(ctx, func(ctx context.Context) error {
		info, err = c.Info(ctx)
		return err
	})
	return info, err
}

// sleep waits, and reports whether ctx has not ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
