package loadsim

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func loadsOf(namespace string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: ControlName}, Data: data}
}

func TestControl(t *testing.T) {
	t.Parallel()
	type data = map[string]string
	for name, story := range map[string]struct {
		events []*corev1.ConfigMap // one without data is deleted
		want   []string            // what was set and reported, in order
	}{
		"each key is the load of a Deployment": {
			[]*corev1.ConfigMap{loadsOf("shop", data{"web": "500m", "db": "2"})},
			[]string{"shop/db: 2000", "shop/web: 500"},
		},
		"only what changed begins anew": {
			[]*corev1.ConfigMap{
				loadsOf("shop", data{"web": "500m", "db": "2"}),
				loadsOf("shop", data{"web": "600m", "db": "2"}),
				loadsOf("shop", data{"web": "600m", "db": "2"}),
			},
			[]string{"shop/db: 2000", "shop/web: 500", "shop/web: 600"},
		},
		"a bad text is reported once and changes nothing": {
			[]*corev1.ConfigMap{
				loadsOf("shop", data{"web": "500m"}),
				loadsOf("shop", data{"web": "fast", "db": "2"}),
				loadsOf("shop", data{"web": "fast", "db": "3"}),
				loadsOf("shop", data{"web": "600m", "db": "3"}),
			},
			[]string{
				"shop/web: 500", "shop/db: 2000",
				`error: ConfigMap shop/loadsim, key "web": the load stays as it was: load "fast": "fast" is not a load such as ` +
					`500m, 2 or 0.5; ` + errForm.Error(),
				"shop/db: 3000", "shop/web: 600",
			},
		},
		"a removed key ends its load": {
			[]*corev1.ConfigMap{loadsOf("shop", data{"web": "500m", "db": "2"}), loadsOf("shop", data{"db": "2"})},
			[]string{"shop/db: 2000", "shop/web: 500", "shop/web: none"},
		},
		"a deleted ConfigMap ends the loads of its namespace": {
			[]*corev1.ConfigMap{
				loadsOf("shop", data{"web": "500m"}), loadsOf("farm", data{"web": "1"}), loadsOf("shop", nil),
				loadsOf("shop", data{"web": "500m"}),
			},
			[]string{"shop/web: 500", "farm/web: 1000", "shop/web: none", "shop/web: 500"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			c := &control{
				texts: map[types.NamespacedName]string{},
				set: func(name types.NamespacedName, curve Curve) {
					got = append(got, name.String()+": "+loadText(curve))
				},
				report: func(err error) { got = append(got, "error: "+err.Error()) },
			}
			for _, cm := range story.events {
				if cm.Data == nil {
					c.gone(cm)
					continue
				}
				c.apply(cm)
			}
			if diff := cmp.Diff(story.want, got); diff != "" {
				t.Errorf("what was set and reported (-want +got):\n%s", diff)
			}
		})
	}
}

func loadText(c Curve) string {
	if c == nil {
		return "none"
	}
	return strconv.FormatInt(c(0), 10)
}
