package informer

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"
)

// During an outage of the API server, or when its watch cache was compacted, deletions are missed. The informer then has only the last
// state that it saw, wrapped in a tombstone.
func TestDeletionsMissedByTheWatch(t *testing.T) {
	web, plain := deployment("web"), deployment("plain", unselected)
	api := deployment("api")
	webRS, apiRS := replicaSet(web, "web-1"), replicaSet(api, "api-1")
	apiPod, apiPod2 := pod(apiRS, "api-1-a"), pod(apiRS, "api-1-b")

	rebornPod := pod(apiRS, "api-1-a", func(p *corev1.Pod) { p.UID = "pod-from-another-life" })
	reborn := replicaSet(api, "api-1")
	reborn.UID = "rs-from-another-life"

	stories := map[string]struct {
		missed []step
		want   []string
	}{
		"nothing was missed":                {nil, nil},
		"a Deployment":                      {[]step{gone("", web)}, []string{"shop/web"}},
		"a Deployment that is not selected": {[]step{gone("", plain)}, nil},
		"a Deployment, made anew":           {[]step{put("", deployment("web", uid("deploy-web-2")))}, []string{"shop/web"}},
		"a pod":                             {[]step{gone("", apiPod)}, []string{"shop/api"}},
		"a pod, made anew":                  {[]step{put("", rebornPod)}, []string{"shop/api"}},
		"a ReplicaSet, made anew":           {[]step{put("", reborn)}, []string{"shop/api"}},
		"two pods and their ReplicaSet":     {[]step{gone("", apiPod), gone("", apiPod2), gone("", apiRS)}, []string{"shop/api"}},
		"a pod came and another changed": {[]step{
			put("", pod(webRS, "web-1-a")), put("", pod(apiRS, "api-1-a", ready(corev1.ConditionTrue, "10:00:20"))),
		}, []string{"shop/api", "shop/web"}},
		"the last annotation": {[]step{put("", deployment("web", unselected))}, []string{"shop/web"}},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, web, plain, api, webRS, apiRS, apiPod, apiPod2)
				c.start()
				end := c.lead(1, c.reconcile)
				c.looked()
				c.outage(errDown)
				for _, s := range story.missed {
					s.do(c)
				}
				check(t, "during the outage", c.looked(), []string(nil))
				c.outage(nil)
				time.Sleep(2 * time.Minute) // more than the longest backoff of a reflector
				check(t, "after it", slices.Compact(c.looked()), story.want)
				end()
			})
		})
	}
}

// A tombstone may lack its object: only the key is certain.
func TestTombstonesWithoutAnObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, deployment("web"))
		c.start()
		end := c.lead(1, c.reconcile)
		c.looked()
		bare := &cache.DeletedFinalStateUnknown{Key: "shop/web"}
		c.set.workloadDeleted(c.set.deployments, cache.DeletedObject[*kept]{FinalStateUnknown: bare})
		check(t, "Deployment", c.looked(), []string{"shop/web"})
		c.set.podDeleted(cache.DeletedObject[*keptPod]{FinalStateUnknown: bare})
		check(t, "pod", c.looked(), []string(nil))
		end()
	})
}
