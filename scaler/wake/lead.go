package wake

import (
	"time"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

// Lead is an EndpointSlice of mini-hpa: whom requests to a Service reach besides its pods, and by which ports.
type Lead struct {
	// Service is the Service's name, Slice that of the EndpointSlice.
	Service string `json:"service"`
	Slice   string `json:"slice"`
	// Face is out, standby or active: see the package serves.
	Face string `json:"face"`
	// Since is since when it is active; zero if it is not.
	Since time.Time `json:"since,omitzero"`
	// Always says that all requests go through the activators; Pods is of how many pods these are told then.
	Always bool `json:"always,omitempty"`
	Pods   int  `json:"pods,omitempty"`
	// Ports are the activators' for those of the Service, in its order.
	Ports []LeadPort `json:"ports,omitempty"`
	// Activators are the names of the pods that it leads to.
	Activators []string `json:"activators,omitempty"`
}

// LeadPort is a port of a Service, and the one of the activators to which it leads, or would if it led there.
type LeadPort struct {
	// Name is the Service port's; it is empty if the Service has only one.
	Name string `json:"name,omitempty"`
	// Port is the number of the activators'.
	Port int32 `json:"port"`
}

// LeadOf is what a slice says.
func LeadOf(s *serves.Slice) Lead {
	l := Lead{Service: s.Service, Slice: s.Name(), Face: s.Face.String(), Since: s.Since, Always: s.Serves.Path == serves.PathAlways}
	for _, port := range s.Ports {
		door := port.Pair
		if s.Face == Active {
			door = serves.ActiveDoor(door)
		}
		l.Ports = append(l.Ports, LeadPort{port.Name, door})
	}
	for _, a := range s.Activators {
		l.Activators = append(l.Activators, a.Pod)
	}
	for _, b := range s.Backends {
		l.Pods += len(b.Addresses)
	}
	return l
}
