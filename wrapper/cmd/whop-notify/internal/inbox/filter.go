package inbox

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// filter chooses requests. Its zero value takes all.
type filter struct {
	target, user string
	since        int // only requests of a higher ID
}

// filterOf reads a filter from the query. It refuses parameters that are neither its own
// nor among others: a test with a misspelled one would look at all requests.
func filterOf(r *http.Request, others ...string) (f filter, err error) {
	for name, values := range r.URL.Query() {
		value := values[0]
		switch {
		case len(values) > 1:
			return f, fmt.Errorf("give the parameter %q once", name)
		case value == "":
			return f, fmt.Errorf("the parameter %q is empty", name)
		case slices.Contains(others, name):
		case name == "target":
			f.target = value
		case name == "user":
			f.user = value
		case name == "since":
			if f.since, err = strconv.Atoi(value); err != nil || f.since < 0 {
				return f, errors.New("since takes the ID of a request, as in since=7")
			}
		default:
			return f, fmt.Errorf("there is no parameter %q here", name)
		}
	}
	return f, nil
}

func (f filter) takes(r whoptest.Request) bool {
	if r.ID <= f.since {
		return false
	}
	if f.target == "" && f.user == "" {
		return true
	}
	n := notificationOf(r.Body)
	return (f.target == "" || f.target == n.CompanyID || f.target == n.ExperienceID) &&
		(f.user == "" || slices.Contains(n.UserIDs, f.user))
}

// of returns those that the filter takes.
func (f filter) of(list []whoptest.Request) []whoptest.Request {
	return slices.DeleteFunc(list, func(r whoptest.Request) bool { return !f.takes(r) })
}
