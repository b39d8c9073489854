package capture

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/testdata"
)

func TestMarshalWritesWhatParseReads(t *testing.T) {
	for _, name := range Names() {
		c, err := Load(name)
		require.NoError(t, err)
		text, err := c.Marshal()
		require.NoError(t, err)
		again, err := Parse(text)
		require.NoError(t, err)
		require.NotEmpty(t, c.Expect, "%s has no expect", name)
		require.JSONEq(t, string(c.Expect), string(again.Expect))
		again.Expect = c.Expect // the same, indented otherwise
		require.Equal(t, c, again)
	}
}

func TestMarshalWritesInTheMannerOfTheBuiltInCaptures(t *testing.T) {
	for _, name := range []string{"smart1500lcd", "smart500rt1u"} { // reports, and exchanges
		c, err := Load(name)
		require.NoError(t, err)
		want, err := testdata.Captures.ReadFile("captures/" + name + ".json")
		require.NoError(t, err)
		text, err := c.Marshal()
		require.NoError(t, err)
		require.Equal(t, string(want), string(text))
	}
}

func TestAWrongIDIsKeptAndReplayed(t *testing.T) {
	c := &Capture{Name: "x", Interfaces: []Interface{{Reports: []Report{
		{Type: Feature, ID: 0x32, Error: WrongID, Bytes: []byte{0xb2, 1}, Origin: Captured}}}}}
	text, err := c.Marshal()
	require.NoError(t, err)
	again, err := Parse(text)
	require.NoError(t, err)
	buffer := []byte{0x32, 0}
	n, err := again.Device(0).GetFeatureReport(buffer)
	require.NoError(t, err)
	require.Equal(t, []byte{0xb2, 1}, buffer[:n])

	for name, bad := range map[string]Report{
		"its own id": {Type: Feature, ID: 0x32, Error: WrongID, Bytes: []byte{0x32, 1}, Origin: Captured},
		"no bytes":   {Type: Feature, ID: 0x32, Error: WrongID, Origin: Captured},
		"an input":   {Type: Input, ID: 0x32, Error: WrongID, Bytes: []byte{0xb2, 1}, Origin: Captured},
	} {
		c.Interfaces[0].Reports[0] = bad
		text, err := c.Marshal()
		require.NoError(t, err)
		_, err = Parse(text)
		require.ErrorContains(t, err, "wrong id", name)
	}
}

// FuzzParse checks that whatever is a capture can be written, read again and played back.
func FuzzParse(f *testing.F) {
	for _, name := range Names() {
		text, err := testdata.Captures.ReadFile("captures/" + name + ".json")
		require.NoError(f, err)
		f.Add(text)
	}
	for _, text := range []string{
		``, `{`, `[]`, `null`, `{"interfaces": [{}]}`, `{"interfaces": [{"reports": [null]}]}`,
		`{"interfaces": [{"traffic": [
			{"type": "sent", "id": "0x11", "bytes": "1101", "origin": "captured"}]}]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		if err != nil {
			require.Nil(t, c)
			return
		}
		written, err := c.Marshal()
		require.NoError(t, err)
		again, err := Parse(written)
		require.NoError(t, err)
		rewritten, err := again.Marshal()
		require.NoError(t, err)
		require.Equal(t, string(written), string(rewritten))
		for n, i := range c.Interfaces {
			d := c.Device(n)
			for _, r := range i.Reports {
				_, _ = d.GetFeatureReport([]byte{byte(r.ID), 0, 0})
			}
			for _, e := range i.Exchanges {
				buffer := make([]byte, 8)
				_, err := d.SendFeatureReport(append([]byte{0}, e.Command...))
				require.NoError(t, err)
				n, err := d.ReadTimeout(buffer, 0)
				require.NoError(t, err)
				require.Contains(t, []int{0, 8}, n, "a reply fills a report")
			}
		}
	})
}
