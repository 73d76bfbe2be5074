package sources

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// queuesOf is an SQS that has queues, checks who asks for them, and answers as its API reference says. A queue whose name is in answers is answered so.
type queuesOf struct {
	t *testing.T
	// key, secret and token are whose questions are answered.
	key, secret, token string
	// base is what the URLs of queues begin with.
	base    string
	visible map[string]int
	inWork  map[string]int
	answers map[string]http.HandlerFunc
}

// ServeHTTP is http.Handler's.
func (s *queuesOf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	if r.Method != http.MethodPost || r.RequestURI != "/" || r.Header.Get("X-Amz-Target") != "AmazonSQS.GetQueueAttributes" || r.Header.Get("Content-Type") != "application/x-amz-json-1.0" {
		s.t.Errorf("%s %s with %v", r.Method, r.RequestURI, r.Header)
	}
	var asked struct {
		QueueURL       string   `json:"QueueUrl"`
		AttributeNames []string `json:"AttributeNames"`
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		s.t.Error(err)
	}
	queue, isOurs := strings.CutPrefix(asked.QueueURL, s.base)
	err = signedBy(r, body, s.key, s.secret, "eu-central-1", "sqs", time.Now())
	switch answer, visible := s.answers[queue], s.visible[queue]; {
	case err != nil:
		s.fail(w, http.StatusForbidden, "com.amazon.coral.service#InvalidSignatureException", "The request signature we calculated does not match the signature you provided: "+err.Error())
	case r.Header.Get("X-Amz-Security-Token") != s.token:
		s.fail(w, http.StatusForbidden, "com.amazon.coral.service#UnrecognizedClientException", "The security token included in the request is invalid.")
	case answer != nil:
		answer(w, r)
	case visible == 0 || !isOurs:
		s.fail(w, http.StatusBadRequest, "com.amazonaws.sqs#QueueDoesNotExist", "The specified queue does not exist.")
	default:
		all := map[string]string{"ApproximateNumberOfMessages": fmt.Sprint(visible), "ApproximateNumberOfMessagesNotVisible": fmt.Sprint(s.inWork[queue])}
		told := map[string]string{}
		for _, name := range asked.AttributeNames {
			told[name] = all[name]
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"Attributes": told})
	}
}

func (s *queuesOf) fail(w http.ResponseWriter, code int, kind, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": kind, "message": message})
}

// sqsFile is a file with an SQS.
func sqsFile(t *testing.T, url string, key, secret, token string) string {
	t.Helper()
	auth := fmt.Sprintf("accessKeyIdFile: %s, secretAccessKeyFile: %s", fileWith(t, key), fileWith(t, secret))
	if token != "" {
		auth += ", sessionTokenFile: " + fileWith(t, token)
	}
	return fmt.Sprintf("version: v1\nsources:\n- {name: orders, type: sqs, url: %q, region: eu-central-1, account: \"111122223333\", namespaces: [\"*\"], allow: {queue: [\"*\"]}, auth: {%s}}\n", url, auth)
}

