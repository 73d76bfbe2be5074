package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"
	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/mini-hpa/mini-hpa/annotations"
	"github.com/mini-hpa/mini-hpa/webhook/sampled"
)

const (
	// Path is where the webhook answers; the ValidatingWebhookConfiguration names it.
	Path = "/validate-workloads"
	// FormerPath is where it answered while there were Deployments only. It is answered alike, for configurations that still name it.
	FormerPath = "/validate-apps-v1-deployment"
)

// Surroundings knows, from memory, what else in the cluster bears on whether a workload can be scaled.
type Surroundings interface {
	// Surroundings returns the surroundings of one workload in the form that it is to have and the one that it has; nil if there is none. They are shared, so the
	// caller must not change them.
	Surroundings(w, before *annotations.Workload) annotations.Surroundings
}

// HandlerConfig is what the handler works with. All fields but Class are required.
type HandlerConfig struct {
	// Defaults are the administrator's values for annotations that are not set. The controller must have the same ones.
	Defaults annotations.Defaults
	// Kinds are the workloads that are checked. Requests about any others are let through.
	Kinds Kinds
	// Class is that of the workloads that are checked: see annotations.ClassOf. Another installation checks others. It may be empty.
	Class        string
	Surroundings Surroundings
	Revisions    Revisions
	Injections   Injections
	Telemetry    *Telemetry
	// Log gets each kind of line at most ten times a minute; the metrics count every request.
	Log *zap.Logger
}

// NewHandler answers AdmissionReviews (admission.k8s.io/v1) about workloads. It never changes an object and has no
// side effects, so it answers a dry run like any other request. It leaves a panic to the server, which answers with status 500,
// so that the failurePolicy decides.
func NewHandler(c HandlerConfig) http.Handler {
	c.Log = sampled.Logger(c.Log) // a stranger can be refused as often as he likes
	return &reviewHandler{handler: &reviewer{c}, log: c.Log}
}

// reviewer decides on each request by itself and remembers nothing.
type reviewer struct{ HandlerConfig }

// Handle implements admission.Handler.
func (r *reviewer) Handle(ctx context.Context, req admission.Request) admission.Response {
	started := time.Now()
	verdict, err := r.review(ctx, &req)
	if err != nil {
		r.Log.Warn("an object could not be looked at and is let through", append(requestFields(&req), zap.String("error", shortened(err.Error())))...)
		verdict = unchecked(err, req.Kind.Kind)
	}
	kind, _ := r.Kinds.Of(groupKind(&req))
	r.Telemetry.observe(string(req.Operation), kind.Kind, verdict, time.Since(started))
	return r.respond(&req, verdict)
}

// review decides on a request. An error says why it could not: the object is let through then, and the controller checks it later.
func (r *reviewer) review(ctx context.Context, req *admission.Request) (annotations.Verdict, error) {
	kind, ok := r.kindOf(req)
	if !ok {
		return annotations.Verdict{}, nil
	}
	after, err := decode(kind, req.Object.Raw)
	if err != nil || after.isLeftAlone() || !r.checks(after) {
		return annotations.Verdict{}, err
	}
	after.workload.Key = keyOf(req)
	c, earlier := change{after: after}, (*annotations.Workload)(nil)
	isRolledOut := false
	if req.Operation == admissionv1.Update {
		before, err := decode(kind, req.OldObject.Raw)
		if err != nil {
			return annotations.Verdict{}, err
		}
		if !r.checks(before) {
			before.disown() // what is wrong with it nobody here has let through
		}
		c.before, isRolledOut = before, !after.sameTemplate(before)
		before.workload.Key, earlier = after.workload.Key, before.workload
	}
	c.surroundings = r.Surroundings.Surroundings(after.workload, earlier)
	verdict := r.verdict(c)
	if owner := after.workload.Owner; owner != nil && r.scales(owner) {
		return verdict.Excuse(annotations.Excuse{Rule: annotations.FoundInner, Because: innerOf(owner, req.Kind.Kind)}), nil
	}
	if slices.ContainsFunc(verdict.Problems, annotations.LacksContainer) {
		verdict = r.expectInjected(ctx, req, c, verdict)
	}
	if len(verdict.Problems) > 0 && isRolledOut {
		verdict = r.excuseRollback(ctx, req, c, verdict)
	}
	return verdict, nil
}

// checks says whether an object is of the class that is checked here.
func (r *reviewer) checks(o *object) bool {
	return annotations.ClassOf(o.workload.Annotations) == r.Class
}

// verdict reviews what a request makes of a workload.
func (r *reviewer) verdict(c change) annotations.Verdict {
	c.surroundings.Now = time.Now()
	if c.before == nil {
		return r.Defaults.Review(c.after.workload, c.surroundings).Replacing(nil)
	}
	return r.Defaults.ReviewUpdate(c.before.workload, c.after.workload, c.surroundings)
}

// expectInjected decides again with what the API server says of injected containers. It asks only here, on the way to a refusal.
func (r *reviewer) expectInjected(ctx context.Context, req *admission.Request, c change, v annotations.Verdict) annotations.Verdict {
	found, err := r.Injections.Find(ctx, req.Namespace, req.Object.Raw, c.surroundings)
	if err != nil {
		r.Log.Warn("cannot tell whether a container is injected; the workload is let through", append(requestFields(req), zap.String("error", shortened(err.Error())))...)
		return v.ExcuseContainers(annotations.Excuse{Rule: annotations.FoundInjected, Because: "let through because it could not be found out whether it is injected; " + unscaled(req.Kind.Kind)})
	}
	c.surroundings = found
	return r.verdict(c)
}

