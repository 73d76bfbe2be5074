package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/mini-hpa/mini-hpa/annotations"
)

// Path is where the webhook answers; the ValidatingWebhookConfiguration names it. It is built as controller-runtime builds such paths.
const Path = "/validate-apps-v1-deployment"

// Surroundings is what else in the cluster bears on whether a workload can be scaled, read from memory.
type Surroundings interface {
	// Surroundings returns them for one Deployment. They are shared: read-only.
	Surroundings(key cache.ObjectName) annotations.Surroundings
}

// HandlerConfig is what the handler works with. All fields are required.
type HandlerConfig struct {
	// Defaults are the operator's values for annotations that are not set; the controller's must be the same.
	Defaults     annotations.Defaults
	Surroundings Surroundings
	Revisions    Revisions
	Injections   Injections
	Telemetry    *Telemetry
	// Log gets each kind of line at most ten times a minute; the metrics count all.
	Log *zap.Logger
}

// NewHandler answers AdmissionReviews (admission.k8s.io/v1) about Deployments (apps/v1). It never changes an object, and has no
// side effects: a dry run is answered like any other request. A panic is left to the server, whose answer then is 500, so that
// the failurePolicy decides and not an accident.
func NewHandler(c HandlerConfig) http.Handler {
	c.Log = sampled(c.Log) // whoever reaches the port can be refused as often as he likes
	return &reviews{handler: &reviewer{c}, log: c.Log}
}

// reviewer decides on one request at a time; it remembers nothing.
type reviewer struct{ HandlerConfig }

// Handle is admission.Handler's.
func (r *reviewer) Handle(ctx context.Context, req admission.Request) admission.Response {
	started := time.Now()
	verdict, err := r.review(ctx, &req)
	if err != nil {
		r.Log.Warn("an object could not be looked at and is let through", append(whose(&req), zap.String("error", brief(err.Error())))...)
		verdict = unchecked(err)
	}
	r.Telemetry.observe(string(req.Operation), verdict, time.Since(started))
	return r.respond(&req, verdict)
}

// review decides. The error says why it could not: then the object is let through, and the controller looks at it again.
func (r *reviewer) review(ctx context.Context, req *admission.Request) (annotations.Verdict, error) {
	if !concerns(req) {
		return annotations.Verdict{}, nil
	}
	after, err := decode(req.Object.Raw)
	if err != nil || after.workload.Deleting { // nothing may keep an object from going
		return annotations.Verdict{}, err
	}
	c := change{after: after}
	isRolledOut := false
	if req.Operation == admissionv1.Update {
		before, err := decode(req.OldObject.Raw)
		if err != nil {
			return annotations.Verdict{}, err
		}
		c.before, isRolledOut = before, !after.sameTemplate(before)
	}
	c.around = r.Surroundings.Surroundings(cache.ObjectName{Namespace: req.Namespace, Name: req.Name})
	verdict := r.judge(c)
	if slices.ContainsFunc(verdict.Problems, annotations.LacksContainer) {
		verdict = r.expectInjected(ctx, req, c, verdict)
	}
	if len(verdict.Problems) > 0 && isRolledOut {
		verdict = r.excuseRollback(ctx, req, c, verdict)
	}
	return verdict, nil
}

// judge reviews what a request makes of a Deployment.
func (r *reviewer) judge(c change) annotations.Verdict {
	if c.before == nil {
		return r.Defaults.Review(c.after.workload, c.around).Replacing(nil)
	}
	return r.Defaults.ReviewUpdate(c.before.workload, c.after.workload, c.around)
}

// expectInjected judges again, with what the API server says of injected containers. It is asked only here, on the way to a refusal.
func (r *reviewer) expectInjected(ctx context.Context, req *admission.Request, c change, v annotations.Verdict) annotations.Verdict {
	around, err := r.Injections.Find(ctx, req.Namespace, req.Object.Raw, c.around)
	if err != nil {
		r.Log.Warn("cannot tell whether a container is injected; the Deployment is let through", append(whose(req), zap.String("error", brief(err.Error())))...)
		return v.ExcuseContainers(annotations.Excuse{Rule: annotations.FoundInjected, Because: "let through because it could not be found out whether it is injected; " + unscaled})
	}
	c.around = around
	return r.judge(c)
}

