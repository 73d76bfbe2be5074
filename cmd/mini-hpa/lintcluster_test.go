package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	kubetesting "k8s.io/client-go/testing"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// fakeCluster answers from memory.
type fakeCluster struct {
	core *fake.Clientset
	keda *dynamicfake.FakeDynamicClient
}

// newFakeCluster has, in namespace shop, a LimitRange that requests 100m, an HPA of KEDA and its ScaledObject for web,
// and an HPA for api.
func newFakeCluster() fakeCluster {
	hpa := func(name, target string, owners ...metav1.OwnerReference) *autoscalingv2.HorizontalPodAutoscaler {
		return &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, OwnerReferences: owners},
			Spec: autoscalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: target}}}
	}
	limits := &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "limits"}, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{
		{Type: corev1.LimitTypeContainer, DefaultRequest: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}}}}}
	scaled := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
		"metadata": map[string]any{"namespace": "shop", "name": "queue"}, "spec": map[string]any{"scaleTargetRef": map[string]any{"name": "web"}, "triggers": []any{}}}}
	return fakeCluster{
		core: fake.NewClientset(limits, hpa("api", "api"), hpa("keda-hpa-queue", "web", metav1.OwnerReference{
			APIVersion: "keda.sh/v1alpha1", Kind: "ScaledObject", Name: "queue", Controller: new(true)})),
		keda: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
			map[schema.GroupVersionResource]string{{Group: annotations.GroupKEDA, Version: "v1alpha1", Resource: "scaledobjects"}: "ScaledObjectList",
				{Group: annotations.GroupResizer, Version: "v1", Resource: "verticalpodautoscalers"}: "VerticalPodAutoscalerList"}, scaled),
	}
}

// refuse lets the lists of a resource fail.
func (c fakeCluster) refuse(name string, err error) {
	fail := func(kubetesting.Action) (bool, runtime.Object, error) { return true, nil, err }
	c.core.PrependReactor("list", name, fail)
	c.keda.PrependReactor("list", name, fail)
}

func (c fakeCluster) ask(ctx context.Context, namespace string) (*neighborhood, error) {
	return readSurroundings(ctx, c.core, c.keda, namespace)
}

func forbidden(what string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: what}, "", errors.New("not you\x1b[31m"))
}

