package endpoint

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/lru"

	"github.com/mini-hpa/mini-hpa/cmd/internal/cli"
)

// Check holds the flags to each other.
func (s *Flags) Check() error {
	switch {
	case (s.CertFile == "") != (s.KeyFile == ""):
		return cli.Usagef("--metrics-cert-file and --metrics-private-key-file belong together: want both or neither")
	case s.CertFile != "" && !s.Secure:
		return cli.Usagef("--metrics-cert-file is of no use without --metrics-secure")
	}
	return nil
}

// ListenMetrics opens the port of metrics, to everybody or, as the flags say, by TLS and to those of whom the API server says that they may get them.
func (s *Flags) ListenMetrics(metrics http.Handler, client kubernetes.Interface, log *zap.Logger) (*Endpoint, error) {
	var config *tls.Config
	if s.Secure {
		config, metrics = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.certificate()}, newGate(client, metrics, log)
	}
	return ListenTLS("metrics-bind-address", s.Metrics, config, metrics, log)
}

// certificate returns what a server shows: what is in the files, which are read for each connection, or what it makes itself and nobody can verify.
func (s *Flags) certificate() func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if s.CertFile != "" {
		return func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			read, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
			return &read, err
		}
	}
	var own selfSigned
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return own.at(time.Now()) }
}

// selfSigned is a certificate that signs itself. It is made for a year, and half of that it is shown.
type selfSigned struct {
	mu   sync.Mutex
	made time.Time
	kept *tls.Certificate
}

const (
	validFor = 365 * 24 * time.Hour
	shownFor = validFor / 2
)

func (s *selfSigned) at(now time.Time) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept != nil && now.Sub(s.made) < shownFor {
		return s.kept, nil
	}
	const name = "mini-hpa-metrics"
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make a key for metrics: %w", err)
	}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(validFor),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("cannot make a certificate for metrics: %w", err)
	}
	s.made, s.kept = now, &tls.Certificate{Certificate: [][]byte{certificate}, PrivateKey: key}
	return s.kept, nil
}

const (
	// How long an answer of the API server counts: as long as those of kube-apiserver's own webhooks do, at most.
	allowedFor, refusedFor = time.Minute, 10 * time.Second
	// answersKept is how many are remembered, and asksPerSecond and asksAtOnce are how often the API server is asked at most: strangers can make up tokens.
	answersKept                 = 256
	asksPerSecond, asksAtOnce   = 5, 20
	reviewTimeout               = 5 * time.Second
	longestToken                = 16 << 10
	metricsVerb, metricsRightTo = "get", "/metrics"
)

// gate asks the API server who somebody is, and whether he may get /metrics, as kube-rbac-proxy and the components of Kubernetes do.
type gate struct {
	client  kubernetes.Interface
	behind  http.Handler
	answers *lru.Cache // answer by the hash of a token
	asks    flowcontrol.RateLimiter
	log     *zap.Logger
}

// answer is a status, and until when it counts.
type answer struct {
	status int
	until  time.Time
}

func newGate(client kubernetes.Interface, behind http.Handler, log *zap.Logger) *gate {
	return &gate{client: client, behind: behind, answers: lru.New(answersKept), asks: flowcontrol.NewTokenBucketRateLimiter(asksPerSecond, asksAtOnce), log: log}
}

// ServeHTTP lets a request through, or says why not: 401 to who is not known, 403 to who may not, 429 where too much is asked, and 503 while the API server does not say.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status := http.StatusUnauthorized
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && token != "" && len(token) <= longestToken {
		status = g.judge(r.Context(), token)
	}
	switch status {
	case http.StatusOK:
		g.behind.ServeHTTP(w, r)
		return
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	http.Error(w, http.StatusText(status), status)
}

// judge is the status for a token.
func (g *gate) judge(parent context.Context, token string) int {
	key := sha256.Sum256([]byte(token))
	if known, ok := g.answers.Get(key); ok {
		if a, ok := known.(answer); ok && time.Now().Before(a.until) {
			return a.status
		}
	}
	if !g.asks.TryAccept() {
		return http.StatusTooManyRequests
	}
	ctx, cancel := context.WithTimeout(parent, reviewTimeout)
	defer cancel()
	status, err := g.review(ctx, token)
	switch {
	case err != nil:
		g.log.Warn("cannot find out who may read metrics", zap.Error(err))
		return http.StatusServiceUnavailable
	case status == http.StatusOK:
		g.answers.Add(key, answer{status, time.Now().Add(allowedFor)})
	default:
		g.answers.Add(key, answer{status, time.Now().Add(refusedFor)})
	}
	return status
}

// review asks the API server.
func (g *gate) review(ctx context.Context, token string) (int, error) {
	who, err := g.client.AuthenticationV1().TokenReviews().Create(ctx, &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}, metav1.CreateOptions{})
	switch {
	case err != nil:
		return 0, fmt.Errorf("asking whose a token is: %w", err)
	case !who.Status.Authenticated:
		return http.StatusUnauthorized, nil
	}
	user := who.Status.User
	extra := map[string]authorizationv1.ExtraValue{}
	for name, values := range user.Extra {
		extra[name] = authorizationv1.ExtraValue(values)
	}
	may, err := g.client.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: metricsRightTo, Verb: metricsVerb}}}, metav1.CreateOptions{})
	switch {
	case err != nil:
		return 0, fmt.Errorf("asking what a user may read: %w", err)
	case !may.Status.Allowed:
		return http.StatusForbidden, nil
	}
	return http.StatusOK, nil
}
