package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// keyMemory is how long Whop remembers an idempotency key
	// (docs.whop.com, developer/api/idempotency), and so does the queue.
	keyMemory = 24 * time.Hour
	// keyLifetime is how long a key is used: the hour less is for clocks that differ
	// and requests that are under way.
	keyLifetime = 23 * time.Hour

	// ackWait is how long the server waits for a sign of life from the worker that has a
	// notification, before it gives it to another one.
	ackWait = 10 * time.Second
	// maxUnsettled bounds the notifications that all workers together have in hand.
	maxUnsettled = 10_000
	// maxPulls bounds the requests for a notification that wait at the server.
	maxPulls = 20_000
	// minPayload is the least max_payload of a server: less would leave no room for a
	// notification beside the headers.
	minPayload = 2 * headroom
)

// The subjects of the line. What EnqueueAt enqueued has one of its own, so that the last
// position can be looked up.
func (q *Queue) plainSubject() string    { return q.name + ".send.plain" }
func (q *Queue) numberedSubject() string { return q.name + ".send.numbered" }

// The subjects of what waits for a time: a schedule, and the message that it becomes.
func (q *Queue) laterSubject(id uint64) string { return fmt.Sprintf("%s.later.%d", q.name, id) }
func (q *Queue) dueSubject(id uint64) string   { return fmt.Sprintf("%s.due.%d", q.name, id) }

// The subjects of what is written down before an attempt, and of what ended by the hand
// of a person (see Stats).
func (q *Queue) begunSubject(what string) string { return q.name + ".begun." + what }
func (q *Queue) goneSubject(id uint64) string    { return fmt.Sprintf("%s.gone.%d", q.name, id) }

func (q *Queue) deadSubject(id uint64) string { return fmt.Sprintf("%s.dead.%d", q.name, id) }

// open opens everything, and waits for a cluster that has no quorum yet.
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
			errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) || isDenied(q.nc) {
			return q.explain(err)
		}
		if warned.now() {
			q.logger.WarnContext(ctx, "queue: cannot be opened yet, trying again", "name", q.name, "error", q.explain(err))
		}
		if !sleep(ctx, 500*time.Millisecond) {
			return q.explain(err)
		}
	}
}

// openStreams makes or finds the streams, consumers and the bucket.
func (q *Queue) openStreams(ctx context.Context) (err error) {
	base := jetstream.StreamConfig{
		Discard:     jetstream.DiscardNew,
		Storage:     jetstream.FileStorage,
		Replicas:    max(1, q.replicas),
		Duplicates:  keyMemory,
		AllowDirect: false, // a follower in a cluster may not have the latest
	}
	line, retry, attempts, dead := base, base, base, base
	line.Name, line.Subjects = q.name, []string{q.name + ".send.>"}
	line.Description = "Whop notifications to send, and those of the last day"
	retry.Name, retry.Subjects = q.name+"-retry", []string{q.name + ".later.*", q.name + ".due.*"}
	retry.Description = "Whop notifications that wait for their next try, or for a time"
	retry.Retention, retry.AllowMsgSchedules, retry.Discard = jetstream.WorkQueuePolicy, true, jetstream.DiscardOld // of which there is none without a limit
	attempts.Name, attempts.Subjects = q.name+"-attempts", []string{q.begunSubject(">"), q.name + ".gone.*"}
	attempts.Description = "Which attempts to send a Whop notification have begun"
	dead.Name, dead.Subjects = q.name+"-dead", []string{q.name + ".dead.*"}
	dead.Description = "Whop notifications that were given up, with the reason"
	for _, s := range []struct {
		to   *jetstream.Stream
		want jetstream.StreamConfig
	}{{&q.line, line}, {&q.retry, retry}, {&q.attempts, attempts}, {&q.dead, dead}} {
		if *s.to, err = q.openStream(ctx, s.want); err != nil {
			return err
		}
	}
	if q.fresh, err = q.openConsumer(ctx, q.line, "workers", "", "gives out what is new, to all workers"); err != nil {
		return err
	}
	if q.due, err = q.openConsumer(ctx, q.retry, "retries", q.name+".due.*", "gives out what has waited, to all workers"); err != nil {
		return err
	}
	q.state, err = q.openBucket(ctx, q.name+"-limits")
	return err
}

