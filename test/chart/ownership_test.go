package chart

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// deployer is one way to bring a manifest into a cluster, again and again.
type deployer func(t *testing.T, s *site, name string, values map[string]any) error

// TestWhoOwnsReplicas is the table of docs/install.md: what a deployment tool does to the replicas of a Deployment that
// mini-hpa has scaled to five, when a new version is deployed.
func TestWhoOwnsReplicas(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	apply := func(flags ...string) deployer { return applied(flags) }
	for name, row := range map[string]struct {
		deploy                deployer
		keeps, removes, never string // replicas afterwards, or "conflict"
	}{
		"helm3":                     {byHelm(newHelm3), "2", "1", "5"},
		"helm4":                     {byHelm(newHelm4), "conflict", "5", "5"},
		"kubectl-apply":             {apply(), "2", "1", "5"},
		"kubectl-apply-server-side": {apply("--server-side"), "conflict", "5", "5"},
		"flux-and-forced":           {apply("--server-side", "--force-conflicts"), "2", "5", "5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			two, none := map[string]any{"replicas": 2, "image": "app:v1"}, map[string]any{"image": "app:v1"}
			for story, c := range map[string]struct {
				first, then map[string]any
				want        string
			}{
				"keeps":   {two, merged(two, map[string]any{"image": "app:v2"}), row.keeps},
				"removes": {two, merged(none, map[string]any{"image": "app:v2"}), row.removes},
				"never":   {none, merged(none, map[string]any{"image": "app:v2"}), row.never},
			} {
				t.Run(story, func(t *testing.T) {
					if got := s.redeploy(t, row.deploy, name+"-"+story, c.first, c.then); got != c.want {
						t.Errorf("afterwards: %s, want %s", got, c.want)
					}
				})
			}
		})
	}
	for name, then := range map[string]string{"helm3": "paused", "helm4": "asleep", "kubectl-apply": "paused", "kubectl-apply-server-side": "asleep"} {
		deploy := map[string]deployer{"helm3": byHelm(newHelm3), "helm4": byHelm(newHelm4), "kubectl-apply": apply(), "kubectl-apply-server-side": apply("--server-side")}[name]
		t.Run(name+" puts to 0", func(t *testing.T) { s.putsToZero(t, deploy, name+"-zero", then) })
	}
	t.Run("kubectl apply forgets replicas first", s.forgets)
	t.Run("Helm 4 takes replicas out of a release of Helm 3", s.takesOut)
}

// redeploy deploys, scales as mini-hpa does, and deploys again.
func (s *site) redeploy(t *testing.T, deploy deployer, name string, first, then map[string]any) string {
	t.Helper()
	must(t, "deploy", deploy(t, s, name, first))
	s.scaleAsMiniHPA(t, name, 5)
	if err := deploy(t, s, name, then); err != nil {
		if strings.Contains(err.Error(), "conflict") && strings.Contains(err.Error(), ".spec.replicas") {
			return "conflict"
		}
		t.Fatal(err)
	}
	return s.count(t, name)
}

func (s *site) count(t *testing.T, name string) string {
	t.Helper()
	d, err := s.client.AppsV1().Deployments("shop").Get(t.Context(), name, metav1.GetOptions{})
	must(t, "read the Deployment", err)
	return fmt.Sprint(*d.Spec.Replicas)
}

// scaleAsMiniHPA is the controller's write: an update of the scale, under its name.
func (s *site) scaleAsMiniHPA(t *testing.T, name string, replicas int32) {
	t.Helper()
	scale := &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: autoscalingv1.ScaleSpec{Replicas: replicas}}
	_, err := s.client.AppsV1().Deployments("shop").UpdateScale(t.Context(), name, scale, metav1.UpdateOptions{FieldManager: "mini-hpa"})
	must(t, "scale", err)
}

func byHelm(connect func(*testing.T, string, target) helm) deployer {
	return func(t *testing.T, s *site, name string, values map[string]any) error {
		h := connect(t, s.cluster.Kubeconfig(), target{filepath.Join("testdata", "app"), name, "shop"})
		if values["image"] == "app:v1" {
			return h.install(values)
		}
		return h.upgrade(values)
	}
}

