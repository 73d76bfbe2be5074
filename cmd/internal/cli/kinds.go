package cli

import (
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Kinds is a list of kinds of custom resources, separated by commas, by the names of their CustomResourceDefinitions. Those that are built
// in are not among them.
func Kinds(value *[]schema.GroupResource) Value[[]schema.GroupResource] {
	return Value[[]schema.GroupResource]{Var: value, Kind: "kinds",
		Want: "names of CustomResourceDefinitions, separated by commas, such as rollouts.argoproj.io; Deployments, StatefulSets and ReplicaSets need not be named",
		Format: func(kinds []schema.GroupResource) string {
			names := make([]string, len(kinds))
			for i, k := range kinds {
				names[i] = k.String()
			}
			return strings.Join(names, ",")
		},
		Parse: func(s string) ([]schema.GroupResource, bool) {
			if s == "" {
				return nil, true
			}
			var kinds []schema.GroupResource
			for name := range strings.SplitSeq(s, ",") {
				kind := schema.ParseGroupResource(name)
				valid := len(validation.IsDNS1035Label(kind.Resource)) == 0 && len(validation.IsDNS1123Subdomain(kind.Group)) == 0
				if !valid || kind.Group == appsv1.GroupName || slices.Contains(kinds, kind) {
					return nil, false
				}
				kinds = append(kinds, kind)
			}
			return kinds, true
		}}
}
