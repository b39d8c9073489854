package nut

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tripplite-go/tripplite/tripplitetest"
)

func TestAProgramTellsEveryUpsmonAndSeesThemLeave(t *testing.T) {
	bubble(t, "smart1500lcd", Config{Users: users}, func(t *testing.T, s *serving, ups *tripplitetest.UPS) {
		const path = "1-1:1.0"
		client := s.dialAs(secondary)
		dialogue(t, client, []exchange{{"LOGIN ups", "OK"}, {"GET VAR ups ups.status", `VAR ups ups.status "OL"`}})
		require.Equal(t, []string{"192.0.2.1"}, s.Clients(path))
		require.Empty(t, s.Clients("9-9:1.0"))
		s.ForceShutdown(path)
		dialogue(t, client, []exchange{
			{"GET VAR ups ups.status", `VAR ups ups.status "FSD OL"`}, {"LOGOUT", "OK Goodbye"},
		})
		settle()
		require.Empty(t, s.Clients(path))
	})
}
