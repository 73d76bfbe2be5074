package migrate

import (
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/hpa"
)

// lineage knows which object controls which, among what was read.
type lineage struct{ byUID map[types.UID]*object }

func lineageOf(all *objects) lineage {
	l := lineage{map[types.UID]*object{}}
	for _, o := range all.objects {
		if uid := o.meta().GetUID(); uid != "" {
			l.byUID[uid] = o
		}
	}
	return l
}

// longestChain is how many controller references are followed from an object, as the controller does. References in a circle end there, too.
const longestChain = 8

const owners = "metadata.ownerReferences"

// outer is what there is to say of an annotated object that the controller leaves alone, because another one is scaled in its place (docs/kinds.md); nil if it
// is scaled itself.
func (l lineage) outer(o *object) *hpa.Remark {
	remark := func(path, value, why string) *hpa.Remark {
		return &hpa.Remark{Path: path, Value: value, Why: why, Lost: o.isAsked}
	}
	owner := metav1.GetControllerOfNoCopy(o.meta())
	if isLeftAlone(o) {
		if owner == nil {
			return remark("metadata.annotations", "", "say that a Deployment has made it, and the next one adopts it: mini-hpa never scales it, and no HPA is made")
		}
		return remark(owners, owner.Kind+" "+owner.Name, "controls it, so that mini-hpa never scales it, and no HPA is made")
	}
	var outermost *object
	for range longestChain {
		if owner == nil || l.byUID[owner.UID] == nil || l.byUID[owner.UID] == o {
			break
		}
		above := l.byUID[owner.UID]
		if annotations.Selected(above.annotations()) {
			outermost = above
		}
		owner = metav1.GetControllerOfNoCopy(above.meta())
	}
	if outermost == nil {
		return nil
	}
	return remark(owners, outermost.Kind+" "+outermost.Name, "controls it and is annotated, too: mini-hpa scales that alone, and no HPA is made of this one")
}

// isLeftAlone says whether an object is a ReplicaSet that is never scaled.
func isLeftAlone(o *object) bool {
	version, _ := schema.ParseGroupVersion(o.APIVersion)
	return version.Group == appsv1.GroupName && o.Kind == "ReplicaSet" && annotations.IsLeftAlone(o.meta())
}