// applied is kubectl apply of the manifest.
func applied(flags []string) deployer {
	return func(t *testing.T, s *site, name string, values map[string]any) error {
		args := append([]string{"--kubeconfig", s.cluster.Kubeconfig(), "-n", "shop", "apply", "-f", "-"}, flags...)
		cmd := exec.CommandContext(t.Context(), s.cluster.Kubectl(), args...)
		cmd.Stdin = strings.NewReader(manifest(name, values))
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%w: %s", err, out.String())
		}
		return nil
	}
}

func manifest(name string, values map[string]any) string {
	replicas := ""
	if n, set := values["replicas"]; set {
		replicas = fmt.Sprintf("\n  replicas: %d", n)
	}
	return strings.NewReplacer("NAME", name, "IMAGE", fmt.Sprint(values["image"]), "REPLICAS", replicas).Replace(`
apiVersion: apps/v1
kind: Deployment
metadata:
  name: NAME
spec:REPLICAS
  selector:
    matchLabels: {app: NAME}
  template:
    metadata:
      labels: {app: NAME}
    spec:
      containers:
      - name: app
        image: IMAGE
`)
}

// forgets is how a manifest that is applied on the client's side loses its replicas without losing pods.
func (s *site) forgets(t *testing.T) {
	apply, with := applied(nil), map[string]any{"replicas": 2, "image": "app:v1"}
	must(t, "apply", apply(t, s, "forgets", with))
	s.scaleAsMiniHPA(t, "forgets", 5)
	s.kubectl(t, "-n", "shop", "annotate", "deployment", "forgets", "kubectl.kubernetes.io/last-applied-configuration-")
	must(t, "apply", apply(t, s, "forgets", map[string]any{"image": "app:v2"}))
	if got := s.count(t, "forgets"); got != "5" {
		t.Errorf("afterwards: %s, want 5", got)
	}
}

// takesOut is how a release of Helm 3 loses its replicas without losing pods.
func (s *site) takesOut(t *testing.T) {
	app := target{filepath.Join("testdata", "app"), "taken-out", "shop"}
	must(t, "install", newHelm3(t, s.cluster.Kubeconfig(), app).install(map[string]any{"replicas": 2}))
	s.scaleAsMiniHPA(t, app.release, 5)
	h := newHelm4(t, s.cluster.Kubeconfig(), app).(*helm4)
	h.serverSide = "true"
	must(t, "upgrade", h.upgrade(map[string]any{"image": "app:v2"}))
	if got := s.count(t, app.release); got != "5" {
		t.Errorf("afterwards: %s, want 5", got)
	}
}

// putsToZero deploys 0 replicas, which is a sleep, and again after somebody has paused the workload by kubectl scale. What it is then is what
// docs/zero.md says of kubectl apply, and of server-side apply, which says it as the other tools do.
func (s *site) putsToZero(t *testing.T, deploy deployer, name, then string) {
	t.Helper()
	release := map[string]any{"replicas": 2, "image": "app:v1", "autoscaler": "none"}
	must(t, "deploy", deploy(t, s, name, release))
	s.kubectl(t, "-n", "shop", "annotate", "deployment", name, "mini-hpa/min=0", "mini-hpa/max=5", "mini-hpa/schedule=2 00:00-00:01 min=1")
	must(t, "deploy 0", deploy(t, s, name, merged(release, map[string]any{"replicas": 0, "image": "app:v2"})))
	s.state(t, name, "asleep")
	s.kubectl(t, "-n", "shop", "scale", "deployment", name, "--replicas=3")
	s.kubectl(t, "-n", "shop", "scale", "deployment", name, "--replicas=0")
	s.state(t, name, "paused")
	must(t, "deploy 0 again", deploy(t, s, name, merged(release, map[string]any{"replicas": 0, "image": "app:v3"})))
	s.state(t, name, then)
}

// state wants that explain says what a Deployment of 0 replicas is.
func (s *site) state(t *testing.T, name, want string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), s.program, "explain", "--kubeconfig", s.cluster.Kubeconfig(), "-n", "shop", "-o", "json", "deploy/"+name).Output()
	must(t, "explain "+name, err)
	var said struct {
		Snapshot struct{ Paused string }
		Decision struct{ Asleep bool }
	}
	must(t, "read what explain says", json.Unmarshal(out, &said))
	got := "asleep"
	if !said.Decision.Asleep {
		got = "paused"
	}
	if got != want || (said.Snapshot.Paused != "") != (want == "paused") {
		t.Errorf("%s is %s (by %q), want %s", name, got, said.Snapshot.Paused, want)
	}
}
