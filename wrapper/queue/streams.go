package queue

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// keyMemory is how long Whop, and so the queue, remembers an idempotency key
	// (docs.whop.com, developer/api/idempotency).
	keyMemory = 24 * time.Hour
	// keyLifetime is how long the queue uses a key. It is an hour shorter, to allow for
	// clocks that differ and for requests in flight.
	keyLifetime = 23 * time.Hour

	// ackWait is how long the server waits for a sign of life from the worker that holds a
	// notification, before it redelivers it to another worker.
	ackWait = 10 * time.Second
	// maxUnsettled bounds the notifications that all workers together hold.
	maxUnsettled = 10_000
	// maxPulls bounds the requests for a notification that wait at the server.
	maxPulls = 20_000
	// minPayload is the smallest max_payload that a server may have: less would leave no
	// room for a notification beside the headers.
	minPayload = 2 * headroom
)

// The subjects of the line. EnqueueAt uses its own, so that the last position can be looked up.
func (q *Queue) plainSubject() string    { return q.name + ".send.plain" }
func (q *Queue) numberedSubject() string { return q.name + ".send.numbered" }

// The subjects of a notification that waits for a time: of its schedule, and of the message
// that the schedule publishes.
func (q *Queue) laterSubject(id uint64) string { return fmt.Sprintf("%s.later.%d", q.name, id) }
func (q *Queue) dueSubject(id uint64) string   { return fmt.Sprintf("%s.due.%d", q.name, id) }

// The subject of an entry in the bucket.
func (q *Queue) stateSubject(key string) string { return "$KV." + q.name + "-limits." + key }

// The subjects of the records of begun attempts, and of dropped or canceled notifications.
func (q *Queue) begunSubject(what string) string { return q.name + ".begun." + what }
func (q *Queue) goneSubject(id uint64) string    { return fmt.Sprintf("%s.gone.%d", q.name, id) }

func (q *Queue) deadSubject(id uint64) string { return fmt.Sprintf("%s.dead.%d", q.name, id) }

// open opens everything. It waits for a cluster that has no quorum yet.
func (q *Queue) open(ctx context.Context) error {
	if q.nc.IsConnected() && q.nc.MaxPayload() < minPayload {
		return fmt.Errorf("max_payload of the NATS server is %d bytes, too small for a notification: set it to %d or more (1 MiB is NATS's default)", q.nc.MaxPayload(), minPayload)
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Minute)
		defer cancel()
	}
	var warned sometimes
	for {
		err := q.openStreams(ctx)
		if err == nil || isRefusal(err) || errors.Is(err, errSetUp) || errors.Is(err, nats.ErrConnectionClosed) ||
			errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, errDenied) {
			return err
		}
		if warned.now() {
			q.logger.WarnContext(ctx, "queue: cannot be opened yet, trying again", "name", q.name, "error", err)
		}
		if !sleep(ctx, 500*time.Millisecond) {
			return err
		}
	}
}

// openStreams creates or finds the streams and consumers.
func (q *Queue) openStreams(ctx context.Context) (err error) {
	base := jetstream.StreamConfig{
		Discard:     jetstream.DiscardNew,
		Storage:     jetstream.FileStorage,
		Replicas:    max(1, q.replicas),
		Duplicates:  keyMemory,
		AllowDirect: false, // a follower in a cluster may not have the latest
	}
	line, retry, attempts, dead, gone, state := base, base, base, base, base, base
	line.Name, line.Subjects = q.name, []string{q.name + ".send.>"}
	line.Description = "Whop notifications to send, and those of the last day"
	retry.Name, retry.Subjects = q.name+"-retry", []string{q.name + ".later.*", q.name + ".due.*"}
	retry.Description = "Whop notifications that wait for their next try, or for a time"
	retry.Retention, retry.AllowMsgSchedules, retry.Discard = jetstream.WorkQueuePolicy, true, jetstream.DiscardOld     // discards nothing, since there is no limit
	attempts.Name, attempts.Subjects, attempts.MaxMsgsPerSubject = q.name+"-attempts", []string{q.begunSubject(">")}, 1 // a new one takes the place of the old
	attempts.Description = "Which attempts to send a Whop notification have begun"
	dead.Name, dead.Subjects, dead.MaxMsgsPerSubject = q.name+"-dead", []string{q.name + ".dead.*"}, 1
	dead.Description = "Whop notifications that were given up, with the reason"
	gone.Name, gone.Subjects, gone.MaxAge = q.name+"-gone", []string{q.name + ".gone.*"}, pruneAge
	gone.Description = "Which Whop notifications were canceled or dropped during the last day"
	// As jetstream makes a key-value bucket, but without AllowDirect: after a change of leader a
	// follower may lag for long, and the limiter could take nothing from an old window.
	state.Name, state.Subjects, state.MaxMsgsPerSubject = "KV_"+q.name+"-limits", []string{q.stateSubject(">")}, 1
	state.AllowRollup, state.DenyDelete = true, true
	state.Description = "The attempts of the last minute that all workers share, and the last success"
	for _, s := range []struct {
		to   *jetstream.Stream
		want jetstream.StreamConfig
	}{{&q.line, line}, {&q.retry, retry}, {&q.attempts, attempts}, {&q.dead, dead}, {&q.gone, gone}, {&q.state, state}} {
		if *s.to, err = q.openStream(ctx, s.want); err != nil {
			return err
		}
	}
	if q.fresh, err = q.openConsumer(ctx, q.line, "workers", "", "gives out what is new, to all workers"); err != nil {
		return err
	}
	q.due, err = q.openConsumer(ctx, q.retry, "retries", q.name+".due.*", "gives out what has waited, to all workers")
	return err
}

