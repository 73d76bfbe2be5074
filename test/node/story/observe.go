//go:build linux

package story

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
)

// hook is the webhook's name in its configuration.
const hook = "deployments.webhook.mini-hpa"

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
	log, err := os.Open(d.Cluster.AuditLog())
	if err != nil {
		return fmt.Errorf("open the audit log: %w", err)
	}
	defer log.Close()
	asked, err := checkAudit(log)
	if err == nil {
		d.say("the audit log has %d requests of %s, and none was forbidden", asked, account)
	}
	return err
}

// checkAudit counts mini-hpa's requests, of which there are some and none is forbidden.
func checkAudit(log io.Reader) (int, error) {
	asked, forbidden := 0, []string(nil)
	for lines := bufio.NewReader(log); ; {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break // a line without an end is half written
		}
		if err != nil {
			return 0, fmt.Errorf("read the audit log: %w", err)
		}
		one, err := readRequest(line)
		if err != nil {
			return 0, err
		}
		if one.User.Username != account {
			continue
		}
		asked++
		if one.ResponseStatus.Code == http.StatusForbidden {
			forbidden = append(forbidden, one.Verb+" "+one.RequestURI)
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

// request is what matters of a line of the audit log (audit.k8s.io/v1 Event).
type request struct {
	Verb, RequestURI string
	User             struct{ Username string }
	ResponseStatus   struct{ Code int }
}

func readRequest(line string) (request, error) {
	var r request
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		return r, fmt.Errorf("read the audit log's line %.200q: %w", line, err)
	}
	return r, nil
}
