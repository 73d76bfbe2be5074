package e2e

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/test/controlplane/loadsim"
)

// night is a cluster in which one thing after the other goes wrong, and somebody who finds out what with the program alone.
type night struct {
	*admission
	namespace  string
	kubeconfig string
	// where are the flags that lead to the controller of the test.
	where []string
	// webhook is the address at which nobody answers.
	webhook string
}

// TestIncidents: what somebody types when something is wrong, and what he reads. Incidents that TestFleet has are not here. docs/symptoms.md shows parts of the
// golden files.
func TestIncidents(t *testing.T) {
	t.Parallel()
	n := &night{admission: newAdmission(t), webhook: freeAddress(t), namespace: strings.ToLower(t.Name())}
	n.space(t, n.namespace, true)
	n.configure(t, fmt.Sprintf(`{"clientConfig":{"service":null,"url":"https://%s/validate-workloads"}}`, n.webhook))
	n.moreNodes(t, 3)
	n.setQueue("orders", 10)
	cpu := map[string]string{"target-cpu": "50", "max": "10", "sync-period": "1s"}
	n.deploy(t, n.namespace, "web", 2, 1000, cpu)
	worker := n.deploy(t, n.namespace, "worker", 1, 0, asking(external("orders", "10"), map[string]string{"scale-down-stabilization": "1s", "scale-up-policies": "10 pods/1s"}))
	n.setQueue("mails", 40)
	// Who overwrites it twice within two of these periods does so again and again.
	reset := n.deploy(t, n.namespace, "reset", 4, 0, asking(external("mails", "10"), map[string]string{"sync-period": "5s"}))
	n.apart(t, "geo", 3, 4000, cpu)
	n.deployWithoutRequest(t, "silent", cpu)

	billing, sources := newLedger(t), filepath.Join(t.TempDir(), "sources.yaml")
	billing.list(t, sources, n.namespace)
	billing.open.Store(200)
	n.deploy(t, n.namespace, "billed", 2, 0, map[string]string{"sources": "billing open-invoices target=100", "max": "10", "sync-period": "1s"})

	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n.where, n.kubeconfig = []string{"--controller", n.namespace + "/mini-hpa", "--state-port", port}, adminKubeconfig(t, n.world)
	newController(t).lead(n.world, "--leader-elect-resource-namespace", n.namespace, "--state-bind-address", address, "--sources", sources)

	for _, queue := range []struct {
		messages int64
		replicas int32
	}{{40, 4}, {10, 1}, {40, 4}, {10, 1}, {1000, 10}} {
		n.setQueue("orders", queue.messages)
		worker.await(queue.replicas)
	}
	for range 3 {
		reset.overwrite(1, func(replicas int32) { reset.scaleAs("argocd-controller", replicas) })
	}
	n.reads(t, "reset", "get reset", "history reset")
	n.reads(t, "flaps", "history worker")
	n.reads(t, "past", "explain worker --at 0s")
	n.reads(t, "limited", "get worker", "explain worker")
	n.reads(t, "webhook-ignore", "get silent", "explain silent", "doctor --service-account=")
	n.configure(t, `{"failurePolicy":"Fail"}`)
	n.refuses(t)
	n.reads(t, "unschedulable", "get geo", "explain geo")
	n.reads(t, "source", "get billed")
	billing.gone()
	n.reads(t, "source-down", "get billed", "explain billed")

	if err := n.load.Withdraw(t.Context(), loadsim.ResourceAPI); err != nil {
		t.Fatal(err)
	}
	n.reads(t, "metrics-gone", "get web", "explain web", "doctor --service-account= --webhook-configuration=")
	if err := n.load.Offer(t.Context(), loadsim.ResourceAPI); err != nil {
		t.Fatal(err)
	}
	n.reads(t, "metrics-back", "get web")
	n.load.SetFault(loadsim.Fault{Error: 503})
	n.reads(t, "metrics-down", "get web", "explain web")
}

