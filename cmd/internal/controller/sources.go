package controller

import (
	"context"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/informer"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
)

// sourcesFlag says where the file of sources is.
type sourcesFlag struct{ path string }

func (s *sourcesFlag) declare(f *pflag.FlagSet) {
	f.StringVar(&s.path, "sources", "", "`file` of the systems that lines of mini-hpa/sources may name; it is read again when it changes, and one that is not right changes nothing")
}

// open reads the file. Whoever connects asks the sources; the others only know what there is. Of env there are the parts of it that not all
// processes have.
func (s *sourcesFlag) open(connects bool, env sources.Env, t *telemetry, log *zap.Logger, changed func()) *sources.Set {
	env.Log, env.ReadFile = log.Named("sources"), sources.ReadFile
	return sources.NewSet(sources.SetConfig{Path: s.path, Connect: connects, OnChange: changed, Telemetry: sources.NewTelemetry(t.registry), Env: env})
}

// addressesOf says which addresses are those of a host, as a client's configuration names it: no source may be there. A name that cannot be
// resolved may be anything.
func addressesOf(host string) func(netip.AddrPort) bool {
	at, err := url.Parse(host)
	if err != nil || at.Host == "" {
		if at, err = url.Parse("https://" + host); err != nil {
			return nil
		}
	}
	port := at.Port()
	switch {
	case port != "":
	case at.Scheme == "http":
		port = "80"
	default:
		port = "443"
	}
	return func(to netip.AddrPort) bool {
		if n, err := net.DefaultResolver.LookupPort(context.Background(), "tcp", port); err != nil || n != int(to.Port()) {
			return false
		}
		if address, err := netip.ParseAddr(at.Hostname()); err == nil {
			return address.Unmap() == to.Addr()
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", at.Hostname())
		return err != nil || slices.ContainsFunc(all, func(address netip.Addr) bool { return address.Unmap() == to.Addr() })
	}
}

// together are the metrics APIs of the cluster, and the sources of the file.
func together(apis, own map[string]metrics.Source) map[string]metrics.Source {
	all := maps.Clone(own)
	maps.Copy(all, apis)
	return all
}

// surroundings are what bears on workloads, in the cluster and in the file of sources.
type surroundings struct {
	*informer.Neighbors
	sources *sources.Set
	// requests is nil in a process that does not know what there is for requests.
	requests *requestsAround
}

// Surroundings returns them for one workload, in the form that is looked at and, if there is one, the form before. They are shared: read-only.
func (s surroundings) Surroundings(w, before *annotations.Workload) annotations.Surroundings {
	all := s.Neighbors.Surroundings(w.Key)
	all.Sources = s.sources.Catalog()
	forms := []*annotations.Workload{w}
	if before != nil {
		forms = append(forms, before)
	}
	s.requests.add(forms, &all)
	return all
}
