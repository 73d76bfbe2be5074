// Package get is the command that lists the workloads that are scaled, and how each of them stands.
package get

import (
	"context"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/leader"
)

const about = `Lists the workloads that mini-hpa scales: what each metric measures and what it is held at, the bounds, the replicas and how many
of them are ready, how many the metrics ask for, and in a word how it stands, with the reason. States, the worst first:

    DOWN         no controller leads, so nothing is scaled
    BLIND        a metric cannot be evaluated; where that is because no pod has come, it is STARVED
    INVALID      the annotations or the pod template have errors
    CONFLICT     another autoscaler scales it, too
    DENIED       the API server refuses the write of the replicas
    STARVED      replicas are asked for and have not come for a minute; where some do come, it is another state for a while after each of them
    OVERWRITTEN  somebody else has set the replicas in the last five minutes
    LIMITED      the load asks for more than mini-hpa/max
    HOLDING      a stabilization window holds a change back
    RAMPING      the scaling policies let the replicas change no faster
    WAITING      nothing is decided, because the pods have no samples yet
    OBSERVE      mini-hpa/mode is observe
    PAUSED       mini-hpa/mode is paused
    OFF          somebody has set 0 replicas, or mini-hpa/max is 0
    ASLEEP       there are 0 replicas because there is nothing to do
    OK           none of these
    ?            it is not known to you

The controller that leads is asked, by a port-forward with your own rights: that takes the rights to get the Lease in its namespace
and to create pods/portforward there. Without them, or if nobody leads, the same is computed here, of what you may list and watch: the workloads,
ReplicaSets and Pods, and pods.metrics.k8s.io. The first line says which. What only the controller remembers or can ask, such as when it last
scaled, its windows, and the sources of mini-hpa/sources, is not known then. Rights that you lack are not told as the state of a workload.

With --watch the leader is asked every 2 seconds, and it is computed here every 15, or less often where that takes long.

With --problem only workloads in a state above HOLDING are listed; the exit code is 1 if there are any.`

// Command is the row of the table of commands.
func Command() cli.Command {
	return cli.Command{
		Name:     "get",
		Args:     "[[KIND/]NAME...]",
		Summary:  "list the workloads that are scaled, and how each of them stands",
		About:    about,
		Complete: cluster.Complete,
		Task: func() cli.Task {
			return &task{decision: cli.DefaultDecisionFlags(), api: cluster.DefaultAPIFlags(), leader: leader.DefaultFlags(), sortBy: "namespace"}
		},
	}
}

// Run asks once, or again and again.
func (t *task) Run(ctx context.Context, args []string, s cli.Streams) error {
	wanted, err := wantedOf(args)
	if err != nil {
		return err
	}
	found, err := t.cluster.ForAnswer(s, t.namespace)
	if err != nil {
		return err
	}
	scope := found.Namespace
	if t.all {
		scope = ""
	}
	a := Asker{task: t, target: found, scope: scope, wanted: wanted}
	defer a.Close()
	fleet, err := a.Ask(ctx)
	if err != nil {
		return err
	}
	if err := fleet.write(s.Out, t.output, t.all); err != nil {
		return err
	}
	if t.watch {
		return a.follow(ctx, s.Out, fleet)
	}
	if t.problem && len(fleet.Items) > 0 {
		return cli.ErrReported
	}
	return wanted.missing(fleet.Items)
}
