package podspec

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// amounts are a list such as "cpu=100m memory=1Gi"; nil if empty.
func amounts(text string) corev1.ResourceList {
	var list corev1.ResourceList
	for _, item := range strings.Fields(text) {
		name, amount, _ := strings.Cut(item, "=")
		if list == nil {
			list = corev1.ResourceList{}
		}
		list[corev1.ResourceName(name)] = resource.MustParse(amount)
	}
	return list
}

func requirements(requests, limits string) corev1.ResourceRequirements {
	return corev1.ResourceRequirements{Requests: amounts(requests), Limits: amounts(limits)}
}

func container(name, requests string) corev1.Container {
	return corev1.Container{Name: name, Resources: requirements(requests, "")}
}

func sidecar(name, requests string) corev1.Container {
	c := container(name, requests)
	c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
	return c
}

func list(containers ...corev1.Container) []corev1.Container { return containers }

// told is what a request is made of, for people.
func told(spec *Spec, name corev1.ResourceName, of string) string {
	var parts []string
	for part := range spec.Request(name, of) {
		whose := "pod"
		if part.Container != nil {
			whose = part.Container.Name
		}
		parts = append(parts, fmt.Sprintf("%s %s %s", whose, part.String(), [...]string{"none", "own", "limit", "summed"}[part.Origin]))
	}
	return strings.Join(parts, ", ")
}

