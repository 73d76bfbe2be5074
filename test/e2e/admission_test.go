package e2e

import (
	"net/http"
	"testing"
)

// TestAdmission is the webhook in front of a real API server, in a control plane of its own: only one
// ValidatingWebhookConfiguration of the name can be in each, and here it is also broken on purpose.
func TestAdmission(t *testing.T) {
	t.Parallel()
	a := newAdmission(t)
	t.Run("Serving", a.serving)
	t.Run("ScaledObjects", a.convertsScaledObjects)
	t.Run("AnyKind", a.anyKind)
	t.Run("Services", a.knowsServices)
	t.Run("Controller", a.controllerAgrees)
	t.Run("Stopped", a.stopped)
	t.Run("StandsDown", a.standsDown)
	t.Run("CertificateFiles", a.certificateFiles)
	a.neverForbidden(t)
}

// serving is about the time in which "mini-hpa webhook" answers.
func (a *admission) serving(t *testing.T) {
	c := a.serve(t)
	t.Run("Calls", func(t *testing.T) { a.calls(t, c) }) // it counts, so it is alone
	t.Run("CELCost", func(t *testing.T) { a.celCost(t, c) })
	t.Run("Kinds", func(t *testing.T) { a.kinds(t, c) })
	t.Run("Together", func(t *testing.T) {
		t.Run("Corpus", a.corpus)
		t.Run("Updates", a.updates)
		t.Run("Stories", a.tell)
		t.Run("Migrations", a.migrates)
		t.Run("Conversions", a.converts)
	})
	a.neverUnclear(t, c)
}

// neverForbidden looks at what the program has asked of the API server in all of these stories: docs/rbac.yaml and
// docs/webhook.yaml grant everything that it needs.
func (a *admission) neverForbidden(t *testing.T) {
	t.Helper()
	all := a.audit(t)
	for _, e := range all {
		if e.Response.Code == http.StatusForbidden || e.Response.Code == http.StatusUnauthorized {
			t.Errorf("%s %s: %d", e.Verb, e.RequestURI, e.Response.Code)
		}
	}
	t.Logf("the program made %d requests", len(all))
	if len(all) == 0 {
		t.Error("no request was seen: is the audit log read rightly?")
	}
}
