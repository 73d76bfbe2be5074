package wake

import (
	"slices"
	"testing"
	"time"
)

// at is a moment after noon.
func at(after time.Duration) time.Time { return modelNow.Add(after) }

func TestFace(t *testing.T) {
	t.Parallel()
	waits := Waits{BeforeSleep: 10 * time.Second, BeforeOut: 20 * time.Second}
	for name, c := range map[string]struct {
		replicas, desired int32
		off               bool
		service           Service
		want              Face
		after             time.Duration
	}{
		"awake":                                    {3, 3, false, Service{Face: Out, Quiet: Out, Listening: true}, Out, 0},
		"awake, held on unready":                   {3, 3, false, Service{Face: Out, Quiet: Standby, Listening: true}, Standby, 0},
		"to sleep":                                 {3, 0, false, Service{Face: Standby, Quiet: Standby, Listening: true}, Active, 0},
		"to sleep, and nobody is there":            {3, 0, false, Service{Face: Standby, Quiet: Standby}, Standby, 0},
		"asleep":                                   {0, 0, false, Service{Face: Active, Quiet: Out, Listening: true}, Active, 0},
		"asleep, and nobody is there":              {0, 0, false, Service{Face: Active, Quiet: Out}, Active, 0},
		"asleep, and never led there":              {0, 0, false, Service{Face: Out, Quiet: Out, Listening: true}, Active, 0},
		"to wake":                                  {0, 2, false, Service{Face: Active, Quiet: Out, Listening: true}, Active, 0},
		"waking, no pod is ready":                  {2, 2, false, Service{Face: Active, Quiet: Out, Listening: true}, Active, 0},
		"waking, a pod is ready":                   {2, 2, false, Service{Face: Active, Quiet: Out, Listening: true, Ready: at(-5 * time.Second)}, Active, 15 * time.Second},
		"waking, a pod was there before the sleep": {2, 2, false, Service{Face: Active, Quiet: Out, Listening: true, Ready: at(time.Minute)}, Active, 80 * time.Second},
		"awake again":                              {2, 2, false, Service{Face: Active, Quiet: Standby, Listening: true, Ready: at(-20 * time.Second)}, Standby, 0},
		"always, and nobody is there":              {3, 3, false, Service{Face: Out, Quiet: Out, Always: true}, Out, 0},
		"always, and somebody is":                  {3, 3, false, Service{Face: Out, Quiet: Out, Always: true, Listening: true}, Active, 0},
		"always, and nobody is there any more":     {3, 3, false, Service{Face: Active, Quiet: Out, Always: true, Ready: at(-time.Hour)}, Active, 0},
		"always, hindered, and no pod is ready":    {1, 1, false, Service{Face: Active, Quiet: Out, Always: true, Listening: true, Hindrance: "it has a selector"}, Active, 0},
		"always, hindered for a moment":            {3, 3, false, Service{Face: Active, Quiet: Out, Always: true, Listening: true, Ready: at(-5 * time.Second), Hindrance: "it has a selector"}, Active, 15 * time.Second},
		"always, hindered":                         {3, 3, false, Service{Face: Active, Quiet: Out, Always: true, Listening: true, Ready: at(-20 * time.Second), Hindrance: "it has a selector"}, Out, 0},
		"always, leaving, and no pod is ready":     {1, 1, false, Service{Face: Active, Quiet: Out, Always: true, Listening: true, Leaving: true}, Active, 0},
		"always, nothing is decided":               {3, 3, false, Service{Face: Active, Quiet: Out, Always: true, Listening: true, Ready: at(-time.Hour)}, Active, 0},
		"always, switched off":                     {0, 0, true, Service{Face: Active, Quiet: Out, Always: true, Listening: true}, Out, 0},
		"switched off":                             {0, 0, true, Service{Face: Active, Quiet: Standby, Listening: true}, Out, 0},
		"hindered while asleep":                    {0, 0, false, Service{Face: Active, Quiet: Standby, Listening: true, Hindrance: "no port is left"}, Active, 0},
		"hindered, and never led there":            {0, 0, false, Service{Face: Out, Quiet: Standby, Listening: true, Hindrance: "no port is left"}, Out, 0},
		"hindered, and waking":                     {1, 1, false, Service{Face: Active, Quiet: Standby, Listening: true, Hindrance: "no port is left"}, Active, 0},
		"hindered, and a pod is ready":             {1, 1, false, Service{Face: Active, Quiet: Standby, Ready: at(-5 * time.Second), Hindrance: "no port is left"}, Active, 15 * time.Second},
		"hindered, and awake":                      {1, 1, false, Service{Face: Active, Quiet: Standby, Ready: at(-20 * time.Second), Hindrance: "no port is left"}, Out, 0},
		"hindered, held on unready":                {1, 1, false, Service{Face: Standby, Quiet: Standby, Hindrance: "no port is left"}, Out, 0},
		"leaving while asleep":                     {0, 1, false, Service{Face: Active, Quiet: Out, Leaving: true}, Active, 0},
		"leaving, and there is nothing to do":      {1, 0, false, Service{Face: Active, Quiet: Out, Ready: at(-20 * time.Second), Leaving: true}, Out, 0},
	} {
		w := Workload{Now: at(0), Replicas: c.replicas, Desired: c.desired, Off: c.off, Services: []Service{c.service}}
		if face, after := waits.Face(&w, &w.Services[0]); face != c.want || after != c.after {
			t.Errorf("%s: %s in %s; want %s in %s", name, face, after, c.want, c.after)
		}
	}
}

