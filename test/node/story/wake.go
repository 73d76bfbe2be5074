//go:build linux

package story

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/mini-hpa/mini-hpa/test/node/calls"
	"github.com/mini-hpa/mini-hpa/test/node/sandbox"
)

const (
	answers    = "answers"            // a Deployment, and its Service
	callers    = "callers"            // the namespace of what says whether anybody calls
	activators = "mini-hpa-activator" // the Deployment of the chart
	manager    = "mini-hpa"           // says in EndpointSlices whose they are
	// every so often a request of each kind is made.
	every = 100 * time.Millisecond
)

// callbook is the account of the requests of a story.
type callbook struct {
	ledger calls.Ledger
	kinds  []calls.Kind
	now    atomic.Int64 // requests that are under way, and those of a moment ago

	mu      sync.Mutex
	made    int
	lost    []loss
	longest time.Duration
	// first is when the first request of a burst was made, and answered when the first of them had its answer.
	first, answered time.Time
	wakes           []awakening // of bursts to a workload that slept
	ready           []readiness
	crashes         []time.Time // when pods crashed
	asking          sync.WaitGroup
	sequence        int
}

// readiness is when a pod became ready after none was.
type readiness struct {
	at  time.Time
	pod string
}

// loss is a request that was not answered as it has to be.
type loss struct {
	kind, id     string
	begun, ended time.Time
	err          error
}

func (l loss) String() string {
	return fmt.Sprintf("%s, %s, after %s: %v", l.kind, l.id, l.ended.Sub(l.begun).Round(time.Millisecond), l.err)
}

// reason is what happened to it, in words that losses have in common.
func (l loss) reason() string {
	for _, word := range []string{"connection refused", "connection reset", "broken pipe", "no route to host", "EOF", "502", "503", "timeout", "deadline exceeded"} {
		if strings.Contains(strings.ToLower(l.err.Error()), strings.ToLower(word)) {
			return word
		}
	}
	if strings.Contains(l.err.Error(), "bytes came back") {
		return "cut short"
	}
	text := l.err.Error()
	return strings.TrimPrefix(text[strings.LastIndex(text, ": ")+1:], " ")
}

// wake tells the story of a variant. The picture of one request is drawn into a file, if that has a name.
func (d *director) wake(ctx context.Context) error {
	d.variant.fill(d.words)
	scenes := []scene{
		{"somebody keeps a ledger", d.startCallers},
		{"helm install, with activators", d.installWithActivators},
		{"a workload is deployed, and sleeps", d.deployAnswers},
		{"requests of five kinds come and go", d.callAndSleep},
		{"how long it took to wake", func(context.Context) error { return d.tellWakes(d.variant.Picture) }},
		{"all were served, and once", d.checkLedger},
		{"mini-hpa has asked for nothing that it may not", d.nothingForbidden},
	}
	if !d.variant.isFaulty() && !d.variant.isAlways() { // whose Service leads nowhere without mini-hpa
		scenes = append(scenes, scene{"helm uninstall, while it sleeps", d.uninstallAsleep})
	}
	return d.perform(ctx, scenes)
}