func TestRequest(t *testing.T) {
	big := container("migrate", "cpu=2")
	tests := map[string]struct {
		spec     Spec
		resource corev1.ResourceName
		of       string
		want     string
	}{
		"all containers":                 {Spec{Containers: list(container("app", "cpu=100m"), container("log", "cpu=50m"))}, "cpu", "", "app 100m own, log 50m own"},
		"one container":                  {Spec{Containers: list(container("app", "cpu=100m"), container("log", "cpu=50m"))}, "cpu", "log", "log 50m own"},
		"no such container":              {Spec{Containers: list(container("app", "cpu=100m"))}, "cpu", "log", ""},
		"sidecars":                       {Spec{Containers: list(container("app", "cpu=100m")), InitContainers: list(big, sidecar("log", "cpu=50m"))}, "cpu", "", "app 100m own, log 50m own"},
		"one sidecar":                    {Spec{Containers: list(container("app", "cpu=100m")), InitContainers: list(sidecar("log", "cpu=50m"))}, "cpu", "log", "log 50m own"},
		"an init container is none":      {Spec{Containers: list(container("app", "cpu=100m")), InitContainers: list(big)}, "cpu", "migrate", ""},
		"a container without a request":  {Spec{Containers: list(container("app", "cpu=100m"), container("log", "memory=1Gi"))}, "cpu", "", "app 100m own, log 0 none"},
		"a limit is no request yet":      {Spec{Containers: list(corev1.Container{Name: "app", Resources: requirements("", "cpu=1")})}, "cpu", "", "app 0 none"},
		"no overhead of containers":      {Spec{Containers: list(container("app", "cpu=100m")), Overhead: amounts("cpu=1")}, "cpu", "", "app 100m own"},
		"the pod as a whole":             {Spec{Resources: new(requirements("cpu=1", "")), Containers: list(container("app", "cpu=100m"))}, "cpu", "", "pod 1 own"},
		"a container all the same":       {Spec{Resources: new(requirements("cpu=1", "")), Containers: list(container("app", "cpu=100m"))}, "cpu", "app", "app 100m own"},
		"with overhead":                  {Spec{Resources: new(requirements("cpu=1", "")), Overhead: amounts("cpu=250m"), Containers: list(container("app", "cpu=100m"))}, "cpu", "", "pod 1250m own"},
		"overhead alone":                 {Spec{Resources: new(requirements("memory=1Gi", "")), Overhead: amounts("cpu=250m"), Containers: list(container("app", ""))}, "cpu", "", "pod 250m own"},
		"summed":                         {Spec{Resources: new(requirements("memory=1Gi", "")), Containers: list(container("app", "cpu=100m"), container("log", "cpu=50m"))}, "cpu", "", "pod 150m summed"},
		"summed with overhead":           {Spec{Resources: new(requirements("memory=1Gi", "")), Overhead: amounts("cpu=10m"), Containers: list(container("app", "cpu=100m"))}, "cpu", "", "pod 110m summed"},
		"summed, as an init one needs":   {Spec{Resources: new(requirements("memory=1Gi", "")), Containers: list(container("app", "cpu=500m")), InitContainers: list(big)}, "cpu", "", "pod 2 summed"},
		"sidecars before an init one":    {Spec{Resources: new(requirements("memory=1Gi", "")), Containers: list(container("app", "cpu=500m")), InitContainers: list(sidecar("log", "cpu=100m"), big)}, "cpu", "", "pod 2100m summed"},
		"and those after it":             {Spec{Resources: new(requirements("memory=1Gi", "")), Containers: list(container("app", "cpu=500m")), InitContainers: list(big, sidecar("log", "cpu=100m"))}, "cpu", "", "pod 2 summed"},
		"nothing of the pod as a whole":  {Spec{Resources: new(requirements("memory=1Gi", "")), Containers: list(container("app", ""))}, "cpu", "", "pod 0 none"},
		"huge pages are a request, too":  {Spec{Resources: new(requirements("hugepages-2Mi=2Mi", "")), Containers: list(container("app", "cpu=100m"))}, "cpu", "", "pod 100m summed"},
		"disk is none of a pod":          {Spec{Resources: new(requirements("ephemeral-storage=1Gi", "")), Containers: list(container("app", "cpu=100m"))}, "cpu", "", "app 100m own"},
		"limits of the pod are none yet": {Spec{Resources: new(requirements("", "cpu=1")), Containers: list(container("app", "cpu=100m"))}, "cpu", "", "app 100m own"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := told(&test.spec, test.resource, test.of); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestStored(t *testing.T) {
	given := corev1.PodSpec{
		Resources:      new(requirements("", "cpu=4 memory=1Gi")),
		InitContainers: list(corev1.Container{Name: "migrate", Resources: requirements("", "cpu=2")}),
		Containers:     list(corev1.Container{Name: "app", Resources: requirements("cpu=100m", "cpu=1 ephemeral-storage=1Gi")}, container("log", "")),
	}
	want := &Spec{
		Resources:      new(requirements("cpu=2 memory=1Gi", "cpu=4 memory=1Gi")),
		InitContainers: list(corev1.Container{Name: "migrate", Resources: requirements("cpu=2", "cpu=2")}),
		Containers:     list(corev1.Container{Name: "app", Resources: requirements("cpu=100m ephemeral-storage=1Gi", "cpu=1 ephemeral-storage=1Gi")}, container("log", "")),
	}
	before := given.DeepCopy()
	if diff := cmp.Diff(want, Stored(&given)); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(*before, given); diff != "" {
		t.Errorf("the spec that was given is changed (-want +got):\n%s", diff)
	}
}

func TestGiven(t *testing.T) {
	for name, test := range map[string]struct {
		given  corev1.ResourceRequirements
		amount string
		origin Origin
	}{
		"a request":         {requirements("cpu=100m", "cpu=1"), "100m", Own},
		"a request of zero": {requirements("cpu=0", "cpu=1"), "0", Own},
		"a limit":           {requirements("memory=1Gi", "cpu=1"), "1", Limit},
		"nothing":           {requirements("memory=1Gi", ""), "0", None},
	} {
		if q, origin := Given(&test.given, "cpu"); q.String() != test.amount || origin != test.origin {
			t.Errorf("%s: got %s of origin %d, want %s of %d", name, q.String(), origin, test.amount, test.origin)
		}
	}
}

func TestContainers(t *testing.T) {
	spec := &corev1.PodSpec{Containers: list(container("app", ""), container("web", "")), InitContainers: list(container("migrate", ""), sidecar("log", ""))}
	var all, long []string
	for at, c := range All(spec) {
		all = append(all, fmt.Sprintf("%s[%d] %s", at.List, at.Index, c.Name))
		if At(spec, at) != c {
			t.Errorf("%v is not the place of %s", at, c.Name)
		}
	}
	for at, c := range LongRunning(spec) {
		long = append(long, fmt.Sprintf("%s[%d] %s", at.List, at.Index, c.Name))
	}
	if want := []string{"containers[0] app", "containers[1] web", "initContainers[0] migrate", "initContainers[1] log"}; !slices.Equal(all, want) {
		t.Errorf("all are %q, want %q", all, want)
	}
	if want := []string{"containers[0] app", "containers[1] web", "initContainers[1] log"}; !slices.Equal(long, want) {
		t.Errorf("long-running are %q, want %q", long, want)
	}
	for _, at := range []Place{{Containers, 2}, {Containers, -1}, {InitContainers, 2}} {
		if At(spec, at) != nil {
			t.Errorf("there is a container at %v", at)
		}
	}
	for name, want := range map[string]bool{"app": true, "migrate": true, "log": true, "": false, "proxy": false} {
		if Has(spec, name) != want {
			t.Errorf("Has(%q) is %t", name, !want)
		}
	}
}

// TestIterationEnds: whoever breaks off gets no more.
func TestIterationEnds(t *testing.T) {
	spec := &corev1.PodSpec{Containers: list(container("app", "")), InitContainers: list(sidecar("log", ""), sidecar("proxy", ""))}
	for stop := range 3 {
		n := 0
		for range All(spec) {
			if n++; n > stop {
				break
			}
		}
		for range LongRunning(spec) {
			if n++; n > 2*stop+1 {
				break
			}
		}
		for range View(spec).Request("cpu", "") {
			if n++; n > 3*stop+2 {
				break
			}
		}
		if n != 3*(stop+1) {
			t.Errorf("%d visited, want %d", n, 3*(stop+1))
		}
	}
}

func TestSlim(t *testing.T) {
	full := list(corev1.Container{Name: "app", Image: "secret", Args: []string{"secret"}, Env: []corev1.EnvVar{{Name: "PASSWORD", Value: "secret"}},
		Resources: requirements("cpu=100m memory=1e999999999", "cpu=1")})
	once := sidecar("log", "cpu=50m")
	once.Image = "secret"
	given := corev1.PodSpec{NodeName: "secret", Containers: full, InitContainers: list(once), Overhead: amounts("cpu=1e999999999"),
		Resources: &corev1.ResourceRequirements{Requests: amounts("cpu=1"), Limits: amounts("cpu=2"), Claims: []corev1.ResourceClaim{{Name: "secret"}}}}
	want := &Spec{
		Containers:     list(corev1.Container{Name: "app", Resources: requirements("cpu=100m memory=1e30", "cpu=1")}),
		InitContainers: list(sidecar("log", "cpu=50m")), Overhead: amounts("cpu=1e30"),
		Resources: new(requirements("cpu=1", "cpu=2")),
	}
	got := Slim(&given)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("slim (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, Slim(new(got.Core()))); diff != "" {
		t.Errorf("slimmed twice (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&Spec{}, Slim(&corev1.PodSpec{})); diff != "" {
		t.Errorf("nothing (-want +got):\n%s", diff)
	}
}

func TestEqual(t *testing.T) {
	base := corev1.Container{Name: "app", Resources: requirements("cpu=100m", "cpu=1")}
	for name, test := range map[string]struct {
		change func(*corev1.Container)
		want   bool
	}{
		"the same":            {func(*corev1.Container) {}, true},
		"an image":            {func(c *corev1.Container) { c.Image = "app:2" }, true},
		"a name":              {func(c *corev1.Container) { c.Name = "web" }, false},
		"a request":           {func(c *corev1.Container) { c.Resources.Requests = amounts("cpu=200m") }, false},
		"the form of a limit": {func(c *corev1.Container) { c.Resources.Limits = amounts("cpu=1e0") }, false},
		"a restart policy":    {func(c *corev1.Container) { c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways) }, false},
	} {
		changed := *base.DeepCopy()
		test.change(&changed)
		if equal(base, changed) != test.want || equal(changed, base) != test.want {
			t.Errorf("%s: want %t", name, test.want)
		}
	}
	if a, b := sidecar("log", ""), sidecar("log", ""); !equal(a, b) {
		t.Error("two equal sidecars are not")
	}
}

// BenchmarkRequest is what every look does for every pod.
func BenchmarkRequest(b *testing.B) {
	two := list(container("app", "cpu=100m memory=64Mi"), container("log", "cpu=50m memory=64Mi"))
	for name, spec := range map[string]Spec{"containers": {Containers: two},
		"whole": {Containers: two, Resources: new(requirements("cpu=1", ""))}, "summed": {Containers: two, Resources: new(requirements("memory=1Gi", ""))}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for part := range spec.Request("cpu", "") {
					_ = part.MilliValue()
				}
			}
		})
	}
}
