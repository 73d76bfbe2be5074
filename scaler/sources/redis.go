package sources

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"sync"
	"time"

	"github.com/redis/rueidis"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/mini-hpa/mini-hpa/annotations/catalog"
	"github.com/mini-hpa/mini-hpa/scaler/metrics"
)

// redisKind counts the elements of a list, a set or a sorted set, and the entries of a stream: all of them, or those that a group has not acknowledged.
var redisKind = Kind{
	Type: catalog.Type{
		Name:     "redis",
		Settings: func() catalog.Settings { return &redisSettings{} },
		OneOf:    []string{keyList, keySet, keySortedSet, keyStream},
		Parameters: []catalog.Parameter{
			{Name: keyList, Kind: catalog.KindWord, Allowed: true},
			{Name: keySet, Kind: catalog.KindWord, Allowed: true},
			{Name: keySortedSet, Kind: catalog.KindWord, Allowed: true},
			{Name: keyStream, Kind: catalog.KindWord, Allowed: true},
			{Name: "group", Kind: catalog.KindWord, Allowed: true, With: keyStream, Optional: true},
			{Name: "db", Kind: catalog.KindInteger, Min: "0", Max: "16383", Default: "0"},
		},
	},
	Open:  openRedis,
	Batch: true,
}

// redisSettings are what the file says of a Redis.
type redisSettings struct {
	// Addresses are host:port of the server; with Cluster of some of its members, which name the others, and with Sentinel of some sentinels.
	Addresses []string `json:"addresses"`
	// Cluster says that it is a Redis Cluster.
	Cluster bool `json:"cluster,omitempty"`
	// Sentinel is the name of the master that the sentinels watch.
	Sentinel string `json:"sentinel,omitempty"`
	TLS      *TLS   `json:"tls,omitempty"`
	// Auth is the user of the server, SentinelAuth that of the sentinels. Without a user the password is the default user's.
	Auth         *Credentials `json:"auth,omitempty"`
	SentinelAuth *Credentials `json:"sentinelAuth,omitempty"`
}

// Check says what is wrong with them.
func (s *redisSettings) Check(_ *catalog.Entry, at *field.Path) field.ErrorList {
	problems := s.TLS.check(at.Child("tls"))
	problems = append(problems, checkAddresses(s.Addresses, "redis-0.redis.svc:6379", at.Child("addresses"))...)
	if len(s.Addresses) > 1 && !s.Cluster && s.Sentinel == "" {
		problems = append(problems, field.Invalid(at.Child("addresses"), field.OmitValueType{}, "want one address, or cluster: true, or the name of a master as sentinel"))
	}
	if s.Cluster && s.Sentinel != "" {
		problems = append(problems, field.Invalid(at.Child("sentinel"), s.Sentinel, "a cluster has no sentinels: want cluster or sentinel"))
	}
	if s.SentinelAuth != nil && s.Sentinel == "" {
		problems = append(problems, field.Invalid(at.Child("sentinelAuth"), field.OmitValueType{}, "want sentinel beside it"))
	}
	problems = append(problems, checkRedisUser(s.Auth, at.Child("auth"))...)
	return append(problems, checkRedisUser(s.SentinelAuth, at.Child("sentinelAuth"))...)
}

func checkRedisUser(c *Credentials, at *field.Path) field.ErrorList {
	switch {
	case c == nil:
		return nil
	case c.PasswordFile == "":
		return field.ErrorList{field.Required(at.Child("passwordFile"), "")}
	}
	return c.check(at)
}

// redisClient asks one Redis, over one connection to each server that has keys.
type redisClient struct {
	settings *redisSettings
	env      Env
	dialer   *dialer
	timeout  time.Duration

	mu      sync.Mutex
	library rueidis.Client // nil until there was a connection
	attempt *redisAttempt
	closed  bool
	// secrets are the passwords that were read last.
	secrets map[string]string
}

// redisAttempt is one to connect for the first time.
type redisAttempt struct {
	done    chan struct{}
	library rueidis.Client // read only after done
	err     error
}