func TestReadSurroundings(t *testing.T) {
	missing := apierrors.NewNotFound(schema.GroupResource{Group: annotations.GroupKEDA, Resource: "scaledobjects"}, "")
	queue := []annotations.Autoscaler{{Kind: annotations.KindScaledObject, Name: "queue"}}
	const unknown = `listing the LimitRanges of namespace "shop" is forbidden`
	tests := map[string]struct {
		namespace, refused string
		err                error
		limits             int
		unknown            string
		scalers            []annotations.Autoscaler // of web
		hidden             int
		want               string // error
	}{
		"all is seen":                 {namespace: "shop", limits: 1, scalers: queue},
		"another namespace":           {namespace: "empty"},
		"LimitRanges are forbidden":   {namespace: "shop", refused: "limitranges", err: forbidden("limitranges"), unknown: unknown, scalers: queue},
		"HPAs are forbidden":          {namespace: "shop", refused: "horizontalpodautoscalers", err: forbidden("hpa"), limits: 1, scalers: queue, hidden: 1},
		"ScaledObjects are forbidden": {namespace: "shop", refused: "scaledobjects", err: forbidden("scaledobjects"), limits: 1, scalers: queue, hidden: 1},
		"ScaledObjects are no API":    {namespace: "shop", refused: "scaledobjects", err: missing, limits: 1, scalers: queue},
		"LimitRanges fail":            {namespace: "shop", refused: "limitranges", err: errors.New("no route"), want: `cannot list the LimitRanges of namespace "shop": no route`},
		"HPAs fail":                   {namespace: "shop", refused: "horizontalpodautoscalers", err: errors.New("no route"), want: `cannot list the HorizontalPodAutoscalers of namespace "shop": no route`},
		"ScaledObjects fail":          {namespace: "shop", refused: "scaledobjects", err: errors.New("no route"), want: `cannot list the ScaledObjects of namespace "shop": no route`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := newFakeCluster()
			if tt.refused != "" {
				c.refuse(tt.refused, tt.err)
			}
			n, err := c.ask(t.Context(), tt.namespace)
			if tt.want != "" {
				if err == nil || err.Error() != tt.want {
					t.Errorf("error %v, want %s", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s := n.of(&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web"}})
			if diff := cmp.Diff(tt.scalers, s.Autoscalers); diff != "" {
				t.Errorf("autoscalers (-want +got):\n%s", diff)
			}
			if len(s.LimitRanges) != tt.limits || s.Unknown != tt.unknown || len(n.hidden) != tt.hidden {
				t.Errorf("%d LimitRanges, unknown %q, hidden %v", len(s.LimitRanges), s.Unknown, n.hidden)
			}
		})
	}
}

func TestReadSurroundingsTurnsPages(t *testing.T) {
	c := newFakeCluster()
	c.core.PrependReactor("list", "limitranges", func(a kubetesting.Action) (bool, runtime.Object, error) {
		list, ok := a.(kubetesting.ListActionImpl)
		if !ok || list.ListOptions.Limit == 0 {
			t.Errorf("%+v asks for all at once", a)
		}
		page := &corev1.LimitRangeList{Items: []corev1.LimitRange{{ObjectMeta: metav1.ObjectMeta{Name: "page" + list.ListOptions.Continue}}}}
		if list.ListOptions.Continue == "" {
			page.Continue = "2"
		}
		return true, page, nil
	})
	n, err := c.ask(t.Context(), "shop")
	if err != nil || len(n.limitRanges) != 2 {
		t.Errorf("%v, %+v", err, n)
	}
}

func TestLintServerSide(t *testing.T) {
	needy := strings.Replace(workload(), "250m", "50%", 1)
	const (
		limits = "---\napiVersion: v1\nkind: LimitRange\nmetadata: {name: limits}\nspec: {limits: [{type: Container, defaultRequest: {cpu: 700m}}]}\n"
		keda   = "---\napiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: queue}\nspec: {scaleTargetRef: {name: another}}\n"
	)
	tests := map[string]struct {
		text, refused string
		err           error
		code          error
		want          []string // parts of standard output
		stderr        string   // part of standard error
	}{
		"the cluster counts":        {needy, "", nil, nil, []string{`ScaledObject "queue" already`, "get 100m from LimitRange"}, "0 errors, 2 warnings"},
		"manifests count more":      {needy + limits + keda, "", nil, nil, []string{"get 700m from LimitRange"}, "0 errors, 1 warning"},
		"LimitRanges are forbidden": {needy + keda, "limitranges", forbidden("limitranges"), nil, []string{"UnverifiedRequest"}, "0 errors, 1 warning"},
		"HPAs are forbidden": {needy + keda, "horizontalpodautoscalers", forbidden("hpa"), nil, []string{"RequestFromLimitRange"},
			`mini-hpa lint: warning: cannot list the HorizontalPodAutoscalers of namespace "shop": hpa is forbidden: not you\x1b[31m`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := newFakeCluster()
			if tt.refused != "" {
				c.refuse(tt.refused, tt.err)
			}
			var out, messages strings.Builder
			task := lintTask{defaults: annotations.DefaultDefaults(), namespace: "shop", output: "text"}
			err := task.lint(t.Context(), []string{"-"}, cli.Streams{In: strings.NewReader(tt.text), Out: &out, Err: &messages}, c.ask)
			if !errors.Is(err, tt.code) || strings.Count(out.String(), "\n") != len(tt.want) {
				t.Errorf("error %v, standard output:\n%s", err, out.String())
			}
			for _, part := range tt.want {
				if !strings.Contains(out.String(), part) {
					t.Errorf("standard output lacks %q:\n%s", part, out.String())
				}
			}
			if !strings.Contains(messages.String(), tt.stderr) {
				t.Errorf("standard error lacks %q:\n%s", tt.stderr, messages.String())
			}
		})
	}
}

// kubeconfigOf writes a kubeconfig whose context has namespace shop.
func kubeconfigOf(t *testing.T, server string) string {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "test",
"clusters": [{"name": "test", "cluster": {"server": %q}}], "users": [{"name": "test", "user": {}}],
"contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "shop"}}]}`, server)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLintAsksOverHTTP(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		status := metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden}
		if err := json.NewEncoder(w).Encode(status); err != nil {
			t.Error(err)
		}
	}))
	code, stdout, stderr := lint(t, strings.Replace(workload(), "250m", "50%", 1), "--server-side", "--kubeconfig", kubeconfigOf(t, server.URL))
	if code != cli.ExitOK || !strings.Contains(stdout, "Deployment shop/web: ") || strings.Count(stderr, "warning: cannot list") != 3 {
		t.Errorf("exit code %d, standard output %s, standard error %s", code, stdout, stderr)
	}
	want := []string{"/api/v1/namespaces/shop/limitranges", "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers",
		"/apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects", "/apis/autoscaling.k8s.io/v1/namespaces/shop/verticalpodautoscalers", "/api/v1/namespaces/shop"}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	server.Close()
	code, stdout, stderr = lint(t, workload(), "--server-side", "--kubeconfig", kubeconfigOf(t, server.URL))
	if code != cli.ExitFailure || stdout != "" || !strings.Contains(stderr, `mini-hpa lint: cannot list the LimitRanges of namespace "shop": `) {
		t.Errorf("exit code %d, standard output %s, standard error %s", code, stdout, stderr)
	}
	code, _, stderr = lint(t, workload(), "--server-side", "--kubeconfig", filepath.Join(t.TempDir(), "none"))
	if code != cli.ExitFailure || !strings.Contains(stderr, "mini-hpa lint: no cluster configured") && !strings.Contains(stderr, "mini-hpa lint: cannot load") {
		t.Errorf("exit code %d, standard error %s", code, stderr)
	}
}