// TestSQSCounts what waits and what is in work, signed with what the files have.
func TestSQSCounts(t *testing.T) {
	t.Parallel()
	sqs := &queuesOf{t: t, key: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token: "t0ken==", visible: map[string]int{"shop-orders": 7, "mail.fifo": 1}, inWork: map[string]int{"shop-orders": 3}}
	server := httptest.NewServer(sqs)
	defer server.Close()
	sqs.base = server.URL + "/111122223333/"
	for name, c := range map[string]struct {
		secret, token string
		given         map[string]string
		want          string
	}{
		"all":                       {sqs.secret, sqs.token, map[string]string{"queue": "shop-orders"}, "10"},
		"what waits":                {sqs.secret, sqs.token, map[string]string{"queue": "shop-orders", "count": "visible"}, "7"},
		"a queue in order":          {sqs.secret, sqs.token, map[string]string{"queue": "mail.fifo"}, "1"},
		"no such queue":             {sqs.secret, sqs.token, map[string]string{"queue": "none"}, "orders has no queue of that name, or none that mini-hpa may see"},
		"a name that no queue has":  {sqs.secret, sqs.token, map[string]string{"queue": "a.b"}, `orders cannot have a queue "a.b"`},
		"a name that is too long":   {sqs.secret, sqs.token, map[string]string{"queue": strings.Repeat("a", 81)}, `orders cannot have a queue "` + strings.Repeat("a", 81) + `"`},
		"another secret":            {"another", sqs.token, map[string]string{"queue": "shop-orders"}, "orders refused the credentials"},
		"another token":             {sqs.secret, "another", map[string]string{"queue": "shop-orders"}, "orders refused the credentials"},
		"no token":                  {sqs.secret, "", map[string]string{"queue": "shop-orders"}, "orders refused the credentials"},
		"a secret of several lines": {"a\nb", "", map[string]string{"queue": "shop-orders"}, "orders is not set up: a file of it cannot be read"},
	} {
		s, listed := sourceOf(t, sqsFile(t, server.URL, sqs.key, c.secret, c.token))
		if got := answered(t, s, listed, "", c.given); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestSQSFailures, and answers that are none. Nothing is 0, and a tenant reads our own words.
func TestSQSFailures(t *testing.T) {
	t.Parallel()
	sqs := &queuesOf{t: t, key: "AKIDEXAMPLE", secret: "secret", answers: map[string]http.HandlerFunc{}}
	server := httptest.NewServer(sqs)
	defer server.Close()
	sqs.base = server.URL + "/111122223333/"
	says := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }
	}
	fails := func(code int, kind string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			sqs.fail(w, code, kind, "Signature expired: tenant b's secret is hunter2")
		}
	}
	const unreadable, unknown = "gave an answer that cannot be read", "does not say how many messages that queue has"
	cases := map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"no rights":           {fails(403, "AccessDeniedException"), "does not allow mini-hpa what the line asks"},
		"an unknown key":      {fails(403, "com.amazon.coral.service#UnrecognizedClientException"), "refused the credentials"},
		"an old key":          {fails(403, "ExpiredTokenException"), "refused the credentials, which have expired"},
		"a clock that is off": {fails(403, "com.amazon.coral.service#InvalidSignatureException"), "has another time than mini-hpa"},
		"too many":            {fails(400, "com.amazonaws.sqs#RequestThrottled"), "has too much to do"},
		"broken":              {fails(500, "InternalFailure"), "failed"},
		"away":                {fails(503, ""), "answered 503"},
		"a surprise":          {fails(400, "com.amazonaws.sqs#Surprise"), "answered 400"},
		"XML":                 {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<Error/>", http.StatusBadRequest) }, "answered 400"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
		}, "answered with a redirect, which is not followed"},
		"nothing":               {says(``), unreadable},
		"no attributes":         {says(`{}`), unknown},
		"one of two":            {says(`{"Attributes": {"ApproximateNumberOfMessages": "3"}}`), unknown},
		"numbers and no text":   {says(`{"Attributes": {"ApproximateNumberOfMessages": 3, "ApproximateNumberOfMessagesNotVisible": 0}}`), unreadable},
		"less than none":        {says(`{"Attributes": {"ApproximateNumberOfMessages": "5", "ApproximateNumberOfMessagesNotVisible": "-5"}}`), unknown},
		"a fraction":            {says(`{"Attributes": {"ApproximateNumberOfMessages": "0.5", "ApproximateNumberOfMessagesNotVisible": "0"}}`), unknown},
		"more than all numbers": {says(`{"Attributes": {"ApproximateNumberOfMessages": "9223372036854775808", "ApproximateNumberOfMessagesNotVisible": "0"}}`), unknown},
		"two of the largest":    {says(`{"Attributes": {"ApproximateNumberOfMessages": "9223372036854775807", "ApproximateNumberOfMessagesNotVisible": "9223372036854775807"}}`), "9223372036854775807"},
		"two answers":           {says(`{"Attributes": {}} {"Attributes": {}}`), unreadable},
		"an answer without end": {func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write([]byte(strings.Repeat(" ", 64<<10))); err != nil {
					return
				}
			}
		}, "answered more than is read"},
		"an answer that is broken off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "broke off its answer"},
	}
	queueOf := func(name string) string { return strings.NewReplacer(" ", "-", ",", "").Replace(name) }
	for name, c := range cases {
		sqs.answers[queueOf(name)] = c.answer
	}
	for name, c := range cases {
		s, listed := sourceOf(t, sqsFile(t, server.URL, sqs.key, sqs.secret, ""))
		if got := strings.TrimPrefix(answered(t, s, listed, "", map[string]string{"queue": queueOf(name)}), "orders "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestSQSSettles: a single 0 says nothing of a queue that is counted approximately, unless the file says otherwise.
func TestSQSSettles(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]time.Duration{"": time.Minute, ", settle: 0s": 0, ", settle: 2m": 2 * time.Minute} {
		listed, err := catalog.Parse([]byte(strings.Replace(sqsFile(t, "https://sqs.eu-central-1.amazonaws.com", "k", "s", ""), ", region", said+", region", 1)), Types())
		if err != nil {
			t.Fatal(err)
		}
		e := listed.Entries()[0]
		if e.Settle != want {
			t.Errorf("%q: %v, want %v", said, e.Settle, want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		value := "5"
		s := newSource(&catalog.Entry{Name: "orders", Type: &sqsKind.Type, Settle: sqsKind.Settle, Timeout: time.Second}, environment(), askedOnce(func() (metrics.Answer, error) {
			return sumOf([]byte(`{"Attributes": {"ApproximateNumberOfMessages": "`+value+`"}}`), []string{sqsVisible})
		}), nil)
		var got []string
		for _, v := range []string{"5", "0", "0", "1", "0", "0", "0"} {
			value = v
			a, err := s.Ask(t.Context(), metrics.Question{Namespace: "shop"})
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, settled(a, time.Minute))
			time.Sleep(30 * time.Second)
		}
		if diff := gocmp.Diff([]string{"5 ?", "0 ?", "0 < 5", "1", "0 < 1", "0 < 1", "0"}, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// askedOnce is a client of one question.
func askedOnce(answer func() (metrics.Answer, error)) *system {
	return &system{answer: func(context.Context, metrics.Question) (metrics.Answer, error) { return answer() }}
}

// TestSQSKeysAreReadAgain, and nobody reads them: not the part that is sent, where a server repeats it, nor the part that is not.
func TestSQSKeysAreReadAgain(t *testing.T) {
	t.Parallel()
	sqs := &queuesOf{t: t, key: "AKIDEXAMPLE", secret: "s3cret-one", token: "t0ken-one", visible: map[string]int{"q": 1}}
	var authorization string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization = r.Header.Get("Authorization")
		if r.Header.Get("X-Amz-Security-Token") != sqs.token {
			sqs.fail(w, http.StatusForbidden, "com.amazon.coral.service#UnrecognizedClientException", fmt.Sprint("what is this? ", r.Header))
			return
		}
		sqs.ServeHTTP(w, r)
	}))
	defer server.Close()
	sqs.base = server.URL + "/111122223333/"
	secret, token := fileWith(t, "s3cret-one"), fileWith(t, "t0ken-one")
	core, logged := observer.New(zapcore.DebugLevel)
	env := environment()
	env.Log, env.secrets = zap.New(core), &secrets{}
	client, err := sqsKind.Open(&catalog.Entry{Concurrency: 1, Settings: &sqsSettings{URL: server.URL, Region: "eu-central-1", Account: "111122223333",
		Auth: awsAuth{AccessKeyIDFile: fileWith(t, "AKIDEXAMPLE"), SecretAccessKeyFile: secret, SessionTokenFile: token}}}, env)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ask := func() (failure error) {
		client.Ask(t.Context(), []metrics.Question{{Parameters: catalog.ParametersOf(map[string]string{"queue": "q"})}}, func(_ int, _ metrics.Answer, err error) { failure = err })
		return failure
	}
	if err := ask(); err != nil {
		t.Error(err)
	}
	if err := errors.Join(os.WriteFile(secret, []byte("s3cret-two"), 0o600), os.WriteFile(token, []byte("t0ken-two"), 0o600)); err != nil {
		t.Fatal(err)
	}
	err = ask()
	_, signature, _ := strings.Cut(authorization, "Signature=")
	text := fmt.Sprint(err, logged.All())
	if told(err) != "refused the credentials" || strings.Contains(text, "t0ken") || strings.Contains(text, "s3cret") || signature == "" || strings.Contains(text, signature) {
		t.Errorf("after the files have changed: %s", text)
	}
	sqs.secret, sqs.token = "s3cret-two", "t0ken-two"
	if err := ask(); err != nil {
		t.Error(err)
	}
}

// TestSQSByARole: with the token that the file has, keys are asked for, and used from then on.
func TestSQSByARole(t *testing.T) {
	t.Parallel()
	sqs := &queuesOf{t: t, visible: map[string]int{"q": 1}}
	server := httptest.NewServer(sqs)
	defer server.Close()
	sqs.base = server.URL + "/111122223333/"
	token := fileWith(t, "w3b.identity.t0ken")
	asked, answer := 0, ""
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		_ = r.ParseForm()
		want := url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {"arn:aws:iam::111122223333:role/mini-hpa"}, "RoleSessionName": {"mini-hpa"}, "WebIdentityToken": {"w3b.identity.t0ken"}}
		if diff := gocmp.Diff(want, r.PostForm); diff != "" || r.Header.Get("Authorization") != "" {
			http.Error(w, "<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>what is "+r.PostForm.Get("WebIdentityToken")+"?</Message></Error></ErrorResponse>", http.StatusBadRequest)
			return
		}
		if answer != "" {
			fmt.Fprint(w, answer)
			return
		}
		sqs.key, sqs.secret, sqs.token = fmt.Sprint("ASIAEXAMPLE", asked), fmt.Sprint("s3cret-", asked), fmt.Sprint("session-", asked)
		fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Audience>sts.amazonaws.com</Audience>`+
			`<Credentials><SessionToken>%s</SessionToken><SecretAccessKey>%s</SecretAccessKey><Expiration>%s</Expiration><AccessKeyId>%s</AccessKeyId></Credentials>`+
			`</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, sqs.token, sqs.secret, time.Now().Add(time.Hour).UTC().Format(time.RFC3339), sqs.key)
	}))
	defer sts.Close()
	file := fmt.Sprintf("version: v1\nsources:\n- {name: orders, type: sqs, url: %q, region: eu-central-1, account: \"111122223333\", namespaces: [\"*\"], allow: {queue: [\"*\"]}, "+
		"auth: {role: {arn: \"arn:aws:iam::111122223333:role/mini-hpa\", tokenFile: %s, url: %q}}}\n", server.URL, token, sts.URL)
	ask := func(s metrics.Source, c *catalog.Catalog, want string, calls int) {
		t.Helper()
		if got := answered(t, s, c, "", map[string]string{"queue": "q"}); got != want || asked != calls {
			t.Errorf("%q after %d calls for keys, want %q after %d", got, asked, want, calls)
		}
	}
	s, c := sourceOf(t, file)
	ask(s, c, "1", 1)
	ask(s, c, "1", 1)
	if err := os.WriteFile(token, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, c = sourceOf(t, file)
	ask(s, c, "orders is not set up: AWS does not give mini-hpa the role", 2)
	ask(s, c, "orders is not set up: AWS does not give mini-hpa the role", 2) // which is not asked again at once
	if err := os.WriteFile(token, []byte("w3b.identity.t0ken"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{"<", "<AssumeRoleWithWebIdentityResponse/>", `{"AccessKeyId": "a"}`,
		"<a><AssumeRoleWithWebIdentityResult><Credentials><SessionToken>a</SessionToken><SecretAccessKey>b</SecretAccessKey><AccessKeyId>c</AccessKeyId><Expiration>2011-10-24T23:00:23Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></a>"} {
		answer = text
		s, c = sourceOf(t, file)
		ask(s, c, "orders gave an answer that cannot be read", 3+i)
	}
}

// TestKeysOfARole are renewed before they expire, while those that are good are used; those that AWS does not take are made anew; and what fails is not tried all the time.
func TestKeysOfARole(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	var fails atomic.Bool
	hangs := make(chan struct{})
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := calls.Add(1)
		if n == 2 {
			select {
			case <-hangs:
			case <-r.Context().Done():
			}
		}
		if fails.Load() {
			http.Error(w, "", http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, `<a><AssumeRoleWithWebIdentityResult><Credentials><SessionToken>token</SessionToken><SecretAccessKey>secret</SecretAccessKey><AccessKeyId>key-%d</AccessKeyId>`+
			`<Expiration>%s</Expiration></Credentials></AssumeRoleWithWebIdentityResult></a>`, n, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	defer sts.Close()
	role := &awsRole{ARN: "arn:aws:iam::111122223333:role/mini-hpa", TokenFile: fileWith(t, "token"), URL: sts.URL}
	signer, err := newAWSSigner(&awsAuth{Role: role}, environment(), "sqs", "eu-central-1")
	if err != nil {
		t.Fatal(err)
	}
	defer signer.close()
	a := signer.role
	wants := func(key, failure string, after int32) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		got, err := a.credentials(ctx)
		if text := told(err); got.AccessKeyID != key || text != failure || calls.Load() != after {
			t.Errorf("%q, %v after %d calls, want %q, %q after %d", got.AccessKeyID, err, calls.Load(), key, failure, after)
		}
	}
	// since sets when the keys were asked for last, and when they expire.
	since := func(asked, expires time.Duration) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.asked, a.known.Expires = time.Now().Add(-asked), time.Now().Add(expires)
	}
	made := func(calls *atomic.Int32, n int32) {
		t.Helper()
		for calls.Load() < n {
			time.Sleep(time.Millisecond)
		}
		a.mu.Lock()
		making := a.making
		a.mu.Unlock()
		if making != nil {
			<-making
		}
	}
	wants("key-1", "", 1)
	wants("key-1", "", 1)
	since(time.Hour, roleRenewed-time.Second)
	for range 3 { // the second call hangs meanwhile
		if got, err := a.credentials(t.Context()); got.AccessKeyID != "key-1" || err != nil {
			t.Fatalf("while keys are renewed: %q, %v", got.AccessKeyID, err)
		}
	}
	close(hangs)
	made(&calls, 2)
	wants("key-2", "", 2)

	by := func(key string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+key+"/20261129/eu-central-1/sqs/aws4_request, SignedHeaders=host, Signature=a")
		return r
	}
	since(time.Minute, time.Hour)
	signer.refused(fault("a", &statusError{said: `{"__type": "ExpiredTokenException"}`, asked: by("key-1")})) // which has been renewed since
	signer.refused(fault("a", &statusError{said: `{"__type": "AccessDenied"}`, asked: by("key-2")}))
	wants("key-2", "", 2)
	signer.refused(fault("a", &statusError{said: `{"__type": "com.amazon.coral.service#UnrecognizedClientException"}`, asked: by("key-2")}))
	wants("key-3", "", 3)
	signer.refused(fault("a", &statusError{said: `{"__type": "InvalidClientTokenId"}`, asked: by("key-3")})) // a moment after it was made
	wants("", "refused the credentials", 3)

	fails.Store(true)
	since(roleAgain, -time.Second)
	wants("", "is not set up: AWS does not give mini-hpa the role", 4)
	wants("", "is not set up: AWS does not give mini-hpa the role", 4)
	since(roleAgain, -time.Second)
	fails.Store(false)
	wants("key-5", "", 5)
}

func TestSQSSettings(t *testing.T) {
	t.Parallel()
	const good = `"region": "eu-central-1", "account": "111122223333", "auth": {"accessKeyIdFile": "/k", "secretAccessKeyFile": "/s"}`
	for text, want := range map[string]string{
		`{"url": "https://sqs.eu-central-1.amazonaws.com", ` + good + `}`:               "",
		`{"url": "https://vpce-1.sqs.us-gov-west-1.vpce.amazonaws.com/", ` + good + `}`: "",
		`{"url": "http://127.0.0.1:4566", ` + good + `}`:                                "",
		`{"url": "http://sqs.eu-central-1.amazonaws.com", ` + good + `}`:                `x.url: Invalid value: "http://sqs.eu-central-1.amazonaws.com": want https://, as who is in between could say that nothing waits`,
		`{` + good + `}`: `x.url: Required value: the endpoint of the region, such as https://sqs.eu-central-1.amazonaws.com`,
		`{"url": "sqs.eu-central-1.amazonaws.com", ` + good + `}`:                        `x.url: Invalid value: "sqs.eu-central-1.amazonaws.com": want http://HOST[:PORT][/PATH] or https://HOST[:PORT][/PATH]`,
		`{"url": "https://sqs.eu-central-1.amazonaws.com/111122223333/q", ` + good + `}`: `x.url: Invalid value: "https://sqs.eu-central-1.amazonaws.com/111122223333/q": want no path: account and the queue of a line are behind it`,
		`{"url": "https://sqs.eu-central-1.amazonaws.com", "region": "eu-central-1", "account": "111122223333", "auth": {"role": {"arn": "arn:aws:iam::111122223333:role/mini-hpa", "tokenFile": "/t", "url": "https://sts.eu-central-1.amazonaws.com"}}}`: "",
		`{"url": "https://sqs.eu-central-1.amazonaws.com", "region": "eu-central-1", "account": "111122223333", "auth": {"sessionTokenFile": "/t", "role": {"arn": "mini-hpa", "url": "http://sts.example"}}}`: `[x.auth: Invalid value: want accessKeyIdFile and secretAccessKeyFile, or role, ` +
			`x.auth.role.url: Invalid value: "http://sts.example": want https://, as the token is sent there, x.auth.role.tokenFile: Required value: such as /var/run/secrets/eks.amazonaws.com/serviceaccount/token, ` +
			`x.auth.role.arn: Invalid value: "mini-hpa": want a role, such as arn:aws:iam::111122223333:role/mini-hpa]`,
		`{"url": "https://a.example"}`: `[x.region: Invalid value: "": want that of the endpoint, such as eu-central-1, x.account: Invalid value: "": want the twelve digits of whose the queues are, ` +
			`x.auth: Invalid value: want accessKeyIdFile and secretAccessKeyFile, or role]`,
		`{"url": "https://a.example", "region": "EU/central", "account": "1111-2222-3333", "auth": {"accessKeyIdFile": "k", "secretAccessKeyFile": "/a/../s"}}`: `[x.region: Invalid value: "EU/central": want that of the endpoint, such as eu-central-1, x.account: Invalid value: "1111-2222-3333": want the twelve digits of whose the queues are, ` +
			`x.auth.accessKeyIdFile: Invalid value: "k": want an absolute path without "..", such as /etc/mini-hpa/sources/NAME/password, ` +
			`x.auth.secretAccessKeyFile: Invalid value: "/a/../s": want an absolute path without "..", such as /etc/mini-hpa/sources/NAME/password]`,
	} {
		settings := sqsKind.Settings()
		if err := json.Unmarshal([]byte(text), settings); err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := settings.Check(nil, field.NewPath("x")).ToAggregate(); err != nil {
			got = err.Error()
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s -want +got:\n%s", text, diff)
		}
	}
}