// groupKind is the kind that a request is about.
func groupKind(req *admission.Request) schema.GroupKind {
	return schema.GroupKind{Group: req.Kind.Group, Kind: req.Kind.Kind}
}

// kindOf is the kind of workload that a request is about, and whether the webhook checks such a request. The configuration has the API
// server send no other. The object may be in another version of a custom kind than the one that is scaled; it is not known then where its
// replicas are.
func (r *reviewer) kindOf(req *admission.Request) (annotations.Kind, bool) {
	if req.SubResource != "" || req.Operation != admissionv1.Create && req.Operation != admissionv1.Update {
		return annotations.Kind{}, false
	}
	kind, ok := r.Kinds.Of(groupKind(req))
	if kind.Version != req.Kind.Version {
		kind.Version, kind.ReplicasPath, kind.StatusReplicasPath, kind.SelectorPath = req.Kind.Version, "", "", ""
	}
	return kind, ok
}

// scales says whether the owner of an object is of a kind that is scaled. Then the owner may be the workload, and its controller copies the
// annotations to the objects that it makes. Such an object is not refused: its controller would be stopped for good.
func (r *reviewer) scales(owner *metav1.OwnerReference) bool {
	_, ok := r.Kinds.Of(schema.FromAPIVersionAndKind(owner.APIVersion, owner.Kind).GroupKind())
	return ok
}

func innerOf(owner *metav1.OwnerReference, kind string) string {
	return fmt.Sprintf("let through because %s %q controls this %s: if that is annotated, too, mini-hpa scales it in the place of this one; otherwise %s",
		owner.Kind, shortened(owner.Name), kind, unscaled(kind))
}

// change is what a request makes of a workload, and its surroundings, which are read once so that the whole verdict is about the
// same ones.
type change struct {
	before, after *object // before is nil for a new workload
	surroundings  annotations.Surroundings
}

// excuseRollback lets a rollback through: in an incident, the revision that worked yesterday has to come back whatever is wrong
// with it. A problem is excused if the revision had it, with its own annotations or with those that the workload has now. It
// asks the API server only here, on the way to a refusal.
func (r *reviewer) excuseRollback(ctx context.Context, req *admission.Request, c change, v annotations.Verdict) annotations.Verdict {
	until := unscaled(req.Kind.Kind)
	excuse := annotations.Excuse{Rule: annotations.FoundRolledBack, Because: "let through because this is a rollback; " + until}
	earlier, err := r.Revisions.Find(ctx, groupKind(req), req.Namespace, req.Object.Raw)
	if err != nil {
		r.Log.Warn("cannot tell whether an update is a rollback; it is let through", append(requestFields(req), zap.String("error", shortened(err.Error())))...)
		excuse.Because = "let through because it could not be found out whether this is a rollback; " + until
		return v.Excuse(excuse)
	}
	if earlier == nil && c.before.keepsNoHistory && annotations.Selected(c.before.workload.Annotations) {
		excuse.Because = "let through because revisionHistoryLimit is 0, so that it cannot be found out whether this is a rollback; " + until
		return v.ExcuseRequests(excuse)
	}
	if earlier == nil {
		return v
	}
	surroundings := c.surroundings
	surroundings.Earlier = true
	for _, pairs := range []map[string]string{earlier.Annotations, c.before.workload.Annotations} {
		form := &annotations.Workload{Key: c.after.workload.Key, Annotations: pairs, Template: earlier.Template}
		v = v.ExcuseAsBefore(c.after.workload, form, r.Defaults.Review(form, surroundings), excuse)
	}
	return v
}

func unscaled(kind string) string {
	return "mini-hpa does not scale the " + kind + " until it is fixed"
}

// respond renders the verdict. A refusal has the form of the API server's own validation, whose causes kubectl prints.
func (r *reviewer) respond(req *admission.Request, v annotations.Verdict) admission.Response {
	response := admission.Allowed("")
	if len(v.Problems) > 0 {
		status := apierrors.NewInvalid(groupKind(req), req.Name, v.Problems).ErrStatus
		response = admission.Response{AdmissionResponse: admissionv1.AdmissionResponse{Allowed: false, Result: &status}}
		r.Log.Info("refused", append(requestFields(req), zap.String("reason", v.Problems[0].Origin), zap.Int("problems", len(v.Problems)))...)
	}
	for _, w := range v.Warnings {
		response.Warnings = append(response.Warnings, w.String())
	}
	return response
}

// unchecked is the verdict on an object that cannot be read. It repeats nothing of the object, which a stranger may have sent.
func unchecked(err error, kind string) annotations.Verdict {
	why := "it cannot be decoded"
	if errors.Is(err, errTooLarge) {
		why = "a part of it is too large"
	}
	return annotations.Verdict{Warnings: []annotations.Warning{{Field: "metadata.annotations", Rule: annotations.FoundUnchecked,
		Message: "the " + kind + " is not checked by mini-hpa: " + why}}}
}

// requestFields says for the log what a request is about and who sent it.
func requestFields(req *admission.Request) []zap.Field {
	return []zap.Field{zap.String("namespace", shortened(req.Namespace)), zap.String("workload", shortened(keyOf(req).String())),
		zap.String("operation", shortened(string(req.Operation))), zap.String("user", shortened(req.UserInfo.Username))}
}

// keyOf is the workload that a request is about.
func keyOf(req *admission.Request) annotations.Key {
	return annotations.Key{Kind: groupKind(req), Namespace: req.Namespace, Name: req.Name}
}
