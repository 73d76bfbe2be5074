package stage

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// Events is the Events section of kubectl describe of a workload. It is empty where there is no kubectl.
func (s *Stage) Events(ctx context.Context, workload string) (string, error) {
	if s.Kubectl == "" {
		return "", nil
	}
	out, err := output(exec.CommandContext(ctx, s.Kubectl, "--kubeconfig="+s.Kubeconfig, "--namespace="+s.Namespace,
		"describe", "deployment", workload))
	if err != nil {
		return "", fmt.Errorf("could not describe %s: %w", workload, err)
	}
	return eventsOf(out), nil
}

// eventsOf is the last section of a description.
func eventsOf(description string) string {
	const section = "\nEvents:"
	if at := strings.LastIndex(description, section); at >= 0 {
		return description[at+1:]
	}
	return description
}
