package sources

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// natsKind counts the messages of a JetStream consumer that are not acknowledged yet: those that it has not delivered, and those in work.
var natsKind = Kind{
	Type: catalog.Type{
		Name:     "nats",
		Settings: func() catalog.Settings { return &natsSettings{} },
		Parameters: []catalog.Parameter{
			{Name: "stream", Kind: catalog.KindWord, Allowed: true},
			{Name: "consumer", Kind: catalog.KindWord, Allowed: true},
		},
	},
	Open:  opens(openNATS),
	Batch: true,
}

// natsSettings are what the file says of NATS servers.
type natsSettings struct {
	// Servers are host:port of the servers of one cluster, one of which is asked.
	Servers []string  `json:"servers"`
	TLS     *TLS      `json:"tls,omitempty"`
	Auth    *natsAuth `json:"auth,omitempty"`
}

// natsAuth is who the client is, in one of four ways.
type natsAuth struct {
	Credentials
	// TokenFile holds a token, NKeyFile the seed of a user's key, CredentialsFile a user's JWT and seed, as nsc writes them.
	TokenFile       string `json:"tokenFile,omitempty"`
	NKeyFile        string `json:"nkeyFile,omitempty"`
	CredentialsFile string `json:"credentialsFile,omitempty"`
}

// Check says what is wrong with them.
func (s *natsSettings) Check(_ *catalog.Entry, at *field.Path) field.ErrorList {
	problems := s.TLS.check(at.Child("tls"))
	problems = append(problems, checkAddresses(s.Servers, "nats.nats.svc:4222", at.Child("servers"))...)
	return append(problems, s.Auth.check(at.Child("auth"))...)
}

func (a *natsAuth) check(at *field.Path) field.ErrorList {
	if a == nil {
		return nil
	}
	problems := a.Credentials.check(at)
	ways := 0
	for name, path := range map[string]string{"tokenFile": a.TokenFile, "nkeyFile": a.NKeyFile, "credentialsFile": a.CredentialsFile} {
		problems = append(problems, checkPath(path, at.Child(name))...)
		if path != "" {
			ways++
		}
	}
	if a.UserFile != "" || a.PasswordFile != "" {
		ways++
		if a.UserFile == "" || a.PasswordFile == "" {
			problems = append(problems, field.Invalid(at, field.OmitValueType{}, "userFile and passwordFile belong together: want both"))
		}
	}
	if ways != 1 {
		problems = append(problems, field.Invalid(at, field.OmitValueType{}, "want one of userFile with passwordFile, tokenFile, nkeyFile and credentialsFile"))
	}
	return problems
}

// option reads the credentials for one connection.
func (a *natsAuth) option(env Env) (nats.Option, error) {
	switch {
	case a.TokenFile != "":
		token, err := secretFrom(env, a.TokenFile)
		return nats.Token(token), err
	case a.CredentialsFile != "":
		text, err := keysFrom(env, a.CredentialsFile)
		return nats.UserCredentialBytes(text), err
	case a.NKeyFile != "":
		return a.nkey(env)
	}
	user, password, err := a.read(env)
	return nats.UserInfo(user, password), err
}

func (a *natsAuth) nkey(env Env) (nats.Option, error) {
	text, err := keysFrom(env, a.NKeyFile)
	if err != nil {
		return nil, err
	}
	pair, err := nkeys.ParseDecoratedNKey(text)
	if err != nil {
		return nil, fault("is not set up: a file of it cannot be read", fmt.Errorf("%s: %w", a.NKeyFile, err))
	}
	public, err := pair.PublicKey()
	if err != nil {
		return nil, fault("is not set up: a file of it cannot be read", fmt.Errorf("%s: %w", a.NKeyFile, err))
	}
	return nats.Nkey(public, pair.Sign), nil
}

// natsClient asks one cluster, over one connection. One that was lost is made anew when something is asked, with the credentials of then.
type natsClient struct {
	settings *natsSettings
	env      Env
	dialer   *dialer

	mu         sync.Mutex
	connection *nats.Conn
	// connecting is closed when a connection is made or not; nil is none under way.
	connecting chan struct{}
	failed     error
	closed     bool
	// heard is when the server has answered something, in nanoseconds since 1970.
	heard atomic.Int64
	// denied are the requests that wait, by subject, so that one that the server does not permit need not wait for its deadline.
	denied map[string]context.CancelCauseFunc
}

