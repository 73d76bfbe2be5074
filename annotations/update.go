package annotations

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/podspec"
)

// ReviewUpdate reviews an update of a workload. Only what the update has brought is a problem: a problem that was there before is a warning,
// so that it does not prevent other changes. Another autoscaler is a warning as well, see Replacing.
func (d Defaults) ReviewUpdate(before, after *Workload, s Surroundings) Verdict {
	s = s.withoutThoseOf(before.template()) // the containers of the template are not injected into the present pods
	v := d.Review(after, s).Replacing(nil)
	if len(v.Problems) == 0 {
		v.Warnings = append(v.Warnings, overwritten(before, after, v.Mode)...)
		return v
	}
	excuse := Excuse{FoundUnchanged, "it was so before this change; mini-hpa does not scale the " + after.Kind.Kind + " until it is fixed"}
	v = v.ExcuseAsBefore(after, before, d.reviewBehind(before, s), excuse)
	if len(v.Problems) > 0 && d.hidRequests(before) {
		form := *after
		form.Template = before.Template
		v = v.ExcuseAsBefore(after, before, d.reviewBehind(&form, s).ofTemplate(), excuse)
	}
	return v
}

// reviewBehind is Review of an earlier form, but a container that is not known hides nothing: which one was meant shows when the mistake is repaired, so that
// the problems of all that it may be are there.
func (d Defaults) reviewBehind(w *Workload, s Surroundings) Verdict {
	s.Earlier = true
	v := d.Review(w, s)
	if slices.ContainsFunc(v.Problems, LacksContainer) {
		check := newRequestCheck(w, s)
		check.behind = true
		check.checkAgainst(d.draft(w.Annotations).known())
		v.Problems = append(slices.DeleteFunc(v.Problems, isOfTemplate), check.errs...)
	}
	return v
}

// hidRequests says whether a workload asked to be scaled, but not on what. Its requests were not checked then, so they may have been
// missing before the annotations were repaired.
func (d Defaults) hidRequests(w *Workload) bool {
	if !Selected(w.Annotations) {
		return false
	}
	p := d.draft(w.Annotations)
	return !p.measured || !p.knowsMetrics()
}

// ofTemplate returns the verdict with the problems of requests and of the container of mini-hpa/container only. Others are about metrics
// that could not be read before.
func (v Verdict) ofTemplate() Verdict {
	v.Problems = slices.DeleteFunc(v.Problems, func(e *field.Error) bool {
		return !IsOfRequest(e) && !(LacksContainer(e) && e.Field == Path(Container).String())
	})
	return v
}

// isOfTemplate says whether a problem is one that checkRequests finds.
func isOfTemplate(e *field.Error) bool { return IsOfRequest(e) || LacksContainer(e) }

// Replacing turns problems about other autoscalers into warnings, except for those that stay (nil if none does). A release that replaces
// an autoscaler changes the workload first and then deletes the other autoscaler: a refusal would keep both for ever. Storing the
// workload does no harm, because the controller leaves it alone until the other one is gone.
func (v Verdict) Replacing(stays func(Autoscaler) bool) Verdict {
	return v.onlyWarned(func(e *field.Error) (Warning, bool) {
		other, isOther := e.BadValue.(Autoscaler)
		return Warning{Field: e.Field, Rule: e.Origin, Message: e.Detail}, isOther && (stays == nil || !stays(other))
	})
}

