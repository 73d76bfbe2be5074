package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/test/rig"
)

// team is two controllers of the same workloads, of which one leads. For the API server each is a user of its own.
type team struct {
	t         *testing.T
	w         *world
	ns        string
	workloads []*workload
	flags     []string
	both      [2]*controller
	leader    int
	holder    string // the leader's name in the Lease
}

// newTeam starts two controllers, the first of which leads, and three workloads that need five replicas each.
func (w *world) newTeam(t *testing.T, period time.Duration) *team {
	t.Helper()
	m := &team{t: t, w: w, ns: w.namespace(t), flags: []string{"--metrics-resolution", period.String()}}
	for i := range 3 {
		m.workloads = append(m.workloads, w.deploy(t, m.ns, fmt.Sprint("web-", i), 5, loadFor(5), map[string]string{"target-cpu": "50", "max": "10",
			"scale-down-stabilization": (period + grace).String()}))
	}
	m.start(0)
	m.holder = w.awaitLeader(t, m.ns)
	m.start(1)
	m.awaitReady(1)
	return m
}

// grace is for how long a team's workloads are not scaled in, beyond the time between two samples, after the load has gone.
const grace = 10 * time.Second

// need has each of the workloads need so many replicas from now on.
func (m *team) need(replicas int32) {
	for _, d := range m.workloads {
		d.setLoad(loadFor(replicas))
	}
}

func (m *team) user(i int) string { return fmt.Sprint(m.ns, "-", i) }

func (m *team) start(i int) {
	m.t.Helper()
	m.both[i] = m.w.controller(m.t, m.ns, append(m.flags, "--kubeconfig", m.w.userKubeconfig(m.t, m.user(i)))...)
}

func (m *team) awaitReady(i int) {
	m.t.Helper()
	eventually(m.t, "the standby is ready", func(ctx context.Context) (bool, string) {
		status, err := probe(ctx, m.both[i].health, "/readyz")
		return status == http.StatusOK, fmt.Sprint(status, err)
	})
}

// probe asks a controller, which may not answer.
func probe(ctx context.Context, address, path string) (int, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return 0, err
	}
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// awaitChange returns when the other one leads.
func (m *team) awaitChange() {
	m.t.Helper()
	eventually(m.t, "the other one leads", func(ctx context.Context) (bool, string) {
		now := m.holds(ctx)
		if now == "" || now == m.holder {
			return false, now
		}
		m.holder, m.leader = now, 1-m.leader
		return true, ""
	})
}

// holds is the name in the Lease.
func (m *team) holds(ctx context.Context) string {
	lease, err := m.w.client.CoordinationV1().Leases(m.ns).Get(ctx, "mini-hpa", metav1.GetOptions{})
	if err != nil || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// TestFaultStoppedLeader: a leader that is stopped for longer than its Lease lasts, as a virtual machine that is frozen, writes nothing
// when it goes on, however old what it has in memory: the replicas that another leader has written in between are not its own to undo.
func TestFaultStoppedLeader(t *testing.T) {
	t.Parallel()
	if !*long {
		if takeovers := shared.stopLeaders(t, samplePeriod, 1, surelyOver); takeovers != 1 {
			t.Errorf("%d takeovers in one stop of %s, want one: otherwise it says nothing", takeovers, surelyOver)
		}
		return
	}
	for _, period := range []time.Duration{5 * time.Second, 15 * time.Second} {
		t.Run(period.String(), func(t *testing.T) {
			t.Parallel()
			takeovers := isolated(t, period).stopLeaders(t, period, 6, 18*time.Second, 21*time.Second, 27*time.Second, 45*time.Second, 60*time.Second)
			if takeovers < 20 {
				t.Errorf("%d takeovers are too few to say anything", takeovers)
			}
		})
	}
}

// surelyOver is longer than it takes a standby to see the last renewal (2 s) and the Lease to last after that (15 s). Where a machine is so busy that it is not enough,
// the takeover is waited for.
const surelyOver = 30 * time.Second

// stopLeaders stops the leaders of several teams for these times each and returns how often another one took over. No write by
// somebody who does not hold the Lease may reach the API server.
func (w *world) stopLeaders(t *testing.T, period time.Duration, teams int, stops ...time.Duration) int {
	t.Helper()
	namespaces, changes := make([]string, teams), make([]int, teams)
	t.Run("team", func(t *testing.T) {
		for i := range teams {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				team := w.newTeam(t, period)
				namespaces[i] = team.ns
				for _, stop := range stops {
					if team.stopLeader(stop) {
						changes[i]++
					}
				}
			})
		}
	})
	records, takeovers, writes, affected := w.audit(t), 0, 0, 0
	for i, ns := range namespaces {
		takeovers += changes[i]
		usurped := rig.Usurped(rig.Writes(records, ns, ""), rig.Holds(records, ns, "mini-hpa"))
		for j, write := range usurped {
			t.Errorf("by somebody who does not hold the Lease: %s", write)
			if j == 0 || write.At.Sub(usurped[j-1].At) > stops[0]/2 { // another stop
				affected++
			}
		}
		writes += len(usurped)
	}
	t.Logf("%d stops, %d takeovers; %d writes by somebody who does not hold the Lease, in %d of the stops", teams*len(stops), takeovers, writes, affected)
	return takeovers
}