const (
	// natsPing is how often a silent server is asked whether it is there.
	natsPing = 20 * time.Second
	// natsAtOnce is how many requests are under way, far fewer than the 10,000 at which a server begins to drop them.
	natsAtOnce = 512
)

func openNATS(_ *catalog.Entry, settings *natsSettings, env Env) (Client, error) {
	d := newDialer(env, settings.TLS, false, settings.Servers...) // the protocol agrees upon TLS after it has begun
	d.most = mostOfBroker
	if settings.Auth != nil && settings.TLS == nil && !d.local {
		env.Log.Warn("credentials are sent without encryption: there is no tls")
	}
	return &natsClient{settings: settings, env: env, dialer: d, denied: map[string]context.CancelCauseFunc{}}, nil
}

// Close gives up the connection.
func (c *natsClient) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.connection != nil {
		c.connection.Close()
	}
}

// Ask asks for all consumers at the same time. Each is answered by the server that leads it, so that one may be silent while others answer.
func (c *natsClient) Ask(ctx context.Context, all []metrics.Question, answer func(i int, a metrics.Answer, err error)) {
	connection, err := c.connected(ctx)
	if err != nil {
		for i := range all {
			answer(i, metrics.Answer{}, err)
		}
		return
	}
	began := time.Now()
	places := map[string][]int{}
	for i, q := range all {
		places[q.Namespace] = append(places[q.Namespace], i)
	}
	fairly(places, natsAtOnce, func(i int) error {
		count, err := c.pending(ctx, connection, all[i])
		if err == nil {
			c.heard.Store(time.Now().UnixNano())
			answer(i, answerOf(*resource.NewQuantity(count, resource.DecimalSI)), nil)
		}
		return err
	}, func(i int, err error) {
		if !errors.Is(err, context.DeadlineExceeded) {
			c.heard.Store(time.Now().UnixNano())
		}
		answer(i, metrics.Answer{}, err)
	})
	if len(all) > 0 && c.heard.Load() < began.UnixNano() { // nor has it answered anybody else meanwhile
		connection.Close() // another server may be there
	}
}

// connected returns the connection, or waits for one.
func (c *natsClient) connected(ctx context.Context) (*nats.Conn, error) {
	c.mu.Lock()
	if c.connection != nil && c.connection.IsConnected() {
		defer c.mu.Unlock()
		return c.connection, nil
	}
	if c.connecting == nil {
		c.connecting = make(chan struct{})
		go c.connect(c.connecting)
	}
	connecting := c.connecting
	c.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil, fault("did not answer", ctx.Err())
	case <-connecting:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.connection, c.failed
}

// connect makes the connection to the first of the servers that takes it.
func (c *natsClient) connect(done chan struct{}) {
	connection, err := c.connectAny()
	c.mu.Lock()
	defer c.mu.Unlock()
	if connection != nil && c.closed {
		connection.Close()
	}
	c.connection, c.failed, c.connecting = connection, err, nil
	close(done)
}

func (c *natsClient) connectAny() (*nats.Conn, error) {
	options := []nats.Option{
		nats.Name("mini-hpa"), nats.SetCustomDialer(natsDialer{c.dialer}), nats.SkipHostLookup(), nats.IgnoreDiscoveredServers(),
		nats.NoReconnect(), nats.Timeout(natsDialTimeout), nats.PingInterval(natsPing), nats.MaxPingsOutstanding(2), nats.ErrorHandler(c.told),
	}
	if c.settings.TLS != nil {
		options = append(options, nats.Secure()) // which natsDialer makes
	}
	if c.settings.Auth != nil {
		who, err := c.settings.Auth.option(c.env)
		if err != nil {
			return nil, err
		}
		options = append(options, who)
	}
	var failed error
	for _, i := range rand.Perm(len(c.settings.Servers)) {
		connection, err := nats.Connect("nats://"+c.settings.Servers[i], options...)
		if err == nil {
			return connection, nil
		}
		failed = natsFault("a connection", fmt.Errorf("server %s: %w", c.settings.Servers[i], err))
		if errors.Is(err, nats.ErrAuthorization) {
			break // the others would refuse them, too, and count it as one more attempt
		}
	}
	return nil, failed
}

