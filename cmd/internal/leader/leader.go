// Package leader finds the controller that leads, and asks it with the rights of a user.
package leader

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/pflag"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cluster"
	"github.com/mini-hpa/mini-hpa/cmd/internal/state"
	"github.com/mini-hpa/mini-hpa/scaler"
)

// Flags say where the controller is.
type Flags struct {
	// Lease is the one by which its replicas elect their leader.
	Lease types.NamespacedName
	// Port is where it can be asked, on the loopback of its pod.
	Port int
}

// DefaultFlags are those of the chart, installed as mini-hpa in namespace mini-hpa.
func DefaultFlags() Flags {
	return Flags{Lease: types.NamespacedName{Namespace: "mini-hpa", Name: "mini-hpa"}, Port: state.DefaultPort}
}

// Declare adds the flags to f.
func (l *Flags) Declare(f *pflag.FlagSet) {
	f.Var(cli.Value[types.NamespacedName]{Var: &l.Lease, Kind: "namespace/name", Format: types.NamespacedName.String,
		Want: "NAMESPACE/NAME of a Lease, such as mini-hpa/mini-hpa",
		Parse: func(s string) (types.NamespacedName, bool) {
			namespace, name, _ := strings.Cut(s, "/")
			return types.NamespacedName{Namespace: namespace, Name: name}, len(validation.IsDNS1123Label(namespace)) == 0 && len(validation.IsDNS1123Subdomain(name)) == 0
		}}, "controller", "the Lease of the controller, which names the pod that is asked")
	f.Var(cli.Count(&l.Port, 1, 65535), "state-port", "where that pod can be asked (controller --state-bind-address)")
}

// Leader is the controller that leads, or why it cannot be asked.
type Leader struct {
	// Head is what it says of itself; nil if it cannot be asked.
	Head *state.Head
	// Vacant says that nobody leads, since then; zero if that is not known.
	Vacant bool
	Since  time.Time
	// Holder is who leads by the Lease, Why why that one cannot be asked, or is not known.
	Holder, Why string
	// Began is since when the holder has led; zero if that is not known.
	Began time.Time

	client *http.Client
	base   string
	tunnel io.Closer
}

// patience is how long the way to the leader may take, and each of its answers.
const patience = 10 * time.Second

// Find looks into the Lease and asks the pod that it names: on this host itself, such as in that pod, else by a port-forward.
func (l *Flags) Find(ctx context.Context, config *rest.Config) *Leader {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return &Leader{Why: err.Error()}
	}
	lease, err := client.CoordinationV1().Leases(l.Lease.Namespace).Get(ctx, l.Lease.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return &Leader{Why: fmt.Sprintf("there is no Lease %s in namespace %s; --controller names another", cli.Quote(l.Lease.Name), cli.Quote(l.Lease.Namespace))}
	}
	if err != nil {
		return &Leader{Why: fmt.Sprintf("the Lease %s cannot be read: %v", l.Lease, err)}
	}
	found := Held(lease, time.Now())
	if found.Holder == "" {
		return found
	}
	host, _, _ := strings.Cut(found.Holder, "_")
	if here, err := cluster.Host(); err == nil && here == host && found.reach(ctx, &http.Transport{}, l.Port) == nil {
		return found
	}
	tunnel := newTunnel(config, l.Lease.Namespace, host, l.Port)
	if err := found.reach(ctx, &http.Transport{DialContext: tunnel.dial}, l.Port); err != nil {
		err = errors.Join(err, tunnel.Close())
		found.Why = strings.ReplaceAll(err.Error(), "\n", "; ")
		return found
	}
	found.tunnel = tunnel
	return found
}

// Held is what a Lease says. One that has expired by our clock still names its holder, who is asked: our clock may be wrong.
func Held(lease *coordinationv1.Lease, now time.Time) *Leader {
	var found Leader
	spec := &lease.Spec
	if spec.RenewTime != nil {
		found.Since = spec.RenewTime.Time
	}
	if spec.HolderIdentity != nil {
		found.Holder = *spec.HolderIdentity
	}
	if spec.AcquireTime != nil {
		found.Began = spec.AcquireTime.Time
	}
	lasts := 15 * time.Second
	if spec.LeaseDurationSeconds != nil {
		lasts = time.Duration(*spec.LeaseDurationSeconds) * time.Second
	}
	found.Vacant = found.Holder == "" || now.Sub(found.Since) > lasts
	return &found
}