// stopLeader stops the leader for some time, and says whether the other one took over. It is stopped when it has seen that the load has
// gone, and waits to scale in. When it goes on, that time has passed. The other one has not seen the load, so it waits for as long
// anew; where the load has come back, there is nothing to scale in. Nobody has written anything meanwhile, so that no version tells
// the API server that a write is late.
func (m *team) stopLeader(stop time.Duration) bool {
	m.w.samples(m.t, 1)
	m.need(1)
	m.w.samples(m.t, 1)
	<-time.After(grace * 4 / 5)
	before := m.leader
	m.both[before].pause()
	m.workloads[0].setLoad(loadFor(5))
	<-time.After(stop)
	if stop >= surelyOver {
		m.awaitChange()
	}
	m.both[before].resume()
	m.w.samples(m.t, 2)
	if now := m.holds(m.t.Context()); now != "" && now != m.holder {
		m.holder, m.leader = now, 1-m.leader
	}
	m.need(5)
	for _, d := range m.workloads {
		d.await(5)
	}
	return m.leader != before
}

// TestFaultFailover measures how long nobody leads after the leader was killed, and after it was told to end.
func TestFaultFailover(t *testing.T) {
	t.Parallel()
	w, teams, rounds := shared, 1, 1
	if *long {
		w, teams, rounds = isolated(t, samplePeriod), 8, 7
	}
	killed, told := make([]time.Duration, teams*rounds), make([]time.Duration, teams*rounds)
	t.Run("team", func(t *testing.T) {
		for i := range teams {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				team := w.newTeam(t, samplePeriod)
				for j := i * rounds; j < (i+1)*rounds; j++ {
					killed[j], told[j] = team.failOver((*controller).kill), team.failOver((*controller).terminate)
				}
			})
		}
	})
	for what, took := range map[string]struct {
		delays []time.Duration
		goal   time.Duration
	}{"kill -9": {killed, 19 * time.Second}, "SIGTERM": {told, 3 * time.Second}} {
		slices.Sort(took.delays)
		at := func(share float64) time.Duration {
			return took.delays[int(share*float64(len(took.delays)-1)+0.5)].Round(10 * time.Millisecond)
		}
		t.Logf("%s to the next leader, %d times: fastest %s, median %s, p99 %s", what, len(took.delays), at(0), at(0.5), at(0.99))
		if *long && at(0.99) > took.goal {
			t.Errorf("%s: p99 is %s, want %s at most", what, at(0.99), took.goal)
		}
	}
}

// failOver ends the leader and starts another standby when the present one has taken over. It returns how long nobody led: from the
// moment before the end to the moment at which the API server had read the write that took the Lease.
func (m *team) failOver(end func(*controller)) time.Duration {
	m.t.Helper()
	gone := m.leader
	<-time.After(rand.N(2 * time.Second)) // at any moment between two renewals
	began := time.Now()
	end(m.both[gone])
	m.awaitChange()
	var last rig.Hold
	eventually(m.t, "the last to hold the Lease by the audit log is "+m.user(m.leader), func(context.Context) (bool, string) {
		if holds := rig.Holds(m.w.audit(m.t), m.ns, "mini-hpa"); len(holds) > 0 {
			last = holds[len(holds)-1]
		}
		return last.User == m.user(m.leader), fmt.Sprint(last)
	})
	m.start(gone)
	m.awaitReady(gone)
	return last.From.Sub(began)
}

// TestFaultLeaseWritesFail: a leader that cannot renew its Lease stops working, shows no workload any more, and stays healthy: a
// restart would mend nothing and take its webhook away. It leads again when it can.
func TestFaultLeaseWritesFail(t *testing.T) {
	t.Parallel()
	lasts := 45 * time.Second // more than the Lease and the patience with a leader that does not give up
	if *long {
		lasts = 2 * time.Minute
	}
	ns := shared.namespace(t)
	d := shared.deploy(t, ns, "web", 1, loadFor(1), map[string]string{"target-cpu": "50", "max": "10"})
	proxy, through := shared.proxied(t, ns)
	c := shared.controller(t, ns, through...)
	leader := shared.awaitLeader(t, ns)
	shared.samples(t, 3)
	lift := proxy.Break(rig.On("update", "leases"), rig.Fault{Answer: http.StatusInternalServerError})
	for began := time.Now(); time.Since(began) < lasts; <-time.After(time.Second) {
		if status, body := get(t, c.health, "/healthz?verbose"); status != http.StatusOK {
			t.Fatalf("%s after the lease writes began to fail, /healthz: %s", time.Since(began).Round(time.Second), body)
		}
	}
	if _, body := get(t, c.address, "/metrics"); !strings.Contains(body, "mini_hpa_num_horizontal_pod_autoscalers 0\n") {
		t.Error("who does not lead shows workloads")
	}
	d.setLoad(loadFor(5))
	shared.samples(t, 3)
	d.wantHistory(1)
	lift()
	d.await(5)
	if now := shared.awaitLeader(t, ns); now != leader {
		t.Errorf("%s leads, want %s", now, leader)
	}
	records := shared.audit(t)
	for _, write := range rig.Usurped(rig.Writes(records, ns, ""), rig.Holds(records, ns, "mini-hpa")) {
		t.Errorf("does not hold the Lease: %s", write)
	}
}
