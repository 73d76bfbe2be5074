package doors

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/serves"
	"github.com/mini-hpa/mini-hpa/scaler/wake"
)

// stored is a slice of mini-hpa's as it was last seen or written.
type stored struct {
	object *discoveryv1.EndpointSlice
	// says is what it says, if it can be read.
	says  serves.Slice
	isBad bool
	// written is when this process has written it; zero if it has not. awaited says that the watch has not brought it since.
	written time.Time
	awaited bool
	// edited says that somebody else has changed it since it was written.
	edited bool
	// led is since when it has led to each of its activators, by their pods' UIDs, as far as this process has written it.
	led map[types.UID]time.Time
}

// leads notes whom the slice leads to, after one that led to others. It returns since when it has led to the one whom nodes have known for longest;
// now if it leads to nobody.
func (s *stored) leads(before *stored, now time.Time) time.Time {
	s.led = map[types.UID]time.Time{}
	longest := now
	for _, a := range s.says.Activators {
		since := now
		if before != nil && !before.led[a.UID].IsZero() {
			since = before.led[a.UID]
		}
		s.led[a.UID] = since
		if since.Before(longest) {
			longest = since
		}
	}
	return longest
}

// mayTell says whether activators may know of pods by this slice.
func (s *stored) mayTell() bool {
	return s == nil || s.isBad || slices.ContainsFunc(s.says.Backends, func(b serves.Backends) bool { return len(b.Addresses) > 0 })
}

// lateWatch is how late a watch may bring a slice that was made: until then it counts as there.
const lateWatch = 10 * time.Second

func storedOf(object *discoveryv1.EndpointSlice) *stored {
	says, err := serves.Read(object)
	return &stored{object: object, says: says, isBad: err != nil}
}

// service is a Service that wakes a workload.
type service struct {
	workload annotations.Key
	stored   map[discoveryv1.AddressType]*stored
	// face is that of its slices, since when this process has seen it.
	face  wake.Face
	since time.Time
	ready wake.Ready
	// withheld is since when activators are told of no pods, because the workload is to sleep; zero if they are.
	withheld time.Time
	// departs is since when its slices are to go; zero if they are not.
	departs time.Time
}

// refresh takes in what the watch says of a slice. It returns why the slice is somebody else's; empty if it is not.
func (s *service) refresh(family discoveryv1.AddressType, cached *discoveryv1.EndpointSlice, owner string, now time.Time) string {
	have := s.stored[family]
	switch {
	case cached == nil && (have == nil || have.awaited && now.Sub(have.written) < lateWatch):
		return ""
	case cached == nil:
		delete(s.stored, family) // somebody has deleted it
		return ""
	case !isOurs(cached, owner):
		return fmt.Sprintf("EndpointSlice %q is not mini-hpa's: its labels or its owner say so", cached.Name)
	}
	if have == nil {
		s.stored[family] = storedOf(cached)
		return ""
	}
	order, err := resourceversion.CompareResourceVersion(cached.ResourceVersion, have.object.ResourceVersion)
	switch {
	case err == nil && order < 0:
	case cached.ResourceVersion == have.object.ResourceVersion:
		have.awaited = false
	default:
		next := storedOf(cached)
		next.edited = have.edited || !sameSlice(have.object, cached)
		next.written, next.led = have.written, have.led
		s.stored[family] = next
	}
	return ""
}

// isOurs says whether a slice is mini-hpa's, and of the Service of this name. Its owner may be the one that had the name before: the slice is taken over, as
// it would be deleted otherwise.
func isOurs(object *discoveryv1.EndpointSlice, service string) bool {
	return object.Labels[discoveryv1.LabelManagedBy] == serves.Manager && (len(object.OwnerReferences) == 0 ||
		slices.ContainsFunc(object.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Kind == annotations.KindService && o.Name == service }))
}

// settle finds out which face the slices have, and since when. One that somebody else has changed or deleted says nothing: what it had holds, and is about to be
// written again.
func (s *service) settle(now time.Time) {
	face, says, edited := s.face, false, false
	for _, st := range s.stored {
		edited = edited || st.edited
		switch is := st.says.Face; {
		case st.isBad, st.edited:
		case !says:
			face, says = is, true
		case face != is:
			face = wake.Out
		}
	}
	if face != s.face || s.since.IsZero() || edited {
		s.face, s.since = face, now
	}
}

// told are the pods that activators are told of by its slices.
func (s *service) told() map[discoveryv1.AddressType][]serves.Backends {
	told := map[discoveryv1.AddressType][]serves.Backends{}
	for family, st := range s.stored {
		told[family] = st.says.Backends
	}
	return told
}

// says is what its slices say, but those that cannot be read.
func (s *service) says() []*serves.Slice {
	var all []*serves.Slice
	for _, st := range s.stored {
		if !st.isBad {
			all = append(all, &st.says)
		}
	}
	return all
}

// withhold notes whether activators are told of no pods, because the workload is to sleep, and returns since when; zero if they are.
func (s *service) withhold(is bool, now time.Time) time.Time {
	switch {
	case !is:
		s.withheld = time.Time{}
	case s.withheld.IsZero():
		s.withheld = now
	}
	return s.withheld
}

// families are the address families of a Service.
func families(s *corev1.Service) []discoveryv1.AddressType {
	var all []discoveryv1.AddressType
	for _, family := range s.Spec.IPFamilies {
		all = append(all, discoveryv1.AddressType(family))
	}
	if len(all) == 0 {
		return []discoveryv1.AddressType{discoveryv1.AddressTypeIPv4}
	}
	return all
}

// sameSlice says whether two slices lead to the same, and are known by the same labels.
func sameSlice(a, b *discoveryv1.EndpointSlice) bool {
	return equality.Semantic.DeepEqual(a.Endpoints, b.Endpoints) && equality.Semantic.DeepEqual(a.Ports, b.Ports) && isEmbraced(a.Labels, b.Labels) &&
		equality.Semantic.DeepEqual(a.OwnerReferences, b.OwnerReferences) && isEmbraced(own(a.Annotations), own(b.Annotations)) && isEmbraced(own(b.Annotations), own(a.Annotations))
}

// own are the annotations of mini-hpa, without the time, which says nothing that the ports do not.
func own(all map[string]string) map[string]string {
	kept := map[string]string{}
	for key, value := range all {
		if strings.HasPrefix(key, annotations.Prefix) && key != serves.ActiveSince {
			kept[key] = value
		}
	}
	return kept
}

// isEmbraced says whether all pairs of a are in b.
func isEmbraced(a, b map[string]string) bool {
	for key, value := range a {
		if got, has := b[key]; !has || got != value {
			return false
		}
	}
	return true
}

// reading is what a slice says, as of a version.
type reading struct {
	version string
	says    serves.Slice
	err     error
}

// workloadOf is which workload a slice is of.
func workloadOf(s *serves.Slice) annotations.Key {
	key := annotations.Key{Namespace: s.Namespace, Name: s.Serves.Name}
	key.Kind.Group, key.Kind.Kind = s.Serves.Group, s.Serves.Kind
	return key
}
