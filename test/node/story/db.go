//go:build linux

package story

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// The load in queries per second; each takes 25 ms of CPU time, so three of them are 75m, and the target is 30m per pod.
const (
	queryLoad = 3 // three pods, also if answering and probes take a fifth more
	queued    = 4 // so few that those that have piled up on a busy machine, answered at once, are no load to speak of
	dbPods    = 3
	dbMax     = 5 // where they would end up if the pods that wait for their turn were taken to use as much as the others
)

// startDB is before the installation: the first pod takes half a minute to be ready, too.
func (d *director) startDB(ctx context.Context) error {
	manifest, err := d.file("db.yaml")
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"create", "namespace", shop},
		{"label", "namespace", shop, "pod-security.kubernetes.io/enforce=restricted"},
		{"apply", "--filename=" + manifest},
	} {
		if _, err := d.kubectl(ctx, args...); err != nil {
			return err
		}
	}
	d.say("%s has one pod, which takes half a minute to be ready", db)
	return nil
}

// annotateDB is all that a user does.
func (d *director) annotateDB(ctx context.Context) error {
	for _, args := range [][]string{
		{"rollout", "status", "statefulset", db, "--timeout=" + patience.String()},
		{"annotate", "statefulset", db, "mini-hpa/target-cpu=60", fmt.Sprintf("mini-hpa/max=%d", dbMax)},
	} {
		if _, err := d.kubectl(ctx, append([]string{"--namespace=" + shop}, args...)...); err != nil {
			return err
		}
	}
	address, err := d.serviceAddress(ctx, db)
	if err != nil {
		return err
	}
	d.queries.target, d.queries.inFlight = "http://"+address+"/?cpu=25ms", queued
	d.say("%s is annotated: target-cpu 60 (of 50m), 1 to %d replicas", db, dbMax)
	return nil
}

// awaitTurns waits until explain, which is asked only when that is so, sees replicas that are asked for and have no pod yet, since the one before is not ready.
func (d *director) awaitTurns(ctx context.Context) error {
	var page string
	err := d.eventually(ctx, "pods of "+db+" that wait for their turn", func(ctx context.Context) (err error) {
		if n, err := d.size(ctx, db); err != nil || n.asked <= n.made {
			return errors.Join(errors.New(n.String()), err)
		}
		if page, err = d.run(ctx, program, "explain", "--namespace="+shop, "statefulset/"+db); err != nil {
			return err
		}
		return checkTurns(page)
	})
	if err == nil {
		d.say("mini-hpa explain statefulset/%s\n%s", db, strings.TrimSpace(page))
	}
	return err
}

// counts are the replicas in an explanation that are asked for, and the pods that there are.
var counts = regexp.MustCompile(`(?m)^Pods \(\d+ owned, \d+ with a sample; spec\.replicas (\d+), status\.replicas (\d+)\)`)

// checkTurns wants an explanation of the StatefulSet with fewer pods than are asked for.
func checkTurns(page string) error {
	if !strings.HasPrefix(page, "statefulset "+shop+"/"+db+": ") {
		return fmt.Errorf("the explanation should begin with the StatefulSet's name, it is\n%s", page)
	}
	found := counts.FindStringSubmatch(page)
	if found == nil {
		return fmt.Errorf("the explanation should count the pods, it is\n%s", page)
	}
	asked, _ := strconv.Atoi(found[1])
	made, _ := strconv.Atoi(found[2])
	if made >= asked {
		return fmt.Errorf("%d replicas are asked for, and there are %d pods", asked, made)
	}
	return nil
}

// scaleOutDB waits for the last pod, half a minute after the one before. One more than the load needs may have come: on a busy machine
// the same work can take more CPU time.
func (d *director) scaleOutDB(ctx context.Context) error {
	return d.awaitReplicas(ctx, db, dbPods, dbMax-1)
}

func (d *director) describeDB(ctx context.Context) error {
	out, err := d.kubectl(ctx, "--namespace="+shop, "describe", "statefulset", db)
	if err != nil {
		return err
	}
	d.say("kubectl describe statefulset %s\n%s", db, strings.TrimSpace(out))
	if err := errors.Join(checkEvents(out, 1), checkPatience(out)); err != nil {
		return err
	}
	left, err := d.kubectl(ctx, "--namespace="+shop, "get", "pods", "--selector=app="+db, "--output=name")
	if left != "pod/"+db+"-0\n" {
		return errors.Join(fmt.Errorf("the first pod of %s should be left, it is %.100q", db, left), err)
	}
	return nil
}

// checkPatience wants no Event that takes pods that wait for their turn for missing ones: none that tells of them, and none that makes up
// for them.
func checkPatience(description string) error {
	for _, unwanted := range []string{"ReplicasNotComing", fmt.Sprintf("New size: %d;", dbMax)} {
		if strings.Contains(description, unwanted) {
			return fmt.Errorf("the description should have no Event that says %s", unwanted)
		}
	}
	return nil
}
