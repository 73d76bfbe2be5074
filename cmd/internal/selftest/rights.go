package selftest

import (
	"context"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// reach is where a right holds.
type reach int

const (
	inWatched reach = iota // where the controller works: in one namespace, or in all
	inHome                 // in the controller's own namespace
	inCluster              // on what has no namespace
	inEach                 // in the controller's namespace and in one where it works, each by itself
)

// purpose is what a right is for.
type purpose int

const (
	toScale   purpose = iota
	toElect           // a leader among replicas
	toAnswer          // as a webhook
	toCertify         // with a CA of its own
	never             // it must not have it
)

// right is a row of the table of rights.
type right struct {
	verbs    string // separated by blanks
	resource string // as kubectl has it: resource.group/subresource
	where    reach
	name     string // of the only object; empty for all
	purpose  purpose
}

// rights is the table: what the controller needs, as docs/rbac.yaml and docs/webhook.yaml grant it, and what it must not have,
// because whoever takes over its process would have it, too. What only custom metrics, KEDA or VerticalPodAutoscalers need is left out.
func (t *task) rights() []right {
	all := []right{
		{"list watch", "deployments.apps", inWatched, "", toScale},
		{"list watch", "statefulsets.apps", inWatched, "", toScale},
		{"list watch", "replicasets.apps", inWatched, "", toScale},
		{"update patch", "deployments.apps/scale", inWatched, "", toScale},
		{"update patch", "statefulsets.apps/scale", inWatched, "", toScale},
		{"update patch", "replicasets.apps/scale", inWatched, "", toScale},
		{"list watch", "pods", inWatched, "", toScale},
		{"list watch", "limitranges", inWatched, "", toScale},
		{"list watch", "horizontalpodautoscalers.autoscaling", inWatched, "", toScale},
		{"list", "pods.metrics.k8s.io", inWatched, "", toScale},
		{"create patch", "events", inWatched, "", toScale},
		{"create", "leases.coordination.k8s.io", inHome, "", toElect},
		{"get update", "leases.coordination.k8s.io", inHome, t.lease, toElect},
		{"get", "replicasets.apps", inWatched, "", toAnswer}, // whether an update is a rollback
		{"get list", "controllerrevisions.apps", inWatched, "", toAnswer},
		{"get", "namespaces", inWatched, "", toAnswer}, // whether containers are injected
		{"get list watch create update patch", "secrets", inHome, t.secret, toCertify},
		{"get list watch patch", "validatingwebhookconfigurations.admissionregistration.k8s.io", inCluster, t.configuration, toCertify},

		{"update patch delete", "deployments.apps", inEach, "", never},
		{"update patch delete", "statefulsets.apps", inEach, "", never},
		{"create", "pods", inEach, "", never},
		{"list", "secrets", inEach, "", never},
		{"escalate", "clusterroles.rbac.authorization.k8s.io", inCluster, "", never},
		{"impersonate", "users", inCluster, "", never},
		{"get", "nodes", inCluster, "", never},
	}
	for _, kind := range t.kinds {
		all = append(all,
			right{"list watch", kind.String(), inWatched, "", toScale},
			right{"update patch", kind.String() + "/scale", inWatched, "", toScale},
			right{"list watch", "customresourcedefinitions.apiextensions.k8s.io", inCluster, kind.String(), toScale})
	}
	return all
}

// isUsed says whether the installation is one in which the controller does this.
func (t *task) isUsed(p purpose) bool {
	switch p {
	case toElect:
		return t.lease != ""
	case toAnswer:
		return t.configuration != ""
	case toCertify:
		return t.configuration != "" && t.secret != ""
	default:
		return true
	}
}

// namespaces are where a right is asked about; "" stands for all, or for none where the resource has none.
func (t *task) namespaces(where reach) []string {
	switch where {
	case inWatched:
		return []string{t.watched}
	case inHome:
		return []string{t.account.namespace}
	case inEach:
		if t.watched != "" {
			return []string{t.account.namespace, t.watched}
		}
		return []string{t.account.namespace, t.namespace}
	default:
		return []string{""}
	}
}

// action is one thing that somebody may do or not.
type action struct {
	authorizationv1.ResourceAttributes
	isForbidden bool
	words       string
}

// actions are the rows of the table, taken apart.
func (t *task) actions() []action {
	var all []action
	for _, r := range t.rights() {
		if !t.isUsed(r.purpose) {
			continue
		}
		for _, namespace := range t.namespaces(r.where) {
			for verb := range strings.FieldsSeq(r.verbs) {
				all = append(all, r.action(verb, namespace))
			}
		}
	}
	return all
}

func (r right) action(verb, namespace string) action {
	kind, subresource, _ := strings.Cut(r.resource, "/")
	resource, group, _ := strings.Cut(kind, ".")
	words := verb + " " + r.resource
	if r.name != "" {
		words += " " + cli.Quote(r.name)
	}
	switch {
	case namespace != "":
		words += " in namespace " + cli.Quote(namespace)
	case r.where != inCluster:
		words += " in all namespaces"
	}
	return action{isForbidden: r.purpose == never, words: words, ResourceAttributes: authorizationv1.ResourceAttributes{
		Verb: verb, Group: group, Resource: resource, Subresource: subresource, Namespace: namespace, Name: r.name}}
}

// checkRights asks the API server what the controller may do.
func (t *tester) checkRights(ctx context.Context) {
	if t.account == (account{}) {
		t.skip("the rights of the controller", "--service-account is not given")
		return
	}
	var answered [2]struct{ asked, wrong []string } // what it needs, and what it must not have
	for _, a := range t.actions() {
		allowed, err := t.mayDo(ctx, a.ResourceAttributes)
		if claim := "the rights of " + t.account.String(); apierrors.IsForbidden(err) {
			t.lack(claim, err.Error(), `verb "create" on subjectaccessreviews.authorization.k8s.io`)
			return
		} else if err != nil {
			t.fail(claim, err.Error(), "see that the API server answers")
			return
		}
		group := &answered[0]
		if a.isForbidden {
			group = &answered[1]
		}
		group.asked = append(group.asked, a.words)
		if allowed == a.isForbidden {
			group.wrong = append(group.wrong, a.words)
		}
	}
	t.tellNeeded(answered[0].asked, answered[0].wrong)
	t.tellForbidden(answered[1].asked, answered[1].wrong)
}

func (t *tester) tellNeeded(asked, lacking []string) {
	claim := t.account.String() + " has the rights it needs"
	switch {
	case len(lacking) == 0:
		t.ok(claim, fmt.Sprintf("all %d that were asked about", len(asked)))
	case len(lacking) == len(asked):
		t.fail(claim, "it has none of them", "see that --service-account names the controller's, and grant it what docs/rbac.yaml says")
	default:
		t.fail(claim, "it may not "+strings.Join(lacking, ", "), "grant what docs/rbac.yaml and docs/webhook.yaml say")
	}
	if !t.isUsed(toElect) {
		t.skip("the rights to the Lease", "--leader-elect-resource-name is not given")
	}
	if !t.isUsed(toCertify) {
		t.skip("the rights to make certificates", "--webhook-ca-secret is not given, or there is no webhook")
	}
}

func (t *tester) tellForbidden(asked, given []string) {
	claim := t.account.String() + " has no rights that it must not have"
	if len(given) == 0 {
		t.ok(claim, fmt.Sprintf("none of %d that were asked about", len(asked)))
		return
	}
	t.fail(claim, "it may "+strings.Join(given, ", "), "take away what docs/rbac.yaml and docs/webhook.yaml do not grant; whoever takes over the controller has it, too")
}

// mayDo asks about the service account as the API server sees it when its token is shown.
func (t *tester) mayDo(ctx context.Context, what authorizationv1.ResourceAttributes) (bool, error) {
	const everyone = "system:serviceaccounts"
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{ResourceAttributes: &what,
		User:   "system:serviceaccount:" + t.account.namespace + ":" + t.account.name,
		Groups: []string{everyone, everyone + ":" + t.account.namespace, "system:authenticated"}}}
	answer, err := t.client.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return answer.Status.Allowed, nil
}
