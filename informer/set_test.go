package informer

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mini-hpa/mini-hpa/annotations"
)

func TestSelectedAreSortedAndKnownByName(t *testing.T) {
	set := filled(t, deployment("web"), deployment("api"), deployment("plain", unselected), inNamespace("bank", deployment("web")))
	check(t, "selected", set.Selected(), []annotations.Key{
		annotations.DeploymentKey("bank", "web"), annotations.DeploymentKey("shop", "api"), annotations.DeploymentKey("shop", "web"),
	})
	if d := set.Workload(annotations.DeploymentKey("shop", "web")); d == nil || d.Name != "web" || d.Annotations["mini-hpa/max"] != "10" {
		t.Errorf("shop/web is %v", d)
	}
	if d := set.Workload(annotations.DeploymentKey("shop", "plain")); d == nil || d.UID != "deploy-plain" || d.Template != nil {
		t.Errorf("of shop/plain only the identity should be known, but it is %v", d)
	}
	if d := set.Workload(annotations.DeploymentKey("shop", "none")); d != nil {
		t.Errorf("shop/none does not exist, but it is %v", d)
	}
}

// TestLive reads what the watch has not brought, in the same form.
func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, deployment("web"), deployment("api"))
		c.start()
		key := annotations.DeploymentKey("shop", "web")
		live, err := c.set.Live(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		check(t, "live", live, c.set.Workload(key))
		if live, err := c.set.Live(t.Context(), annotations.DeploymentKey("shop", "none")); live != nil || err != nil {
			t.Errorf("live %v, error %v of a Deployment that does not exist", live, err)
		}
		c.outage(errDown)
		if _, err := c.set.Live(t.Context(), key); !errors.Is(err, errDown) {
			t.Errorf("error %v", err)
		}
		c.outage(nil)
		c.stop()
		c.set.Wait()
	})
}

// TestDoubt lists Deployments again whose watch is silent, and reports that.
func TestDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, deployment("web"))
		c.start()
		end := c.lead(1, c.reconcile)
		c.looked()
		c.mute("deployments")
		c.put(deployment("web", replicas(7)))
		key := annotations.DeploymentKey("shop", "web")
		c.set.Doubt(key, "1002")
		time.Sleep(2 * time.Second)
		check(t, "looks", c.looked(), []string{"shop/web"})
		check(t, "replicas", c.set.Workload(key).Replicas, int32(7))
		check(t, "told", c.told(), []string{"watching deployments: nothing came of version 1002 of deployment shop/web; listed again, and 1 of 1 had changed"})
		end()
		c.stop()
		c.set.Wait()
	})
}