// errSetUp marks what is there and cannot serve.
var errSetUp = errors.New("set up such that notifications could get lost or be sent twice")

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
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("stream %s "+format+": remove or repair it (%w)", append(append([]any{want.Name}, args...), errSetUp)...))
	}
	if have.Retention != want.Retention {
		wrong("has the retention %v, not %v", have.Retention, want.Retention)
	}
	if have.Storage != jetstream.FileStorage {
		wrong("is kept in memory, not in files")
	}
	if have.MaxAge > 0 || have.MaxMsgsPerSubject > 0 || have.Discard != jetstream.DiscardNew && (have.MaxMsgs > 0 || have.MaxBytes > 0) {
		wrong("drops old notifications by a limit on age, size or messages per subject")
	}
	if have.AllowDirect {
		wrong("allows direct gets, which may not see the latest")
	}
	if have.Duplicates < keyMemory {
		wrong("has a duplicate window of %v, and needs at least %v", have.Duplicates, keyMemory)
	}
	if want.AllowMsgSchedules && !have.AllowMsgSchedules {
		wrong("has no message schedules (allow_msg_schedules), which take NATS server 2.12 or later; this one is %s", q.nc.ConnectedServerVersion())
	}
	if q.replicas > 0 && have.Replicas != q.replicas && len(errs) == 0 {
		q.logger.Warn("queue: the stream has another number of replicas than asked for, and keeps it",
			"stream", want.Name, "have", have.Replicas, "want", q.replicas, "change", fmt.Sprintf("nats stream update %s --replicas %d", want.Name, q.replicas))
	}
	return stream, errors.Join(errs...)
}

func (q *Queue) openConsumer(ctx context.Context, stream jetstream.Stream, name, filter, description string) (consumer jetstream.Consumer, err error) {
	err = q.ask(ctx, func(ctx context.Context) error {
		if consumer, err = stream.Consumer(ctx, name); errors.Is(err, jetstream.ErrConsumerNotFound) {
			consumer, err = stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
				Durable:       name,
				Description:   description,
				FilterSubject: filter,
				AckPolicy:     jetstream.AckExplicitPolicy,
				AckWait:       ackWait,
				MaxDeliver:    -1,
				MaxAckPending: maxUnsettled,
				MaxWaiting:    maxPulls,
			})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("consumer %s: %w", name, err)
	}
	have := consumer.CachedInfo().Config
	if have.DeliverPolicy != jetstream.DeliverAllPolicy || have.AckPolicy != jetstream.AckExplicitPolicy || have.MaxDeliver > 0 || have.FilterSubject != filter || len(have.FilterSubjects) > 0 {
		return nil, fmt.Errorf("consumer %s leaves notifications out: it must deliver all of %q, with explicit acknowledgement and no limit on deliveries; remove it (%w)", name, filter, errSetUp)
	}
	return consumer, nil
}

func (q *Queue) openBucket(ctx context.Context, name string) (bucket jetstream.KeyValue, err error) {
	err = q.ask(ctx, func(ctx context.Context) error {
		if bucket, err = q.js.KeyValue(ctx, name); !errors.Is(err, jetstream.ErrBucketNotFound) {
			return err
		}
		bucket, err = q.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: name, History: 1, Storage: jetstream.FileStorage, Replicas: max(1, q.replicas),
			Description: "The attempts of the last minute that all workers share, and the last success",
		})
		if errors.Is(err, jetstream.ErrBucketExists) { // since a moment ago
			bucket, err = q.js.KeyValue(ctx, name)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	return bucket, nil
}
