package cli

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Workload is a workload as a user names it, without its namespace.
type Workload struct {
	// Resource is its kind as it is named in the API.
	Resource schema.GroupResource
	Name     string
}

// String is the workload as kubectl takes it: "deployments.apps/web".
func (w Workload) String() string { return w.Resource.String() + "/" + w.Name }

// builtin are the names that kubectl has for the built-in kinds, without their group.
var builtin = map[string]string{
	"deploy": "deployments", "deployment": "deployments", "deployments": "deployments",
	"sts": "statefulsets", "statefulset": "statefulsets", "statefulsets": "statefulsets",
	"rs": "replicasets", "replicaset": "replicasets", "replicasets": "replicasets",
}

const oneWorkload = "want one workload, such as deploy/web, sts/db or rollouts.argoproj.io/web"

// WorkloadsOf reads KIND/NAME... and KIND NAME..., in the forms in which kubectl users write it; a name alone is that of a Deployment. The verb says in
// errors what was to be done with them: "explain".
func WorkloadsOf(args []string, verb string) ([]Workload, error) {
	if len(args) == 0 {
		return nil, Usagef("nothing to %s; %s", verb, oneWorkload)
	}
	kind := "deployment"
	if len(args) > 1 && !slices.ContainsFunc(args, func(arg string) bool { return strings.Contains(arg, "/") }) && IsKind(args[0]) {
		kind, args = args[0], args[1:]
	}
	all := make([]Workload, 0, len(args))
	for _, arg := range args {
		of, name, slash := strings.Cut(arg, "/")
		if !slash {
			of, name = kind, arg
		}
		w, err := workloadOf(of, name, arg, verb)
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

// OneWorkload is WorkloadsOf where there can be one only.
func OneWorkload(args []string, verb string) (Workload, error) {
	if len(args) == 2 && !strings.Contains(args[0]+args[1], "/") {
		args = []string{args[0] + "/" + args[1]}
	}
	all, err := WorkloadsOf(args, verb)
	switch {
	case err != nil:
		return Workload{}, err
	case len(all) > 1:
		return Workload{}, Usagef("unexpected argument %s; %s", Quote(args[1]), oneWorkload)
	}
	return all[0], nil
}

// IsKind says whether a word that stands before names is a kind: a custom resource is named in full.
func IsKind(word string) bool {
	resource, _, full := strings.Cut(strings.ToLower(word), ".")
	return builtin[resource] != "" || full
}

func workloadOf(kind, name, arg, verb string) (Workload, error) {
	kind = strings.ToLower(kind)
	resource, group, _ := strings.Cut(kind, ".")
	w := Workload{Resource: schema.GroupResource{Group: group, Resource: resource}, Name: name}
	switch plural, known := builtin[resource]; {
	case known && (group == "" || group == "apps" || group == "v1.apps"):
		w.Resource = schema.GroupResource{Group: "apps", Resource: plural}
	case group == "":
		return Workload{}, Usagef("cannot %s %s: no kind that mini-hpa scales is called %s; a custom resource is named in full; %s", verb, Quote(arg), Quote(kind), oneWorkload)
	case len(validation.IsDNS1123Subdomain(kind)) > 0:
		return Workload{}, Usagef("cannot %s %s: %s is not the name of a kind; %s", verb, Quote(arg), Quote(kind), oneWorkload)
	}
	if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
		return Workload{}, Usagef("%s is not the name of a workload (%s); %s", Quote(name), problems[0], oneWorkload)
	}
	return w, nil
}
