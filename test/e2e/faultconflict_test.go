package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/test/rig"
)

// label patches a label of the Deployment so many times a second until the test ends or the function is called; a few at a time, since
// an API server that has to do with many at once does nothing else any more.
func (d *workload) label(perSecond int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var patching sync.WaitGroup
	turns := make(chan struct{}, 5)
	patching.Go(func() {
		beat := time.NewTicker(time.Second / time.Duration(perSecond))
		defer beat.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			<-beat.C
			turns <- struct{}{}
			patching.Go(func() {
				defer func() { <-turns }()
				body := fmt.Appendf(nil, `{"metadata":{"labels":{"n":"%d"}}}`, n)
				_, err := d.w.client.AppsV1().Deployments(d.namespace).Patch(ctx, d.name, types.MergePatchType, body, metav1.PatchOptions{FieldManager: "labels"})
				if err != nil && ctx.Err() == nil {
					d.t.Error(err)
				}
			})
		}
	})
	stop = func() { cancel(); patching.Wait() }
	d.t.Cleanup(stop)
	return stop
}

// TestFaultOthersWriteOften: somebody else patches a label 20 times a second, while each write of ours is under way for a quarter of a
// second. The workload is scaled all the same, and nobody's write is undone.
func TestFaultOthersWriteOften(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	d := shared.deploy(t, ns, "web", 2, loadFor(2), map[string]string{"target-cpu": "50", "max": "20", "scale-down-stabilization": "0s"})
	proxy, through := shared.proxied(t, ns)
	for _, verb := range []string{"update", "patch"} {
		proxy.Break(rig.On(verb, "deployments/scale"), rig.Fault{Delay: 250 * time.Millisecond})
	}
	c := shared.controller(t, ns, through...)
	shared.awaitLeader(t, ns)
	shared.samples(t, 3)
	d.wantHistory(2)
	stop := d.label(20)
	steps := 2
	if *long {
		steps = 8
	}
	for step := range steps {
		pods := int32(2 + 2*((step+1)%2))
		d.setLoad(loadFor(pods))
		changed := time.Now()
		t.Logf("load for %d pods: written after %s", pods, d.await(pods).at.Sub(changed).Round(time.Millisecond))
		shared.samples(t, 2)
	}
	stop()
	refused, stored := 0, 0
	for _, w := range shared.scaleWrites(t, ns) {
		switch {
		case w.Stored() && w.User == ns:
			stored++
		case w.User == ns:
			refused++
		}
	}
	t.Logf("%d writes stored, %d refused", stored, refused)
	if stored < steps || stored > 2*steps || refused > 5*stored { // the first sample may show a part of the load
		t.Errorf("%d writes stored and %d refused, want about %d stored and few refused", stored, refused, steps)
	}
	c.running()
}

// TestFaultConflictsGoOn: what is refused for half a minute is told, and made up for afterwards.
func TestFaultConflictsGoOn(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	d := shared.deploy(t, ns, "web", 2, loadFor(2), map[string]string{"target-cpu": "50", "max": "20"})
	proxy, through := shared.proxied(t, ns)
	c := shared.controller(t, ns, through...)
	shared.awaitLeader(t, ns)
	shared.samples(t, 3)
	lift := proxy.Break(rig.On("update", "deployments/scale"), rig.Fault{Answer: http.StatusConflict})
	lift2 := proxy.Break(rig.On("patch", "deployments/scale"), rig.Fault{Answer: http.StatusConflict})
	d.setLoad(loadFor(4))
	event := d.awaitEvent("FailedRescale")
	if !strings.Contains(event, "1 Warning FailedRescale New size: 4; reason: cpu utilization") || !strings.Contains(event, "turned away ") {
		t.Errorf("event %q", event)
	}
	tries := append(proxy.Seen(rig.On("update", "deployments/scale")), proxy.Seen(rig.On("patch", "deployments/scale"))...)
	if took := tries[len(tries)-1].At.Sub(tries[0].At); len(tries) < int(took.Seconds()/4) || len(tries) > int(took.Seconds()*3) {
		t.Errorf("%d writes in %s, want about one a second", len(tries), took)
	}
	lift()
	lift2()
	d.await(4)
	c.running()
}