func TestGate(t *testing.T) {
	t.Parallel()
	active := Service{Name: "web", Face: Active, Since: at(-4 * time.Second), Listening: true}
	without := func(change func(*Service)) Service {
		s := active
		change(&s)
		return s
	}
	for name, c := range map[string]struct {
		services []Service
		want     *Closed
	}{
		"nothing to wait for": {nil, nil},
		"for long":            {[]Service{without(func(s *Service) { s.Since = at(-10 * time.Second) })}, nil},
		"not for long": {[]Service{active, without(func(s *Service) { s.Since = at(-10 * time.Second) })},
			&Closed{For: 6 * time.Second, Because: `not every node may know yet that Service "web" leads to the activators`}},
		"not yet": {[]Service{without(func(s *Service) { s.Face = Standby })}, &Closed{Because: `Service "web" does not lead to the activators yet`}},
		"nobody is there": {[]Service{active, without(func(s *Service) { s.Listening = false })},
			&Closed{Because: `no activator listens for Service "web"`, Lasts: true}},
		"always":           {[]Service{without(func(s *Service) { s.Always = true })}, nil},
		"always, withheld": {[]Service{without(func(s *Service) { s.Always, s.Withheld = true, at(-time.Second) })}, nil},
		"always, withheld now": {[]Service{without(func(s *Service) { s.Always, s.Withheld = true, at(-400*time.Millisecond) })},
			&Closed{For: 600 * time.Millisecond, Because: `activators may not know yet that requests to Service "web" must wait`}},
		"hindered":           {[]Service{without(func(s *Service) { s.Hindrance = "no port is left" }), active}, &Closed{Because: "no port is left", Lasts: true}},
		"leaving":            {[]Service{without(func(s *Service) { s.Leaving = true })}, &Closed{Because: `Service "web" still leads to the activators, and is not to any more`}},
		"leads nobody there": {[]Service{without(func(s *Service) { s.Leaving, s.Face = true, Out })}, nil},
	} {
		got := Waiting(10 * time.Second).Gate(&Workload{Now: at(0), Replicas: 1, Services: c.services})
		if off := Waiting(10 * time.Second).Gate(&Workload{Now: at(0), Replicas: 1, Off: true, Services: c.services}); off != nil {
			t.Errorf("%s, and it is switched off: %+v", name, off)
		}
		if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
			t.Errorf("%s: %+v; want %+v", name, got, c.want)
		}
	}
}

// TestStays: what leads to the activators goes on until a pod is ready, and what does not does not begin to.
func TestStays(t *testing.T) {
	t.Parallel()
	waits := Waiting(10 * time.Second)
	for name, c := range map[string]struct {
		replicas int32
		service  Service
		want     Face
	}{
		"asleep":                         {0, Service{Face: Active, Quiet: Out}, Active},
		"switched off":                   {0, Service{Face: Out, Quiet: Out, Listening: true}, Out},
		"somebody has set replicas":      {1, Service{Face: Active, Quiet: Out}, Active},
		"somebody has, and one is ready": {1, Service{Face: Active, Quiet: Standby, Ready: at(-10 * time.Second)}, Standby},
		"awake, held on unready":         {1, Service{Face: Out, Quiet: Standby}, Standby},
	} {
		w := Workload{Now: at(0), Replicas: c.replicas, Desired: c.replicas, Stays: true, Services: []Service{c.service}}
		if face, _ := waits.Face(&w, &w.Services[0]); face != c.want {
			t.Errorf("%s: %s; want %s", name, face, c.want)
		}
	}
}

