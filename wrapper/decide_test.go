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
				outcomes := map[Outcome]bool{}
				for _, atMostOnce := range flags {
					v := decide(f, atMostOnce)
					if v.queued {
						require.True(t, f.answered && is2xx(status) && f.queued, "%+v", f)
						require.False(t, v.retry || v.newKey, "%+v", f)
						continue
					}
					outcomes[v.outcome] = true
					if v.retry {
						require.False(t, f.contextEnded, "%+v", f)
						require.False(t, is2xx(status), "%+v", f)
						require.False(t, f.answered && header == "false", "%+v", f)
						require.False(t, atMostOnce && v.outcome == Unknown && !f.inProgress, "%+v", f)
					}
					if v.newKey {
						require.True(t, v.retry && f.replayed && !f.keyIsFixed && v.outcome == Rejected, "%+v", f)
					}
					if v.outcome == NotSent {
						require.True(t, !f.answered && !f.arrived, "%+v", f)
					}
					if v.outcome == Rejected {
						require.True(t, f.answered && !f.wroteEarlier, "%+v", f)
					}
				}
				require.LessOrEqual(t, len(outcomes), 1, "the policy changes the outcome of %+v", f)
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
