//go:build linux

package story

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/test/node/machine"
)

// createNamespace makes one that enforces the restricted Pod Security Standard.
func (d *director) createNamespace(ctx context.Context, name string) error {
	if _, err := d.kubectl(ctx, "create", "namespace", name); err != nil {
		return err
	}
	_, err := d.kubectl(ctx, "label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
	return err
}

// installRelease is what an administrator does with the files of a release, as docs/install.md has it for a registry of one's own. With failurePolicy
// Fail, an admission that nobody answers does not pass for one that was answered.
func (d *director) installRelease(ctx context.Context, settings ...string) error {
	const charts = "oci://" + machine.Registry + "/charts"
	if _, err := d.helm(ctx, "push", d.Chart(), charts, "--plain-http"); err != nil {
		return err
	}
	_, err := d.helm(ctx, append([]string{"install", release, charts + "/mini-hpa", "--version=" + machine.Version, "--plain-http",
		"--namespace=" + namespace, "--wait", "--timeout=" + patience.String(), "--set=global.imageRegistry=" + machine.Registry,
		"--set=controller.metricsResolution=" + machine.Resolution.String(), "--set=webhook.failurePolicy=Fail"}, settings...)...)
	if err != nil {
		return err
	}
	found, err := d.Client.AppsV1().Deployments(namespace).Get(ctx, release, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("look at the installed Deployment: %w", err)
	}
	if want := *found.Spec.Replicas; found.Status.ReadyReplicas != want || want < 2 {
		return fmt.Errorf("helm is satisfied with %d ready pods of %d, which should be all of at least 2", found.Status.ReadyReplicas, want)
	}
	image := found.Spec.Template.Spec.Containers[0].Image
	if !strings.HasPrefix(image, machine.ImageRepository+"@sha256:") {
		return fmt.Errorf("the chart of a release should ask for its image by the digest, and asks for %s", image)
	}
	d.say("helm has installed %s/mini-hpa, version %s", charts, machine.Version)
	d.say("%d pods of the image %s are ready in a namespace that enforces the restricted Pod Security Standard", found.Status.ReadyReplicas, image)
	return nil
}

// test runs what an operator runs after an installation.
func (d *director) test(ctx context.Context) error {
	out, err := d.helm(ctx, "test", release, "--namespace="+namespace, "--timeout="+patience.String(), "--logs")
	if err != nil {
		return err
	}
	_, logs, _ := strings.Cut(out, "POD LOGS: ") // before them, Helm tells the same about every object of the test
	d.say("%s", strings.TrimSpace(logs))
	return checkReport(logs)
}

// checkReport wants the lines that tell of what only a real cluster has, and none that tells of something that failed or was left out.
func checkReport(report string) error {
	lines := strings.Split(report, "\n")
	for _, want := range []string{"ok   the metrics API answers", "ok   the certificate of webhook", "ok   a Deployment without a CPU request is refused"} {
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, want) }) {
			return fmt.Errorf("the test's report should have a line that begins with %q", want)
		}
	}
	for _, line := range lines {
		if strings.HasPrefix(line, "skip ") || strings.HasPrefix(line, "FAIL") {
			return fmt.Errorf("the test's report should not have the line %q", line)
		}
	}
	return nil
}

// uninstall happens while the web server has more replicas than a new Deployment would, so that a reset would show.
func (d *director) uninstall(ctx context.Context) error {
	if _, err := d.kubectl(ctx, "-n", shop, "annotate", "--overwrite", "deployment", web, "mini-hpa/min=2"); err != nil {
		return err
	}
	if err := d.awaitReplicas(ctx, web, 2, 2); err != nil {
		return err
	}
	if _, err := d.helm(ctx, "uninstall", release, "--namespace="+namespace, "--wait", "--timeout="+patience.String()); err != nil {
		return err
	}
	if err := d.removeTraces(ctx); err != nil {
		return err
	}
	if err := d.eventually(ctx, "nothing is left of the release", d.nothingLeft); err != nil {
		return err
	}
	now, err := d.size(ctx, web)
	if err != nil {
		return err
	}
	if now.asked != 2 {
		return fmt.Errorf("after helm uninstall %s has %d replicas, which should still be 2", web, now.asked)
	}
	d.say("nothing of the release is left; %s keeps its 2 replicas", web)
	return nil
}

// ofRelease leaves out what Kubernetes itself puts into a namespace, and the Events, which it removes after an hour.
func ofRelease(object string) bool {
	switch object {
	case "serviceaccount/default", "configmap/kube-root-ca.crt", "namespace/" + namespace:
		return false
	}
	return !strings.HasPrefix(object, "event/") && !strings.HasPrefix(object, "event.events.k8s.io/")
}

// nothingLeft looks at every kind of object that the API server can list.
func (d *director) nothingLeft(ctx context.Context) error {
	inside, err := d.listAll(ctx, true)
	if err != nil {
		return err
	}
	cluster, err := d.listAll(ctx, false)
	if err != nil {
		return err
	}
	var left []string
	for _, object := range inside {
		if ofRelease(object) {
			left = append(left, object)
		}
	}
	for _, object := range cluster {
		if _, name, _ := strings.Cut(object, "/"); strings.Contains(name, release) && ofRelease(object) {
			left = append(left, object)
		}
	}
	if len(left) > 0 {
		return errors.New("there still is " + strings.Join(left, ", "))
	}
	return nil
}

// listAll names the objects of all kinds, those in the release's namespace or those that are in none.
func (d *director) listAll(ctx context.Context, namespaced bool) ([]string, error) {
	kinds, err := d.kubectl(ctx, "api-resources", "--verbs=list", "--output=name", fmt.Sprintf("--namespaced=%t", namespaced))
	if err != nil {
		return nil, err
	}
	args := []string{"get", strings.Join(strings.Fields(kinds), ","), "--output=name", "--ignore-not-found"}
	if namespaced {
		args = append(args, "--namespace="+namespace)
	}
	out, err := d.kubectl(ctx, args...)
	return strings.Fields(out), err
}
