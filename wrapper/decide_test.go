package wrapper

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The rows of the table are tested over sockets; this holds for all facts there can be.
func TestDecideOnAnyFacts(t *testing.T) {
	flags := []bool{false, true}
	for status := range 700 {
		for bits := range 1 << 10 {
			flag := func(i int) bool { return bits>>i&1 == 1 }
			for _, header := range []string{"", "true", "false"} {
				f := facts{
					answered: flag(8), wroteEarlier: flag(9),
					status: status, queued: flag(0), understood: flag(1), inProgress: flag(2) && status == 409,
					replayed: flag(3), shouldRetry: header, arrived: flag(4), permanent: flag(5),
					contextEnded: flag(6), keyIsFixed: flag(7),
				}
				if f.answered && status < 100 || !f.answered && status != 0 {
					continue
				}
				failed := func(why string) { t.Fatalf("%s: %+v", why, f) }
				var outcomes []Outcome
				for _, atMostOnce := range flags {
					v := decide(f, atMostOnce)
					switch {
					case v.queued && !(f.answered && is2xx(status) && f.queued):
						failed("queued, and Whop did not say so")
					case v.queued && (v.retry || v.newKey):
						failed("queued, and sent again")
					case v.queued:
						continue
					case v.retry && f.contextEnded:
						failed("a retry after the context ended")
					case v.retry && is2xx(status):
						failed("a retry of a success")
					case v.retry && f.answered && header == "false":
						failed("a retry against x-should-retry")
					case v.retry && atMostOnce && v.outcome == Unknown && !f.inProgress:
						failed("a retry in doubt, at most once")
					case v.newKey && !(v.retry && f.replayed && !f.keyIsFixed && v.outcome == Rejected):
						failed("a new key")
					case v.outcome == NotSent && (f.answered || f.arrived):
						failed("not sent, and it arrived")
					case v.outcome == Rejected && (!f.answered || f.wroteEarlier):
						failed("rejected, and in doubt")
					}
					outcomes = append(outcomes, v.outcome)
				}
				if len(outcomes) == 2 && outcomes[0] != outcomes[1] {
					failed("the policy changes the outcome")
				}
			}
		}
	}
}

func TestOutcomeOverAttempts(t *testing.T) {
	all := []Outcome{Unknown, NotSent, Rejected}
	for _, a := range all {
		require.Equal(t, Unknown, a.and(Unknown))
		require.Equal(t, a, a.and(a))
		require.Equal(t, a, a.and(NotSent))
		for _, b := range all {
			require.Equal(t, a.and(b), b.and(a))
		}
	}
}