// TestStranded: who sleeps and cannot be woken by requests is not left alone, unless nothing is to wake it.
func TestStranded(t *testing.T) {
	t.Parallel()
	led, hindered := Service{Name: "web", Face: Active, Listening: true}, Service{Name: "api", Hindrance: `Service "api" is headless`}
	leaving := Service{Name: "old", Face: Active, Leaving: true}
	for name, c := range map[string]struct {
		w    Workload
		want string
	}{
		"asleep":       {Workload{Services: []Service{led}}, ""},
		"hindered":     {Workload{Services: []Service{led, hindered}}, `Service "api" is headless`},
		"leaving":      {Workload{Services: []Service{led, leaving}}, `requests to Service "old" are not to wake it any more`},
		"gone":         {Workload{Services: []Service{{Name: "old", Leaving: true}}}, ""},
		"awake":        {Workload{Replicas: 1, Services: []Service{hindered, leaving}}, ""},
		"switched off": {Workload{Off: true, Services: []Service{hindered, leaving}}, ""},
		"stays":        {Workload{Stays: true, Services: []Service{hindered, leaving}}, ""},
	} {
		if got := c.w.Stranded(); got != c.want {
			t.Errorf("%s: %q; want %q", name, got, c.want)
		}
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		replicas, desired int32
		face              Face
		want              State
	}{
		"awake":    {1, 1, Standby, Direct},
		"to sleep": {1, 0, Active, Closing},
		"asleep":   {0, 0, Active, Asleep},
		"to wake":  {0, 1, Active, Asleep},
		"waking":   {1, 1, Active, Waking},
	} {
		w := Workload{Replicas: c.replicas, Desired: c.desired, Services: []Service{{Face: Out}, {Face: c.face}}}
		if got := w.State(); got != c.want {
			t.Errorf("%s: %s; want %s", name, got, c.want)
		}
	}
	always := func(replicas, desired int32, ready time.Time) State {
		w := Workload{Replicas: replicas, Desired: desired, Services: []Service{{Face: Active, Always: true, Ready: ready}}}
		return w.State()
	}
	if got := []State{always(1, 1, at(0)), always(1, 1, time.Time{}), always(1, 0, at(0)), always(0, 1, time.Time{})}; !slices.Equal(got, []State{Direct, Waking, Closing, Asleep}) {
		t.Errorf("always: %v", got)
	}
}

// TestReady: a pod counts from when it was seen ready, or from when what was seen shows something, and anew after a break.
func TestReady(t *testing.T) {
	t.Parallel()
	var r Ready
	for _, look := range []struct {
		name    string
		now     time.Duration
		pods    []string
		doubted time.Duration
		want    time.Time
	}{
		{"nothing", 0, nil, 0, time.Time{}},
		{"one", time.Second, []string{"a"}, 0, at(time.Second)},
		{"another one", 2 * time.Second, []string{"a", "b"}, 0, at(time.Second)},
		{"the first one is gone", 3 * time.Second, []string{"b"}, 0, at(2 * time.Second)},
		{"back again", 4 * time.Second, []string{"a", "b"}, 0, at(2 * time.Second)},
		{"after 0 replicas", 5 * time.Second, []string{"a", "b"}, time.Minute, at(time.Minute)},
		{"none", 6 * time.Second, nil, time.Minute, time.Time{}},
		{"a minute later", 61 * time.Second, []string{"c"}, time.Minute, at(61 * time.Second)},
	} {
		if r = r.After(at(look.now), look.pods, at(look.doubted)); !r.Since().Equal(look.want) {
			t.Errorf("%s: %s; want %s", look.name, r.Since(), look.want)
		}
	}
}

// TestPropagation: the wait is twice as long as a node was late within an hour, and never longer than two minutes.
func TestPropagation(t *testing.T) {
	t.Parallel()
	var p Propagation
	wait := func(now, want time.Duration) {
		t.Helper()
		if got := p.Wait(at(now), 10*time.Second); got != want {
			t.Errorf("after %s: %s; want %s", now, got, want)
		}
	}
	wait(0, 10*time.Second)
	p = p.After(at(0), 3*time.Second)
	wait(0, 10*time.Second)
	p = p.After(at(time.Minute), 20*time.Second)
	wait(time.Minute, 40*time.Second)
	p = p.After(at(2*time.Minute), 8*time.Second)
	wait(2*time.Minute, 40*time.Second)
	wait(61*time.Minute, 16*time.Second)
	wait(63*time.Minute, 10*time.Second)
	p = p.After(at(70*time.Minute), 80*time.Second)
	wait(70*time.Minute, 2*time.Minute)
	before := p
	if p = p.After(at(71*time.Minute), 11*time.Minute); p.Latest(at(71*time.Minute)) != before.Latest(at(71*time.Minute)) {
		t.Error("who comes after ten minutes is no node that is late")
	}
	for i := range 2000 {
		p = p.After(at(72*time.Minute), 2*time.Minute-time.Duration(i)*60*time.Millisecond)
	}
	if len(p.late) > 1300 {
		t.Errorf("%d are remembered", len(p.late))
	}
}
