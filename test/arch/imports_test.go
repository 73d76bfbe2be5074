package arch

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/go/packages"
)

const product = "github.com/mini-hpa/mini-hpa"

// packageOf is one package, as far as its imports matter.
func packageOf(path, name string, imports ...string) []*packages.Package {
	p := &packages.Package{PkgPath: path, Name: name, Imports: map[string]*packages.Package{}}
	for _, path := range imports {
		p.Imports[path] = nil
	}
	return []*packages.Package{p}
}

func TestPlanCheck(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		room, name string
		imports    []string
		want       []string
	}{
		"a pure room at home": {"annotations", "annotations", []string{
			"fmt", "time", "k8s.io/api/autoscaling/v2", "k8s.io/apimachinery/pkg/util/validation/field", "sigs.k8s.io/yaml",
		}, nil},
		"a pure room with a client": {"annotations", "annotations", []string{"k8s.io/client-go/kubernetes"}, []string{
			"annotations must not import k8s.io/client-go/kubernetes",
		}},
		"a pure room that logs": {"scaler/recommend", "recommend", []string{"go.uber.org/zap", "k8s.io/klog/v2", "log/slog"}, []string{
			"scaler/recommend must not import go.uber.org/zap",
			"scaler/recommend must not import k8s.io/klog/v2",
			"scaler/recommend must not import log/slog",
		}},
		"a pure room with I/O and chance": {"annotations", "annotations", []string{"net/http", "os", "math/rand/v2", "crypto/rand"}, []string{
			"annotations must not import crypto/rand",
			"annotations must not import math/rand/v2",
			"annotations must not import net/http",
			"annotations must not import os",
		}},
		"a neighbour whose path only begins alike": {"annotations", "annotations", []string{"k8s.io/api-extensions", "k8s.io/apiserver"}, []string{
			"annotations must not import k8s.io/api-extensions",
			"annotations must not import k8s.io/apiserver",
		}},
		"the decision reads annotations": {"scaler/recommend", "recommend", []string{
			product + "/annotations", "k8s.io/metrics/pkg/apis/metrics/v1beta1",
		}, nil},
		"the decision has no metrics client": {"scaler/recommend", "recommend", []string{"k8s.io/metrics/pkg/client/clientset/versioned"}, []string{
			"scaler/recommend must not import k8s.io/metrics/pkg/client/clientset/versioned",
		}},
		"the informer is handed a function": {"informer", "informer", []string{product + "/scaler", product + "/scaler/recommend"}, []string{
			"informer must not import " + product + "/scaler",
			"informer must not import " + product + "/scaler/recommend",
		}},
		"the scaler is handed listers": {"scaler", "scaler", []string{product + "/informer", product + "/scaler/metrics"}, []string{
			"scaler must not import " + product + "/informer",
		}},
		"a room does not open the rooms below it": {"webhook", "webhook", []string{product + "/annotations/inner"}, []string{
			"webhook must not import " + product + "/annotations/inner",
		}},
		"nobody imports the program": {"scaler", "scaler", []string{product + "/cmd/mini-hpa"}, []string{
			"scaler must not import " + product + "/cmd/mini-hpa",
		}},
		"the process imports everything": {"cmd/internal/controller", "controller", []string{
			product + "/informer", product + "/scaler", "github.com/spf13/pflag", "sigs.k8s.io/controller-runtime/pkg/metrics",
		}, nil},
		"the module itself is not imported": {"webhook", "webhook", []string{product}, []string{"webhook must not import " + product}},
		"a room that is not planned": {"cellar", "cellar", []string{"github.com/anybody/anything"}, []string{
			"cellar: the plan has no such room",
		}},
		"a name that says nothing": {"scaler/util", "strings", nil, []string{
			"scaler/util: the plan has no such room",
			`scaler/util: "util" is no name for a package`,
		}},
		"a package clause that says nothing": {"scaler", "common", nil, []string{`scaler: "common" is no name for a package`}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := House().Check(packageOf(product+"/"+tc.room, tc.name, tc.imports...))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestClosedRooms closes a room although a row of the plan lists it.
func TestClosedRooms(t *testing.T) {
	t.Parallel()
	plan := Plan{Module: "m.example", Rooms: map[string][]string{"a": {"./cmd"}}, Closed: []string{"cmd"}}
	got := plan.Check(packageOf("m.example/a", "a", "m.example/cmd"))
	if diff := cmp.Diff([]string{"a must not import m.example/cmd"}, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
