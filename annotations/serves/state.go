package serves

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	// StatePath is where an activator reports its state: with the query watch=1 a line for each change until the client goes, without it
	// once. Each line is a Line in JSON.
	StatePath = "/v1/state"
	// StateType is the content type of the state.
	StateType = "application/x-ndjson"
	// StatePort is the port of an activator's pod where it does, unless a flag says otherwise.
	StatePort = 8443
	// Heartbeat is how long the longest pause between two lines is. They say what they said before.
	Heartbeat = 5 * time.Second
	// MaxLine is how many bytes a line may have.
	MaxLine = 64 << 10
	// ServerName is the name in the certificate of an activator.
	ServerName = "mini-hpa-activator"
	// LeaderName is the name in the certificate with which the leader asks.
	LeaderName = "mini-hpa-leader"
)

// Line is one line of an activator's state. Exactly one of its fields is set. First comes the process, then each port, then Synced;
// then a line for each change, and the process again as a sign of life.
type Line struct {
	Process *Process `json:"process,omitempty"`
	Port    *State   `json:"port,omitempty"`
	// Synced says that all ports were told.
	Synced bool `json:"synced,omitempty"`
}

// Process is an activator.
type Process struct {
	// Start is another text for each start of the process: counters begin again with it.
	Start string `json:"start"`
	// Draining says that it ends: nobody must be sent there any more.
	Draining bool `json:"draining,omitempty"`
}

// State is what goes on at one port of a Service. Counters only grow as long as the process is the same.
type State struct {
	// Slice is the slice's namespace and name, as "shop/mini-hpa-web".
	Slice string `json:"slice"`
	// Name is the name of the port, and Pair the activator's port for it.
	Name string `json:"name,omitempty"`
	Pair int32  `json:"pair"`
	// Gone says that it is not served any more, and the last that is told of it.
	Gone bool `json:"gone,omitempty"`
	// Listening says that both doors are open; Problem why they are not.
	Listening bool   `json:"listening,omitempty"`
	Problem   string `json:"problem,omitempty"`
	// Held is how many connections, or requests of HTTP, wait for a pod at present, and InFlight how many are at one.
	Held     int `json:"held,omitempty"`
	InFlight int `json:"inFlight,omitempty"`
	// Waiting is how many seconds the one has waited who has waited for longest; it is 0 if nobody waits.
	Waiting float64 `json:"waiting,omitempty"`
	// Standby and Active are the two doors.
	Standby Door `json:"standby,omitzero"`
	Active  Door `json:"active,omitzero"`
	// Total counts the connections, or requests of HTTP, without those that are ignored; Wakes counts those of them that came while no pod
	// was ready; Refused counts those that got no pod within their time, or for which there was no room.
	Total   uint64 `json:"total,omitempty"`
	Wakes   uint64 `json:"wakes,omitempty"`
	Refused uint64 `json:"refused,omitempty"`
	// RequestSeconds adds up how long each connection or request was held and in flight: divided by the time, it is how many there were on average.
	RequestSeconds float64 `json:"requestSeconds,omitempty"`
	// Waits are how long those were held that came while no pod was ready, and got one.
	Waits Waits `json:"waits,omitzero"`
	// Firsts are how long after a pod was ready the first of those who had waited for one had a connection to it (TCP), or the beginning of its answer.
	Firsts Waits `json:"firsts,omitzero"`
	// Told is when whoever has read the line did so, by his clock.
	Told time.Time `json:"-"`
}

// SecondsAt are the RequestSeconds at a moment, if nobody has come or gone since the line was told.
func (s *State) SecondsAt(now time.Time) float64 {
	return s.RequestSeconds + float64(s.Held+s.InFlight)*max(now.Sub(s.Told), 0).Seconds()
}

