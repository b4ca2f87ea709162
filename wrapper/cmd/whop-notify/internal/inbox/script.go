package inbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// step is a scripted reply in JSON.
type step struct {
	Status   int    `json:"status"`
	Wait     string `json:"wait"`
	Code     string `json:"code"`
	Message  string `json:"message"`
	Reset    bool   `json:"reset"`
	Truncate bool   `json:"truncate"`
	Stall    string `json:"stall"`
	Success  *bool  `json:"success"`

	AfterQueueing bool `json:"after_queueing"`
}

const (
	maxScript  = 1 << 20 // bytes
	maxReplies = 1000    // that wait for a request
	maxStall   = time.Hour
	maxWait    = 24 * time.Hour
)

// parseScript reads the replies of an array, or says which one is wrong.
func parseScript(script []byte) ([]whoptest.Reply, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(script, &raw); err != nil || raw == nil {
		return nil, errors.New(`a script is a JSON array of replies, as in [{"status": 503}, {"reset": true}]`)
	}
	replies := make([]whoptest.Reply, len(raw))
	for i, one := range raw {
		decoder := json.NewDecoder(bytes.NewReader(one))
		decoder.DisallowUnknownFields()
		var s *step
		err := decoder.Decode(&s)
		if err == nil && s == nil {
			err = errors.New("null is no reply")
		}
		if err == nil {
			replies[i], err = s.reply()
		}
		if err != nil {
			return nil, fmt.Errorf("reply %d: %w", i+1, err)
		}
	}
	return replies, nil
}

func (s *step) reply() (whoptest.Reply, error) {
	kinds := 0
	for _, given := range []bool{s.Status != 0, s.Reset, s.Truncate, s.Stall != "", s.Success != nil} {
		if given {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		return whoptest.Reply{}, errors.New("give one of status, reset, truncate, stall and success")
	case s.Status == 0 && s.Wait+s.Code+s.Message != "":
		return whoptest.Reply{}, errors.New("wait, code and message go with a status")
	}
	reply, err := s.kind()
	if err == nil && s.AfterQueueing {
		reply = reply.AfterQueueing()
	}
	return reply, err
}

func (s *step) kind() (whoptest.Reply, error) {
	switch {
	case s.Reset:
		return whoptest.Reset(), nil
	case s.Truncate:
		return whoptest.Truncate(), nil
	case s.Success != nil && *s.Success:
		return whoptest.Serve(), nil
	case s.Success != nil:
		return whoptest.NotQueued(), nil
	case s.Stall != "":
		d, err := duration("stall", s.Stall, maxStall)
		return whoptest.StallFor(d), err
	}
	return s.refusal()
}

func (s *step) refusal() (whoptest.Reply, error) {
	if err := checkStatus(s.Status); err != nil {
		return whoptest.Reply{}, err
	}
	var wait time.Duration
	if s.Wait != "" {
		var err error
		if wait, err = duration("wait", s.Wait, maxWait); err != nil {
			return whoptest.Reply{}, err
		}
	}
	switch {
	case s.Code+s.Message != "":
		reply := whoptest.Error(s.Status, s.Code, s.Message)
		if wait > 0 {
			reply = reply.WithHeader("Retry-After", strconv.FormatFloat(wait.Seconds(), 'f', -1, 64))
		}
		return reply, nil
	case s.Status == http.StatusTooManyRequests && wait > 0:
		return whoptest.RateLimited(wait), nil
	}
	reply, err := Failure(s.Status)
	if wait > 0 {
		reply = reply.WithHeader("Retry-After", strconv.FormatFloat(wait.Seconds(), 'f', -1, 64))
	}
	return reply, err
}

func checkStatus(status int) error {
	if status < 400 || status > 599 {
		return fmt.Errorf("%d is not the status of an error, 400 to 599", status)
	}
	return nil
}

// Failure is the answer of an error status, as Whop words it where that is known.
func Failure(status int) (whoptest.Reply, error) {
	if err := checkStatus(status); err != nil {
		return whoptest.Reply{}, err
	}
	switch status {
	case http.StatusTooManyRequests:
		return whoptest.RateLimited(time.Second), nil
	case http.StatusConflict:
		return whoptest.Error(status, "idempotency_request_in_progress", "A request with this idempotency key is still in progress."), nil
	}
	return whoptest.Error(status, "", "Failed as asked for: "+http.StatusText(status)+"."), nil
}

func duration(name, text string, most time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > most {
		return 0, fmt.Errorf(`%s is a time of up to %s, as in "2s" or "500ms"`, name, most)
	}
	return d, nil
}

// script adds to what the next requests get.
func (in *inbox) script(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxScript))
	if err != nil {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("The script did not arrive whole, or is over %d bytes.", maxScript))
		return
	}
	replies, err := parseScript(body)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	in.scripting.Lock()
	defer in.scripting.Unlock()
	if waiting := len(in.Controls.Scripted()); waiting+len(replies) > maxReplies {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("%d replies wait for a request already, and no more than %d can. DELETE /_/requests forgets them.", waiting, maxReplies))
		return
	}
	in.Controls.Script(replies...)
	in.scripted(w, r)
}

// scripted tells what is left of the script.
func (in *inbox) scripted(w http.ResponseWriter, _ *http.Request) {
	writeList(w, in.Controls.Scripted(), whoptest.Reply.String)
}
