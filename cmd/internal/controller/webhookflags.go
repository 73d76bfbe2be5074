package controller

import (
	"cmp"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// webhookFlags say where and as whom the webhook answers.
type webhookFlags struct {
	address           string
	certFile, keyFile string
	secret            string
	configuration     string
	service           string
	hosts             []string
	caLife, leafLife  time.Duration
	drain             time.Duration
	// given says whether a flag was set.
	given func(name string) bool
}

func defaultWebhookFlags(address string) webhookFlags {
	return webhookFlags{address: address, secret: "mini-hpa-webhook-ca", configuration: "mini-hpa", service: "mini-hpa-webhook",
		caLife: 365 * 24 * time.Hour, leafLife: 7 * 24 * time.Hour, drain: 10 * time.Second}
}

func (w *webhookFlags) declare(f *pflag.FlagSet) {
	f.Var(cli.Address(&w.address), "webhook-bind-address", "where the admission webhook is served, by TLS; 0 serves none")
	f.StringVar(&w.certFile, "tls-cert-file", "", "`path` of the webhook's certificate, if somebody else makes it (cert-manager, say); it is read again when it changes. Without it mini-hpa makes its own")
	f.StringVar(&w.keyFile, "tls-private-key-file", "", "`path` of the private key of --tls-cert-file")
	f.Var(cli.ObjectName(&w.secret), "webhook-ca-secret", "Secret in which the replicas keep the CA that they share, in the pod's namespace")
	f.Var(cli.ObjectName(&w.configuration), "webhook-configuration", "ValidatingWebhookConfiguration whose caBundle is kept right")
	f.Var(cli.ObjectName(&w.service), "webhook-service", "Service by which the API server reaches the webhook, in the pod's namespace; certificates are for its name")
	f.Var(hostNames(&w.hosts), "webhook-hosts", "more DNS names and IP addresses that certificates are for, where the webhook is called by URL")
	f.Var(cli.Duration(&w.caLife, 10*time.Second, 10*365*24*time.Hour), "webhook-ca-duration", "how long a CA is valid; another one takes over at two thirds of it")
	f.Var(cli.Duration(&w.leafLife, 10*time.Second, 365*24*time.Hour), "webhook-certificate-duration", "how long a replica's certificate is valid; it is renewed at two thirds of it")
	f.Var(cli.Duration(&w.drain, 0, 10*time.Minute), "shutdown-delay-duration",
		"how long the webhook goes on answering after it was told to end, while /readyz fails already: at least what the cluster needs to send nobody here any more, "+
			"and with 10s more at most the pod's terminationGracePeriodSeconds")
	w.given = f.Changed
}

// check holds the flags to each other.
func (w *webhookFlags) check() error {
	if (w.certFile == "") != (w.keyFile == "") {
		return cli.Usagef("--tls-cert-file and --tls-private-key-file belong together: want both or neither")
	}
	for _, name := range []string{"webhook-ca-secret", "webhook-configuration", "webhook-service", "webhook-hosts", "webhook-ca-duration", "webhook-certificate-duration"} {
		if w.certFile != "" && w.given(name) {
			return cli.Usagef("--%s is about certificates that mini-hpa makes, and --tls-cert-file names one that somebody else makes: want one of them", name)
		}
	}
	if w.leafLife > w.caLife && w.given("webhook-certificate-duration") {
		return cli.Usagef("invalid value %q for --webhook-certificate-duration: want at most --webhook-ca-duration (%s)", cli.Short(w.leafLife), cli.Short(w.caLife))
	}
	return nil
}

// names are whom certificates are for, in a namespace.
func (w *webhookFlags) names(namespace string) []string {
	service := w.service + "." + namespace
	return append([]string{service + ".svc", service + ".svc.cluster.local"}, w.hosts...)
}

// hostNames is a list of DNS names and IP addresses, separated by commas.
func hostNames(value *[]string) pflag.Value {
	return cli.Value[[]string]{Var: value, Kind: "hosts", Want: "DNS names and IP addresses, separated by commas",
		Format: func(hosts []string) string { return strings.Join(hosts, ",") },
		Parse: func(s string) ([]string, bool) {
			if s == "" {
				return nil, true
			}
			hosts := strings.Split(s, ",")
			return hosts, !slices.ContainsFunc(hosts, func(host string) bool {
				return net.ParseIP(host) == nil && len(validation.IsDNS1123Subdomain(host)) > 0
			})
		}}
}

// served is the address, disabled if there is none.
func (w *webhookFlags) served() bool { return cmp.Or(w.address, cli.NoAddress) != cli.NoAddress }