// told ends the wait for requests that the server does not permit: it names their subjects in an error of the connection, and does not answer them.
func (c *natsClient) told(_ *nats.Conn, _ *nats.Subscription, err error) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for subject, cancel := range c.denied {
		if strings.Contains(err.Error(), strconv.Quote(subject)) {
			cancel(err)
		}
	}
}

// notInNames are what no stream and no consumer has in its name: what separates and stands for parts of subjects, and of paths.
const notInNames = ".*>/\\ \t\r\n\f\x00"

// pending asks for one consumer.
func (c *natsClient) pending(ctx context.Context, connection *nats.Conn, q metrics.Question) (int64, error) {
	stream, _ := q.Parameters.Get("stream")
	consumer, _ := q.Parameters.Get("consumer")
	switch {
	case stream == "" || strings.ContainsAny(stream, notInNames):
		return 0, unanswered(fmt.Sprintf("cannot have a stream %q", stream), nil)
	case consumer == "" || strings.ContainsAny(consumer, notInNames):
		return 0, unanswered(fmt.Sprintf("cannot have a consumer %q", consumer), nil)
	}
	about := fmt.Sprintf("consumer %q of stream %q", consumer, stream)
	jetStream, err := connection.JetStream()
	if err != nil {
		return 0, natsFault(about, err)
	}
	info, err := c.info(ctx, jetStream, stream, consumer)
	switch {
	case errors.Is(err, nats.ErrStreamNotFound):
		return 0, unanswered(fmt.Sprintf("has no stream %q", stream), err)
	case err != nil:
		return 0, natsFault(about, err)
	case info.Name != consumer || info.Stream != stream || info.NumAckPending < 0:
		return 0, fault("did not answer for "+about, fmt.Errorf("the answer is for %q of %q, and has %d messages in work", info.Name, info.Stream, info.NumAckPending))
	}
	undelivered := int64(min(info.NumPending, math.MaxInt64))
	return undelivered + min(int64(info.NumAckPending), math.MaxInt64-undelivered), nil
}

func (c *natsClient) info(ctx context.Context, jetStream nats.JetStreamContext, stream, consumer string) (*nats.ConsumerInfo, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	subject := "$JS.API.CONSUMER.INFO." + stream + "." + consumer
	c.mu.Lock()
	c.denied[subject] = cancel
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.denied, subject)
	}()
	info, err := jetStream.ConsumerInfo(stream, consumer, nats.Context(ctx))
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return nil, cause
	}
	return info, err
}

// natsFault puts a failure into words about what was asked for.
func natsFault(about string, err error) error {
	var already *Fault
	switch {
	case errors.As(err, &already):
		return fault(already.Told, err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, nats.ErrTimeout):
		return fault("did not answer for "+about, err)
	case errors.Is(err, nats.ErrConsumerNotFound):
		return unanswered("has no "+about, err)
	case errors.Is(err, nats.ErrPermissionViolation):
		return unanswered("does not allow mini-hpa to see "+about, err)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked), errors.Is(err, nats.ErrAccountAuthExpired):
		return fault("refused the credentials", err)
	case errors.Is(err, nats.ErrJetStreamNotEnabled), errors.Is(err, nats.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		return fault("has no JetStream for this user", err)
	case errors.Is(err, nats.ErrConnectionClosed):
		return fault("broke off the connection when it was asked for "+about, err)
	case errors.Is(err, nats.ErrNoServers): // which the library makes of a connection that is refused
		return fault("refused the connection", err)
	case errors.Is(err, nats.ErrSecureConnWanted):
		return fault("does not speak TLS", err)
	case errors.Is(err, nats.ErrTLS):
		return explainConnection(err)
	}
	return fault("failed when it was asked for "+about, err)
}
