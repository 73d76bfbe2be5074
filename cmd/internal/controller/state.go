package controller

import (
	"fmt"
	"net"
	"os"

	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/endpoint"
	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
)

// stateFlag says where the controller can be asked how the workloads stand.
type stateFlag struct{ address string }

const stateFlagName = "state-bind-address"

// defaultStateFlag is where the other commands look for it.
func defaultStateFlag() stateFlag {
	return stateFlag{address: fmt.Sprintf("127.0.0.1:%d", state.DefaultPort)}
}

func (s *stateFlag) declare(f *pflag.FlagSet) {
	const want = "127.0.0.1:port, [::1]:port or localhost:port with a port from 0 to 65535 (0 picks a free one), or 0 to serve nothing"
	anywhere := cli.Address(&s.address)
	f.Var(cli.Text(&s.address, "address", want, func(address string) bool {
		host, _, _ := net.SplitHostPort(address)
		ip := net.ParseIP(host)
		return address == cli.NoAddress || anywhere.Set(address) == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
	}), stateFlagName, "where \"mini-hpa get\" and others ask how the workloads stand, on loopback only: they come by a port-forward; 0 serves nothing")
}

// open opens the port on which the controller can be asked. Scaling does not depend on it, so a port that is taken, as it may be with
// hostNetwork, ends nothing. Of traces it also serves the files, if something is recorded into that directory.
func (s *stateFlag) open(p *process, head func() state.Head, traces string) {
	h := state.Handler(head, func() state.Teller { return p.scaler }, p.ports.sources)
	if traces != "" {
		if dir, err := os.OpenRoot(traces); err == nil { // which the recorder has made
			h = state.WithTraces(h, dir.FS())
		}
	}
	e, err := endpoint.Listen(stateFlagName, s.address, h, p.log)
	if err != nil {
		p.log.Warn("nobody can ask how the workloads stand; scaling goes on", zap.Error(err))
	}
	if e != nil {
		p.ports.endpoints = append(p.ports.endpoints, e)
	}
}