// concerns says whether this is what the webhook is there for. The configuration asks the API server for nothing else.
func concerns(req *admission.Request) bool {
	return req.Resource.Group == appsv1.GroupName && req.Resource.Resource == "deployments" && req.SubResource == "" &&
		(req.Operation == admissionv1.Create || req.Operation == admissionv1.Update)
}

// change is an update, or a new Deployment, of which there is nothing before, and what is around it. That is asked for once, so that all
// of a verdict is about the same.
type change struct {
	before, after *object
	around        annotations.Surroundings
}

// excuseRollback lets a rollback through: in an incident, the revision that worked yesterday has to come back whatever there is
// to say about it, with the annotations that it had or with those that the Deployment has now. What neither of them had is no
// part of a rollback. Only here, on the way to a refusal, the API server is asked for something.
func (r *reviewer) excuseRollback(ctx context.Context, req *admission.Request, c change, v annotations.Verdict) annotations.Verdict {
	excuse := annotations.Excuse{Rule: annotations.FoundRolledBack, Because: "let through because this is a rollback; " + unscaled}
	earlier, err := r.Revisions.Find(ctx, req.Namespace, req.Object.Raw)
	if err != nil {
		r.Log.Warn("cannot tell whether an update is a rollback; it is let through", append(whose(req), zap.String("error", brief(err.Error())))...)
		excuse.Because = "let through because it could not be found out whether this is a rollback; " + unscaled
		return v.Excuse(excuse)
	}
	if earlier == nil && c.before.keepsNoHistory && annotations.Selected(c.before.workload.Annotations) {
		excuse.Because = "let through because revisionHistoryLimit is 0, so that it cannot be found out whether this is a rollback; " + unscaled
		return v.ExcuseRequests(excuse)
	}
	if earlier == nil {
		return v
	}
	for _, pairs := range []map[string]string{earlier.Annotations, c.before.workload.Annotations} {
		form := &annotations.Workload{Annotations: pairs, Template: earlier.Template}
		v = v.ExcuseAsBefore(c.after.workload, form, r.Defaults.Review(form, c.around), excuse)
	}
	return v
}

const unscaled = "mini-hpa does not scale the Deployment until it is fixed"

// respond renders the verdict. A refusal is the Status of the API server's own validation: kubectl prints its causes.
func (r *reviewer) respond(req *admission.Request, v annotations.Verdict) admission.Response {
	response := admission.Allowed("")
	if len(v.Problems) > 0 {
		status := apierrors.NewInvalid(schema.GroupKind{Group: appsv1.GroupName, Kind: "Deployment"}, req.Name, v.Problems).ErrStatus
		response = admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Allowed: false, Result: &status}}
		r.Log.Info("refused", append(whose(req), zap.String("reason", v.Problems[0].Origin), zap.Int("problems", len(v.Problems)))...)
	}
	for _, w := range v.Warnings {
		response.Warnings = append(response.Warnings, w.String())
	}
	return response
}

// unchecked is the verdict on an object that cannot be read. It repeats nothing of the object, which can be anybody's.
func unchecked(err error) annotations.Verdict {
	why := "it cannot be decoded"
	if errors.Is(err, errTooLarge) {
		why = "a part of it is too large"
	}
	return annotations.Verdict{Warnings: []annotations.Warning{{Field: "metadata.annotations", Rule: annotations.FoundUnchecked,
		Message: "the Deployment is not checked by mini-hpa: " + why}}}
}

// whose says whose request it is, for the log.
func whose(req *admission.Request) []zap.Field {
	return []zap.Field{zap.String("namespace", brief(req.Namespace)), zap.String("deployment", brief(req.Name)),
		zap.String("operation", brief(string(req.Operation))), zap.String("user", brief(req.UserInfo.Username))}
}

// brief is as much of a text as a log needs. It can be a stranger's, hence megabytes long.
func brief(text string) string {
	const enough = 256
	if len(text) > enough {
		return strings.ToValidUTF8(text[:enough], "") + "..."
	}
	return text
}

// object is what is read of a Deployment in a request.
type object struct {
	workload *annotations.Workload
	template json.RawMessage
	// keepsNoHistory says that there is no trace of what the Deployment was before.
	keepsNoHistory bool
}

// sameTemplate says whether the pod templates are the same. Both were written by one encoder, so their bytes are.
func (o *object) sameTemplate(other *object) bool {
	return string(o.template) == string(other.template)
}

// errTooLarge is an object that no cluster could run, or that was made to exhaust memory.
var errTooLarge = errors.New("too large")
