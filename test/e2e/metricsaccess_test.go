package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestSecureMetrics: a real API server says whose a token is, and who may get /metrics.
func TestSecureMetrics(t *testing.T) {
	t.Parallel()
	ns := shared.namespace(t)
	may := func(name, subject string, rules ...rbacv1.PolicyRule) {
		role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: ns + "-" + name}, Rules: rules}
		binding := &rbacv1.ClusterRoleBinding{ObjectMeta: role.ObjectMeta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name}}
		if binding.Subjects = []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: subject}}; strings.Contains(subject, "/") {
			account, of, _ := strings.Cut(subject, "/")
			binding.Subjects = []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: account, Name: of}}
		}
		_, err := shared.client.RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{})
		if err == nil {
			_, err = shared.client.RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	tokens := map[string]string{"nobody": "", "made-up": "made-up"}
	for _, name := range []string{"prometheus", "stranger"} {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if _, err := shared.client.CoreV1().ServiceAccounts(ns).Create(t.Context(), account, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		token, err := shared.client.CoreV1().ServiceAccounts(ns).CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		tokens[name] = token.Status.Token
	}
	c := shared.controller(t, ns, "--metrics-secure")
	shared.awaitLeader(t, ns)
	client := &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // it is one that nobody can verify
	ask := func(name string) (status int, body string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+c.address+"/metrics", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if token := tokens[name]; token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
	want := func(statuses map[string]int) {
		t.Helper()
		for name, want := range statuses {
			if got, body := ask(name); got != want || strings.Contains(body, "mini_hpa_build_info") != (want == http.StatusOK) {
				t.Errorf("%s: %d, want %d\n%.200s", name, got, want, body)
			}
		}
	}
	want(map[string]int{"nobody": 401, "prometheus": 503}) // the controller may not ask yet
	may("auth", user, rbacv1.PolicyRule{APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"tokenreviews"}, Verbs: []string{"create"}},
		rbacv1.PolicyRule{APIGroups: []string{"authorization.k8s.io"}, Resources: []string{"subjectaccessreviews"}, Verbs: []string{"create"}})
	may("read", ns+"/prometheus", rbacv1.PolicyRule{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}})
	eventually(t, "the API server knows the roles", func(context.Context) (bool, string) {
		status, _ := ask("prometheus")
		return status == http.StatusOK, fmt.Sprint(status)
	})
	want(map[string]int{"nobody": 401, "made-up": 401, "stranger": 403, "prometheus": 200})
}
