package guard

import (
	"fmt"
	"strings"
	"time"
)

// Describe says in sentences what a Guard will do and when.
func (c *Config) Describe() []string {
	var lines []string
	if !c.Armed {
		lines = append(lines, "This is a dry run: what follows is only said, and nothing is touched, "+
			"until armed = true.")
	}
	lines = append(lines, c.Policy.describe()...)
	if c.Warning > 0 {
		lines = append(lines, fmt.Sprintf("When a limit has been reached for %v, the computer goes down. "+
			"Line power that returns before takes everything back; after that all is carried through:",
			span(c.Warning)))
	} else {
		lines = append(lines,
			"Then the computer goes down, and all is carried through, even if line power returns:")
	}
	total, needs := c.Warning, time.Duration(0)
	for i, s := range c.Steps {
		line := fmt.Sprintf("%d. %s", i+1, s.Does)
		if s.Timeout > 0 {
			line += fmt.Sprintf(", for %v at most", span(s.Timeout))
		}
		lines = append(lines, line+".")
		if i < len(c.Steps)-1 {
			total += s.Timeout
		}
		if s.Needs > 0 {
			needs = c.Warning + s.Needs
			for _, before := range c.Steps[:i+1] {
				needs += before.Timeout
			}
		}
	}
	if len(c.Steps) > 0 {
		lines = append(lines, fmt.Sprintf(
			"The last of these begins %v after the limit is reached at the latest.", span(total)))
	}
	if needs > 0 {
		lines = append(lines, fmt.Sprintf("The power is cut %v after the limit is reached at the latest. "+
			"The battery has to last as long.", span(needs)))
	}
	if l := c.Policy.Limits.RunTime; l > 0 && l < needs {
		lines = append(lines, fmt.Sprintf("WARNING: the limit of %v of run time is less than that.", span(l)))
	}
	return lines
}

// describe says when the policy acts.
func (p *Policy) describe() []string {
	ups := "any UPS of this computer"
	switch {
	case len(p.Paths) == 1:
		ups = "the UPS " + p.name(p.Paths[0])
	case len(p.Paths) > 1:
		names := make([]string, len(p.Paths))
		for i, path := range p.Paths {
			names[i] = p.name(path)
		}
		ups = "any of the UPSes " + strings.Join(names, ", ")
		if p.All {
			ups = "each of the UPSes " + strings.Join(names, ", ")
		}
	case p.All:
		ups = "each UPS of this computer"
	}
	var when []string
	add := func(wanted bool, format string, args ...any) {
		if wanted {
			when = append(when, fmt.Sprintf(format, args...))
		}
	}
	l := p.Limits
	add(l.OnBattery > 0, "it has been on battery for %v", span(l.OnBattery))
	add(l.Charge > 0, "its charge is below %v %%", l.Charge)
	add(l.RunTime > 0, "it has less than %v of run time left", span(l.RunTime))
	add(l.Low, "it says itself that its battery is low")
	add(l.Lost > 0, "it has been lost on battery for %v", span(l.Lost))
	if len(when) == 0 {
		return []string{"No limit is set: the computer never goes down."}
	}
	lines := []string{fmt.Sprintf("A limit is reached when %s is on battery, and %s.",
		ups, strings.Join(when, ", or "))}
	if l.Lost == 0 {
		lines = append(lines, "A UPS that is lost on battery reaches no limit by that alone.")
	}
	return append(lines, fmt.Sprintf("A power failure, or a limit, is believed when it has lasted %v. "+
		"A UPS that is lost while there is line power never takes the computer down.", span(p.Hold)))
}

// span says how long something takes, such as "2m" or "1h 5m".
func span(d time.Duration) string {
	if d < time.Second {
		return d.String()
	}
	d = d.Truncate(time.Second)
	var parts []string
	for _, p := range []struct {
		size time.Duration
		unit string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if n := d / p.size; n > 0 {
			parts = append(parts, fmt.Sprintf("%d%s", n, p.unit))
			d -= n * p.size
		}
	}
	return strings.Join(parts, " ")
}

// elapsed says how long it is since something, in whole seconds.
func elapsed(since, now time.Time) string { return span(now.Sub(since).Truncate(time.Second)) }