// onlyWarned turns those problems into warnings for which there is one.
func (v Verdict) onlyWarned(of func(*field.Error) (Warning, bool)) Verdict {
	var left field.ErrorList
	for _, problem := range v.Problems {
		if w, ok := of(problem); ok {
			v.Warnings = append(v.Warnings, w)
		} else {
			left = append(left, problem)
		}
	}
	v.Problems = left
	return v
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

// ExcuseRequests turns the problems of requests into warnings.
func (v Verdict) ExcuseRequests(e Excuse) Verdict {
	return v.excuse(e, IsOfRequest)
}

// ExcuseContainers turns containers that are not known into warnings.
func (v Verdict) ExcuseContainers(e Excuse) Verdict {
	return v.excuse(e, LacksContainer)
}

// IsOfRequest says whether a problem is that of a request, missing or not usable.
func IsOfRequest(e *field.Error) bool {
	return e.Origin == FoundMissingRequest || e.Origin == FoundInvalidRequest
}

// ExcuseAsBefore turns the problems of a workload that an earlier form of it also had into warnings.
func (v Verdict) ExcuseAsBefore(w, earlier *Workload, old Verdict, e Excuse) Verdict {
	had := earlierProblems{}
	for _, problem := range old.Problems {
		had.add(earlier, problem)
	}
	renamed := renamed(subject{earlier, old.Problems}, subject{w, v.Problems})
	return v.excuse(e, func(problem *field.Error) bool { return had.knows(w, problem) || renamed[problem] })
}

// subject is a workload and what is wrong with it.
type subject struct {
	workload *Workload
	problems field.ErrorList
}

// renamed are the problems of containers that only have another name now: for each container that is gone, one that has come may have
// the same problem.
func renamed(before, after subject) map[*field.Error]bool {
	gone := map[trait]int{}
	before.ofStrangers(after.workload, func(_ *field.Error, t trait) { gone[t]++ })
	found := map[*field.Error]bool{}
	after.ofStrangers(before.workload, func(e *field.Error, t trait) {
		if gone[t] > 0 {
			gone[t]--
			found[e] = true
		}
	})
	return found
}

// ofStrangers visits the problems of containers that another form of the workload does not have, each as one of any container.
func (s subject) ofStrangers(other *Workload, visit func(*field.Error, trait)) {
	known := map[string]bool{}
	for _, container := range podspec.All(&other.template().Spec) {
		known["container "+container.Name] = true
	}
	for _, e := range s.problems {
		if !containerField.MatchString(e.Field) {
			continue
		}
		if t := traitOf(s.workload, e); !known[t.subject] {
			t.subject = anyContainer
			visit(e, t)
		}
	}
}

func (v Verdict) excuse(x Excuse, excused func(*field.Error) bool) Verdict {
	return v.onlyWarned(func(e *field.Error) (Warning, bool) {
		return Warning{Field: e.Field, Rule: x.Rule, Message: e.ErrorBody() + " (" + x.Because + ")"}, excused(e)
	})
}

// earlierProblems are problems by what is wrong with what, whatever place it has in a list.
type earlierProblems map[trait]bool

// trait is what makes a problem the same before and after an update.
type trait struct{ origin, subject, value string }

const (
	anyContainer = "any container"
	theWhole     = "the pod as a whole"
)

func (h earlierProblems) add(w *Workload, e *field.Error) {
	t := traitOf(w, e)
	h[t] = true
	if e.Origin == FoundMissingRequest {
		t.subject = anyContainer
		h[t] = true
	}
}

// knows also takes a missing request for the same if it is now missing of the pod as a whole and not of a container, or the
// other way round: resources of the pod as a whole were added or removed meanwhile.
func (h earlierProblems) knows(w *Workload, e *field.Error) bool {
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
	lineField      = regexp.MustCompile(`^metadata\.annotations\[` + SourcesKey + `\]\[(\d+)\]$`)
	listIndex      = regexp.MustCompile(`\[\d+\]`)
)

func traitOf(w *Workload, e *field.Error) trait {
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
	if found := lineField.FindStringSubmatch(e.Field); found != nil {
		line, _ := strconv.Atoi(found[1])
		return trait{e.Origin, SourcesKey, lineOf(w.Annotations[SourcesKey], line+1)} // wherever it stands
	}
	return trait{e.Origin, listIndex.ReplaceAllString(e.Field, ""), value}
}

// wholeAnnotation is the key, if a problem is about an annotation and not about a part of the document in it.
func wholeAnnotation(at string) (string, bool) {
	key, isAnnotation := strings.CutPrefix(at, "metadata.annotations[")
	key, isWhole := strings.CutSuffix(key, "]")
	return key, isAnnotation && isWhole && !strings.Contains(key, "]")
}

func containerName(w *Workload, list, index string) string {
	if i, err := strconv.Atoi(index); err == nil {
		if c := podspec.At(&w.template().Spec, podspec.Place{List: list, Index: i}); c != nil {
			return "container " + c.Name
		}
	}
	return index
}

// overwritten warns of an update that sets the replicas of a workload that is autoscaled after it. Zero is how autoscaling is paused on
// purpose.
func overwritten(before, after *Workload, mode Mode) []Warning {
	from, to := before.Replicas, after.Replicas
	if from == to || from == 0 || to == 0 || mode != ModeAuto || !Selected(after.Annotations) {
		return nil
	}
	message := fmt.Sprintf("changed from %d to %d, but mini-hpa scales this %s and will change it again", from, to, after.Kind.Kind)
	if !Selected(before.Annotations) {
		message = fmt.Sprintf("goes from %d to %d with this change, and mini-hpa goes on from %d", from, to, to)
	}
	if to == 1 && after.Kind.Group == appsv1.GroupName {
		message += fmt.Sprintf("; the API server sets 1 once when the field disappears from what is applied (to avoid that, first %s): "+
			`"kubectl scale %s %s --replicas=%d" brings the replicas back, and a manifest without the field keeps them`,
			takeOut, strings.ToLower(after.Kind.Kind), clean(after.Name, shownName), from)
	} else {
		message += "; " + LeaveReplicasOut(after.Kind)
	}
	return []Warning{{Field: "spec.replicas", Rule: FoundReplicasOverwritten, Message: message}}
}

const takeOut = `take it out of what kubectl remembers with "kubectl apply edit-last-applied"`

// LeaveReplicasOut is what to do about the replicas in the manifest of a workload that is autoscaled. A custom resource without them has what its
// CustomResourceDefinition says, or none.
func LeaveReplicasOut(kind schema.GroupKind) string {
	if kind.Group != appsv1.GroupName {
		return "leave the replicas out of the manifest (first " + takeOut + ": when the field disappears from what is applied, it is the default of " + kind.Kind + " once, or 0 if there is none)"
	}
	return "leave spec.replicas out of the manifest (first " + takeOut + ": when the field disappears from what is applied, the API server sets 1 once)"
}
