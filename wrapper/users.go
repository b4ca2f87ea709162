package wrapper

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

// withUsers puts the ids into a body whose last field, user_ids, is empty. There may be
// thousands of ids, and encoding/json takes longer over them than validation, copying and
// this together.
func withUsers(body []byte, ids []string) ([]byte, error) {
	head, ok := bytes.CutSuffix(body, []byte("]}"))
	if !ok || !bytes.HasSuffix(head, []byte(`"user_ids":[`)) {
		return nil, errors.New("user_ids is no longer the last field of the generated types")
	}
	size := len(body)
	for _, id := range ids {
		size += len(id) + len(`"",`)
	}
	whole := append(make([]byte, 0, size), head...)
	for i, id := range ids {
		if i > 0 {
			whole = append(whole, ',')
		}
		if needsEscape(id) {
			quoted, err := json.Marshal(id)
			if err != nil {
				return nil, err
			}
			whole = append(whole, quoted...)
			continue
		}
		whole = append(whole, '"')
		whole = append(whole, id...)
		whole = append(whole, '"')
	}
	return append(whole, "]}"...), nil
}

// unescaped has the bytes that encoding/json writes as they are.
var unescaped = func() (is [256]bool) {
	for b := ' '; b <= '~'; b++ {
		is[b] = !strings.ContainsRune(`"\<>&`, b)
	}
	return is
}()

func needsEscape(s string) bool {
	for i := range len(s) {
		if !unescaped[s[i]] {
			return true
		}
	}
	return false
}