// Door is what happened at one door.
type Door struct {
	// Connections counts those that were accepted.
	Connections uint64 `json:"connections,omitempty"`
	// Age is how many seconds before the line was written the last of them came; it means nothing if there was none.
	Age float64 `json:"age,omitempty"`
}

// WaitingAt is how long the one has waited at a moment who has waited for longest, if he still does.
func (s *State) WaitingAt(now time.Time) time.Duration {
	return time.Duration(s.Waiting*float64(time.Second)) + max(now.Sub(s.Told), 0)
}

// Key is the slice's namespace and name.
func (s *State) Key() types.NamespacedName {
	namespace, name, _ := strings.Cut(s.Slice, "/")
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// Last is when the last connection came, by the clock of whoever has just read the line at now; false if there was none.
func (d Door) Last(now time.Time) (time.Time, bool) {
	return now.Add(-time.Duration(d.Age * float64(time.Second))), d.Connections > 0
}

// AppendLine appends a line, with the line feed at its end.
func AppendLine(text []byte, l Line) []byte {
	line, err := json.Marshal(l)
	if err != nil {
		panic(err) // texts and finite numbers can always be written
	}
	return append(append(text, line...), '\n')
}

// ParseLine reads a line. Keys that are not known are left out, as in Serves. An error says all that is wrong with it.
func ParseLine(text []byte) (Line, error) {
	if len(text) > MaxLine {
		return Line{}, fmt.Errorf("a line of %d bytes; must be at most %d", len(text), MaxLine)
	}
	var l Line
	if err := kjson.Unmarshal(text, &l); err != nil {
		return Line{}, fmt.Errorf("line %.100q must be JSON: %w", text, err)
	}
	said := 0
	for _, is := range []bool{l.Process != nil, l.Port != nil, l.Synced} {
		if is {
			said++
		}
	}
	if said != 1 {
		return Line{}, fmt.Errorf("line %.100q must have exactly one of process, port and synced", text)
	}
	if l.Process != nil && l.Process.Start == "" {
		return Line{}, errors.New("process.start must not be empty")
	}
	if l.Port != nil {
		if err := l.Port.check(field.NewPath("port")).ToAggregate(); err != nil {
			return Line{}, err
		}
	}
	return l, nil
}

func (s *State) check(at *field.Path) field.ErrorList {
	var wrong field.ErrorList
	if namespace, name, _ := strings.Cut(s.Slice, "/"); namespace == "" {
		wrong = append(wrong, field.Invalid(at.Child("slice"), s.Slice, "must be a namespace, \"/\", and the name of a slice"))
	} else if _, _, err := ReadSliceName(name); err != nil {
		wrong = append(wrong, field.Invalid(at.Child("slice"), s.Slice, err.Error()))
	}
	if !isPair(s.Pair) {
		wrong = append(wrong, field.Invalid(at.Child("pair"), s.Pair, fmt.Sprintf("must be an even port between %d and %d", firstPort, lastPort)))
	}
	for _, number := range []struct {
		key   string
		value float64
	}{
		{"held", float64(s.Held)}, {"inFlight", float64(s.InFlight)}, {"requestSeconds", s.RequestSeconds}, {"standby.age", s.Standby.Age},
		{"active.age", s.Active.Age}, {"waits.seconds", s.Waits.Seconds}, {"firsts.seconds", s.Firsts.Seconds}, {"waiting", s.Waiting},
	} {
		if number.value < 0 || math.IsInf(number.value, 0) || math.IsNaN(number.value) {
			wrong = append(wrong, field.Invalid(at.Child(number.key), number.value, "must not be less than 0"))
		}
	}
	for key, waits := range map[string]Waits{"waits": s.Waits, "firsts": s.Firsts} {
		if n := len(waits.Counts); n != 0 && n != len(WaitBounds())+1 {
			wrong = append(wrong, field.Invalid(at.Child(key, "counts"), n, fmt.Sprintf("must be %d numbers", len(WaitBounds())+1)))
		}
	}
	return wrong
}
