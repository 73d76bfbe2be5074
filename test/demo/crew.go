package main

import (
	"context"
	"errors"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// crew are the consumers of a workload whose pods are simulated: one for each pod that is ready. It ends when its pod goes, in the middle of
// its work, as a process that is killed.
type crew struct {
	work func(context.Context) (held bool, err error)

	all     sync.WaitGroup
	mu      sync.Mutex
	working map[types.UID]context.CancelFunc
	rolls   rolls
}

// rolls are how many of a crew have ended, how many of them had a message in hand, and what has gone wrong.
type rolls struct {
	ended, held int
	trouble     error
}

// follow begins and ends consumers so that they are those of the pods.
func (c *crew) follow(pods []corev1.Pod) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.working == nil {
		c.working = map[types.UID]context.CancelFunc{}
	}
	there := map[types.UID]bool{}
	for _, pod := range ready(pods) {
		there[pod.UID] = true
		if c.working[pod.UID] == nil {
			ctx, end := context.WithCancel(context.Background())
			c.working[pod.UID] = end
			c.all.Go(func() { c.run(ctx) })
		}
	}
	for pod, end := range c.working {
		if !there[pod] {
			end()
			delete(c.working, pod)
		}
	}
}

func (c *crew) run(ctx context.Context) {
	held, err := c.work(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rolls.ended++
	if held {
		c.rolls.held++
	}
	c.rolls.trouble = errors.Join(c.rolls.trouble, err)
}

// dismiss ends all.
func (c *crew) dismiss() {
	c.follow(nil)
	c.all.Wait()
}

func (c *crew) now() rolls {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rolls
}
