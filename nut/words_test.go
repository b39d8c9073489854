package nut

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSplitFollowsTheGrammar(t *testing.T) {
	words := func(n int) string { return strings.TrimSpace(strings.Repeat("w ", n)) }
	for _, test := range []struct {
		line string
		want []string
	}{
		{"", nil},
		{" \t \r", nil},
		{"VER", []string{"VER"}},
		{"VER\r", []string{"VER"}},
		{"VER\r\r", []string{"VER"}},
		{"  GET\t VAR  ups ups.status ", []string{"GET", "VAR", "ups", "ups.status"}},
		{`SET VAR ups ups.id "12"`, []string{"SET", "VAR", "ups", "ups.id", "12"}},
		{`PASSWORD "two words"`, []string{"PASSWORD", "two words"}},
		{`PASSWORD "tab` + "\t" + `bed"`, []string{"PASSWORD", "tabbed"}},
		{`PASSWORD ""`, []string{"PASSWORD", ""}},
		{`PASSWORD "a\"b\\c"`, []string{"PASSWORD", `a"b\c`}},
		{`PASSWORD a\"b\\c`, []string{"PASSWORD", `a"b\c`}},
		{`PASSWORD two\ words`, []string{"PASSWORD", "two words"}},
		{`PASSWORD \#1\=2`, []string{"PASSWORD", "#1=2"}},
		{`PASSWORD "#1=2"`, []string{"PASSWORD", "#1=2"}},
		{"a=b", []string{"a", "=", "b"}},
		{"a = b", []string{"a", "=", "b"}},
		{"==", []string{"=", "="}},
		{"# a comment", nil},
		{"  #", nil},
		{"gr\u00fcn", []string{"grn"}},
		{`"gr` + "\u00fc" + `n"`, []string{"grn"}},
		{"a\x00b\x07\x1bc\xff", []string{"abc"}},
		{words(32), strings.Fields(words(32))},
		{strings.Repeat("x", 512), []string{strings.Repeat("x", 512)}},
		{`"` + strings.Repeat(" ", 512) + `"`, []string{strings.Repeat(" ", 512)}},
	} {
		got, err := split(test.line)
		require.NoError(t, err, "%q", test.line)
		require.Equal(t, test.want, got, "%q", test.line)
	}
}

func TestSplitFailsWhereALineIsNoneOfWords(t *testing.T) {
	for name, line := range map[string]string{
		"a quote that is not closed":       `GET VAR "ups ups.status`,
		"a quote closed by an escaped one": `PASSWORD "a\"`,
		"a comment behind words":           "VER # which one?",
		"a comment inside of a word":       "VER#",
		"nothing behind a backslash":       `PASSWORD a\`,
		"33 words":                         strings.Repeat("w ", 33),
		"33 words of which one is =":       strings.Repeat("w ", 32) + "=",
		"a word of 513 characters":         strings.Repeat("x", 513),
		"a quoted word of 513 characters":  `"` + strings.Repeat("x", 513) + `"`,
	} {
		_, err := split(line)
		assert.ErrorIs(t, err, errLine, name)
	}
}

// Not every client undoes escapes, and NUT's own read lines of up to 512 bytes.
func TestQuoteNeedsNoEscapes(t *testing.T) {
	for value, want := range map[string]string{
		"":              `""`,
		"OL CHRG":       `"OL CHRG"`,
		"#1 = 2":        `"#1 = 2"`,
		`17" \ monitor`: `"17' ' monitor"`,
		"two\nlines\r":  `"two?lines?"`,
		"23.9 \u00b0C":  `"23.9 ?C"`,
	} {
		assert.Equal(t, want, quote(value))
	}
}

func FuzzSplit(f *testing.F) {
	for _, line := range []string{
		"", "VER", `SET VAR ups ups.id "12"`, `PASSWORD a\"b\\`, `"open`, "a=b#c", "\xff\x00\r\t",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := split(line)
		if err != nil {
			require.ErrorIs(t, err, errLine)
			return
		}
		require.LessOrEqual(t, len(words), 32)
		var quoted []string
		for _, word := range words {
			require.LessOrEqual(t, len(word), 512)
			for _, c := range []byte(word) {
				require.True(t, c >= ' ' && c < 0x7f, "%q", word)
			}
			quoted = append(quoted, `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word)+`"`)
		}
		again, err := split(strings.Join(quoted, " ")) // it is the same, quoted or not
		require.NoError(t, err)
		require.Equal(t, words, again)
	})
}
