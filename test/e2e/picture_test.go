package e2e

import (
	"context"
	"flag"
	"fmt"
	"html"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var updatePicture = flag.Bool("update-picture", false, "draw docs/get.svg of what is printed, instead of holding it to that")

// pictured is what the README's picture is of, by name: the states of a fleet.
var pictured = map[string]string{"api": "INVALID", "batch": "STARVED", "cart": "OK", "report": "OBSERVE", "search": "HOLDING", "web": "LIMITED"}

// TestPictureOfGet: docs/get.svg shows what mini-hpa get prints of a fleet, but for ages, and for what a load has come to under a quota.
func TestPictureOfGet(t *testing.T) {
	w := isolated(t, samplePeriod)
	for _, name := range []string{"mini-hpa", "shop", "tight"} {
		if _, err := w.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.client.CoreV1().ResourceQuotas("tight").Create(t.Context(), &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "pods"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("3")}}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pairs := func(pairs ...string) map[string]string {
		all := map[string]string{"target-cpu": "50", "max": "10"}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i]] = pairs[i+1]
		}
		return all
	}
	w.deploy(t, "shop", "cart", 2, 960, pairs())
	w.deploy(t, "shop", "report", 2, 3000, pairs("mode", "observe"))
	w.deploy(t, "shop", "search", 6, 600, pairs("min", "2"))
	w.deploy(t, "shop", "web", 1, 4000, pairs("max", "5"))
	w.deploy(t, "tight", "batch", 3, 4000, pairs())
	api := w.workload(t, deployments, "shop", "api")
	m := api.manifest(1, pairs())
	api.put(m.Object, []any{map[string]any{"name": "app", "image": "app"}}, ".spec.template.spec.containers")
	api.create(m, 0)
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	newController(t).lead(w, "--leader-elect-resource-namespace", "mini-hpa", "--state-bind-address", address)
	args := []string{"-A", "--state-port", port}
	admin := adminKubeconfig(t, w)
	eventually(t, "each workload in its state", func(ctx context.Context) (bool, string) {
		_, stdout, stderr := getFleet(ctx, t, admin, append(args, "-o", `jsonpath={range .items[*]}{.name} {.state}{"\n"}{end}`)...)
		var off []string
		for line := range strings.Lines(stdout) {
			if cells := strings.Fields(line); len(cells) != 2 || pictured[cells[0]] != cells[1] {
				off = append(off, strings.TrimSpace(line))
			}
		}
		return len(off) == 0 && strings.Count(stdout, "\n") == len(pictured), strings.Join(off, ", ") + stderr
	})
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	printed := func(ctx context.Context) string {
		code, stdout, stderr := getFleet(ctx, t, admin, args...)
		if code != 0 || stderr != "" {
			return fmt.Sprintf("exit code %d: %s", code, stderr)
		}
		return strings.TrimSpace(strings.ReplaceAll(stdout, host, "mini-hpa-7c9f5d-x2x4k")) // in a cluster it is a pod's
	}
	path := filepath.Join("..", "..", "docs", "get.svg")
	if *updatePicture {
		w.samples(t, 5) // the load has been spread by then
		draw := exec.CommandContext(t.Context(), "go", "run", "../terminal", "mini-hpa get -A")
		draw.Stdin = strings.NewReader(printed(t.Context()) + "\n")
		svg, err := draw.Output()
		if err == nil {
			err = os.WriteFile(path, svg, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	svg, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, text := range regexp.MustCompile(`<text[^>]*textLength[^>]*>(.*?)</text>`).FindAllStringSubmatch(string(svg), -1) {
		shown = append(shown, strings.ReplaceAll(html.UnescapeString(text[1]), "\u00a0", " "))
	}
	want := gistOfRows(t, strings.Join(shown, "\n"))
	if len(want) < len(pictured) {
		t.Fatalf("docs/get.svg shows %q", shown)
	}
	eventually(t, "docs/get.svg shows what is printed (-printed +shown; -args -update-picture draws it)", func(ctx context.Context) (bool, string) {
		diff := cmp.Diff(gistOfRows(t, printed(ctx)), want)
		return diff == "", diff
	})
}

// gistOfRows is what the rows of a table say, but for what is another each time, and for the end of long reasons.
func gistOfRows(t *testing.T, text string) []string {
	const columns, why, long = 11, 10, 40
	var rows []string
	for line := range strings.SplitSeq(masked(t, text), "\n") {
		cells := strings.Split(line, "  ")
		if len(cells) == columns {
			if cells[8] == "STARVED" { // how far it gets depends on when its pods come
				for _, i := range []int{2, 5, 7, 9} {
					cells[i] = "ANY"
				}
			}
			cells[why] = cells[why][:min(len(cells[why]), long)]
		}
		rows = append(rows, strings.Join(cells, " | "))
	}
	return rows
}
