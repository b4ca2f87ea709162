package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	// maxUnsettled bounds the notifications that are being sent or wait for their next
	// try, of all workers together.
	maxUnsettled = 10_000
)

// The subjects of the main stream. What EnqueueAt enqueued has one of its own, so that
// the last position can be looked up.
func (q *Queue) plainSubject() string    { return q.name + ".send.plain" }
func (q *Queue) numberedSubject() string { return q.name + ".send.numbered" }

// The subjects of the stream of the dead: the letters, and marks, for Stats alone, of
// notifications that went on under another key.
func (q *Queue) deadSubject() string    { return q.name + ".dead" }
func (q *Queue) rekeyedSubject() string { return q.name + ".rekeyed" }

// openStreams makes or finds: the notifications, of which those that are done stay for a
// day, so that their keys are known even where the server is restarted; the consumer that
// all workers share; the dead letters; and the buckets with the attempts and the limits.
func (q *Queue) openStreams(ctx context.Context) (err error) {
	base := jetstream.StreamConfig{
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		Storage:     jetstream.FileStorage,
		Replicas:    q.replicas,
		Duplicates:  keyMemory,
		AllowDirect: false, // a follower in a cluster may not have the latest
	}
	main, dead := base, base
	main.Name, main.Subjects = q.name, []string{q.name + ".send.>"}
	main.Description = "Whop notifications to send, and those of the last day"
	dead.Name, dead.Subjects = q.name+"-dead", []string{q.deadSubject(), q.rekeyedSubject()}
	dead.Description = "Whop notifications that were given up, with the reason"
	if q.stream, err = q.openStream(ctx, main); err != nil {
		return err
	}
	if q.dead, err = q.openStream(ctx, dead); err != nil {
		return err
	}
	if q.workers, err = q.openConsumer(ctx); err != nil {
		return err
	}
	attempts, err := q.openBucket(ctx, q.name+"-attempts", attemptLogMemory)
	if err != nil {
		return err
	}
	q.attempts = q.newAttemptLog(attempts)
	if q.limits, err = q.openBucket(ctx, q.name+"-limits", 0); err != nil {
		return err
	}
	return q.syncNew()
}

func (q *Queue) openStream(ctx context.Context, want jetstream.StreamConfig) (jetstream.Stream, error) {
	stream, err := q.js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = q.js.CreateStream(ctx, want)
	}
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", want.Name, err)
	}
	have := stream.CachedInfo().Config
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("stream %s "+format, append([]any{want.Name}, args...)...))
	}
	if have.Retention != jetstream.LimitsPolicy {
		wrong("has the retention %v, not limits", have.Retention)
	}
	if have.Storage != jetstream.FileStorage {
		wrong("is kept in memory, not in files")
	}
	if have.MaxAge > 0 || have.MaxMsgsPerSubject > 0 || have.Discard != jetstream.DiscardNew && (have.MaxMsgs > 0 || have.MaxBytes > 0) {
		wrong("drops old notifications: it has a limit on age or on messages per subject, or one on size without discarding new ones")
	}
	if have.AllowDirect {
		wrong("allows direct gets, which may not see the latest")
	}
	if have.Duplicates < keyMemory {
		wrong("knows a notification for %v again, not for %v", have.Duplicates, keyMemory)
	}
	return stream, errors.Join(errs...)
}

func (q *Queue) openConsumer(ctx context.Context) (jetstream.Consumer, error) {
	const name = "workers"
	consumer, err := q.stream.Consumer(ctx, name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		consumer, err = q.stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
			Durable:       name,
			Description:   "shared by all workers",
			AckPolicy:     jetstream.AckExplicitPolicy,
			AckWait:       ackWait,
			MaxDeliver:    -1,
			MaxAckPending: maxUnsettled,
		})
	}
	if err != nil {
		return nil, fmt.Errorf("consumer %s: %w", name, err)
	}
	have := consumer.CachedInfo().Config
	if have.DeliverPolicy != jetstream.DeliverAllPolicy || have.AckPolicy != jetstream.AckExplicitPolicy || have.MaxDeliver > 0 || have.FilterSubject != "" || len(have.FilterSubjects) > 0 {
		return nil, fmt.Errorf("consumer %s leaves notifications out: it must deliver all, with explicit acknowledgement, no limit on deliveries and no filter", name)
	}
	return consumer, nil
}

func (q *Queue) openBucket(ctx context.Context, name string, ttl time.Duration) (jetstream.KeyValue, error) {
	bucket, err := q.js.KeyValue(ctx, name)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		bucket, err = q.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: name, History: 1, TTL: ttl, Storage: jetstream.FileStorage, Replicas: q.replicas,
		})
		if errors.Is(err, jetstream.ErrBucketExists) { // since a moment ago
			bucket, err = q.js.KeyValue(ctx, name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	stream, err := q.js.Stream(ctx, "KV_"+name)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	have := stream.CachedInfo().Config
	if have.Storage != jetstream.FileStorage || have.MaxAge > 0 && (ttl == 0 || have.MaxAge < ttl) {
		return nil, fmt.Errorf("bucket %s forgets: it must be kept in files, and for %v (0: for ever)", name, ttl)
	}
	return bucket, nil
}
