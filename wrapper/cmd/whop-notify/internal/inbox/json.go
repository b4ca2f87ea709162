package inbox

import (
	"encoding/json"
	"io"
	"net/http"
)

// refuse answers in the envelope of Whop's errors.
func refuse(w http.ResponseWriter, status int, message string) {
	var refusal struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	refusal.Error.Message = message
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(encode(refusal), '\n'))
}

func encode(value any) []byte {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(err) // nothing of ours fails to encode
	}
	return encoded
}

// writeList writes an array, a line for each value. Only one is encoded at a time: a body
// may have 10 MiB.
func writeList[T, V any](w http.ResponseWriter, list []T, view func(T) V) {
	w.Header().Set("Content-Type", "application/json")
	separator := "[\n"
	for _, value := range list {
		if _, err := io.WriteString(w, separator); err != nil {
			return
		}
		if _, err := w.Write(encode(view(value))); err != nil {
			return
		}
		separator = ",\n"
	}
	if len(list) == 0 {
		_, _ = io.WriteString(w, "[]\n")
		return
	}
	_, _ = io.WriteString(w, "\n]\n")
}
