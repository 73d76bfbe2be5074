package serves

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// The annotations of a slice that is mini-hpa's.
const (
	// Annotation says what is served, and how: Serves in JSON.
	Annotation = "mini-hpa/serves"
	// ActiveSince is when the slice became active, by the leader's clock, in RFC 3339 with nanoseconds. A slice with another face has none.
	ActiveSince = "mini-hpa/active-since"
	// BackendsAnnotation are the pods of a Service without a selector, for which Kubernetes has no slice: Backends in JSON.
	BackendsAnnotation = "mini-hpa/backends"
)

// Protocol is how an activator reads a connection.
type Protocol string

// The protocols.
const (
	// HTTP1 is HTTP/1.1, request by request. Somebody wakes a workload with complete headers.
	HTTP1 Protocol = "http1"
	// TCP is everything else, as bytes. Somebody wakes a workload by connecting.
	TCP Protocol = "tcp"
)

// Path is when requests go by way of the activators.
type Path string

// The paths.
const (
	// PathAsleep is while no pod is ready, and a moment longer.
	PathAsleep Path = ""
	// PathAlways is for all requests: the Service has no other endpoints.
	PathAlways Path = "always"
)

// HoldOn is when else connections are held.
type HoldOn string

// What connections are held on.
const (
	// HoldOnSleep is only while the workload sleeps and wakes.
	HoldOnSleep HoldOn = ""
	// HoldOnUnready is whenever no pod is ready: all have crashed, say.
	HoldOnUnready HoldOn = "unready"
)

// The bounds of what is served, and their defaults.
const (
	// DefaultHold is how long a connection is held.
	DefaultHold = time.Minute
	// MaxHold is the longest hold.
	MaxHold = 10 * time.Minute
	// MinHold is the shortest hold.
	MinHold = time.Second
	// DefaultLimit is how many connections an activator holds for a Service.
	DefaultLimit = 1000
	// MaxLimit is the largest limit; it is what an activator holds for all Services.
	MaxLimit = 10_000
	// DefaultPerPod is how many connections an activator has under way to each ready pod.
	DefaultPerPod = 50
	// MaxPerPod is the most that it may have.
	MaxPerPod = 10_000
	// MaxIgnored is how many paths, and how many agents, may be ignored.
	MaxIgnored = 16
	// MaxIgnoredLength is how many bytes a path or an agent may have.
	MaxIgnoredLength = 256
	// maxLength is how many bytes the annotation may have.
	maxLength = 32 << 10
)

// Serves is what a slice says about its Service. In JSON, keys that are not known are left out: during an upgrade the activators may be older
// than the leader that writes them, and a Service that sleeps must not be without one.
type Serves struct {
	// Kind, Group and Name are the workload that is woken. It is in the slice's namespace.
	Kind  string `json:"kind"`
	Group string `json:"group,omitempty"`
	Name  string `json:"name"`
	// Protocol is how connections are read, by the name of the Service's port. A port that is not there is TCP.
	Protocol map[string]Protocol `json:"protocol,omitempty"`
	// Hold is how long a connection is held, from 1 s to 10 min; 0 is DefaultHold.
	Hold metav1.Duration `json:"hold,omitzero"`
	// Limit is how many connections an activator holds at a time for the Service; 0 is DefaultLimit.
	Limit int32 `json:"limit,omitempty"`
	// PerPod is how many connections of TCP, or requests, an activator has under way to each ready pod; 0 is DefaultPerPod.
	PerPod int32 `json:"perPod,omitempty"`
	// Ignore are the paths of requests that wake nobody. One that ends with "*" is the beginning of paths.
	Ignore []string `json:"ignore,omitempty"`
	// IgnoreAgents are the beginnings of the User-Agents whose requests wake nobody, such as "kube-probe/".
	IgnoreAgents []string `json:"ignoreAgents,omitempty"`
	Path         Path     `json:"path,omitempty"`
	HoldOn       HoldOn   `json:"holdOn,omitempty"`
}

// ParseServes reads the annotation. An error says all that is wrong with it.
func ParseServes(text string) (Serves, error) {
	if len(text) > maxLength {
		return Serves{}, fmt.Errorf("annotation %s is %d bytes long; must be at most %d", Annotation, len(text), maxLength)
	}
	var s Serves
	if err := kjson.Unmarshal([]byte(text), &s); err != nil {
		return Serves{}, fmt.Errorf("annotation %s must be JSON: %w", Annotation, err)
	}
	if err := s.check(field.NewPath(Annotation)).ToAggregate(); err != nil {
		return Serves{}, err
	}
	return s, nil
}

