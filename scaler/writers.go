package scaler

import (
	"cmp"
	"fmt"
	"iter"
	"strings"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// writer is who has set the replicas last, as managedFields have it.
func writer(w *annotations.Workload) string {
	if by := managers(w); by != "" {
		return fmt.Sprintf("field manager %q", cut(by, maxQuoted))
	}
	return "somebody whom managedFields do not name"
}

// managers are the field managers that have set the replicas last, separated by commas; empty if that is not known. Where several have set the same number, it is who has
// by the scale subresource: the manifests of the others may be older.
func managers(w *annotations.Workload) string { return cmp.Or(w.ScaledBy, w.SetBy) }

// class is what kind of tool somebody has set the replicas with. A field manager calls itself as it likes, so that its name is no label.
type class uint8

const (
	classUnknown class = iota
	classOther
	classKubectl
	classHelm
	classArgoCD
	classFlux
	classHPA
	classKEDA
	classCount
)

// String is the value of the label.
func (c class) String() string {
	return [classCount]string{"unknown", "other", "kubectl", "helm", "argocd", "flux", "hpa", "keda"}[c]
}

// classOf is the class of who has set the replicas last, as managedFields have it. If several have, it is that of the first whose class is known.
func classOf(w *annotations.Workload) class {
	found := classUnknown
	for manager := range strings.SplitSeq(managers(w), ", ") {
		if found = classOfManager(strings.ToLower(manager)); found > classOther {
			return found
		}
	}
	return found
}

// classOfManager goes by the names that the tools give themselves, or that API servers give them by the program.
func classOfManager(manager string) class {
	name, _, _ := strings.Cut(manager, "-") // kubectl-client-side-apply, argocd-controller, flux-client-side-apply
	switch {
	case manager == "":
		return classUnknown
	case manager == "kustomize-controller", manager == "helm-controller", name == "flux":
		return classFlux
	case manager == "kube-controller-manager":
		return classHPA
	case name == "kubectl":
		return classKubectl
	case name == "helm":
		return classHelm
	case name == "argocd":
		return classArgoCD
	case name == "keda":
		return classKEDA
	}
	return classOther
}

// overwrites is how often somebody else has set the replicas, by class; nil is never.
type overwrites [classCount]uint32

// and is one more.
func (o *overwrites) and(by class) *overwrites {
	var next overwrites
	if o != nil {
		next = *o
	}
	next[by]++
	return &next
}

// all are those that there were.
func (o *overwrites) all() iter.Seq2[class, uint32] {
	return func(yield func(class, uint32) bool) {
		if o == nil {
			return
		}
		for by, n := range o {
			if n > 0 && !yield(class(by), n) { //nolint:gosec // there are few classes
				return
			}
		}
	}
}
