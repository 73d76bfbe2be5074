package annotations

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/lines"
)

// Selected says whether a workload with these annotations asks to be scaled by mini-hpa: whether it has any key with
// the Prefix, valid or not.
func Selected(annotations map[string]string) bool {
	for key := range annotations {
		if strings.HasPrefix(key, Prefix) {
			return true
		}
	}
	return false
}

// Parse reads the annotations of one selected workload; keys without the Prefix are skipped. Either the errors are
// empty and the policy is complete, or the policy is the zero Policy and the errors hold every problem, sorted by key.
// Warnings, also sorted by key, come in both cases. The annotations are not written to, and no two policies share memory.
func (d Defaults) Parse(annotations map[string]string) (Policy, []Warning, field.ErrorList) {
	p := d.draft(annotations)
	if len(p.errs) > 0 {
		return Policy{}, p.warnings, p.errs
	}
	return p.policy(), p.warnings, nil
}

// draft reads the annotations as far as they can be read.
func (d Defaults) draft(annotations map[string]string) *draft {
	p := newDraft(d)
	p.read(annotations)
	p.warnUnknown(annotations)
	p.check(annotations)
	p.sort()
	for _, problem := range p.errs {
		if problem.Origin != FoundNoMetric {
			problem.Origin = FoundInvalid // that of a library's validation is not a finding's name
		}
	}
	return p
}

func newDraft(d Defaults) *draft {
	p := &draft{backing: &backing{}, min: 1, max: unread, wake: 1, mode: ModeAuto, warmUp: d.WarmUp, syncPeriod: d.SyncPeriod, minSync: d.MinSyncPeriod, documents: d.documents}
	p.up = newRules(d.Tolerance, 0)
	p.down = newRules(d.Tolerance, d.ScaleDownStabilization)
	return p
}

// read goes through the table, not through the annotations, so that nothing depends on the order of a map.
func (p *draft) read(annotations map[string]string) {
	for i := range table {
		row := &table[i]
		if raw, ok := annotations[row.Name]; ok {
			p.readRow(row, raw)
		} else if row.Required {
			p.absent(Path(row.Name), fmt.Sprintf("must be set, such as %q", row.Examples[0]))
		}
	}
}

func (p *draft) readRow(row *Row, raw string) {
	p.key, p.measured = row.Name, p.measured || row.metric
	found := len(p.errs)
	value, err := p.tidy(row, raw)
	if err == nil {
		err = row.set(p, value)
	}
	for _, problem := range split(err) {
		at, seen := Path(row.Name), raw
		if line, ok := errors.AsType[lines.Problem](problem); ok && line.Line > 0 {
			at, seen = at.Index(line.Line-1), lineOf(raw, line.Line)
		}
		if row.document {
			seen = strings.Join(strings.Fields(seen), " ")
		}
		p.wrong(at, seen, problem.Error())
	}
	p.cut(row.Name, found)
}

// tidy does for every value what must happen before it is read: the cap of its length, the refusal of control
// characters, the removal of surrounding blanks.
func (p *draft) tidy(row *Row, raw string) (string, error) {
	if len(raw) > row.MaxLength {
		return "", fmt.Errorf("is %d bytes long; must be at most %d", len(raw), row.MaxLength)
	}
	if row.document {
		return raw, tidyDocument(raw)
	}
	if strings.ContainsFunc(raw, unicode.IsControl) {
		return "", errors.New("must not contain control characters such as line breaks or tabs")
	}
	value := strings.Trim(raw, " ")
	if value == "" {
		return "", errEmpty
	}
	if value != raw {
		p.warn(fmt.Sprintf("blanks around the value are ignored; write %q", clean(value, shown)))
	}
	return value, nil
}

var errEmpty = errors.New("must not be empty; remove the annotation if it is not needed")

// tidyDocument is tidy for YAML, where blanks and line breaks have a meaning.
func tidyDocument(raw string) error {
	switch {
	case !utf8.ValidString(raw):
		return errors.New("must be valid UTF-8")
	case strings.ContainsFunc(raw, isOutOfPlace):
		return errors.New("must not contain control characters other than line breaks and tabs")
	case strings.TrimSpace(raw) == "":
		return errEmpty
	}
	return nil
}

// list is what errors.Join returns.
type list interface {
	error
	Unwrap() []error
}

// split takes apart what errors.Join has put together.
func split(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := errors.AsType[list](err); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// check looks at what no single annotation can know.
func (p *draft) check(annotations map[string]string) {
	if p.max != unread && p.max < p.min {
		p.wrong(Path(Max), annotations[Max], fmt.Sprintf("must be at least %s (%d)", Min, p.min))
	}
	p.warnFixed(annotations)
	if !p.measured {
		p.errs = append(p.errs, field.Required(Path(TargetCPU), fmt.Sprintf(
			"there is no metric to scale on; set %s, %s, %s, %s or %s", TargetCPU, TargetMemory, SourcesKey, Metrics, ScheduleKey)).WithOrigin(FoundNoMetric))
	}
	p.checkSchedule(annotations)
	p.checkZero(annotations)
	p.checkMetricsOnce(annotations)
	p.checkBehaviorOnce(annotations)
}

// warnFixed warns of replicas that never change. A schedule changes them all the same, as what is out of its bounds is brought back whatever the
// policies are. That a workload which may sleep is never woken is a problem: see checkWakes.
func (p *draft) warnFixed(annotations map[string]string) {
	const off = autoscalingv2.DisabledPolicySelect
	switch {
	case p.max <= 0 || p.min == 0 || !p.schedule.IsZero():
	case p.max == p.min:
		p.warnings = append(p.warnings, Warning{Key: Max, Rule: FoundFixedReplicas,
			Message: fmt.Sprintf("equals %s (%d), so the replicas never change", Min, p.min)})
	case p.up.choice == off && p.down.choice == off:
		key := ScaleUpPolicies
		if _, isShort := annotations[key]; !isShort {
			key = Behavior
		}
		p.warnings = append(p.warnings, Warning{Key: key, Rule: FoundFixedReplicas, Message: fmt.Sprintf(
			"scaling is disabled both up and down, so the replicas never change while they are from %s to %s", Min, Max)})
	}
}
