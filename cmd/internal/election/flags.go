package election

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/tools/leaderelection"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
)

// Flags are kube-controller-manager's, with its defaults.
type Flags struct {
	Enabled                                   bool
	leaseDuration, RenewDeadline, RetryPeriod time.Duration
	name, Namespace                           string
}

// DefaultFlags are kube-controller-manager's.
func DefaultFlags() Flags {
	return Flags{Enabled: true, leaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second,
		RetryPeriod: 2 * time.Second, name: "mini-hpa"}
}

// Declare adds the flags to f.
func (e *Flags) Declare(f *pflag.FlagSet) {
	f.BoolVar(&e.Enabled, "leader-elect", e.Enabled, "work only while holding a lease, so that several replicas can run; false only where there is never more than one")
	f.Var(cli.Seconds(&e.leaseDuration, 2*time.Second, time.Hour), "leader-elect-lease-duration",
		"how long a lease that is not renewed keeps others out")
	f.Var(cli.Duration(&e.RenewDeadline, time.Second, time.Hour), "leader-elect-renew-deadline",
		"how long the leader tries to renew before it stops working; shorter than the lease")
	f.Var(cli.Duration(&e.RetryPeriod, 100*time.Millisecond, time.Hour), "leader-elect-retry-period", "pause between two tries to renew the lease, and between two looks of a standby at it")
	f.Var(cli.ObjectName(&e.name), "leader-elect-resource-name", "name of the Lease")
	f.Var(cli.Namespace(&e.Namespace), "leader-elect-resource-namespace", "namespace of the Lease; without it the pod's, else the context's")
}

// Check holds the periods to each other as client-go demands.
func (e *Flags) Check() error {
	slowest := time.Duration(leaderelection.JitterFactor * float64(e.RetryPeriod))
	switch {
	case e.RenewDeadline >= e.leaseDuration:
		return cli.Usagef("invalid value %q for --leader-elect-renew-deadline: want less than --leader-elect-lease-duration (%s)",
			cli.Short(e.RenewDeadline), cli.Short(e.leaseDuration))
	case slowest >= e.RenewDeadline:
		return cli.Usagef("invalid value %q for --leader-elect-retry-period: want less than --leader-elect-renew-deadline (%s) divided by %v",
			cli.Short(e.RetryPeriod), cli.Short(e.RenewDeadline), leaderelection.JitterFactor)
	}
	return nil
}

// identity is this process' name in the lease, which begins with its pod's, so that the pod can be found by it. A host may run several, and a restarted one
// is another: it does not remember what the one before it did.
func identity() (string, error) {
	host, err := cluster.Host()
	if err != nil {
		return "", fmt.Errorf("cannot find the name of this host for the leader election: %w", err)
	}
	return host + "_" + string(uuid.NewUUID()), nil
}
