package simulate

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/podspec"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/lint"
	"github.com/mini-hpa/mini-hpa/scaler/simulate"
)

//go:embed simulate.yaml
var builtIn string

//go:embed worker.yaml
var builtInWorker string

// prepare reads the manifest and the load.
func (t *task) prepare(s cli.Streams) error {
	var err error
	if t.subject, err = t.manifest(s); err != nil {
		return err
	}
	unit := simulate.Millicores
	if t.arrivals != "" {
		unit = simulate.PerSecond
	}
	load, err := t.curve(s, unit)
	if err != nil {
		return err
	}
	if t.arrivals != "" {
		t.setup.Arrivals = &simulate.Arrivals{Load: load, Rate: t.serviceRate, Delay: t.sourceDelay}
	} else {
		t.setup.Load = load
	}
	switch {
	case t.duration > 0:
		t.setup.Duration = t.duration
	case load.Length > 0:
		t.setup.Duration = (load.Length + simulate.Tick - 1) / simulate.Tick * simulate.Tick
	}
	if t.setup.Duration > longestSimulation {
		return cli.Usagef("--%s lasts %s; want --duration, at most %s", t.flag(), cli.Short(load.Length), cli.Short(longestSimulation))
	}
	return t.events()
}

// events reads what happens besides the load.
func (t *task) events() (err error) {
	if t.given("rollout") {
		t.setup.Rollout, err = t.replacement()
		if err == nil {
			err = t.isInTime(t.setup.Rollout.At)
		}
		if err != nil {
			return cli.Usagef("invalid value %s for --rollout: %s", cli.Quote(t.rollout), cli.Clean(err.Error()))
		}
	}
	if t.given("outage") {
		if t.setup.Outage, err = simulate.ParseOutage(t.outage); err == nil {
			err = t.isInTime(t.setup.Outage.At)
		}
		if err != nil {
			return cli.Usagef("invalid value %s for --outage: %s", cli.Quote(t.outage), cli.Clean(err.Error()))
		}
	}
	return nil
}

// replacement reads what --rollout says, and refuses what the kind of the workload cannot do.
func (t *task) replacement() (*simulate.Rollout, error) {
	kind := t.subject.Workload.Kind
	if t.subject.Strategy == nil {
		switch kind.Group {
		case appsv1.GroupName:
			return nil, fmt.Errorf("this %s does not replace its pods when its template changes", kind.Kind)
		default:
			return nil, fmt.Errorf("it is not known how a %s replaces its pods", kind.Kind)
		}
	}
	r, err := simulate.ParseRollout(t.rollout, *t.subject.Strategy)
	if err == nil && kind.Kind == "StatefulSet" && r.Surge != intstr.FromInt32(0) && r.Surge != intstr.FromString("0%") {
		return nil, fmt.Errorf("surge is %s; a StatefulSet has no pods beyond its replicas, so that it can only be 0", r.Surge.String())
	}
	return r, err
}

// isInTime refuses what would begin only after the end of the simulation.
func (t *task) isInTime(at time.Duration) error {
	if at < t.setup.Duration {
		return nil
	}
	return fmt.Errorf("at is %s, and the simulation ends at %s; want a time before that, or a longer --duration", cli.Short(at), cli.Short(t.setup.Duration))
}

// manifest reads the only workload, and what is said beside it, as lint does.
func (t *task) manifest(s cli.Streams) (*lint.Subject, error) {
	from, in := t.file, s.In
	if t.file == "" {
		if from, in = "-", strings.NewReader(builtIn); t.arrivals != "" {
			in = strings.NewReader(builtInWorker)
		}
	}
	o := lint.Read(from, in)
	switch n := len(o.Workloads); {
	case len(o.Unreadable) > 0:
		return nil, cli.Unreadable(errors.New(strings.Join(append([]string{"cannot read the manifest:"}, o.Unreadable...), "\n")))
	case o.Templates > 0:
		return nil, cli.Unreadable(fmt.Errorf("cannot read the manifest %s: it is a template, to be filled in first, as in: helm template . | mini-hpa simulate -f -", inputName(t.file)))
	case n != 1:
		return nil, cli.Unreadable(fmt.Errorf("cannot simulate the manifest %s: %s beside %s; want exactly one (a Deployment, StatefulSet or ReplicaSet, or a custom resource with its CustomResourceDefinition)",
			inputName(t.file), cli.Plural(n, "workload"), cli.Plural(o.Others, "other object")))
	case o.Refused != "":
		return nil, cli.Unreadable(fmt.Errorf("cannot simulate the manifest %s, which cannot be applied:\n%s", inputName(t.file), o.Refused))
	}
	only := o.Workloads[0]
	if w := only.Workload; w.Template == nil || len(w.Template.Spec.Containers) == 0 {
		return nil, cli.Unreadable(fmt.Errorf("cannot simulate the manifest %s: %s %s has no spec.template with containers, so that it is not known what its pods request", inputName(t.file), w.Kind.Kind, cli.Quote(w.Name)))
	}
	t.besides = only.Besides()
	// What kubectl apply would fill in, for the reader's sake.
	only.Workload.Name, only.Workload.Namespace = cmp.Or(only.Workload.Name, "web"), cmp.Or(only.Workload.Namespace, "default")
	return only, nil
}

// curve reads what is asked of the workload.
func (t *task) curve(s cli.Streams, unit simulate.Unit) (simulate.Load, error) {
	if !t.readsCurve() {
		load, err := simulate.ParseShape(t.asked(), unit)
		if err != nil {
			return load, cli.Usagef("invalid value %s for --%s: %s; a file's name has to end in .csv", cli.Quote(t.asked()), t.flag(), cli.Clean(err.Error()))
		}
		return load, nil
	}
	in := s.In
	if t.asked() != "-" {
		file, err := os.Open(t.asked())
		if err != nil {
			return simulate.Load{}, cli.Unreadable(fmt.Errorf("cannot read the %s %s: %w", t.flag(), inputName(t.asked()), cli.Bare(err)))
		}
		defer file.Close()
		in = file
	}
	load, err := simulate.ReadCSV(in, t.asked(), unit, t.interpolation == "step")
	if err != nil {
		return load, cli.Unreadable(fmt.Errorf("cannot read the %s %s: %w", t.flag(), inputName(t.asked()), err))
	}
	return load, nil
}

func inputName(name string) string {
	if name == "-" {
		return "on standard input"
	}
	return cli.Quote(name)
}

// supply gives the containers the requests and limits that LimitRanges would give to those of a new pod.
func supply(spec *corev1.PodSpec, ranges []*corev1.LimitRange) {
	for _, c := range podspec.All(spec) {
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			for _, r := range ranges {
				supplied(&c.Resources, name, r)
			}
		}
	}
}

// supplied adds what is missing of one resource. A limit without a request is also the request, before a LimitRange is considered.
func supplied(r *corev1.ResourceRequirements, name corev1.ResourceName, from *corev1.LimitRange) {
	_, requested := r.Requests[name]
	_, limited := r.Limits[name]
	if request, ok := annotations.DefaultRequest(from, name); ok && !requested && !limited {
		r.Requests = with(r.Requests, name, request)
	}
	if limit, ok := annotations.DefaultLimit(from, name); ok && !limited {
		r.Limits = with(r.Limits, name, limit)
	}
}

func with(list corev1.ResourceList, name corev1.ResourceName, q resource.Quantity) corev1.ResourceList {
	if list == nil {
		list = corev1.ResourceList{}
	}
	list[name] = q
	return list
}
