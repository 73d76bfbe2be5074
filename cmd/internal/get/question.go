package get

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/leader"
)

// Question is what this command asks, for another one that asks the same: how the workloads of a scope stand.
type Question struct {
	Target cluster.Target
	// Namespace is the scope; empty for all namespaces.
	Namespace string
	API       cluster.APIFlags
	// Decision, Kinds and Class are the controller's, for where it cannot be asked.
	Decision cli.DecisionFlags
	Kinds    []schema.GroupResource
	Class    string
	Leader   leader.Flags
}

// Asker asks it, again and again. It lists the workloads in the worst states first.
func (q *Question) Asker() *Asker {
	return &Asker{target: q.Target, scope: q.Namespace, task: &task{api: q.API, decision: q.Decision, kinds: q.Kinds, class: q.Class, leader: q.Leader, sortBy: "state"}}
}