func openRedis(e *catalog.Entry, env Env) (Client, error) {
	settings, ok := e.Settings.(*redisSettings)
	if !ok {
		return nil, errors.New("the entry has no settings of redis")
	}
	dial := newDialer
	if settings.Cluster || settings.Sentinel != "" { // other members are named by those
		dial = newMemberDialer
	}
	c := &redisClient{
		settings: settings, env: env, timeout: min(max(e.Timeout, time.Second), time.Minute), secrets: map[string]string{},
		dialer: dial(env, settings.TLS, settings.TLS != nil, settings.Addresses...),
	}
	if (settings.Auth != nil || settings.SentinelAuth != nil) && settings.TLS == nil && !c.dialer.local {
		env.Log.Warn("credentials are sent without encryption: there is no tls")
	}
	return c, nil
}

// Close gives up the connections.
func (c *redisClient) Close() {
	c.mu.Lock()
	library := c.library
	c.library, c.closed = nil, true
	c.mu.Unlock()
	if library != nil {
		library.Close()
	}
}

// Ask sends all questions in one round, and a second one for the few groups of streams of which Redis does not know the lag. In a cluster each question
// goes to the server that has the key, and waits for no other.
func (c *redisClient) Ask(ctx context.Context, all []metrics.Question, answer func(i int, a metrics.Answer, err error)) {
	var questions []*redisQuestion
	for i, asked := range all {
		q, err := redisQuestionOf(i, asked)
		if err == nil && c.settings.Cluster && q.db != 0 {
			err = unanswered("is a cluster, which has no databases but 0", nil)
		}
		if err != nil {
			answer(i, metrics.Answer{}, err)
			continue
		}
		questions = append(questions, q)
	}
	if len(questions) == 0 {
		return
	}
	pending := make(map[int]bool, len(questions))
	for _, q := range questions {
		pending[q.place] = true
	}
	concluded := make(chan redisResult, len(questions)) // whoever is late does not wait
	go c.begin(ctx, questions, concluded)
	for len(pending) > 0 {
		select {
		case r := <-concluded:
			delete(pending, r.place)
			answer(r.place, r.answer, r.err)
		case <-ctx.Done():
			for i := range pending {
				answer(i, metrics.Answer{}, ctx.Err())
			}
			return
		}
	}
}

// redisResult is what came of a question.
type redisResult struct {
	place  int
	answer metrics.Answer
	err    error
}

// begin sends the questions: together, or to each server of a cluster what is its own, which the library knows.
func (c *redisClient) begin(ctx context.Context, questions []*redisQuestion, concluded chan<- redisResult) {
	library, err := c.connected(ctx)
	if err != nil {
		for _, q := range questions {
			concluded <- redisResult{place: q.place, err: err}
		}
		return
	}
	round := &redisRound{library: library, cluster: c.settings.Cluster, conclude: func(q *redisQuestion, a metrics.Answer, err error) {
		if err != nil {
			err = c.explain(err)
		}
		concluded <- redisResult{q.place, a, err}
	}}
	if !c.settings.Cluster {
		round.ask(ctx, questions)
		return
	}
	for _, q := range questions {
		go round.ask(ctx, []*redisQuestion{q})
	}
}

