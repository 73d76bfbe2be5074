//go:build linux

package story

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// loseLeader kills the pod that scales and raises the load at once: only a new leader can answer that.
func (d *director) loseLeader(ctx context.Context) error {
	old, err := d.leader(ctx)
	if err != nil {
		return err
	}
	stream, err := d.startAdmissions(ctx)
	if err != nil {
		return err
	}
	defer stream.stop()
	if err := d.eventually(ctx, "some admissions before", stream.sawAtLeast(10)); err != nil {
		return err
	}
	killed := time.Now()
	if _, err := d.kubectl(ctx, "--namespace="+namespace, "delete", "pod", old, "--grace-period=0", "--force"); err != nil {
		return err
	}
	d.rate.set(heavyLoad) // not before: the old leader should not answer it
	d.say("the leading pod %s is killed, and %d requests come per second", old, heavyLoad)
	if err := d.awaitSuccessor(ctx, old); err != nil {
		return err
	}
	d.say("takeover %s after the kill", time.Since(killed).Round(time.Second/10))
	if err := d.awaitReplicas(ctx, web, maxPods, maxPods); err != nil {
		return err
	}
	return d.judge(ctx, stream)
}

// leader is the name of the pod that holds the Lease: an identity is the host's name, "_" and chance.
func (d *director) leader(ctx context.Context) (string, error) {
	identity, err := d.holder(ctx)
	pod, _, _ := strings.Cut(identity, "_")
	return pod, err
}

// holder is the identity of the process that holds the Lease.
func (d *director) holder(ctx context.Context) (string, error) {
	lease, err := d.Client.CoordinationV1().Leases(namespace).Get(ctx, release, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("look for the leader: %w", err)
	}
	if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
		return "", errors.New("nobody leads")
	}
	return *lease.Spec.HolderIdentity, nil
}

func (d *director) awaitSuccessor(ctx context.Context, old string) error {
	return d.eventually(ctx, "another leader", func(ctx context.Context) error {
		now, err := d.leader(ctx)
		if err == nil && now == old {
			err = fmt.Errorf("the Lease still names %s", old)
		}
		if err == nil {
			d.say("%s leads now", now)
		}
		return err
	})
}
