package main

import (
	"bufio"
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	documents "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/scaler/simulate"
)

//go:embed simulate.yaml
var builtIn string

// prepare reads the manifest and the load.
func (t *simulateTask) prepare(s streams) error {
	workload, err := t.manifest(s)
	if err != nil {
		return err
	}
	load, err := t.curve(s)
	if err != nil {
		return err
	}
	t.setup.Workload, t.setup.Load = workload, load
	if err := t.events(workload); err != nil {
		return err
	}
	switch {
	case t.duration > 0:
		t.setup.Duration = t.duration
	case load.Length > 0:
		t.setup.Duration = (load.Length + simulate.Tick - 1) / simulate.Tick * simulate.Tick
	}
	if t.setup.Duration > longestSimulation {
		return usagef("", "the load lasts %s; want --duration, at most %s", short(load.Length), short(longestSimulation))
	}
	return nil
}

// events reads what happens besides the load.
func (t *simulateTask) events(workload *appsv1.Deployment) (err error) {
	if t.rollout != "" {
		if t.setup.Rollout, err = simulate.ParseRollout(t.rollout, workload.Spec.Strategy); err != nil {
			return err
		}
	}
	if t.outage != "" {
		t.setup.Outage, err = simulate.ParseOutage(t.outage)
	}
	return err
}

func (t *simulateTask) manifest(s streams) (*appsv1.Deployment, error) {
	text, err := []byte(builtIn), error(nil)
	if t.file != "" {
		text, err = input(t.file, s)
	}
	var d *appsv1.Deployment
	if err == nil {
		d, err = deployment(text)
	}
	if err != nil {
		return nil, unreadable{fmt.Errorf("cannot read the manifest %s: %w", inputName(t.file), err)}
	}
	return d, nil
}

// deployment finds the only Deployment among the documents of a manifest.
func deployment(text []byte) (*appsv1.Deployment, error) {
	var found []*appsv1.Deployment
	var kinds []string
	r := documents.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for n := 1; ; n++ {
		document, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var meta metav1.TypeMeta
		if err == nil {
			err = yaml.Unmarshal(document, &meta)
		}
		d := &appsv1.Deployment{}
		if err == nil && meta.Kind == "Deployment" {
			found, err = append(found, d), decode(document, meta.APIVersion, d)
		}
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", n, err)
		}
		if meta.Kind != "" {
			kinds = append(kinds, quote(meta.Kind))
		}
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("%d Deployments among its objects (%s); want exactly one", len(found), strings.Join(kinds, ", "))
	}
	return named(found[0]), nil
}

// decode is strict: what is misspelt would be missing from the simulation without a word.
func decode(document []byte, version string, d *appsv1.Deployment) error {
	if want := appsv1.SchemeGroupVersion.String(); version != want {
		return fmt.Errorf("apiVersion of the Deployment is %s; want %q", quote(version), want)
	}
	return yaml.UnmarshalStrict(document, d)
}

// named fills in what kubectl apply would, for the reader's sake.
func named(d *appsv1.Deployment) *appsv1.Deployment {
	if d.Name == "" {
		d.Name = "web"
	}
	if d.Namespace == "" {
		d.Namespace = "default"
	}
	return d
}

// readsCurve says whether the load is one of points, not a shape.
func (t *simulateTask) readsCurve() bool { return t.load == "-" || strings.HasSuffix(t.load, ".csv") }

func (t *simulateTask) curve(s streams) (simulate.Load, error) {
	if !t.readsCurve() {
		load, err := simulate.ParseShape(t.load)
		if err != nil {
			return load, usagef("", "invalid value %s for --load: %s; a file's name has to end in .csv", quote(t.load), clean(err.Error()))
		}
		return load, nil
	}
	text, err := input(t.load, s)
	var load simulate.Load
	if err == nil {
		load, err = simulate.ReadCSV(bytes.NewReader(text), t.load, t.interpolation == "step")
	}
	if err != nil {
		return load, unreadable{fmt.Errorf("cannot read the load %s: %w", inputName(t.load), err)}
	}
	return load, nil
}

// input reads a file, or standard input where its name is -.
func input(name string, s streams) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(s.in)
	}
	text, err := os.ReadFile(name)
	if path := (*os.PathError)(nil); errors.As(err, &path) {
		return nil, path.Err // it is named by the caller
	}
	return text, err
}

func inputName(name string) string {
	if name == "-" {
		return "on standard input"
	}
	return quote(name)
}

// policy reads the annotations of a variant.
func (t *simulateTask) policy(v *variant, s streams) (annotations.Policy, error) {
	policy, err := t.decision.policy(v.setup.Workload.Annotations, func(warning string) {
		fmt.Fprintf(s.err, "mini-hpa simulate: %s: warning: %s\n", v.name, warning)
	})
	if err != nil {
		return policy, unreadable{fmt.Errorf("cannot simulate deployment %s %s: its annotations are invalid:\n%w",
			v.setup.Workload.Namespace+"/"+v.setup.Workload.Name, v.name, err)}
	}
	return policy, nil
}
