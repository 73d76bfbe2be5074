// Package stage is where the story is played: a cluster with a metrics API, a namespace, Deployments whose CPU usage can be set, and
// the controller. A stage is either made for the demo or a cluster that is there already.
package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	metrics "k8s.io/metrics/pkg/client/clientset/versioned"

	"github.com/mini-hpa/mini-hpa/test/demo/story"
)

// cleanup bounds what closing asks of an API server, which may be gone.
const cleanup = 30 * time.Second

// Stage is a cluster that is ready for the story. Its methods may be called from any goroutine.
type Stage struct {
	Client  kubernetes.Interface
	Metrics metrics.Interface
	// Kubeconfig is the path of a file that leads to the cluster, Namespace is where everything of the demo is in it.
	Kubeconfig, Namespace string
	// Kubectl is the path of a kubectl, empty if there is none.
	Kubectl string
	// Version is what the API server calls itself.
	Version string
	// Period is the time between two samples of the metrics API.
	Period time.Duration
	// Pace is how fast the story can be told here.
	Pace story.Pace
	// Request is the CPU request of one pod, in millicores.
	Request int64
	// Simulated says that the pods' CPU usage is, and that all of them are sampled at the same moments.
	Simulated bool

	actors  actors
	closers []func(context.Context) error

	mu    sync.Mutex
	loads map[string]setLoad
}

// setLoad is a load and when it was set.
type setLoad struct {
	story.Load
	at time.Time
}

// actors are pods whose CPU usage can be set.
type actors interface {
	// image is what the pods run.
	image() string
	// dress completes a container and its pod so that its usage can be set.
	dress(p *podParts)
	// perform brings the usage to what the loads say, once they were set.
	perform(ctx context.Context, loads map[string]setLoad) error
}

// connect makes the clients; the rest of the stage is set up with them.
func connect(config *rest.Config) (*Stage, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("could not make a client: %w", err)
	}
	samples, err := metrics.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("could not make a client of the metrics API: %w", err)
	}
	return &Stage{Client: client, Metrics: samples, loads: map[string]setLoad{}}, nil
}

// Create makes a workload's Deployment with one replica.
func (s *Stage) Create(ctx context.Context, w story.Workload) error {
	d := s.deployment(w)
	if _, err := s.Client.AppsV1().Deployments(s.Namespace).Create(ctx, d, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("could not create Deployment %s/%s: %w", s.Namespace, w.Name, err)
	}
	return nil
}

// SetLoad sets the load of each of the workloads from now on.
func (s *Stage) SetLoad(ctx context.Context, workloads []string, l story.Load) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range workloads {
		s.loads[name] = setLoad{l, time.Now()}
	}
	if err := s.actors.perform(ctx, s.loads); err != nil {
		return fmt.Errorf("could not set the load of %v: %w", workloads, err)
	}
	return nil
}

// Load is what is asked of a workload at this moment, in millicores.
func (s *Stage) Load(workload string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loads[workload].milli(time.Now(), s.Request)
}

func (l setLoad) milli(now time.Time, request int64) int64 { return l.Milli(now.Sub(l.at), request) }

// Close takes down what was set up, the last thing first. It works after an interrupt too.
func (s *Stage) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanup)
	defer cancel()
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i](ctx))
	}
	s.closers = nil
	return errors.Join(errs...)
}

// later has something taken down by Close.
func (s *Stage) later(closer func(context.Context) error) { s.closers = append(s.closers, closer) }

// say tells the audience what is going on. That it can't be told is no reason to stop.
func say(out io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
