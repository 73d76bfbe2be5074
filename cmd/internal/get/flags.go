package get

import (
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/leader"
)

type task struct {
	cluster   cluster.Flags
	api       cluster.APIFlags
	decision  cli.DecisionFlags
	leader    leader.Flags
	namespace string
	all       bool
	selector  labels.Selector
	watch     bool
	problem   bool
	sortBy    string
	output    string
	kinds     []schema.GroupResource
	class     string
}

func (t *task) Declare(f *pflag.FlagSet) {
	f.VarP(cli.Namespace(&t.namespace), "namespace", "n", "the workloads' namespace; without it the context's")
	f.BoolVarP(&t.all, "all-namespaces", "A", false, "the workloads of all namespaces")
	f.VarP(selectorFlag(&t.selector), "selector", "l", "only workloads with such labels; custom resources are left out")
	f.BoolVarP(&t.watch, "watch", "w", false, "go on, and print each workload again whose numbers or state change")
	f.BoolVar(&t.problem, "problem", false, "only workloads with which something is wrong")
	f.Var(cli.OneOf(&t.sortBy, sortable()...), "sort-by", "by which column the table is ordered; by state the worst come first")
	f.VarP(outputFlag(&t.output), "output", "o", "the table if empty; wide adds when and why it was decided")
	t.declareWhere(f)
}

// declareWhere declares whom to ask.
func (t *task) declareWhere(f *pflag.FlagSet) {
	t.leader.Declare(f)
	f.Var(cli.Kinds(&t.kinds), "kinds", "the custom resources that the controller scales, where it is not asked; see controller")
	f.Var(cli.Class(&t.class), "class", "the class of the workloads that the controller scales, where it is not asked; see controller")
	t.cluster.Declare(f, "KUBECONFIG, ~/.kube/config or the pod's service account")
	t.api.DeclareTimeout(f)
}

// selectorFlag is a selector of labels; nil selects all.
func selectorFlag(value *labels.Selector) cli.Value[labels.Selector] {
	return cli.Value[labels.Selector]{Var: value, Kind: "selector", Want: "a selector of labels as kubectl's, such as app=web,tier!=cache",
		Format: func(s labels.Selector) string {
			if s == nil {
				return ""
			}
			return s.String()
		},
		Parse: func(s string) (labels.Selector, bool) {
			selector, err := labels.Parse(s)
			return selector, err == nil
		}}
}
