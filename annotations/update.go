package annotations

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ReviewUpdate reviews what an update makes of a workload, and finds fault only with what the update has brought: a problem
// that was there before is a warning, so that nobody who changes something else is kept from doing so.
func (d Defaults) ReviewUpdate(before, after *appsv1.Deployment, s Surroundings) Verdict {
	v := d.Review(after, s)
	v.Warnings = append(v.Warnings, overwritten(before, after, v.Policy)...)
	if len(v.Problems) == 0 {
		return v
	}
	return v.ExcuseAsBefore(after, before, d.Review(before, s), Excuse{FoundUnchanged,
		"it was so before this change; mini-hpa does not scale the Deployment until it is fixed"})
}

// Excuse is why a problem is let through.
type Excuse struct {
	// Rule is the name of a Finding, Because the reason that goes with each warning.
	Rule, Because string
}

// Excuse turns all problems into warnings.
func (v Verdict) Excuse(e Excuse) Verdict {
	return v.excuse(e, func(*field.Error) bool { return true })
}

// ExcuseAsBefore turns those problems of a workload into warnings that an earlier form of it had, too.
func (v Verdict) ExcuseAsBefore(w, earlier *appsv1.Deployment, old Verdict, e Excuse) Verdict {
	had := history{}
	for _, problem := range old.Problems {
		had.add(earlier, problem)
	}
	return v.excuse(e, func(problem *field.Error) bool { return had.knows(w, problem) })
}

func (v Verdict) excuse(e Excuse, excused func(*field.Error) bool) Verdict {
	var left field.ErrorList
	for _, problem := range v.Problems {
		if !excused(problem) {
			left = append(left, problem)
			continue
		}
		v.Warnings = append(v.Warnings, Warning{Field: problem.Field, Rule: e.Rule, Message: problem.ErrorBody() + " (" + e.Because + ")"})
	}
	v.Problems = left
	return v
}

// history are problems by what is wrong with what, whatever place it has in a list.
type history map[trait]bool

// trait is what makes a problem the same before and after an update.
type trait struct{ origin, subject, value string }

const (
	anyContainer = "any container"
	theWhole     = "the pod as a whole"
)

func (h history) add(w *appsv1.Deployment, e *field.Error) {
	t := traitOf(w, e)
	h[t] = true
	if e.Origin == FoundMissingRequest {
		t.subject = anyContainer
		h[t] = true
	}
}

// knows also takes a missing request for the same if it is now missing of the pod as a whole and not of a container, or the
// other way round: resources of the pod as a whole were added or removed meanwhile.
func (h history) knows(w *appsv1.Deployment, e *field.Error) bool {
	t := traitOf(w, e)
	if h[t] || e.Origin != FoundMissingRequest {
		return h[t]
	}
	if t.subject == theWhole {
		t.subject = anyContainer
	} else {
		t.subject = theWhole
	}
	return h[t]
}

// Paths of findings. A container is known by its name, in whichever list it is.
var (
	containerField = regexp.MustCompile(`^spec\.template\.spec\.(containers|initContainers)\[(\d+)\]\.resources\.(?:requests|limits)\[(.*)\]$`)
	wholeField     = regexp.MustCompile(`^spec\.template\.spec\.resources\.(?:requests|limits)\[(.*)\]$`)
	listIndex      = regexp.MustCompile(`\[\d+\]`)
)

func traitOf(w *appsv1.Deployment, e *field.Error) trait {
	value := fmt.Sprint(e.BadValue)
	if found := containerField.FindStringSubmatch(e.Field); found != nil {
		return trait{e.Origin, containerName(w, found[1], found[2]), found[3] + " " + value}
	}
	if found := wholeField.FindStringSubmatch(e.Field); found != nil {
		return trait{e.Origin, theWhole, found[1] + " " + value}
	}
	if key, ok := wholeAnnotation(e.Field); ok {
		return trait{e.Origin, key, w.Annotations[key]} // all of it: a message repeats only the beginning of a long one
	}
	if e.Origin == FoundConflict {
		return trait{e.Origin, e.Field, e.Detail}
	}
	return trait{e.Origin, listIndex.ReplaceAllString(e.Field, ""), value}
}

// wholeAnnotation is the key, if a problem is about an annotation and not about a part of the document in it.
func wholeAnnotation(at string) (string, bool) {
	key, isAnnotation := strings.CutPrefix(at, "metadata.annotations[")
	key, isWhole := strings.CutSuffix(key, "]")
	return key, isAnnotation && isWhole && !strings.Contains(key, "]")
}

func containerName(w *appsv1.Deployment, list, index string) string {
	containers := w.Spec.Template.Spec.Containers
	if list == initList {
		containers = w.Spec.Template.Spec.InitContainers
	}
	i, err := strconv.Atoi(index)
	if err != nil || i >= len(containers) {
		return index
	}
	return "container " + containers[i].Name
}

// overwritten warns of an update that sets the replicas of a workload that is autoscaled before and after it. Zero is how
// autoscaling is paused on purpose.
func overwritten(before, after *appsv1.Deployment, p Policy) []Warning {
	from, to := replicas(before), replicas(after)
	if from == to || from == 0 || to == 0 || p.Mode != ModeAuto || !Selected(before.Annotations) {
		return nil
	}
	return []Warning{{Field: "spec.replicas", Rule: FoundReplicasOverwritten, Message: fmt.Sprintf(
		"changed from %d to %d, but mini-hpa scales this Deployment and will change it again; leave spec.replicas out of the manifest "+
			`(take it out of what "kubectl apply" remembers with "kubectl apply edit-last-applied" first)`, from, to)}}
}

// replicas is spec.replicas; the API server stores 1 where it is not set.
func replicas(w *appsv1.Deployment) int32 {
	if w.Spec.Replicas == nil {
		return 1
	}
	return *w.Spec.Replicas
}
