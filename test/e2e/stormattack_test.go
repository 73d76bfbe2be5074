package e2e

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// stormAttack is a way to make the webhook spend something, by so many at a time.
type stormAttack struct {
	name string
	many int
	// once does it once, until ctx ends at the latest, and says what came of it in a word.
	once func(ctx context.Context, a *stormAssault, i int) string
}

// stormWave is attacks that go on at the same time.
type stormWave struct {
	name    string
	attacks []stormAttack
	// isTooMany are more connections than the webhook keeps open. It then closes those whose clients it has waited for longest,
	// and on a machine that the attackers share, an API server's can be among them.
	isTooMany bool
}

func stormWaves() []stormWave {
	bodies := []stormAttack{
		{"large bodies", 500, stormFlood(stormBodies(stormLarge))},
		{"bodies that just count as small", 100, stormFlood(stormBodies(stormSmall))},
	}
	idlers := []stormAttack{
		{"slow headers", 100, stormDrip("POST /validate-workloads HTTP/1.1\r\nHost: x\r\nX-Slow: ")},
		{"slow bodies", 100, stormDrip("POST /validate-workloads HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 200000\r\n\r\n")},
		{"garbage instead of TLS", 200, stormGarbage},
		{"TLS and silence", 200, stormSilence},
		{"requests that no API server sends", 50, stormStrangeRequest},
	}
	return []stormWave{
		{name: "bodies", attacks: bodies},
		{name: "idlers", attacks: idlers},
		{name: "all at once", attacks: slices.Concat(bodies, idlers), isTooMany: true},
	}
}

// stormAssault is all attacks on one address.
type stormAssault struct {
	address string

	mu       sync.Mutex
	outcomes map[string]map[string]int // by the attack's name
}

// run attacks until ctx ends.
func (a *stormAssault) run(ctx context.Context, attacks []stormAttack) {
	a.outcomes = map[string]map[string]int{}
	var running sync.WaitGroup
	for _, attack := range attacks {
		for i := range attack.many {
			running.Go(func() {
				for turn := i; ctx.Err() == nil; turn += attack.many {
					a.count(attack.name, attack.once(ctx, a, turn))
				}
			})
		}
	}
	running.Wait()
}

func (a *stormAssault) count(attack, outcome string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.outcomes[attack] == nil {
		a.outcomes[attack] = map[string]int{}
	}
	a.outcomes[attack][outcome]++
}

// String tells what came of the attacks.
func (a *stormAssault) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var lines []string
	for _, attack := range slices.Sorted(maps.Keys(a.outcomes)) {
		lines = append(lines, fmt.Sprintf("  %s: %v", attack, a.outcomes[attack]))
	}
	return strings.Join(lines, "\n")
}

// dial connects until ctx ends.
func (a *stormAssault) dial(ctx context.Context) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", a.address)
	if err == nil {
		context.AfterFunc(ctx, func() { conn.Close() })
	}
	return conn, err
}

// secure connects by TLS.
func (a *stormAssault) secure(ctx context.Context) (*tls.Conn, error) {
	conn, err := a.dial(ctx)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// stormFlood sends each body in turn.
func stormFlood(bodies [][]byte) func(context.Context, *stormAssault, int) string {
	return func(ctx context.Context, a *stormAssault, i int) string {
		conn, err := a.secure(ctx)
		if err != nil {
			return "no connection"
		}
		defer conn.Close()
		body := bodies[i%len(bodies)]
		go func() {
			// It ends with the connection, at the latest when ctx does; the answer may come before.
			_, _ = fmt.Fprintf(conn, "POST /validate-workloads?timeout=10s HTTP/1.1\r\nHost: x\r\n"+
				"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
			_, _ = conn.Write(body)
		}()
		return stormStatus(conn)
	}
}

// stormStatus is the status of the answer.
func stormStatus(conn net.Conn) string {
	line := make([]byte, len("HTTP/1.1 200"))
	if _, err := io.ReadFull(conn, line); err != nil {
		return "broken off"
	}
	_, _ = io.Copy(io.Discard, conn) // until the server closes or ctx ends
	return string(line[len("HTTP/1.1 "):])
}

// stormDrip sends a beginning, and then a byte every 100 ms.
func stormDrip(beginning string) func(context.Context, *stormAssault, int) string {
	return func(ctx context.Context, a *stormAssault, _ int) string {
		conn, err := a.secure(ctx)
		if err != nil {
			return "no connection"
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, beginning); err != nil {
			return "broken off"
		}
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := conn.Write([]byte{'x'}); err != nil {
				return stormEnd(ctx)
			}
		}
		return ""
	}
}

// stormEnd says who closed a connection.
func stormEnd(ctx context.Context) string {
	if ctx.Err() != nil {
		return "held to the end"
	}
	return "closed by the server"
}

func stormGarbage(ctx context.Context, a *stormAssault, _ int) string {
	conn, err := a.dial(ctx)
	if err != nil {
		return "no connection"
	}
	defer conn.Close()
	noise := make([]byte, 4<<10)
	_, _ = rand.Read(noise) // never fails
	_, _ = conn.Write(noise)
	_, _ = io.Copy(io.Discard, conn) // until the server closes or ctx ends
	return stormEnd(ctx)
}

func stormSilence(ctx context.Context, a *stormAssault, _ int) string {
	conn, err := a.secure(ctx)
	if err != nil {
		return "no connection"
	}
	defer conn.Close()
	_, _ = io.Copy(io.Discard, conn)
	return stormEnd(ctx)
}

// stormStrangeRequest sends what the guard refuses by the header alone, and what the decoder refuses.
func stormStrangeRequest(ctx context.Context, a *stormAssault, i int) string {
	conn, err := a.secure(ctx)
	if err != nil {
		return "no connection"
	}
	defer conn.Close()
	lines := []string{
		"GET / HTTP/1.1\r\n", "POST /../../etc/passwd HTTP/1.1\r\n", "POST /validate-workloads%00 HTTP/1.1\r\n",
		"GET /validate-workloads HTTP/1.1\r\n", "TRACE /validate-workloads HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n",
		"POST /validate-workloads HTTP/1.1\r\nContent-Type: application/yaml\r\nContent-Length: 2\r\n",
		"POST /validate-workloads HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
		"POST /validate-workloads HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 0\r\n",
		"POST /validate-workloads HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 99999999999999\r\n",
		"POST /validate-workloads HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n",
		"POST /validate-workloads HTTP/1.1\r\nX-Long: " + strings.Repeat("x", 32<<10) + "\r\n",
	}
	if _, err := io.WriteString(conn, lines[i%len(lines)]+"Host: x\r\n\r\n{}"); err != nil {
		return "broken off"
	}
	_ = conn.CloseWrite()
	return stormStatus(conn)
}
