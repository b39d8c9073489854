package nut

import (
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"
)

// User is somebody who may do more than read.
type User struct {
	Name, Password string
	// Commands are the commands that the user may give by INSTCMD. "ALL" is every one but
	// those of the watchdog.
	Commands []string
	// Set allows SET VAR.
	Set bool
	// Upsmon is "primary" or "secondary" of a user whose upsmon may log in; a primary may also set
	// FSD, by which every upsmon shuts its host down.
	Upsmon string
}

// login returns the user with a name and a password. It takes the same time whoever asks.
func (s *Server) login(name, password string) (User, bool) {
	var found User
	ok := 0
	for _, u := range s.config.Users {
		same := equal(u.Name, name) & equal(u.Password, password)
		if same == 1 {
			found = u
		}
		ok |= same
	}
	if ok == 0 || found.Password == "" {
		return User{}, false
	}
	return found, true
}

// equal compares in constant time, also texts of different lengths.
func equal(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}

// may reports whether the user may give a command. "ALL" leaves out the watchdogs: one call arms
// one, and a minute later the load is cut.
func (u *User) may(command string) bool {
	return slices.Contains(u.Commands, command) ||
		slices.Contains(u.Commands, "ALL") && !strings.Contains(command, "watchdog")
}

// monitors reports whether the user's upsmon may log in.
func (u *User) monitors() bool { return u.Upsmon == "primary" || u.Upsmon == "secondary" }