// withoutPatch is a kubeconfig file of a user with the rights of all controllers, but without the one to patch the scale, as roles of
// earlier versions were.
func (w *world) withoutPatch(t *testing.T, name string) string {
	t.Helper()
	role, err := documentedRole()
	if err != nil {
		t.Fatal(err)
	}
	role.Name = name
	for i := range role.Rules {
		if rule := &role.Rules[i]; slices.Contains(rule.Resources, "deployments/scale") {
			rule.Verbs = slices.DeleteFunc(rule.Verbs, func(verb string) bool { return verb == "patch" })
		}
	}
	if err := bind(t.Context(), w.client, role, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}); err != nil {
		t.Fatal(err)
	}
	path, err := w.cluster.KubeconfigFor(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFaultARoleWithoutPatch: the right to patch the scale is missing. A workload that others write as well is scaled all the same, by an
// update of what is live; and which right it is, is told once.
func TestFaultARoleWithoutPatch(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	d := shared.deploy(t, ns, "web", 2, loadFor(2), map[string]string{"target-cpu": "50", "max": "20", "scale-down-stabilization": "0s"})
	proxy, through := proxiedWith(t, shared.withoutPatch(t, ns))
	c := shared.controller(t, ns, through...)
	shared.awaitLeader(t, ns)
	shared.samples(t, 3)
	d.wantHistory(2)
	patches := rig.On("patch", "deployments/scale")
	for _, pods := range []int32{4, 2, 4} {
		tried := len(proxy.Seen(patches))
		lift := proxy.Break(rig.On("update", "deployments/scale"), rig.Fault{Answer: http.StatusConflict})
		d.setLoad(loadFor(pods))
		d.eventually("a patch is tried", func(context.Context) (bool, string) { return len(proxy.Seen(patches)) > tried, "" })
		lift()
		d.await(pods)
		shared.samples(t, 2)
	}
	// A write may fail for another reason as well, such as a slow API server.
	event, told := d.awaitEvent("cannot patch"), d.told("cannot patch")
	if told != 1 || !strings.Contains(event, " FailedRescale ") || !strings.Contains(event, `resource \"deployments/scale\" in API group \"apps\"`) {
		t.Errorf("told %d times: %s", told, event)
	}
	c.running()
}

// TestFaultComeAgainInAnHour: the API server asks to come again in an hour, for many workloads and never for one. Few workers are
// enough for that one.
func TestFaultComeAgainInAnHour(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	proxy, through := shared.proxied(t, ns)
	proxy.Break(func(r rig.Request) bool { return r.Resource == "deployments/scale" && r.Name != "quick" },
		rig.Fault{Answer: http.StatusTooManyRequests, RetryAfter: time.Hour})
	annotations := map[string]string{"target-cpu": "50", "max": "20"}
	for i := range 40 {
		shared.deploy(t, ns, fmt.Sprintf("slow-%02d", i), 1, 2000, annotations)
	}
	quick := shared.deploy(t, ns, "quick", 1, loadFor(1), annotations)
	c := shared.controller(t, ns, append(through, "--workers", "2")...)
	shared.awaitLeader(t, ns)
	shared.samples(t, 3)
	quick.wantHistory(1)
	quick.setLoad(loadFor(2))
	changed := time.Now()
	took := quick.await(2).at.Sub(changed)
	t.Logf("written %s after the load has changed", took.Round(time.Millisecond))
	if took > time.Minute { // to wait with each of the others, for as long as a request may take, is more than that
		t.Errorf("written only after %s", took)
	}
	c.running()
}
