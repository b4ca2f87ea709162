package wrapper

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// What a peer wrote is cut to a length that holds, whatever it consists of.
func TestClip(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{name: "short", text: "abcdefghij", want: "abcdefghij"},
		{name: "long", text: "abcdefghijk", want: "abcdefg…"},
		{name: "within a rune", text: "abcdefüghi", want: "abcdef…"},
		{name: "a rune at the end", text: "abcdefgh€", want: "abcdefg…"},
		{name: "not UTF-8", text: "ab\xffcd", want: "ab�cd"},
		{name: "longer once it is UTF-8", text: "\xffa\xffb\xffc\xffd", want: "�a�…"},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.want, clip(test.text, 10)) })
	}
}

func FuzzClip(f *testing.F) {
	f.Add("abc", 5)
	f.Add("0000\x8d\x8d\x8d\x8d\x8d\x8d0", 5)
	f.Add(strings.Repeat("\xffä", 20), 16)
	f.Fuzz(func(t *testing.T, s string, most int) {
		if most < len("…") || most > 1<<20 {
			return
		}
		for name, text := range map[string]string{"clip": clip(s, most), "oneLine": oneLine(s, most)} {
			require.LessOrEqual(t, len(text), most, name)
			require.True(t, utf8.ValidString(text), name)
		}
	})
}
