package nut

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/tripplite-go/tripplite/tripplitetest"
)

// Who gives no name learns that first. Only INSTCMD tells a stranger that there is no such command.
func TestWhichErrorComesFirst(t *testing.T) {
	bubble(t, "smart1500lcd", Config{Users: users}, func(t *testing.T, s *serving, ups *tripplitetest.UPS) {
		const unnamed, denied = "ERR USERNAME-REQUIRED", "ERR ACCESS-DENIED"
		wrong := User{Name: "admin", Password: "wrong"}
		for _, test := range []struct{ line, nobody, stranger, admin string }{
			{"INSTCMD ups", "ERR INVALID-ARGUMENT", "ERR INVALID-ARGUMENT", "ERR INVALID-ARGUMENT"},
			{"INSTCMD nope beeper.disable", "ERR UNKNOWN-UPS", "ERR UNKNOWN-UPS", "ERR UNKNOWN-UPS"},
			{"INSTCMD ups nope", unnamed, "ERR CMD-NOT-SUPPORTED", "ERR CMD-NOT-SUPPORTED"},
			{"INSTCMD ups beeper.disable nope", unnamed, denied, "ERR INVALID-ARGUMENT"},
			{"SET VAR ups nope 1", unnamed, denied, "ERR VAR-NOT-SUPPORTED"},
			{"SET VAR ups ups.status OB", unnamed, denied, "ERR READONLY"},
			{"SET VAR ups ups.delay.shutdown 12345678901", unnamed, denied, "ERR TOO-LONG"},
			{"SET VAR ups ups.delay.shutdown x", unnamed, denied, "ERR INVALID-VALUE"},
			{"SET VAR ups ups.delay.shutdown 4", unnamed, denied, "ERR INVALID-VALUE"},
			{"SET VAR ups ups.start.auto maybe", unnamed, denied, "ERR INVALID-VALUE"},
			{"SET VAR nope ups.status OB", "ERR UNKNOWN-UPS", "ERR UNKNOWN-UPS", "ERR UNKNOWN-UPS"},
			{"LOGIN nope", "ERR UNKNOWN-UPS", "ERR UNKNOWN-UPS", "ERR UNKNOWN-UPS"},
			{"LOGIN ups", unnamed, denied, denied},
			{"PRIMARY ups", unnamed, denied, denied},
			{"FSD ups", unnamed, denied, denied},
		} {
			assert.Equal(t, test.nobody, s.dial().ask(test.line), "%s", test.line)
			assert.Equal(t, test.stranger, s.dialAs(wrong).ask(test.line), "%s, a stranger", test.line)
			assert.Equal(t, test.admin, s.dialAs(admin).ask(test.line), "%s, admin", test.line)
		}
		c := s.dial()
		assert.Equal(t, "OK", c.ask("USERNAME admin"))
		assert.Equal(t, "ERR PASSWORD-REQUIRED", c.ask("SET VAR ups nope 1"))
		assert.Equal(t, "ERR PASSWORD-REQUIRED", c.ask("INSTCMD ups nope"))
	})
}
