//go:build linux

package machine

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// Describe is what a person would look at when pods of a namespace do not come up: them and their Events.
func (m *Machine) Describe(ctx context.Context, namespace string) string {
	ctx = context.WithoutCancel(ctx) // it is asked for when something has taken too long
	var text strings.Builder
	for _, args := range [][]string{
		{"get", "pods", "--output=wide"}, {"get", "events", "--sort-by=.lastTimestamp"},
	} {
		args = append(args, "--namespace="+namespace, "--kubeconfig="+m.Cluster.Kubeconfig())
		out, err := exec.CommandContext(ctx, m.Programs["kubectl"], args...).CombinedOutput()
		if err != nil {
			fmt.Fprintln(&text, err)
		}
		text.Write(out)
	}
	return text.String()
}
