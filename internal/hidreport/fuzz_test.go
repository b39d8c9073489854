package hidreport

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// check parses b and asserts what holds of every descriptor, right or wrong.
func check(t *testing.T, b []byte) {
	t.Helper()
	d, err := Parse(b)
	require.NotNil(t, d)
	require.LessOrEqual(t, len(d.Fields), maxFields)
	checkFields(t, d, checkError(t, b, d, err))
	for _, typ := range []Type{Input, Output, Feature} {
		ids := d.IDs(typ)
		require.True(t, slices.IsSorted(ids))
		require.Len(t, slices.Compact(slices.Clone(ids)), len(ids))
		if len(ids) > 1 {
			require.NotZero(t, ids[0], "a report without an id is the only one of its type")
		}
	}
}

// checkError asserts that an error lies within b and that the bytes before it give the
// same fields; it returns those that the reports must hold.
func checkError(t *testing.T, b []byte, d *Descriptor, err error) []Field {
	t.Helper()
	if err == nil {
		return d.Fields
	}
	var e *Error
	require.True(t, errors.As(err, &e))
	require.NotEmpty(t, e.Reason)
	require.GreaterOrEqual(t, e.Offset, 0)
	require.LessOrEqual(t, e.Offset, len(b))

	fields := d.Fields
	switch e.Reason {
	case tooLongDescriptor: // refused unread
		require.Empty(t, fields)
		return nil
	case tooLongReport: // whose field is kept
		require.NotEmpty(t, fields)
		fields = fields[:len(fields)-1]
	}
	before, _ := Parse(b[:e.Offset])
	same := slices.EqualFunc(before.Fields, fields, func(a, b Field) bool { return reflect.DeepEqual(a, b) })
	require.True(t, same, "before the error %v, after it %v", before.Fields, fields)
	return fields
}

// checkFields asserts that the fields of a report follow one another without a gap and
// end where the report does.
func checkFields(t *testing.T, d *Descriptor, fields []Field) {
	t.Helper()
	end := map[report]int{}
	for _, f := range fields {
		r := report{f.Type, f.ReportID}
		if f.Size < 1 || f.Count < 1 || f.Offset != end[r] {
			require.Fail(t, "not the next field of its report", "%+v, which has %d bits so far", f, end[r])
		}
		if len(f.Path) == 0 || len(f.Path) > maxNesting+1 {
			require.Fail(t, "not a path of a field", "%+v", f)
		}
		end[r] += f.Size * f.Count
	}
	for r, bits := range end {
		n, ok := d.Len(r.typ, r.id)
		require.True(t, ok)
		require.Equal(t, (bits+7)/8, n)
		require.LessOrEqual(t, n, maxReport)
		require.Contains(t, d.IDs(r.typ), r.id)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(readHex(f, "testdata/2012.hex"))
	f.Add(readHex(f, "testdata/a0a0-fragment.hex"))
	for _, seed := range []string{
		"",
		"05 84 09 04 a1 01 85 01 75 08 95 01 09 30 b1 02 c0",
		"a4 85 01 75 08 95 01 b1 02 b4 b1 02",
		"75 08 97 ff ff ff ff b1 02",
		"75 01 18 2a ff ff 96 00 10 b1 02 95 01 b1 02",
		"75 01 95 03 1b fe ff ff ff 2b ff ff ff ff b1 02",
		"75 01 95 02 a9 01 19 30 29 31 09 32 a8 05 85 81 02",
		"fe 03 f0 01 02 03 25 ff 15 00 55 0f 75 20 95 04 91 00",
	} {
		f.Add(unhex(f, seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		given := bytes.Clone(b)
		check(t, b)
		assert.Equal(t, given, b, "the input is left alone")
	})
}

func BenchmarkParse(b *testing.B) {
	descriptor := readHex(b, "testdata/2012.hex")
	b.SetBytes(int64(len(descriptor)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(descriptor); err != nil {
			b.Fatal(err)
		}
	}
}
