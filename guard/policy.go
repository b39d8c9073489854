package guard

import (
	"time"

	"github.com/tripplite-go/tripplite"
)

// Limits are when the computer goes down.
type Limits struct {
	OnBattery time.Duration
	Charge    float64
	RunTime   time.Duration
	Low       bool
	Lost      time.Duration
}

// Policy says when.
type Policy struct {
	Hold   time.Duration
	Limits Limits
	Paths  []string
	All    bool
	now    tripplite.OnBattery
}

func (p *Policy) Observe(r tripplite.Reading, now time.Time) {}

func (p *Policy) Test(path string, result tripplite.TestResult, now time.Time) {}

func (p *Policy) Decide(now time.Time) Decision { return Decision{} }

func (p *Policy) Outages() []Outage { return nil }

func (p *Policy) Resume(o Outage) {}

// Outage is a power failure that is under way.
type Outage struct {
	Path        string
	Since, Seen time.Time
}

// Decision is what a Policy says.
type Decision struct {
	Act   bool
	Why   string
	At    time.Time
	Units []Unit
}

// Unit is what a Policy thinks of one.
type Unit struct {
	Path                   string
	OnBattery, Known, Lost bool
	Since, LostSince       time.Time
	Reached                []string
	At                     time.Time
	Because                string
}
