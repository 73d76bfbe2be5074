//go:build unix

package controlplane

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"k8s.io/client-go/rest"

	"github.com/mini-hpa/mini-hpa/test/await"
	"github.com/mini-hpa/mini-hpa/test/child"
)

const (
	// readyTimeout bounds the start of a component on a busy machine; an idle one needs a few seconds.
	readyTimeout = 2 * time.Minute
	// pollInterval is how often a component is asked whether it is ready.
	pollInterval = 50 * time.Millisecond
	// checkTimeout bounds one such question.
	checkTimeout = 5 * time.Second
	// endOfAnswer is how much of an answer an error carries, in bytes.
	endOfAnswer = 2 << 10
)

// check is one question; nil means yes.
type check func(ctx context.Context) error

// untilReady asks until the answer is yes, one of the processes ends by itself, or ctx ends.
func untilReady(ctx context.Context, ready check, processes ...*child.Process) error {
	return await.Until(ctx, pollInterval, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		answer := ready(ctx)
		if answer == nil {
			return nil
		}
		return cmp.Or(await.Final(anyFallen(processes)), answer)
	})
}

func anyFallen(processes []*child.Process) error {
	var errs []error
	for _, p := range processes {
		errs = append(errs, p.Fallen())
	}
	return errors.Join(errs...)
}

// ready is the question whether a component serves.
func (c *Cluster) ready(component Component) check {
	url := map[Component]string{
		Etcd:              c.url(c.ports.etcd) + "/health",
		APIServer:         c.url(c.ports.api) + "/readyz",
		ControllerManager: c.url(c.ports.manager) + "/healthz",
		Scheduler:         c.url(c.ports.scheduler) + "/readyz",
		KWOK:              c.url(c.ports.kwok) + "/healthz",
	}[component]
	return func(ctx context.Context) error {
		client, err := probeClient(c.admin)
		if err != nil {
			return err
		}
		defer client.CloseIdleConnections()
		if err := get(ctx, client, url); err != nil {
			return fmt.Errorf("%s is not ready: %w", component, err)
		}
		return nil
	}
}

// probeClient trusts nobody but the cluster's authority: another cluster's component on a port of ours does not pass for ours. Its
// connections end with their question, because tests look for leaks.
func probeClient(config *rest.Config) (*http.Client, error) {
	tls, err := rest.TLSConfigFor(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for readiness checks: %w", err)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: tls, DisableKeepAlives: true}}, nil
}

func get(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, endOfAnswer))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return err
}
