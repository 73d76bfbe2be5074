package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/sources"
	"github.com/mini-hpa/mini-hpa/test/rabbitmq"
)

// The story's annotations are read by the product's own parser, and its expectations follow from them.
func TestTheQueuesStoryFollowsFromItsAnnotations(t *testing.T) {
	phases, sum := queueStory(), time.Duration(0)
	policy, warnings, errs := annotations.DefaultDefaults().Parse(phases[0].workloads[0].annotations)
	if len(warnings)+len(errs) > 0 {
		t.Fatalf("warnings %v, errors %v", warnings, errs)
	}
	if got := time.Duration(*policy.Down.StabilizationWindowSeconds) * s; got != window || got >= lastTakes {
		t.Errorf("the window of scale-down is %s, want %s, and less than the %s of the last message", got, window, lastTakes)
	}
	perPod := policy.Metrics[0].Spec.External.Target.AverageValue.Value()
	for _, phase := range phases {
		sum += phase.expect.longest()
		jobs := phase.jobs.list()
		if len(jobs) != phase.jobs.count || len(jobs) > 0 && jobs[len(jobs)-1] != (rabbitmq.Job{Number: len(jobs) - 1, Takes: lastTakes}) {
			t.Errorf("%s: %d jobs", phase.title, len(jobs))
		}
		expect, ok := phase.expect.(reaches)
		if needed := int32(math.Ceil(float64(phase.jobs.count) / float64(perPod))); ok && (expect.replicas != needed || needed >= policy.Max) {
			t.Errorf("%s: %d messages need %d pods of at most %d, the story expects %d", phase.title, phase.jobs.count, needed, policy.Max, expect.replicas)
		}
		late := seen{elapsed: phase.expect.longest() + s, workloads: map[string]*sight{worker: {replicas: 3}}}
		if v := phase.expect.judge(late); !v.known || v.held {
			t.Errorf("%s: %+v after everything was late, want a failure", phase.title, v)
		}
	}
	const slack = 2 * each * takes // what consumers may lose on a busy machine
	if sum-slack > 200*s {
		t.Errorf("on an idle machine it may take %s, which leaves less than 40s of four minutes for the start", sum-slack)
	}
}

// TestTheAdministratorsFileIsRead by the product's own parser, with the credentials that it names.
func TestTheAdministratorsFileIsRead(t *testing.T) {
	dir := t.TempDir()
	q := &queue{stage: &stage{namespace: "mini-hpa-demo-7"}, broker: &rabbitmq.Broker{Management: "127.0.0.1:15672"}, file: filepath.Join(dir, "sources.yaml")}
	if err := q.list(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(q.file)
	if err != nil {
		t.Fatal(err)
	}
	all, err := catalog.Parse(text, sources.Types())
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	settings, err := json.Marshal(all.Entry("rabbit").Settings)
	want := fmt.Sprintf(`{"url":"http://127.0.0.1:15672","auth":{"userFile":%q,"passwordFile":%[1]q}}`, filepath.Join(dir, "credentials"))
	if err != nil || string(settings) != want {
		t.Errorf("settings %s, %v, want %s", settings, err, want)
	}
}

func TestMessagesAreJudged(t *testing.T) {
	done := func(t tally) *sight { return &sight{replicas: 10, tally: t} }
	all := rabbitmq.Account{Done: 50}
	asleep := func(c rolls) *sight { return &sight{tally: tally{known: true, account: all, crew: c}} }
	drain := drains{workload: worker, replicas: 10, messages: 50, within: 60 * s}
	sleep := unharmed{reaches{workload: worker, replicas: 0, within: 60 * s, hold: 5 * s}}
	for name, tt := range map[string]struct {
		expect expectation
		seen   *sight
		want   verdict
	}{
		"all are done":            {drain, done(tally{known: true, account: all}), verdict{true, true, "50 messages are done, each once, in 20s"}},
		"one is in hand":          {drain, done(tally{known: true, left: 1, account: rabbitmq.Account{Done: 49}}), verdict{}},
		"what is left is unknown": {drain, done(tally{account: all}), verdict{}},
		"one was delivered again": {drain, done(tally{account: rabbitmq.Account{Done: 49, Again: 1}}), verdict{known: true, says: "1 messages were delivered again"}},
		"one was done twice":      {drain, done(tally{account: rabbitmq.Account{Done: 49, Twice: 1}}), verdict{known: true, says: "1 messages were done twice"}},
		"a pod went meanwhile":    {drain, &sight{tally: tally{left: 7}, changes: []change{{from: 10, to: 9}}}, verdict{known: true, says: "worker went 10 -> 9 with 7 messages left"}},
		"asleep, and nobody harmed": {sleep, asleep(rolls{ended: 11}), verdict{true, true,
			"worker stayed at 0; consumers that have ended so far: 11, with a message in hand: 0; messages delivered twice: 0"}},
		"asleep, and one harmed": {sleep, asleep(rolls{ended: 11, held: 1}), verdict{known: true, says: "1 consumers were ended with a message in hand"}},
	} {
		if got := tt.expect.judge(seen{elapsed: 20 * s, workloads: map[string]*sight{worker: tt.seen}}); got != tt.want {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

// TestEachPodHasAConsumer: while it is ready, one, which is ended when the pod goes, and is asked whether it had a message.
func TestEachPodHasAConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, broken := 0, errors.New("no connection")
		var c crew
		c.work = func(ctx context.Context) (bool, error) {
			began++
			if began == 3 {
				return false, broken
			}
			<-ctx.Done()
			return began == 3, nil // that is, both
		}
		pod := func(name string, isReady corev1.ConditionStatus) corev1.Pod {
			return corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: types.UID(name)}, Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: isReady}}}}
		}
		leaving := pod("a", "True")
		leaving.DeletionTimestamp = new(metav1.Now())
		for _, step := range []struct {
			pods           []corev1.Pod
			began          int
			ended, holding int
		}{
			{[]corev1.Pod{pod("a", "True"), pod("b", "False")}, 1, 0, 0},
			{[]corev1.Pod{pod("a", "True"), pod("b", "True")}, 2, 0, 0},
			{[]corev1.Pod{pod("a", "True"), pod("b", "True"), pod("c", "True")}, 3, 1, 0},
			{[]corev1.Pod{leaving, pod("b", "True"), pod("c", "True")}, 3, 2, 1},
		} {
			c.follow(step.pods)
			synctest.Wait()
			if got := c.now(); began != step.began || got.ended != step.ended || got.held != step.holding {
				t.Errorf("%d consumers have begun, want %d; %+v, want %d ended, %d with a message", began, step.began, got, step.ended, step.holding)
			}
		}
		c.dismiss()
		if got := c.now(); got.ended != 3 || !errors.Is(got.trouble, broken) {
			t.Errorf("after the end: %+v", got)
		}
	})
}
