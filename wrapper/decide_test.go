package wrapper

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The rows of the table are tested over sockets; this holds for every situation.
func TestDecideInEverySituation(t *testing.T) {
	flags := []bool{false, true}
	for status := range 700 {
		if status > 0 && status < 100 {
			continue
		}
		for bits := range 1 << 8 {
			flag := func(i int) bool { return bits>>i&1 == 1 }
			for _, header := range []string{"", "true", "false"} {
				s := facts{
					status: status, queued: flag(0), understood: flag(1), inProgress: flag(2) && status == 409,
					replayed: flag(3), shouldRetry: header, arrived: flag(4), permanent: flag(5),
					contextEnded: flag(6), keyIsFixed: flag(7),
				}
				outcomes := map[Outcome]bool{}
				for _, atMostOnce := range flags {
					v := decide(s, atMostOnce)
					if v.queued {
						require.True(t, is2xx(status) && s.queued, "%+v", s)
						require.False(t, v.retry || v.newKey, "%+v", s)
						continue
					}
					outcomes[v.outcome] = true
					if v.retry {
						require.False(t, s.contextEnded, "%+v", s)
						require.False(t, is2xx(status), "%+v", s)
						require.False(t, status != 0 && header == "false", "%+v", s)
						require.False(t, atMostOnce && v.outcome == Unknown && !s.inProgress, "%+v", s)
					}
					if v.newKey {
						require.True(t, v.retry && s.replayed && !s.keyIsFixed && v.outcome == Rejected, "%+v", s)
					}
					if v.outcome == NotSent {
						require.True(t, status == 0 && !s.arrived, "%+v", s)
					}
				}
				require.LessOrEqual(t, len(outcomes), 1, "the policy changes the outcome of %+v", s)
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