// startCallers serves the ledger, and what the source asks for.
func (d *director) startCallers(context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("POST /", &d.calls.ledger)
	mux.HandleFunc("GET /calls", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"now":%d}`, d.calls.now.Load())
	})
	listener, err := net.Listen("tcp", sandbox.Address+":0")
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(listener, mux) }() //nolint:gosec // it ends with the sandbox
	_, d.words["CallersPort"], _ = net.SplitHostPort(listener.Addr().String())
	d.words["Address"], d.words["Ledger"] = sandbox.Address, "http://"+listener.Addr().String()
	d.say("requests are entered into a ledger at %s", listener.Addr())
	return nil
}

func (d *director) installWithActivators(ctx context.Context) error {
	for _, name := range []string{namespace, callers, shop} {
		if err := d.createNamespace(ctx, name); err != nil {
			return err
		}
	}
	values, err := d.file("wakevalues.yaml")
	if err != nil {
		return err
	}
	return d.installRelease(ctx, "--values="+values)
}

func (d *director) deployAnswers(ctx context.Context) error {
	manifest, err := d.file("wake.yaml")
	if err != nil {
		return err
	}
	if _, err := d.kubectl(ctx, "apply", "--filename="+manifest); err != nil {
		return err
	}
	go d.watch(ctx, answers)
	go d.watchReady(ctx)
	ip, err := d.kubectl(ctx, "-n", shop, "get", "service", answers, "--output=jsonpath={.spec.clusterIP}")
	if err != nil {
		return err
	}
	addresses := map[string]string{}
	for port, number := range map[string]string{"http": "80", "http2": "81", "grpc": "82", "tcp": "83"} {
		addresses[port] = net.JoinHostPort(ip, number)
	}
	if d.calls.kinds, err = calls.Kinds(addresses, d.variant.patience); err != nil {
		return err
	}
	return d.awaitNoPods(ctx)
}

// watchReady notes when a pod becomes ready after none was, until ctx ends.
func (d *director) watchReady(ctx context.Context) {
	pods := map[string]bool{}
	for was := false; ctx.Err() == nil; {
		stream, err := d.whoIsReady(ctx)
		if err != nil {
			continue
		}
		for event := range stream.ResultChan() {
			switch object := event.Object.(type) {
			case *discoveryv1.EndpointSlice:
				pods = readyOf(object)
			case *corev1.Pod:
				if pods[object.Name] = true; event.Type == watch.Deleted || !isReady(object) {
					delete(pods, object.Name)
				}
			default: // it has ended, and the next one begins with what there is
				continue
			}
			ready := len(pods) > 0
			if ready && !was {
				d.calls.mu.Lock()
				d.calls.ready = append(d.calls.ready, readiness{time.Now(), slices.Min(slices.Collect(maps.Keys(pods)))})
				d.calls.mu.Unlock()
			}
			was = ready
		}
		stream.Stop()
	}
}

// whoIsReady watches Kubernetes' own EndpointSlices, or the pods themselves where their Service has none.
func (d *director) whoIsReady(ctx context.Context) (watch.Interface, error) {
	if d.variant.isAlways() {
		return d.Client.CoreV1().Pods(shop).Watch(ctx, metav1.ListOptions{LabelSelector: "app=" + answers})
	}
	return d.Client.DiscoveryV1().EndpointSlices(shop).Watch(ctx, metav1.ListOptions{
		LabelSelector: discoveryv1.LabelServiceName + "=" + answers + "," + discoveryv1.LabelManagedBy + "!=" + manager})
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue })
}

// readyOf are the pods that are ready to which a slice leads.
func readyOf(slice *discoveryv1.EndpointSlice) map[string]bool {
	pods := map[string]bool{}
	for i := range slice.Endpoints {
		if e := &slice.Endpoints[i]; e.TargetRef != nil && e.Conditions.Ready != nil && *e.Conditions.Ready {
			pods[e.TargetRef.Name] = true
		}
	}
	return pods
}

// callAndSleep is one cycle after the other: requests of all kinds come for a while, then there are none. At first, and after every third cycle, the workload
// sleeps when the next ones come; in between they come while it falls asleep, and while it is about to.
func (d *director) callAndSleep(ctx context.Context) error {
	for cycle, asleep := 0, true; cycle < d.variant.cycles; cycle++ {
		if err := d.burst(ctx, cycle); err != nil {
			return err
		}
		pods, err := d.size(ctx, answers)
		if err != nil {
			return err
		}
		d.calls.mu.Lock()
		if asleep {
			d.calls.wakes = append(d.calls.wakes, awakening{d.calls.first, d.calls.answered})
		}
		d.say("cycle %d of %d: %d requests were made, %d lost, the longest took %s; %s", cycle+1, d.variant.cycles, d.calls.made, len(d.calls.lost), d.calls.longest.Round(time.Millisecond), pods)
		d.calls.mu.Unlock()
		if cycle+1 == d.variant.cycles {
			break
		}
		if asleep, err = d.pause(ctx, cycle); err != nil {
			return err
		}
	}
	return nil
}

// burst makes requests while whatever goes wrong in this cycle does.
func (d *director) burst(ctx context.Context, cycle int) error {
	failed := make(chan error, len(d.variant.troubles))
	for _, trouble := range d.variant.troubles {
		go func() { failed <- trouble(ctx, d, cycle) }()
	}
	if len(d.variant.troubles) > 0 { // some begin before the requests do
		if err := rest(ctx, 2*time.Second); err != nil {
			return err
		}
	}
	d.call(ctx, d.variant.burst)
	var errs []error
	for range d.variant.troubles {
		errs = append(errs, <-failed)
	}
	return errors.Join(errs...)
}

// pause lets time pass until the next requests are to come. It says whether the workload sleeps then.
func (d *director) pause(ctx context.Context, cycle int) (asleep bool, err error) {
	switch {
	case cycle%3 == 0 || d.variant.burst == every:
		return true, d.awaitNoPods(ctx)
	case cycle%3 == 1:
		err := d.eventually(ctx, "0 replicas of "+answers, func(ctx context.Context) error {
			n, err := d.size(ctx, answers)
			if err == nil && n.asked > 0 {
				err = errors.New(n.String())
			}
			return err
		})
		if err != nil {
			return false, err
		}
		d.say("the next requests come at once, or in a moment")
		return false, rest(ctx, late)
	}
	d.say("the next requests come before, or while it falls asleep")
	return false, rest(ctx, 25*time.Second)
}

// awaitNoPods waits until the workload sleeps and its pods, which go on for a while, have ended.
func (d *director) awaitNoPods(ctx context.Context) error {
	if err := d.awaitReplicas(ctx, answers, 0, 0); err != nil {
		return err
	}
	return d.eventually(ctx, "no pods of "+answers, func(ctx context.Context) error {
		pods, err := d.Client.CoreV1().Pods(shop).List(ctx, metav1.ListOptions{LabelSelector: "app=" + answers})
		if err == nil && len(pods.Items) > 0 {
			err = fmt.Errorf("pod %s is there", pods.Items[0].Name)
		}
		return err
	})
}

// call makes requests of all kinds for so long, and waits for all answers.
func (d *director) call(ctx context.Context, takes time.Duration) {
	d.calls.mu.Lock()
	d.calls.first, d.calls.answered = time.Now(), time.Time{}
	d.calls.mu.Unlock()
	end := time.Now().Add(takes)
	for time.Now().Before(end) && ctx.Err() == nil {
		for i, kind := range d.calls.kinds {
			d.calls.sequence++
			id := fmt.Sprintf("%d-%d", i, d.calls.sequence)
			d.calls.now.Add(1)
			d.calls.asking.Go(func() {
				defer d.calls.now.Add(-1)
				d.calls.one(ctx, kind, id)
			})
		}
		time.Sleep(every) //nolint:forbidigo // the rate of the requests
	}
	d.calls.asking.Wait()
}

func (b *callbook) one(ctx context.Context, kind calls.Kind, id string) {
	begun := time.Now()
	err := kind.Call(ctx, id)
	ended := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.made++
	b.longest = max(b.longest, ended.Sub(begun))
	if err != nil {
		b.lost = append(b.lost, loss{kind.Name, id, begun, ended, err})
		return
	}
	if b.answered.IsZero() {
		b.answered = ended
	}
}

// checkLedger wants each request served, and once, but for those that may be lost.
func (d *director) checkLedger(context.Context) error {
	served, twice := d.calls.ledger.Entries()
	d.mu.Lock()
	history := slices.Clone(d.history[answers])
	d.mu.Unlock()
	asleep := 0
	for _, replicas := range history {
		if replicas == 0 {
			asleep++
		}
	}
	b := &d.calls
	b.mu.Lock()
	defer b.mu.Unlock()
	broken := slices.DeleteFunc(slices.Clone(b.lost), func(l loss) bool {
		return slices.ContainsFunc(d.variant.excuses, func(excused excuse) bool { return excused(b, l) })
	})
	load, _ := os.ReadFile("/proc/loadavg")
	d.say("result of %s: %d requests, %d served, %d lost%s, %d served twice, %d sleeps; the longest took %s; load %.4s; replicas were %v", &d.variant, b.made, served,
		len(b.lost), reasons(b.lost), len(twice), asleep, b.longest.Round(time.Millisecond), load, history)
	var errs []error
	for _, l := range broken[:min(len(broken), 20)] {
		errs = append(errs, fmt.Errorf("lost is %s", l))
	}
	if len(broken) > 0 {
		errs = append(errs, fmt.Errorf("%d requests are lost that must not be", len(broken)))
	}
	if d.variant.mustLose && len(b.lost) == 0 {
		errs = append(errs, errors.New("no request is lost: what is left out is left out no more, or keeps none"))
	}
	if len(twice) > 0 || served < b.made-len(b.lost) {
		errs = append(errs, fmt.Errorf("%d of %d were served, twice %v", served, b.made, twice))
	}
	if d.variant.isAlways() && slices.Max(history) < 2 {
		errs = append(errs, errors.New("it has never had a second replica, though five requests at a time were there"))
	}
	if want := d.variant.cycles / 2; asleep < want {
		errs = append(errs, fmt.Errorf("it slept %d times, want at least %d", asleep, want))
	}
	return errors.Join(errs...)
}

// reasons counts why requests were lost: " (3 connection refused)".
func reasons(lost []loss) string {
	counts := map[string]int{}
	for _, l := range lost {
		counts[l.reason()]++
	}
	var parts []string
	for reason, n := range counts {
		parts = append(parts, fmt.Sprintf("%d %s", n, reason))
	}
	if slices.Sort(parts); len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// uninstallAsleep takes the release away while the workload sleeps: it is woken, requests that come meanwhile are served, and nothing is left.
func (d *director) uninstallAsleep(ctx context.Context) error {
	if err := d.awaitReplicas(ctx, answers, 0, 0); err != nil {
		return err
	}
	lost := len(d.calls.lost)
	gone := make(chan error, 1)
	go func() {
		_, err := d.helm(ctx, "uninstall", release, "--namespace="+namespace, "--wait", "--timeout="+patience.String())
		gone <- err
	}()
	if err := rest(ctx, d.variant.burst/2); err != nil {
		return err
	}
	d.call(ctx, every) // somebody comes meanwhile
	if err := <-gone; err != nil {
		return err
	}
	n, err := d.size(ctx, answers)
	if err != nil {
		return err
	}
	left, err := d.Client.DiscoveryV1().EndpointSlices("").List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelManagedBy + "=" + manager})
	if err != nil {
		return err
	}
	d.call(ctx, every)
	d.say("after helm uninstall %s, and %d EndpointSlices of mini-hpa are left", n, len(left.Items))
	switch {
	case n.asked == 0 || n.ready == 0:
		return fmt.Errorf("%s should be awake", answers)
	case len(left.Items) > 0:
		return fmt.Errorf("EndpointSlice %s is left", left.Items[0].Name)
	case len(d.calls.lost) > lost:
		return fmt.Errorf("lost is %s", d.calls.lost[lost])
	}
	return d.eventually(ctx, "nothing is left of the release", d.nothingLeft)
}
