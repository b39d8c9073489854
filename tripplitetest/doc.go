// Package tripplitetest has a UPS for tests, as net/http/httptest has a server. It needs no
// hardware, no root and no cgo.
//
// A [UPS] is made from the capture of a real unit. It says what the test tells it to, in volts and
// percent, and fails as real units fail. This is the whole test of an alarm, which has to tell of a
// power failure and of nothing else:
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
// What waits is tested in a bubble of testing/synctest, where hours pass in milliseconds. The UPS
// and its Battery have to be made in the bubble. They end with it:
//
//	func TestAlarmThatWatches(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			ups, told := tripplitetest.NewUPS(t, "smart1500lcd"), 0
//			alarm := Alarm{UPS: ups.Battery(), Tell: func() { told++ }}
//			go alarm.Watch(t.Context(), time.Minute)
//			for _, event := range []func(){ups.Unplug, ups.Replug, ups.PowerFailure, ups.LowBattery} {
//				time.Sleep(time.Hour)
//				event()
//			}
//			time.Sleep(time.Hour)
//			synctest.Wait()
//			if told != 1 {
//				t.Errorf("the alarm told %d times of an outage of two hours", told)
//			}
//		})
//	}
//
// A UPS acts on commands as real units do: after [tripplite.Battery.Do] its timers count, and
// [UPS.LoadOn] tells what has become of the load. [UPS.Writes] has what it was told. Writes can
// fail, be ignored, or be the last ones before the unit leaves the bus.
//
// A [Recorder] writes down what a unit says. [NewPlayer] makes a UPS that repeats the recorded
// session, and fails where the program under test does not keep to it.
package tripplitetest
