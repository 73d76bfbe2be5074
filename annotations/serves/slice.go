package serves

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Face is what a slice tells data planes to do.
type Face int

// The faces.
const (
	// Out tells nobody anything: there are no endpoints. A slice that is new begins with it, and one that goes ends with it.
	Out Face = iota
	// Standby has connections sent to the activators while no pod is ready.
	Standby
	// Active has new connections sent to the activators, as to a pod.
	Active
)

// String is the face for a log.
func (f Face) String() string {
	switch f {
	case Out:
		return "out"
	case Standby:
		return "standby"
	case Active:
		return "active"
	}
	return fmt.Sprintf("Face(%d)", int(f))
}

// Slice is what an EndpointSlice of mini-hpa says.
type Slice struct {
	Namespace, Service string
	// ServiceUID is the Service that owns it, so that it goes with it.
	ServiceUID types.UID
	// Family is IPv4 or IPv6.
	Family discoveryv1.AddressType
	Serves Serves
	Ports  []Port
	// Face is Out or Active if there are no Activators: nobody is told anything then.
	Face Face
	// Since is when the slice became active, and zero with another face.
	Since time.Time
	// Activators are those that data planes are told of.
	Activators []Activator
	// Backends are the ready pods of a Service without a selector; nil for others, whose pods are in Kubernetes' own slices.
	Backends []Backends
}

// Port is a TCP port of a Service.
type Port struct {
	// Name is the Service port's; it is empty if the Service has only one.
	Name string
	// Pair is the port of the activators, as PairOf.
	Pair int32
	// AppProtocol is the Service port's; nil if it has none. Some proxies choose their protocol by it.
	AppProtocol *string
}

// Activator is an endpoint: a pod that listens on all doors of the slice.
type Activator struct {
	// Namespace, Pod and UID are the activator's pod.
	Namespace, Pod string
	UID            types.UID
	// Address is the pod's IP address, of the slice's family.
	Address string
	// Node and Zone are where it runs; Zone is empty where that is not known.
	Node, Zone string
}

// Name is the slice's name.
func (s *Slice) Name() string { return SliceName(s.Service, s.Family) }

// Key is the slice's namespace and name.
func (s *Slice) Key() types.NamespacedName {
	return types.NamespacedName{Namespace: s.Namespace, Name: s.Name()}
}

// Object is the slice in the API, without what the API server adds. All conditions are set: some data planes take one that is absent for false
// and others for true (KubeElasti#285, #350).
func (s *Slice) Object() *discoveryv1.EndpointSlice {
	object := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name(), Labels: Labels(s.Service),
			Annotations:     map[string]string{Annotation: s.Serves.String()},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Service", Name: s.Service, UID: s.ServiceUID}}},
		AddressType: s.Family,
	}
	if s.Face == Active {
		object.Annotations[ActiveSince] = s.Since.UTC().Format(time.RFC3339Nano)
	}
	if s.Backends != nil {
		object.Annotations[BackendsAnnotation] = formatBackends(s.Backends)
	}
	for _, port := range s.Ports {
		door := port.Pair
		if s.Face == Active {
			door = ActiveDoor(door)
		}
		object.Ports = append(object.Ports, discoveryv1.EndpointPort{Name: &port.Name, Port: &door, Protocol: new(corev1.ProtocolTCP), AppProtocol: port.AppProtocol})
	}
	if s.Face == Out {
		return object
	}
	for _, activator := range s.Activators {
		object.Endpoints = append(object.Endpoints, activator.endpoint(s.Face))
	}
	return object
}

func (a Activator) endpoint(face Face) discoveryv1.Endpoint {
	e := discoveryv1.Endpoint{
		Addresses:  []string{a.Address},
		Conditions: discoveryv1.EndpointConditions{Ready: new(face == Active), Serving: new(true), Terminating: new(face != Active)},
		TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: a.Namespace, Name: a.Pod, UID: a.UID},
	}
	if a.Node != "" {
		e.NodeName = &a.Node
	}
	if a.Zone != "" {
		e.Zone = &a.Zone
	}
	return e
}

// longestShown is how many bytes of a text an error shows: an annotation may have 256 KiB.
const longestShown = 100

// Read reads a slice that is mini-hpa's. An error says all that is wrong with it.
func Read(object *discoveryv1.EndpointSlice) (Slice, error) {
	s, wrong := read(object)
	if err := wrong.ToAggregate(); err != nil {
		return Slice{}, fmt.Errorf("cannot read EndpointSlice %.300q: %w", object.Namespace+"/"+object.Name, err)
	}
	return s, nil
}