// String is the annotation.
func (s Serves) String() string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // texts and numbers can always be written
	}
	return string(text)
}

// ProtocolOf is how connections to a port are read.
func (s Serves) ProtocolOf(port string) Protocol {
	if p, ok := s.Protocol[port]; ok {
		return p
	}
	return TCP
}

// Ignores says whether a request wakes nobody, by its path and its User-Agent.
func (s Serves) Ignores(path, agent string) bool {
	return slices.ContainsFunc(s.Ignore, func(ignored string) bool {
		beginning, cut := strings.CutSuffix(ignored, "*")
		return path == ignored || cut && strings.HasPrefix(path, beginning)
	}) || slices.ContainsFunc(s.IgnoreAgents, func(ignored string) bool { return strings.HasPrefix(agent, ignored) })
}

// Defaulted is the same with the defaults in place of zeros.
func (s Serves) Defaulted() Serves {
	if s.Hold.Duration == 0 {
		s.Hold.Duration = DefaultHold
	}
	if s.Limit == 0 {
		s.Limit = DefaultLimit
	}
	if s.PerPod == 0 {
		s.PerPod = DefaultPerPod
	}
	return s
}

func (s Serves) check(at *field.Path) field.ErrorList {
	wrong := s.checkWorkload(at)
	for _, port := range slices.Sorted(maps.Keys(s.Protocol)) {
		if p := s.Protocol[port]; p != HTTP1 && p != TCP {
			wrong = append(wrong, field.NotSupported(at.Child("protocol").Key(port), p, []Protocol{HTTP1, TCP}))
		}
	}
	if hold := s.Hold.Duration; hold != 0 && (hold < MinHold || hold > MaxHold) {
		wrong = append(wrong, field.Invalid(at.Child("hold"), hold.String(), fmt.Sprintf("must be between %s and %s", MinHold, MaxHold)))
	}
	for _, number := range []struct {
		key         string
		value, most int32
	}{{"limit", s.Limit, MaxLimit}, {"perPod", s.PerPod, MaxPerPod}} {
		if number.value < 0 || number.value > number.most {
			wrong = append(wrong, field.Invalid(at.Child(number.key), number.value, fmt.Sprintf("must be between 1 and %d, or 0 for the default", number.most)))
		}
	}
	if s.Path != PathAsleep && s.Path != PathAlways {
		wrong = append(wrong, field.NotSupported(at.Child("path"), s.Path, []Path{PathAlways}))
	}
	if s.HoldOn != HoldOnSleep && s.HoldOn != HoldOnUnready {
		wrong = append(wrong, field.NotSupported(at.Child("holdOn"), s.HoldOn, []HoldOn{HoldOnUnready}))
	}
	return append(append(wrong, checkIgnored(at.Child("ignore"), s.Ignore, "/")...), checkIgnored(at.Child("ignoreAgents"), s.IgnoreAgents, "")...)
}

// checkWorkload checks who is woken. The core group has no name.
func (s Serves) checkWorkload(at *field.Path) field.ErrorList {
	var wrong field.ErrorList
	if s.Kind == "" {
		wrong = append(wrong, field.Required(at.Child("kind"), "the kind of the workload"))
	}
	names := map[string]string{"name": s.Name}
	if s.Group != "" {
		names["group"] = s.Group
	}
	for _, key := range slices.Sorted(maps.Keys(names)) {
		for _, must := range validation.IsDNS1123Subdomain(names[key]) {
			wrong = append(wrong, field.Invalid(at.Child(key), names[key], must))
		}
	}
	return wrong
}

// checkIgnored checks what requests are known by, which begins with a prefix.
func checkIgnored(at *field.Path, ignored []string, prefix string) field.ErrorList {
	if len(ignored) > MaxIgnored {
		return field.ErrorList{field.TooMany(at, len(ignored), MaxIgnored)}
	}
	var wrong field.ErrorList
	for i, text := range ignored {
		switch unprintable := func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }; {
		case text == "" || !strings.HasPrefix(text, prefix):
			wrong = append(wrong, field.Invalid(at.Index(i), text, fmt.Sprintf("must not be empty, and begin with %q", prefix)))
		case len(text) > MaxIgnoredLength:
			wrong = append(wrong, field.TooLong(at.Index(i), text, MaxIgnoredLength))
		case strings.ContainsFunc(text, unprintable):
			wrong = append(wrong, field.Invalid(at.Index(i), text, "must be printable characters"))
		}
	}
	return wrong
}
