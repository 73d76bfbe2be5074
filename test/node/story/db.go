//go:build linux

package story

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// The load in queries per second; each takes 25 ms of CPU time, so four of them are 100m, and the target is 30m per pod.
const (
	queryLoad = 4 // four pods, on a busy machine one more or less
	dbLeast   = 3 // of one pod and two more, one waits for its turn
	dbMax     = 5
)

// startDB is before the installation: the first pod takes as long to be ready as the others.
func (d *director) startDB(ctx context.Context) error {
	manifest, err := d.file("db.yaml")
	if err != nil {
		return err
	}
	if err := d.createNamespace(ctx, shop); err != nil {
		return err
	}
	if _, err := d.kubectl(ctx, "apply", "--filename="+manifest); err != nil {
		return err
	}
	d.say("%s has one pod, which takes 20 s to be ready", db)
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
	d.queries.target = "http://" + address + "/?cpu=25ms"
	d.say("%s is annotated: target-cpu 60 (of 50m), 1 to %d replicas", db, dbMax)
	return nil
}

// awaitTurns waits until explain sees replicas that are asked for and have no pod yet, since the one before is not ready. It is asked only
// when that is so.
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

// checkTurns wants an explanation of the StatefulSet with fewer pods than are asked for. Its first line says whose it is.
func checkTurns(page string) error {
	if strings.HasPrefix(page, "source: ") {
		_, page, _ = strings.Cut(page, "\n")
	}
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

// scaleOutDB waits for the last pod, 20 seconds after the one before.
func (d *director) scaleOutDB(ctx context.Context) error {
	return d.awaitReplicas(ctx, db, dbLeast, dbMax)
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

// growths are the Events of a scale-out: the new size, the average utilization, and over how many pods.
var growths = regexp.MustCompile(`SuccessfulRescale\s.*\smini-hpa\s+New size: (\d+); reason: cpu utilization (\d+)% above target 60% \((\d+) of \d+ pods,`)

// checkPatience wants no Event that takes pods that wait for their turn for missing ones: none that tells of them, and no size beyond what
// is used by the pods that there are.
func checkPatience(description string) error {
	if strings.Contains(description, "ReplicasNotComing") {
		return errors.New("the description should have no Event ReplicasNotComing")
	}
	found := growths.FindAllStringSubmatch(description, -1)
	if len(found) == 0 {
		return errors.New("the description should have an Event SuccessfulRescale for the load")
	}
	for _, event := range found {
		to, _ := strconv.Atoi(event[1])
		percent, _ := strconv.Atoi(event[2]) // without its fraction
		pods, _ := strconv.Atoi(event[3])
		if needed := math.Ceil(float64((percent+1)*pods) / 60); float64(to) > needed {
			return fmt.Errorf("the load needs %.0f replicas at most, and not as many as in %q", needed, event[0])
		}
	}
	return nil
}
