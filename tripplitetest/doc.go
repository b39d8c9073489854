// Package tripplitetest has a UPS for tests, as net/http/httptest has a server: it needs no hardware, no root and no cgo.
//
// A [UPS] is made from the capture of a real unit, says what the test tells it to in volts and percent, and fails as real units fail.
// This is the whole test of somebody's alarm, which has to tell of a power failure, and of nothing else:
//
//	func TestAlarm(t *testing.T) {
//		ups, told := tripplitetest.NewUPS(t, "smart1500lcd"), 0
//		alarm := Alarm{UPS: ups.Battery(), Tell: func() { told++ }}
//		for _, event := range []func(){ups.Unplug, ups.Replug, ups.PowerFailure} {
//			event()
//			alarm.Check(t.Context())
//		}
//		if told != 1 {
//			t.Errorf("the alarm told %d times of one power failure", told)
//		}
//	}
//
// A [Recorder] writes down what a real unit says, as a capture to make a UPS from; a [Player] repeats the recorded session and fails
// where the program under test does not keep to it.
package tripplitetest