// moreNodes are so many in all, of the kind of the first.
func (n *night) moreNodes(t *testing.T, all int) {
	t.Helper()
	nodes := n.client.CoreV1().Nodes()
	list, err := nodes.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	first := list.Items[0]
	for i := len(list.Items); i < all; i++ {
		name := fmt.Sprintf("more-%d", i)
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: first.Annotations, Labels: map[string]string{corev1.LabelHostname: name, corev1.LabelOSStable: "linux"}},
			Status: corev1.NodeStatus{Allocatable: first.Status.Allocatable, Capacity: first.Status.Capacity}}
		if _, err := nodes.Create(t.Context(), node, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

// apart has one pod on each node, and no more; as many as there are nodes are waited for.
func (n *night) apart(t *testing.T, name string, replicas int32, load int64, pairs map[string]string) {
	t.Helper()
	d := n.workload(t, deployments, n.namespace, name)
	m := d.manifest(replicas, pairs)
	affinity := &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
		{TopologyKey: corev1.LabelHostname, LabelSelector: &metav1.LabelSelector{MatchLabels: d.labels()}}}}}
	d.put(m.Object, d.fields(affinity), ".spec.template.spec.affinity")
	d.create(m, load)
	d.awaitPods(replicas)
}

// deployWithoutRequest stores what the webhook would refuse.
func (n *night) deployWithoutRequest(t *testing.T, name string, pairs map[string]string) {
	t.Helper()
	d := n.workload(t, deployments, n.namespace, name)
	m := d.manifest(1, pairs)
	d.put(m.Object, []any{map[string]any{"name": "app", "image": "app"}}, ".spec.template.spec.containers")
	d.create(m, 0)
}

// reads types commands and reads what a golden file has, sooner or later.
func (n *night) reads(t *testing.T, file string, commands ...string) {
	t.Helper()
	settles(t, "../incident-"+file+".txt", func(ctx context.Context) string {
		var all strings.Builder
		for _, command := range commands {
			words := strings.Fields(command)
			code, stdout, stderr := asks(ctx, t, n.kubeconfig, append(append([]string{words[0], "-n", n.namespace}, words[1:]...), n.where...)...)
			if head, _, more := strings.Cut(stdout, "\n\n"); more {
				stdout = head + "\n" // the cause stands in the first lines; the pods have another order each time
			}
			fmt.Fprintf(&all, "$ mini-hpa %s -n %s %s\n%s%s", words[0], n.namespace, strings.Join(words[1:], " "), stdout, stderr)
			if code != 0 {
				fmt.Fprintf(&all, "exit code %d\n", code)
			}
		}
		return n.nameless(all.String())
	})
}

// refuses is what the API server says of a change while nobody answers and failurePolicy is Fail.
func (n *night) refuses(t *testing.T) {
	t.Helper()
	settles(t, "../incident-webhook-fail.txt", func(context.Context) string {
		const command = "annotate deployment web --overwrite mini-hpa/max=20"
		said := n.kubectl(t, "", append([]string{"-n", n.namespace}, strings.Fields(command)...)...)
		return n.nameless(fmt.Sprintf("$ kubectl -n %s %s\n%s%s", n.namespace, command, said.out, said.err))
	})
}

// nameless leaves out what masked does not know of: addresses, the names of pods, times of the day, and what doctor says of workloads.
func (n *night) nameless(text string) string {
	for _, mask := range [][2]string{
		{regexp.QuoteMeta(n.webhook), "WEBHOOK"}, {`\b(web|geo|worker|silent|reset)-[0-9a-z]+-[0-9a-z]{5}\b`, "$1-POD"}, {`[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8}`, "TIME"},
		{`(TIME  +)[0-9hms]+ `, "${1}AGE "}, {`id [0-9a-f]{8}\b`, "id ID"},
		// How the other workloads stand depends on how long ago their own incidents were.
		{`(?m)^FAIL \S+ deploy/.*\n`, ""}, {`[0-9]+ findings`, "N findings"}, {`samples of [0-9]+ pods`, "samples of N pods"},
	} {
		text = regexp.MustCompile(mask[0]).ReplaceAllString(text, mask[1])
	}
	return text
}