// reach asks for the head.
func (l *Leader) reach(ctx context.Context, transport *http.Transport, port int) error {
	transport.Proxy, transport.DisableCompression = nil, true
	l.client, l.base = &http.Client{Transport: transport, Timeout: patience}, fmt.Sprintf("http://127.0.0.1:%d", port)
	var page state.Page
	if err := l.Get(ctx, state.PathAll, url.Values{state.ParamLimit: {"1"}}, &page); err != nil {
		l.client = nil
		return err
	}
	if page.Identity != l.Holder {
		l.client = nil
		return fmt.Errorf("%s answers in the place of %s", cli.Quote(page.Identity), cli.Quote(l.Holder))
	}
	l.Head, l.Vacant = &page.Head, false
	return nil
}

// ErrUnknown is the answer that a workload is not scaled.
var ErrUnknown = errors.New("the controller does not scale it")

// Get asks for a path. The error is ErrUnknown if there is no such workload.
func (l *Leader) Get(ctx context.Context, path string, query url.Values, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.base+path+"?"+query.Encode(), http.NoBody)
	if err != nil {
		return fmt.Errorf("cannot ask the controller: %w", err)
	}
	answer, err := l.client.Do(request)
	if err != nil {
		return fmt.Errorf("cannot ask the controller: %w", err)
	}
	defer answer.Body.Close()
	decoder := json.NewDecoder(answer.Body)
	if answer.StatusCode == http.StatusOK {
		if err := decoder.Decode(into); err != nil {
			return fmt.Errorf("cannot read the controller's answer: %w", err)
		}
		return nil
	}
	var failure state.Failure
	if err := decoder.Decode(&failure); err != nil {
		return fmt.Errorf("the controller answers %s", answer.Status)
	}
	if answer.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%w: %s", ErrUnknown, failure.Error)
	}
	return fmt.Errorf("the controller answers %d: %s", answer.StatusCode, failure.Error)
}

// All are the workloads that the query asks for, page by page.
func (l *Leader) All(ctx context.Context, query url.Values) ([]scaler.Status, error) {
	asked := url.Values{}
	for name, values := range query {
		asked[name] = values
	}
	var all []scaler.Status
	for {
		var page state.Page
		if err := l.Get(ctx, state.PathAll, asked, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Continue == "" {
			l.Head = &page.Head
			return all, nil
		}
		asked.Set(state.ParamContinue, page.Continue)
	}
}

// Close ends the port-forward, if there is one.
func (l *Leader) Close() {
	if l.client != nil {
		l.client.CloseIdleConnections()
	}
	if l.tunnel != nil {
		_ = l.tunnel.Close() // nothing is written through it
	}
}

// Pod is the host of the leader, which in a cluster is its pod.
func (l *Leader) Pod() string {
	host, _, _ := strings.Cut(l.Holder, "_")
	return host
}

// Source says in a line where an answer comes from, which is as old as it says.
func (l *Leader) Source(age time.Duration) string {
	if l.Head != nil {
		return fmt.Sprintf("source: leader %s, %s ago", l.Pod(), max(age, 0).Truncate(time.Second))
	}
	return "source: computed here; " + l.Absence()
}

// Absence says why the leader has not been asked.
func (l *Leader) Absence() string {
	switch {
	case l.Vacant:
		return l.Vacancy() + ", nothing will be scaled"
	case l.Holder != "":
		return fmt.Sprintf("the leader %s cannot be asked: %s", l.Pod(), l.Why)
	}
	return "it is not known whether a controller leads: " + l.Why
}

// Vacancy says since when nobody leads.
func (l *Leader) Vacancy() string {
	if l.Since.IsZero() {
		return "no controller leads"
	}
	return "no controller leads since " + l.Since.Local().Format("15:04:05")
}
