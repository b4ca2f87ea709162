package wrapper

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxResponse is the most of a response body that is read, in bytes.
const maxResponse = 1 << 20

// answer is how one attempt ended: with a status, or without.
type answer struct {
	facts
	header  http.Header
	body    []byte // at most maxResponse bytes
	bodyErr error  // why the body is not whole
	resp    *http.Response

	failure error         // why it is not success, once assessed
	wait    time.Duration // how long to wait, says the server

	connDied bool // a kept connection, which may be all that is wrong
	returned bool // the request certainly did not arrive, and another connection may serve
	timeout  bool

	token string // to be kept out of errors
	took  time.Duration
}

// facts are what there is to decide on after an attempt.
type facts struct {
	answered bool // with a status that HTTP has

	// An answer.
	status      int
	queued      bool // a 2xx that says so
	understood  bool // a 2xx that says anything
	inProgress  bool // the first request under this key still runs, or may
	replayed    bool
	shouldRetry string // the header: "true", "false" or ""

	// No answer.
	arrived   bool // there is no proof that the request did not arrive whole
	permanent bool // the failure will not pass within seconds

	wroteEarlier bool // headers, on an earlier connection of the attempt
	contextEnded bool
	keyIsFixed   bool // a new key is not allowed
}

// read takes the answer from resp and reads its body up to maxResponse bytes, and so to
// the end of any sane one: the connection can be used again.
func (a *answer) read(resp *http.Response) error {
	defer resp.Body.Close()
	if resp.StatusCode < 100 {
		return &statusError{resp.StatusCode}
	}
	a.answered, a.resp, a.status, a.header = true, resp, resp.StatusCode, resp.Header
	if a.status < 200 {
		return nil // after 101 Switching Protocols it is the connection, without end
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	a.body = body[:min(len(body), maxResponse)]
	switch {
	case len(body) > maxResponse:
		return fmt.Errorf("the body is over %d bytes", maxResponse)
	case err != nil:
		return fmt.Errorf("reading the body: %w", err)
	}
	return nil
}

// statusError is an answer whose status HTTP does not have.
type statusError struct{ status int }

func (e *statusError) Error() string {
	return fmt.Sprintf("the answer has the status %d, which HTTP does not have", e.status)
}
func (e *statusError) Is(target error) bool { return target == ErrMalformedResponse }

// success reads a 2xx: whether Whop queued the notification, and whether it said so.
func (a *answer) success() (queued, understood bool) {
	var body struct {
		Success *bool `json:"success"`
	}
	if a.bodyErr != nil || json.Unmarshal(a.body, &body) != nil || body.Success == nil {
		return false, false
	}
	return *body.Success, true
}

func is2xx(status int) bool { return status >= 200 && status < 300 }

// errReader ends with err, or at EOF.
type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	return 0, io.EOF
}