// connected returns the library's client. The first connection is made here, and not in the time of one who asks: the library has no
// deadline for it but those of its steps.
func (c *redisClient) connected(ctx context.Context) (rueidis.Client, error) {
	c.mu.Lock()
	if c.closed || c.library != nil {
		defer c.mu.Unlock()
		if c.closed {
			return nil, errClosed
		}
		return c.library, nil
	}
	if c.attempt == nil {
		c.attempt = &redisAttempt{done: make(chan struct{})}
		go c.connect(c.attempt)
	}
	attempt := c.attempt
	c.mu.Unlock()
	select {
	case <-attempt.done:
		return attempt.library, attempt.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

var errClosed = errors.New("the client is closed")

func (c *redisClient) connect(attempt *redisAttempt) {
	library, err := c.newLibrary()
	if err != nil {
		err = c.explain(err)
	}
	c.mu.Lock()
	closed := c.closed
	c.attempt = nil
	if err == nil && !closed {
		c.library = library
	}
	c.mu.Unlock()
	if closed && err == nil {
		library.Close()
		library, err = nil, errClosed
	}
	attempt.library, attempt.err = library, err
	close(attempt.done)
}

// sentinelsOwn marks the connections to sentinels. The library hands it to dial and does nothing else with it.
var sentinelsOwn = &tls.Config{MinVersion: tls.VersionTLS12}

// newLibrary connects.
func (c *redisClient) newLibrary() (rueidis.Client, error) {
	const (
		idle      = 30 * time.Second // after which a connection is tried with a PING
		refresh   = 5 * time.Second  // how often sentinels are asked for the master
		redirects = 4                // how often a cluster may send a question on
		buffer    = 32 << 10
	)
	dialer := net.Dialer{Timeout: c.timeout, KeepAlive: idle}
	options := rueidis.ClientOption{
		InitAddress: c.settings.Addresses, ForceSingleClient: !c.settings.Cluster && c.settings.Sentinel == "",
		DialCtxFn: c.dial, Dialer: dialer, ConnWriteTimeout: c.timeout, AuthCredentialsFn: c.credentials,
		ClientName: "mini-hpa", ClientSetInfo: rueidis.DisableClientSetInfo,
		// No caching on this side, and no repeating: the next answer is a period away.
		DisableCache: true, DisableRetry: true,
		// One connection, on which all of Ask stays together: SELECT is for what comes behind it. It is read from all the time, so that one that the
		// server has closed is known before it is used.
		PipelineMultiplex: -1, AlwaysPipelining: true, BlockingPipeline: math.MaxInt,
		RingScaleEachConn: 8, ReadBufferEachConn: buffer, WriteBufferEachConn: buffer,
		ClusterOption: rueidis.ClusterOption{MaxMovedRedirections: redirects},
		Sentinel: rueidis.SentinelOption{
			MasterSet: c.settings.Sentinel, Dialer: dialer, TLSConfig: sentinelsOwn, TopologyRefreshInterval: refresh, ClientName: "mini-hpa",
		},
	}
	if c.settings.TLS != nil { // says which port of a member is meant; dial has the real one
		options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	library, err := rueidis.NewClient(options)
	if err == nil && c.settings.Cluster && library.Mode() != rueidis.ClientModeCluster {
		library.Close()
		return nil, fault("is no cluster, which the file says", nil)
	}
	return library, err
}

// dial makes a connection for the library.
func (c *redisClient) dial(ctx context.Context, address string, _ *net.Dialer, owner *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	connection, err := c.dialer.dial(ctx, "tcp", address)
	if err == nil && owner == sentinelsOwn {
		connection = toSentinel{connection}
	}
	return connection, err
}

// toSentinel is a connection to a sentinel, which has credentials of its own.
type toSentinel struct{ net.Conn }

// RemoteAddr is all of a connection that credentials sees.
func (c toSentinel) RemoteAddr() net.Addr { return sentinelAddress{c.Conn.RemoteAddr()} }

type sentinelAddress struct{ net.Addr }

// credentials reads those of a connection.
func (c *redisClient) credentials(to rueidis.AuthCredentialsContext) (rueidis.AuthCredentials, error) {
	whose, owner := c.settings.Auth, "server"
	if _, ok := to.Address.(sentinelAddress); ok {
		whose, owner = c.settings.SentinelAuth, "sentinel"
	}
	if whose == nil {
		return rueidis.AuthCredentials{}, nil
	}
	user, password, err := whose.read(c.env)
	if err != nil {
		return rueidis.AuthCredentials{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secrets[owner] = password
	return rueidis.AuthCredentials{Username: user, Password: password}, nil
}

// explain is a Fault that says why Redis did not answer.
func (c *redisClient) explain(err error) error {
	var already *Fault
	var said *rueidis.RedisError
	var network net.Error
	switch {
	case errors.As(err, &already):
		return err
	case errors.As(err, &said) && said.IsNil(): // of a sentinel
		return fault("has no master of that name", fmt.Errorf("no master %q is known to the sentinels", c.settings.Sentinel))
	case errors.As(err, &said):
		c.mu.Lock()
		defer c.mu.Unlock()
		return explainRedis(hide(said.Error(), c.secrets["server"], c.secrets["sentinel"]))
	case errors.Is(err, rueidis.ErrClosing):
		return fault("broke off the connection", err)
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.Canceled):
		return explainRequest(err)
	case c.settings.Sentinel != "": // what they call the master is none
		return fault("has no master at present", err)
	}
	return unreadable(err)
}
