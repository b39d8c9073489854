package tripplite

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
)

// Value holds a T, or nothing: what is not known is neither zero nor false. The zero Value holds
// nothing.
type Value[T any] struct {
	v     T
	known bool
}

// ValueOf returns a Value that holds v.
func ValueOf[T any](v T) Value[T] { return Value[T]{v, true} }

// Get returns what the Value holds, and whether it holds anything.
func (v Value[T]) Get() (T, bool) { return v.v, v.known }

// Or returns what the Value holds, or else other.
func (v Value[T]) Or(other T) T {
	if v.known {
		return v.v
	}
	return other
}

// IsZero tells encoding/json's omitzero whether the Value holds nothing. A Value that holds a
// zero is not zero.
func (v Value[T]) IsZero() bool { return !v.known }

// String formats what the Value holds, and says "unknown" when it holds nothing.
func (v Value[T]) String() string {
	if !v.known {
		return "unknown"
	}
	return fmt.Sprint(v.v)
}

// MarshalJSON writes what the Value holds, a time.Duration in seconds; null when it holds nothing.
func (v Value[T]) MarshalJSON() ([]byte, error) {
	if !v.known {
		return []byte("null"), nil
	}
	if d, ok := any(v.v).(time.Duration); ok {
		return json.Marshal(d.Seconds())
	}
	return json.Marshal(v.v)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (v *Value[T]) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*v = Value[T]{}
		return nil
	}
	var read T
	if d, ok := any(&read).(*time.Duration); ok {
		var seconds float64
		if err := json.Unmarshal(text, &seconds); err != nil {
			return err
		}
		nanoseconds := math.Round(seconds * float64(time.Second))
		if math.Abs(nanoseconds) >= 1<<63 {
			return fmt.Errorf("tripplite: %s seconds are more than a time.Duration holds", text)
		}
		*d = time.Duration(nanoseconds)
	} else if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	*v = ValueOf(read)
	return nil
}

// datum is a [Value] of any type, as the table of fields reaches it.
type datum interface {
	set(n float64, known bool)
	number() (n float64, known bool)
	text() (text string, known bool)
	value() (v any, known bool)
}

// set stores a number in the Value's own type: a flag is true where n is not 0, a time is n
// seconds. A Value of a type that is no number stays as it is.
func (v *Value[T]) set(n float64, known bool) {
	if !known {
		*v = Value[T]{}
		return
	}
	switch held := reflect.ValueOf(&v.v).Elem(); held.Kind() {
	case reflect.String:
		return
	case reflect.Bool:
		held.SetBool(n != 0)
	case reflect.Int64: // time.Duration
		held.SetInt(int64(n * float64(time.Second)))
	case reflect.Float64:
		held.SetFloat(n)
	default:
		held.SetUint(uint64(n))
	}
	v.known = true
}

// number returns what set stores. It is not known of a Value that holds nothing or no number.
func (v *Value[T]) number() (n float64, known bool) {
	if !v.known {
		return 0, false
	}
	switch held := reflect.ValueOf(&v.v).Elem(); held.Kind() {
	case reflect.String:
		return 0, false
	case reflect.Bool:
		if held.Bool() {
			n = 1
		}
	case reflect.Int64: // time.Duration
		n = time.Duration(held.Int()).Seconds()
	case reflect.Float64:
		n = held.Float()
	default:
		n = float64(held.Uint())
	}
	return n, true
}

// text returns what the Value holds as the JSON has it, without quotes.
func (v *Value[T]) text() (string, bool) {
	if !v.known {
		return "", false
	}
	switch p := any(v.v).(type) {
	case float64:
		return strconv.FormatFloat(p, 'f', -1, 64), true
	case time.Duration:
		return strconv.FormatFloat(p.Seconds(), 'f', -1, 64), true
	}
	return fmt.Sprint(v.v), true
}

func (v *Value[T]) value() (any, bool) { return v.v, v.known }
