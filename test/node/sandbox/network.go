//go:build linux

package sandbox

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// bridge carries the node's address: unlike loopback, pods can reach it. A dummy device would do, but not every kernel has one.
const bridge = "br0"

// connect gives the new network namespace a loopback, an address and a default route, which the node's programs look for. Nothing
// is behind the route.
func connect() error {
	for _, line := range []string{
		"link set lo up",
		"link add " + bridge + " type bridge",
		"address add " + Subnet + " dev " + bridge,
		"link set " + bridge + " up",
		"route add default dev " + bridge + " src " + Address,
	} {
		out, err := exec.CommandContext(context.Background(), "ip", strings.Fields(line)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %s: %w: %s", line, err, strings.TrimSpace(string(out)))
		}
	}
	// From pod to pod by way of the node, in this namespace only.
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o600); err != nil {
		return fmt.Errorf("switch forwarding on: %w", err)
	}
	return nil
}
