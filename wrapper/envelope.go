package wrapper

import (
	"bytes"
	"encoding/json"
)

// parseEnvelope reads {"error": {"type", "code", "message", "param"}} and forgives
// everything: an error that is a string, the older {"message": "..."}, fields of other
// types, and a body that is no JSON, which becomes the message.
func parseEnvelope(body []byte) (typ, code, message, param string) {
	var top struct{ Error, Message json.RawMessage }
	if json.Unmarshal(body, &top) != nil {
		return "", "", clip(string(bytes.TrimSpace(body)), maxErrorField), ""
	}
	var inner struct{ Type, Code, Message, Param json.RawMessage }
	if json.Unmarshal(top.Error, &inner) == nil {
		typ, code, message, param = stringIn(inner.Type), stringIn(inner.Code), stringIn(inner.Message), stringIn(inner.Param)
	} else {
		message = stringIn(top.Error)
	}
	if message == "" {
		message = stringIn(top.Message)
	}
	if typ == "" && code == "" && message == "" && param == "" && top.Error == nil {
		message = clip(string(bytes.TrimSpace(body)), maxErrorField)
	}
	return typ, code, message, param
}

// stringIn is the string in a JSON value, the value itself if it is of another type, or
// "" for null and nothing.
func stringIn(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	if json.Unmarshal(raw, &s) != nil {
		s = string(raw)
	}
	return clip(s, maxErrorField)
}
