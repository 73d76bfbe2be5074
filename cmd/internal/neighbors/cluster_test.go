package neighbors

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kubetesting "k8s.io/client-go/testing"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

func TestRead(t *testing.T) {
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
		"LimitRanges are forbidden":   {namespace: "shop", refused: "limitranges", err: clitest.Forbidden("limitranges"), unknown: unknown, scalers: queue},
		"HPAs are forbidden":          {namespace: "shop", refused: "horizontalpodautoscalers", err: clitest.Forbidden("hpa"), limits: 1, scalers: queue, hidden: 1},
		"ScaledObjects are forbidden": {namespace: "shop", refused: "scaledobjects", err: clitest.Forbidden("scaledobjects"), limits: 1, scalers: queue, hidden: 1},
		"ScaledObjects are no API":    {namespace: "shop", refused: "scaledobjects", err: missing, limits: 1, scalers: queue},
		"LimitRanges fail":            {namespace: "shop", refused: "limitranges", err: errors.New("no route"), want: `cannot list the LimitRanges of namespace "shop": no route`},
		"HPAs fail":                   {namespace: "shop", refused: "horizontalpodautoscalers", err: errors.New("no route"), want: `cannot list the HorizontalPodAutoscalers of namespace "shop": no route`},
		"ScaledObjects fail":          {namespace: "shop", refused: "scaledobjects", err: errors.New("no route"), want: `cannot list the ScaledObjects of namespace "shop": no route`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := clitest.NewFakeCluster()
			if tt.refused != "" {
				c.Refuse(tt.refused, tt.err)
			}
			n, err := Read(t.Context(), c.Core, c.Dynamic, tt.namespace)
			if tt.want != "" {
				if err == nil || err.Error() != tt.want {
					t.Errorf("error %v, want %s", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s := n.Of(&annotations.Workload{Key: annotations.DeploymentKey("shop", "web")})
			if diff := cmp.Diff(tt.scalers, s.Autoscalers); diff != "" {
				t.Errorf("autoscalers (-want +got):\n%s", diff)
			}
			if len(s.LimitRanges) != tt.limits || s.Unknown != tt.unknown || len(n.Hidden) != tt.hidden {
				t.Errorf("%d LimitRanges, unknown %q, hidden %v", len(s.LimitRanges), s.Unknown, n.Hidden)
			}
		})
	}
}

func TestReadTurnsPages(t *testing.T) {
	c := clitest.NewFakeCluster()
	c.Core.PrependReactor("list", "limitranges", func(a kubetesting.Action) (bool, runtime.Object, error) {
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
	n, err := Read(t.Context(), c.Core, c.Dynamic, "shop")
	if err != nil || len(n.limitRanges) != 2 {
		t.Errorf("%v, %+v", err, n)
	}
}

// TestQuantitiesAreBounded: an API server takes a LimitRange of 1e999999999, and comparing that with anything takes hours.
func TestQuantitiesAreBounded(t *testing.T) {
	c := clitest.NewFakeCluster()
	c.Core.PrependReactor("list", "limitranges", func(kubetesting.Action) (bool, runtime.Object, error) {
		return true, &corev1.LimitRangeList{Items: []corev1.LimitRange{{ObjectMeta: metav1.ObjectMeta{Name: "large"}, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{
			{Type: corev1.LimitTypeContainer, DefaultRequest: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1e999999999")}}}}}}}, nil
	})
	n, err := Read(t.Context(), c.Core, c.Dynamic, "shop")
	if err != nil {
		t.Fatal(err)
	}
	ranges := n.Of(&annotations.Workload{Key: annotations.DeploymentKey("shop", "web")}).LimitRanges
	if len(ranges) != 1 {
		t.Fatalf("%d LimitRanges, want one", len(ranges))
	}
	if request, _ := annotations.DefaultRequest(ranges[0], corev1.ResourceCPU); request.AsApproximateFloat64() != 1e30 {
		t.Errorf("the request is not 1e30")
	}
}

// TestReadAll finds in each namespace what Read finds there, with one list of each kind.
func TestReadAll(t *testing.T) {
	c := clitest.NewFakeCluster()
	c.Core.ClearActions()
	c.Dynamic.ClearActions()
	all, err := ReadAll(t.Context(), c.Core, c.Dynamic)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.Core.Actions()) + len(c.Dynamic.Actions()); n != 7 {
		t.Errorf("%d requests, want one for each of seven kinds: %v %v", n, c.Core.Actions(), c.Dynamic.Actions())
	}
	for _, namespace := range []string{"shop", "empty"} {
		one, err := Read(t.Context(), c.Core, c.Dynamic, namespace)
		if err != nil {
			t.Fatal(err)
		}
		among := all[namespace]
		if among == nil {
			among = New()
		}
		w := &annotations.Workload{Key: annotations.DeploymentKey(namespace, "web")}
		if diff := cmp.Diff(one.Of(w), among.Of(w), cmpopts.IgnoreFields(annotations.Surroundings{}, "Where", "WhereRange")); diff != "" {
			t.Errorf("%s (-alone +among all):\n%s", namespace, diff)
		}
	}
	if s := all["shop"].Of(&annotations.Workload{Key: annotations.DeploymentKey("shop", "web")}); len(s.Autoscalers) != 1 || len(s.LimitRanges) != 1 {
		t.Errorf("shop has %+v", s)
	}
	for _, resource := range []string{"limitranges", "horizontalpodautoscalers", "scaledobjects", "services", "networkpolicies", "namespaces"} {
		c := clitest.NewFakeCluster()
		c.Refuse(resource, clitest.Forbidden(resource))
		if _, err := ReadAll(t.Context(), c.Core, c.Dynamic); !apierrors.IsForbidden(err) {
			t.Errorf("%s are forbidden: %v", resource, err)
		}
	}
}
