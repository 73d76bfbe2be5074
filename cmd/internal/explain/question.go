package explain

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/leader"
	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
)

// Question is what this command asks, for another one that asks the same: why a workload has the replicas it has.
type Question struct {
	Target cluster.Target
	API    cluster.APIFlags
	// Decision and Kinds are the controller's, for where it cannot be asked.
	Decision cli.DecisionFlags
	Kinds    []schema.GroupResource
}

// Ask asks the leader, and looks from outside where that cannot be asked, or has decided nothing. The error is why the workload is not
// scaled, or what of it is not known.
func (q *Question) Ask(ctx context.Context, l *leader.Leader, key annotations.Key) (*Answer, error) {
	e := task{api: q.API, decision: q.Decision, kinds: q.Kinds}
	a, err := e.now(ctx, q.Target, l, objectAt(key))
	return &a, err
}

// Read asks the API server for the workload itself.
func Read(ctx context.Context, api cluster.Clients, key annotations.Key) (*annotations.Workload, error) {
	o := objectAt(key)
	return o.read(ctx, api)
}

func objectAt(key annotations.Key) object {
	return object{resource: schema.ParseGroupResource(state.Resource(key)), namespace: key.Namespace, name: key.Name}
}