func read(object *discoveryv1.EndpointSlice) (Slice, field.ErrorList) {
	var wrong field.ErrorList
	add := func(at *field.Path, seen string, err error) {
		if err != nil {
			wrong = append(wrong, field.Invalid(at, seen[:min(len(seen), longestShown)], err.Error()))
		}
	}
	meta := field.NewPath("metadata")
	s := Slice{Namespace: object.Namespace, Family: object.AddressType}
	service, family, err := ReadSliceName(object.Name)
	add(meta.Child("name"), object.Name, err)
	s.Service = service
	if err == nil && family != object.AddressType {
		wrong = append(wrong, field.Invalid(field.NewPath("addressType"), object.AddressType, fmt.Sprintf("must be %s, as its name says", family)))
	}
	for key, want := range Labels(service) {
		if got := object.Labels[key]; err == nil && got != want {
			wrong = append(wrong, field.Invalid(meta.Child("labels").Key(key), got, fmt.Sprintf("must be %q", want)))
		}
	}
	for _, owner := range object.OwnerReferences {
		if owner.Kind == "Service" && owner.Name == service {
			s.ServiceUID = owner.UID
		}
	}
	notes := meta.Child("annotations")
	s.Serves, err = ParseServes(object.Annotations[Annotation])
	add(notes.Key(Annotation), object.Annotations[Annotation], err)
	if text, ok := object.Annotations[BackendsAnnotation]; ok {
		s.Backends, err = parseBackends(text)
		add(notes.Key(BackendsAnnotation), text, err)
		if s.Backends == nil && err == nil {
			s.Backends = []Backends{} // "null" names no pods, too
		}
	}
	ports, active, bad := readPorts(object)
	s.Ports, wrong = ports, append(wrong, bad...)
	s.Face = faceOf(object, active)
	if text, ok := object.Annotations[ActiveSince]; ok && s.Face == Active {
		s.Since, err = time.Parse(time.RFC3339Nano, text)
		add(notes.Key(ActiveSince), text, err)
		s.Since = s.Since.UTC()
	} else if s.Face == Active {
		wrong = append(wrong, field.Required(notes.Key(ActiveSince), "when the slice became active"))
	}
	for i := range object.Endpoints {
		activator, bad := readEndpoint(&object.Endpoints[i], &s, field.NewPath("endpoints").Index(i))
		s.Activators, wrong = append(s.Activators, activator), append(wrong, bad...)
	}
	return s, wrong
}

// faceOf is what the slice tells by its ports and its endpoints. A slice that would be Standby and names nobody is Out.
func faceOf(object *discoveryv1.EndpointSlice, active bool) Face {
	switch {
	case active:
		return Active
	case len(object.Endpoints) > 0:
		return Standby
	}
	return Out
}

// readPorts reads the ports, and whether they are the active doors.
func readPorts(object *discoveryv1.EndpointSlice) (ports []Port, active bool, wrong field.ErrorList) {
	for i, port := range object.Ports {
		at := field.NewPath("ports").Index(i)
		var read Port
		if port.Name != nil {
			read.Name = *port.Name
		}
		if read.Name != "" {
			for _, must := range validation.IsDNS1123Label(read.Name) {
				wrong = append(wrong, field.Invalid(at.Child("name"), read.Name, must))
			}
		}
		if slices.ContainsFunc(ports, func(p Port) bool { return p.Name == read.Name }) {
			wrong = append(wrong, field.Duplicate(at.Child("name"), read.Name))
		}
		if port.Protocol != nil && *port.Protocol != corev1.ProtocolTCP {
			wrong = append(wrong, field.NotSupported(at.Child("protocol"), *port.Protocol, []corev1.Protocol{corev1.ProtocolTCP}))
		}
		if port.Port == nil {
			wrong = append(wrong, field.Required(at.Child("port"), "the door that is told"))
			continue
		}
		read.Pair, read.AppProtocol = PairOf(*port.Port), port.AppProtocol
		switch {
		case !isPair(read.Pair):
			wrong = append(wrong, field.Invalid(at.Child("port"), *port.Port, fmt.Sprintf("must be between %d and %d", firstPort, lastPort)))
		case i > 0 && active != isActiveDoor(*port.Port):
			wrong = append(wrong, field.Invalid(at.Child("port"), *port.Port, "must be even or odd as the others are"))
		case slices.ContainsFunc(ports, func(p Port) bool { return p.Pair == read.Pair }):
			wrong = append(wrong, field.Duplicate(at.Child("port"), *port.Port))
		}
		active = active || i == 0 && isActiveDoor(*port.Port)
		ports = append(ports, read)
	}
	return ports, active, wrong
}

func readEndpoint(e *discoveryv1.Endpoint, s *Slice, at *field.Path) (Activator, field.ErrorList) {
	var a Activator
	var wrong field.ErrorList
	if len(e.Addresses) == 1 {
		a.Address = e.Addresses[0]
		wrong = append(wrong, validation.IsValidIP(at.Child("addresses").Index(0), a.Address)...)
		if strings.Contains(a.Address, ":") != (s.Family == discoveryv1.AddressTypeIPv6) {
			wrong = append(wrong, field.Invalid(at.Child("addresses").Index(0), a.Address, fmt.Sprintf("must be of the family %s", s.Family)))
		}
	} else {
		wrong = append(wrong, field.Invalid(at.Child("addresses"), len(e.Addresses), "must be one"))
	}
	for _, condition := range []struct {
		name string
		seen *bool
		want bool
	}{{"ready", e.Conditions.Ready, s.Face == Active}, {"serving", e.Conditions.Serving, true}, {"terminating", e.Conditions.Terminating, s.Face != Active}} {
		if condition.seen == nil || *condition.seen != condition.want {
			wrong = append(wrong, field.Invalid(at.Child("conditions", condition.name), condition.seen, fmt.Sprintf("must be %t in a slice that is %s", condition.want, s.Face)))
		}
	}
	if ref := e.TargetRef; ref != nil && ref.Kind == "Pod" {
		a.Namespace, a.Pod, a.UID = ref.Namespace, ref.Name, ref.UID
	} else {
		wrong = append(wrong, field.Required(at.Child("targetRef"), "the activator's pod"))
	}
	if e.NodeName != nil {
		a.Node = *e.NodeName
	}
	if e.Zone != nil {
		a.Zone = *e.Zone
	}
	return a, wrong
}
