package annotations

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// whom is who a rule of a NetworkPolicy lets in.
type whom int

const (
	// nobody, as far as the activator is concerned.
	nobody whom = iota
	// perhaps the activator: a range of addresses may be those of its pods, or a port is not known.
	perhaps
	// theActivator and others, but not everybody.
	theActivator
	// everybody in the cluster.
	everybody
)

// checkPolicies looks at whether the activator may pass requests on to the pods, and who else gets in with it. Pods that no policy is about let
// in everybody.
func (c *wakeCheck) checkPolicies(ports []targetPort) {
	if c.s.Activator == nil || c.s.Activator.Namespace == "" {
		return
	}
	var about []*networkingv1.NetworkPolicy
	for _, policy := range c.s.NetworkPolicies {
		if isAboutIngress(policy) && matches(&policy.Spec.PodSelector, c.labels) {
			about = append(about, policy)
		}
	}
	if len(about) == 0 {
		return
	}
	widened := map[string]bool{}
	for _, port := range ports {
		best := nobody
		var by *networkingv1.NetworkPolicy
		for _, policy := range about {
			if e := c.letsIn(policy, port); e > best {
				best, by = e, policy
			}
		}
		switch best {
		case nobody:
			c.wrong(FoundNetworkPolicyForbids, "%s: no rule lets the activator (namespace %q) in to port %s of the pods, so that requests which it holds never get there",
				c.titles(about), clean(c.s.Activator.Namespace, shownName), port)
			return
		case theActivator:
			widened[by.Name] = true
		case perhaps, everybody:
		}
	}
	for _, policy := range about {
		if widened[policy.Name] {
			c.warn(FoundNetworkPolicyWidened, "%s lets the activator in, and with it everybody who can reach the Service: the pods take the activator for their client while it passes requests on", c.s.title(KindNetworkPolicy, policy.Name))
		}
	}
}

// titles are the policies as a message names them: the first one, and how many others.
func (c *wakeCheck) titles(policies []*networkingv1.NetworkPolicy) string {
	title := c.s.title(KindNetworkPolicy, policies[0].Name)
	if len(policies) > 1 {
		title += " and others"
	}
	return title
}

// isAboutIngress says whether a policy restricts what comes in: each does that does not say otherwise (SetDefaults_NetworkPolicy).
func isAboutIngress(policy *networkingv1.NetworkPolicy) bool {
	return len(policy.Spec.PolicyTypes) == 0 || slices.Contains(policy.Spec.PolicyTypes, networkingv1.PolicyTypeIngress)
}

// letsIn is the most that a rule of the policy allows.
func (c *wakeCheck) letsIn(policy *networkingv1.NetworkPolicy, port targetPort) whom {
	best := nobody
	for i := range policy.Spec.Ingress {
		rule := &policy.Spec.Ingress[i]
		e := c.from(rule.From)
		if at := port.in(rule.Ports); at == nobody {
			continue
		} else if at == perhaps {
			e = min(e, perhaps)
		}
		best = max(best, e)
	}
	return best
}

// from is who the peers of a rule are.
func (c *wakeCheck) from(peers []networkingv1.NetworkPolicyPeer) whom {
	if len(peers) == 0 {
		return everybody
	}
	best := nobody
	for i := range peers {
		best = max(best, c.peer(&peers[i]))
	}
	return best
}

func (c *wakeCheck) peer(p *networkingv1.NetworkPolicyPeer) whom {
	a := c.s.Activator
	switch inPods := a.isSelected(p.PodSelector); {
	case p.IPBlock != nil:
		if all := p.IPBlock.CIDR; (all == "0.0.0.0/0" || all == "::/0") && len(p.IPBlock.Except) == 0 {
			return everybody
		}
		return perhaps
	case p.NamespaceSelector == nil:
		if a.Namespace == c.w.Namespace {
			return inPods
		}
		return nobody
	case inPods != theActivator:
		return inPods
	case len(p.NamespaceSelector.MatchLabels)+len(p.NamespaceSelector.MatchExpressions) == 0:
		if p.PodSelector == nil {
			return everybody
		}
		return theActivator
	case matches(p.NamespaceSelector, a.namespaceLabels()):
		return theActivator
	case asksOnlyName(p):
		return nobody
	}
	return perhaps // it goes by labels of the namespace that are not known
}

// isSelected says whether a selector of pods, nil for all, fits the activator's. Where their labels are not known, it may.
func (a *Activator) isSelected(pods *metav1.LabelSelector) whom {
	switch {
	case pods == nil, a.Labels != nil && matches(pods, a.Labels):
		return theActivator
	case a.Labels == nil:
		return perhaps
	}
	return nobody
}

// asksOnlyName says whether the selector of namespaces goes by their names alone.
func asksOnlyName(p *networkingv1.NetworkPolicyPeer) bool {
	for key := range p.NamespaceSelector.MatchLabels {
		if key != corev1.LabelMetadataName {
			return false
		}
	}
	for _, e := range p.NamespaceSelector.MatchExpressions {
		if e.Key != corev1.LabelMetadataName {
			return false
		}
	}
	return true
}

// in says whether the port is one of a rule's: everybody may use it, perhaps, or nobody.
func (t targetPort) in(ports []networkingv1.NetworkPolicyPort) whom {
	if len(ports) == 0 {
		return everybody
	}
	best := nobody
	for _, p := range ports {
		switch {
		case p.Protocol != nil && *p.Protocol != corev1.ProtocolTCP:
		case p.Port == nil, p.Port.StrVal != "" && p.Port.StrVal == t.name:
			return everybody
		case p.Port.StrVal != "", t.number == 0:
			best = perhaps // a name and a number may be the same port
		case p.Port.IntVal == t.number, p.EndPort != nil && p.Port.IntVal <= t.number && t.number <= *p.EndPort:
			return everybody
		}
	}
	return best
}

// namespaceLabels are those of its namespace. Only the label is known that all have.
func (a *Activator) namespaceLabels() labels.Set {
	return labels.Set{corev1.LabelMetadataName: a.Namespace}
}

// matches says whether a selector, nil for none, fits a set of labels.
func matches(selector *metav1.LabelSelector, of labels.Set) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(of)
}
