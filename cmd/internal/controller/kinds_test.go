package controller

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/informer"
)

// TestADefinitionThatIsNewIsNoNews until it is established, unless that takes long.
func TestADefinitionThatIsNewIsNoNews(t *testing.T) {
	trains, cars := schema.GroupResource{Group: "example.com", Resource: "trains"}, schema.GroupResource{Group: "example.com", Resource: "cars"}
	const scaled, notScaled = "trains.example.com: the CustomResourceDefinition of this kind says how its objects are scaled", ": objects of this kind are not scaled: "
	gone := errors.New("gone")
	type change struct {
		name    schema.GroupResource
		problem error
		then    time.Duration
	}
	for name, test := range map[string]struct {
		changes []change
		want    []string
	}{
		"established at once":  {[]change{{trains, gone, 0}, {trains, informer.ErrNotEstablished, 10 * time.Millisecond}, {trains, nil, time.Minute}}, []string{"trains.example.com" + notScaled + "gone", scaled}},
		"established late":     {[]change{{trains, informer.ErrNotEstablished, time.Minute}, {trains, nil, time.Minute}}, []string{"trains.example.com" + notScaled + informer.ErrNotEstablished.Error(), scaled}},
		"gone before that":     {[]change{{trains, informer.ErrNotEstablished, time.Second}, {trains, gone, time.Minute}}, []string{"trains.example.com" + notScaled + "gone"}},
		"one, and another not": {[]change{{cars, informer.ErrNotEstablished, 0}, {trains, informer.ErrNotEstablished, time.Second}, {trains, nil, time.Minute}}, []string{scaled, "cars.example.com" + notScaled + informer.ErrNotEstablished.Error()}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zapcore.DebugLevel)
				k := kindsLog{log: zap.New(core), untold: map[schema.GroupResource]*time.Timer{}}
				for _, c := range test.changes {
					k.changed(c.name, annotations.Kind{}, c.problem)
					time.Sleep(c.then)
				}
				synctest.Wait()
				var got []string
				for _, line := range logs.All() {
					fields := line.ContextMap()
					text := fields["kind"].(string) + ": " + line.Message
					if problem, ok := fields["error"].(string); ok {
						text += ": " + problem
					}
					got = append(got, text)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("logged (-want +got):\n%s", diff)
				}
			})
		})
	}
}
