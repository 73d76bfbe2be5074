//go:build linux

package story

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/mini-hpa/mini-hpa/test/rig"
)

// hook is the webhook's name in its configuration.
const hook = "workloads.webhook.mini-hpa"

// account is the user that mini-hpa's pods are for the API server.
const account = "system:serviceaccount:" + namespace + ":" + release

// counters are what the API server counts of the webhook: refusals by their kind, its own for want of an answer among them, and calls
// without an answer that let an object through.
func counters(metrics string) []string {
	line := regexp.MustCompile(`(?m)^apiserver_admission_webhook_((?:rejection|fail_open)_count\{[^}]*name="` + regexp.QuoteMeta(hook) + `"[^}]*\} \S+)$`)
	var found []string
	for _, match := range line.FindAllStringSubmatch(metrics, -1) {
		found = append(found, match[1])
	}
	return found
}

// tellCounters prints them. With failurePolicy Fail nothing is let through for want of an answer.
func (d *director) tellCounters(ctx context.Context) error {
	text, err := d.kubectl(ctx, "get", "--raw", "/metrics")
	if err != nil {
		return err
	}
	found := strings.Join(counters(text), "\n  ")
	d.say("the API server's counters of the webhook:\n  %s", found)
	switch {
	case !strings.Contains(found, `error_type="no_error"`):
		return errors.New("the API server counts no refusal by the webhook")
	case strings.Contains(found, "fail_open_count"):
		return errors.New("the API server has let something through without an answer")
	}
	return nil
}

// nothingForbidden holds what mini-hpa's pods have asked for so far to their rights.
func (d *director) nothingForbidden(context.Context) error {
	records, err := rig.ReadAudit(d.Cluster.AuditLog())
	if err != nil {
		return err
	}
	asked, err := checkAudit(records)
	if err == nil {
		d.say("the audit log has %d requests of %s, and none was forbidden", asked, account)
	}
	return err
}

// checkAudit counts mini-hpa's requests, of which there are some and none is forbidden.
func checkAudit(records []rig.Record) (int, error) {
	asked, forbidden := 0, []string(nil)
	for _, r := range records {
		if r.User.Username != account {
			continue
		}
		asked++
		if r.Response.Code == http.StatusForbidden {
			forbidden = append(forbidden, r.Verb+" "+r.RequestURI)
		}
	}
	switch {
	case asked == 0:
		return 0, errors.New("there should be requests of mini-hpa in the audit log")
	case len(forbidden) > 0:
		return 0, errors.New("mini-hpa was forbidden to " + strings.Join(forbidden, ", "))
	}
	return asked, nil
}
