package wake

import (
	"fmt"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

// Face is whom a slice of mini-hpa leads to.
type Face = serves.Face

// The faces.
const (
	Out     = serves.Out
	Standby = serves.Standby
	Active  = serves.Active
)

// Waits are how long the moves wait, each as long as it takes until every node knows of a change: see Propagation. One that is 0 is left out, which
// loses requests.
type Waits struct {
	// BeforeSleep is from when a slice is Active until 0 replicas are written.
	BeforeSleep time.Duration
	// BeforeOut is from when a pod is ready until a slice is no longer Active.
	BeforeOut time.Duration
	// Told is from when activators are told of no pods until 0 replicas are written, where all requests go through them.
	Told time.Duration
}

// Told is how long it may take until activators know of a slice that has changed, and whoever leads has heard what they passed on before. They watch slices, as nodes
// do, and have nothing else to do.
const Told = time.Second

// Waiting are the waits where a change takes so long to be known.
func Waiting(w time.Duration) Waits { return Waits{Told: Told, BeforeSleep: w, BeforeOut: w} }

// Service is what is known of one Service of a workload, and its slices.
type Service struct {
	// Name is the Service's, for messages.
	Name string
	// Face is that of its slices as they were written last, or Out if not all have the same.
	Face Face
	// Since is since when they have it and, if it is Active, have led to one of the activators that they lead to now. It is as far as this process has
	// seen: it was not leading before, and its clock is the only one.
	Since time.Time
	// Ready is since when a pod of the Service has been ready without a break, as far as this process has seen; zero if none is.
	Ready time.Time
	// Quiet is its face while there are pods: Out or Standby.
	Quiet Face
	// Listening says that an activator listens on all its ports, so that requests could be led there.
	Listening bool
	// Always says that all requests go through the activators, so that no node leads any to a pod; Withheld is since when activators are told of no pods,
	// because the workload is to sleep; zero if they are.
	Always   bool
	Withheld time.Time
	// Hindrance is why it can have no slice; empty if it can.
	Hindrance string
	// Leaving says that requests to it are to wake nobody any more, so that its slice is to go.
	Leaving bool
}

// Workload is what is known of a workload at one moment.
type Workload struct {
	Now time.Time
	// Replicas are those that are asked for, Desired those that are decided on.
	Replicas, Desired int32
	// Off says that nothing wakes it, because somebody has switched it off: its requests fail at once, as if it had no slice.
	Off bool
	// Stays says that nothing is decided on it. What leads to the activators goes on until a pod is ready, and what does not does not begin to.
	Stays bool
	// Services are those whose requests wake it.
	Services []Service
}

// Face is the face that a Service is to have now. If it is to have another one only because time passes, after is when; 0 otherwise.
//
//	asked for  decided   present face  pods ready     face
//	0          -         -             -              Active
//	1 or more  0         -             -              Active
//	1 or more  1 or more Active        not for W      Active
//	1 or more  1 or more Active        for W          quiet
//	1 or more  1 or more quiet         any            quiet
//
// One that is hindered or leaving does not become Active, and is Out where another one is quiet. If it is Active it stays so, like any other, until a pod is
// ready: whoever comes meanwhile finds somebody.
//
// One whose requests all go through the activators is Active from when one of them listens, for as long as it does not go.
func (w Waits) Face(of *Workload, s *Service) (_ Face, after time.Duration) {
	quiet, goes := s.Quiet, s.goes()
	if goes {
		quiet = Out
	}
	switch {
	case of.Off:
		return Out, 0
	case s.Face != Active && (goes || of.Stays && !s.Always):
		return quiet, 0
	case of.Replicas == 0:
		return Active, 0
	case !goes && (of.Desired == 0 || s.Always):
		if !s.Listening && s.Face != Active {
			return quiet, 0 // nobody would be there
		}
		return Active, 0
	case s.Face != Active:
		return quiet, 0
	case s.Ready.IsZero():
		return Active, 0
	}
	if rest := s.Ready.Add(w.BeforeOut).Sub(of.Now); rest > 0 {
		return Active, rest
	}
	return quiet, 0
}

// goes says whether the slice is to go, or not to be there.
func (s *Service) goes() bool { return s.Hindrance != "" || s.Leaving }

// Tells says whether activators are told of the pods, where all requests go through them. They are not while it is to sleep: requests wait from before the pods are told
// to end. They are not as long as 0 replicas are asked for either: a pod that is there then is about to be told to end, though it is to wake again.
func (of *Workload) Tells() bool { return of.Desired > 0 && of.Replicas > 0 }

// Stranded is why a workload that sleeps must not go on sleeping: a request would not wake it, or only for as long as nobody has taken away what is left of
// its slices. It is empty if that is not so, and where nothing wakes it anyway.
func (of *Workload) Stranded() string {
	if of.Replicas > 0 || of.Off || of.Stays {
		return ""
	}
	for i := range of.Services {
		switch s := &of.Services[i]; {
		case s.Hindrance != "":
			return s.Hindrance
		case s.Leaving && s.Face == Active:
			return fmt.Sprintf("requests to Service %q are not to wake it any more", s.Name)
		}
	}
	return ""
}

// Gate says why 0 replicas must not be written yet; nil if they may. Nothing else is ever held up.
func (w Waits) Gate(of *Workload) *Closed {
	if of.Off {
		return nil // nobody is to wait for it
	}
	var all *Closed
	for i := range of.Services {
		all = all.later(w.gate(of, &of.Services[i]))
	}
	return all
}

func (w Waits) gate(of *Workload, s *Service) *Closed {
	switch {
	case s.Hindrance != "":
		return &Closed{Because: s.Hindrance, Lasts: true}
	case s.Leaving && s.Face != Active:
		return nil
	case s.Leaving:
		return &Closed{Because: fmt.Sprintf("Service %q still leads to the activators, and is not to any more", s.Name)}
	case !s.Listening:
		return &Closed{Because: fmt.Sprintf("no activator listens for Service %q", s.Name), Lasts: true}
	case s.Face != Active:
		return &Closed{Because: fmt.Sprintf("Service %q does not lead to the activators yet", s.Name)}
	}
	if s.Always {
		if rest := s.Withheld.Add(w.Told).Sub(of.Now); rest > 0 {
			return &Closed{For: rest, Because: fmt.Sprintf("activators may not know yet that requests to Service %q must wait", s.Name)}
		}
		return nil
	}
	if rest := s.Since.Add(w.BeforeSleep).Sub(of.Now); rest > 0 {
		return &Closed{For: rest, Because: fmt.Sprintf("not every node may know yet that Service %q leads to the activators", s.Name)}
	}
	return nil
}

// Closed is why 0 replicas must not be written yet.
type Closed struct {
	// For is how long that will be; 0 if it is not known.
	For time.Duration
	// Because says why, as a part of a sentence.
	Because string
	// Lasts says that no passing of time will end it.
	Lasts bool
}

// later is the one that lasts longer.
func (c *Closed) later(other *Closed) *Closed {
	switch {
	case c == nil:
		return other
	case other == nil, c.Lasts, !other.Lasts && other.For <= c.For:
		return c
	}
	return other
}

// State is where a workload stands between Direct and Asleep.
type State string

const (
	// Direct means that requests go to the pods, by way of the activators if all of them do.
	Direct State = "direct"
	// Closing means that it is to sleep, and the nodes are being told.
	Closing State = "closing"
	// Asleep means that requests wait at the activators, and wake it.
	Asleep State = "asleep"
	// Waking means that requests wait at the activators until a pod is ready.
	Waking State = "waking"
)

// State is where the workload stands.
func (of *Workload) State() State {
	active := false
	for i := range of.Services {
		s := &of.Services[i]
		passing := s.Always && !s.Ready.IsZero() && of.Replicas > 0 && of.Desired > 0
		active = active || s.Face == Active && !passing
	}
	switch {
	case !active:
		return Direct
	case of.Replicas == 0:
		return Asleep
	case of.Desired == 0:
		return Closing
	}
	return Waking
}

// Wanted is what is decided on of a workload.
type Wanted struct {
	// Desired are the replicas that it should have.
	Desired int32
	// Off says that nothing wakes it, Stays that nothing is decided: see Workload.
	Off, Stays bool
}

// Led is what became of the slices of a workload.
type Led struct {
	// Closed is why 0 replicas must not be written; nil if they may.
	Closed *Closed
	// Next is after how long to look again; 0 if no time changes anything.
	Next time.Duration
	// State is where the workload stands.
	State State
}