// errSetUp marks an existing stream or consumer whose settings are unsafe.
var errSetUp = errors.New("the queue could lose notifications, send them twice, or stop: repair or remove it")

func (q *Queue) openStream(ctx context.Context, want jetstream.StreamConfig) (stream jetstream.Stream, err error) {
	err = q.ask(ctx, func(ctx context.Context) error {
		if stream, err = q.js.Stream(ctx, want.Name); errors.Is(err, jetstream.ErrStreamNotFound) {
			stream, err = q.js.CreateStream(ctx, want)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", want.Name, err)
	}
	have := stream.CachedInfo().Config
	want.Duplicates = max(want.Duplicates, have.Duplicates)
	free := []string{
		"name", "description", "num_replicas", "placement", "compression", "republish", "metadata", "template_owner",
		"max_consumers", "consumer_limits", "first_seq", "allow_msg_ttl", "allow_rollup_hdrs", "allow_atomic", "allow_batched",
	}
	if want.Discard == jetstream.DiscardNew { // a limit refuses new messages, and drops none
		free = append(free, "max_msgs", "max_bytes")
	}
	if err := checkSetUp("stream "+want.Name, have, want, free); err != nil {
		if want.AllowMsgSchedules && !have.AllowMsgSchedules {
			err = fmt.Errorf("%w; message schedules need NATS server 2.12 or later, and this one is %s", err, q.nc.ConnectedServerVersion())
		}
		return nil, err
	}
	if q.replicas > 0 && have.Replicas != q.replicas {
		q.logger.WarnContext(ctx, "queue: the stream has another number of replicas than asked for, and keeps it",
			"stream", want.Name, "have", have.Replicas, "want", q.replicas, "change", fmt.Sprintf("nats stream update %s --replicas %d", want.Name, q.replicas))
	}
	return stream, nil
}

func (q *Queue) openConsumer(ctx context.Context, stream jetstream.Stream, name, filter, description string) (consumer jetstream.Consumer, err error) {
	want := jetstream.ConsumerConfig{
		Durable:       name,
		Description:   description,
		FilterSubject: filter,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       ackWait,
		MaxDeliver:    -1,
		MaxAckPending: maxUnsettled,
		MaxWaiting:    maxPulls,
	}
	err = q.ask(ctx, func(ctx context.Context) error {
		if consumer, err = stream.Consumer(ctx, name); errors.Is(err, jetstream.ErrConsumerNotFound) {
			consumer, err = stream.CreateConsumer(ctx, want)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("consumer %s: %w", name, err)
	}
	info := consumer.CachedInfo()
	want.AckWait = max(want.AckWait, info.Config.AckWait)
	if info.Paused {
		q.logger.WarnContext(ctx, "queue: the consumer is paused, so that nothing is sent", "stream", stream.CachedInfo().Config.Name, "consumer", name,
			"for", info.PauseRemaining.Round(time.Second), "change", fmt.Sprintf("nats consumer resume %s %s", stream.CachedInfo().Config.Name, name))
	}
	return consumer, checkSetUp("consumer "+name, info.Config, want, []string{
		"name", "description", "num_replicas", "metadata", "sample_freq", "max_waiting", "max_ack_pending", "pause_until",
	})
}

// checkSetUp returns an error that names each wrong setting, by the server's name for it. The
// settings in free may have any value.
func checkSetUp(what string, have, want any, free []string) error {
	h, w := reflect.ValueOf(have), reflect.ValueOf(want)
	var wrong []string
	for i := range h.NumField() {
		name, _, _ := strings.Cut(h.Type().Field(i).Tag.Get("json"), ",")
		if !slices.Contains(free, name) && !sameSetting(h.Field(i), w.Field(i)) {
			wrong = append(wrong, oneLine(fmt.Sprintf("%s is %+v, and must be %+v", name, h.Field(i), w.Field(i))))
		}
	}
	if wrong == nil {
		return nil
	}
	return fmt.Errorf("%s: %s; else %w", what, strings.Join(wrong, "; "), errSetUp)
}

// sameSetting compares two settings. A server reports no limit as -1, and omits an empty list.
func sameSetting(a, b reflect.Value) bool {
	switch {
	case a.CanInt() && a.Int() <= 0:
		return b.Int() <= 0
	case a.Kind() == reflect.Slice && a.Len() == 0:
		return b.Len() == 0
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}
