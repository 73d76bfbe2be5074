//go:build linux

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
	"github.com/spf13/pflag"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/mini-hpa/mini-hpa/annotations/serves"
)

// answerSize is how many bytes the backend answers with.
const answerSize = 1 << 10

// bench is one run.
type bench struct {
	dir     string
	program string // mini-hpa
	backend string // the address of the backend: one that a pod could have
	port    int32
	rounds  int
	takes   time.Duration
	held    int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "proxies:", err)
		os.Exit(1) //nolint:gocritic // what is left ends with the process
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	b := &bench{}
	f := pflag.NewFlagSet("proxies", pflag.ContinueOnError)
	f.IntVar(&b.rounds, "rounds", 5, "how often each is measured; figures are medians")
	f.DurationVar(&b.takes, "takes", 5*time.Second, "how long each of the two loads of a round takes")
	f.IntVar(&b.held, "held", 10_000, "how many connections are held")
	what := f.StringSlice("what", []string{"compare", "held", "asleep"}, "what is measured")
	page := f.String("page", "", "file of the page that is written; without it only standard output")
	if err := f.Parse(args); err != nil {
		return err
	}
	var err error
	if b.dir, err = os.MkdirTemp("", "mini-hpa-proxies"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.dir) }()
	if err := b.prepare(ctx); err != nil {
		return err
	}
	var text strings.Builder
	for _, part := range []struct {
		name    string
		measure func(context.Context, io.Writer) error
	}{{"compare", b.compare}, {"held", b.holdMany}, {"asleep", b.sleepMany}} {
		if !slices.Contains(*what, part.name) {
			continue
		}
		if err := part.measure(ctx, io.MultiWriter(out, &text)); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	if *page == "" {
		return nil
	}
	return os.WriteFile(*page, []byte(before+text.String()+after), 0o644)
}

const before = "# Benchmarks of the activator\n\n<!-- Written by `make bench-activator`. Do not edit. -->\n\n" +
	"The activator beside haproxy and nginx as plain proxies, one after the other in one run, in rounds: figures are the medians. Each proxy has one thread, on a processor of its\n" +
	"own; the backend, which answers with 1 KiB, and the clients share the others. Connections are kept on both sides. What is compared is the figures of one run, not those of two.\n\n"

const after = "\nTo repeat it: `make bench-activator`.\n"

// prepare builds the program and starts the backend.
func (b *bench) prepare(ctx context.Context) error {
	b.program = filepath.Join(b.dir, "mini-hpa")
	build := exec.CommandContext(ctx, "go", "build", "-tags", "grpcnotrace", "-o", b.program, "./cmd/mini-hpa")
	build.Dir, build.Stderr = "..", os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("building mini-hpa: %w", err)
	}
	var err error
	if b.backend, err = own(); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", b.backend+":0")
	if err != nil {
		return err
	}
	if at, ok := listener.Addr().(*net.TCPAddr); ok {
		b.port = int32(at.Port)
	}
	go func() { _ = http.Serve(listener, http.HandlerFunc(backend)) }()
	return nil
}

// own is an address of this machine that a pod could have.
func own() (string, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return "", err
	}
	for _, a := range all {
		if is, ok := a.(*net.IPNet); ok && is.IP.To4() != nil && is.IP.IsGlobalUnicast() {
			return is.IP.String(), nil
		}
	}
	return "", errors.New("this machine has no address but loopback's, and the activator dials no other")
}

func backend(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	_, _ = w.Write(make([]byte, answerSize))
}

// compare measures all contenders, in rounds.
func (b *bench) compare(ctx context.Context, out io.Writer) error {
	measured := map[string][]load{}
	var names []string
	for range b.rounds {
		for _, begin := range b.contenders() {
			c, err := begin()
			if err != nil {
				return err
			}
			l, err := measure(ctx, c, b.takes)
			c.stop()
			if err != nil {
				return err
			}
			if measured[c.name] == nil {
				names = append(names, c.name)
			}
			measured[c.name] = append(measured[c.name], l)
			fmt.Fprintf(os.Stderr, "%s: %+v\n", c.name, l)
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	report(out, names, measured)
	return burden(out)
}

// report is the table of what was measured.
func report(out io.Writer, names []string, measured map[string][]load) {
	fmt.Fprintf(out, "| way | CPU for a request | requests/s, %d clients | p50 at %d/s | p99 at %d/s | failed |\n| --- | ---: | ---: | ---: | ---: | ---: |\n", clients, rate, rate)
	for _, name := range names {
		all := measured[name]
		failed := 0
		for _, l := range all {
			failed += l.Failed
		}
		fmt.Fprintf(out, "| %s | %s | %.0f | %s | %s | %d |\n", name, median(all, func(l load) time.Duration { return l.CPU }).Round(time.Microsecond), median(all, func(l load) float64 { return l.PerSecond }), median(all, func(l load) time.Duration { return l.P50 }).Round(time.Microsecond),
			median(all, func(l load) time.Duration { return l.P99 }).Round(time.Microsecond), failed)
	}
}

// burden says what else the machine did.
func burden(out io.Writer) error {
	busy, err := procfs.NewDefaultFS()
	if err != nil {
		return err
	}
	average, err := busy.LoadAvg()
	if err != nil {
		return err
	}
	processors, err := busy.CPUInfo()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nThe load average of the machine was %.0f over the five minutes before, with %d processors. Where it is above two or three, others were at work, too: times then say how long a\n"+
		"process waits for a processor, and only the CPU time can be compared.\n", average.Load5, len(processors))
	return nil
}

func median[T cmp.Ordered](all []load, of func(load) T) T {
	var values []T
	for _, l := range all {
		values = append(values, of(l))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// holdMany measures what connections take that are held, and lets them through.
func (b *bench) holdMany(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "\n| held | memory before (RSS) | memory (RSS) | each | answered when a pod was ready |\n| --- | ---: | ---: | ---: | ---: |\n")
	for _, protocol := range []serves.Protocol{serves.TCP, serves.HTTP1} {
		if err := b.hold(ctx, protocol, out); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// What connections are held for: so many Services, with doors from this one on.
const services, firstDoor = 10, 20016

// hold measures it for one protocol.
func (b *bench) hold(ctx context.Context, protocol serves.Protocol, out io.Writer) error {
	var slices []discoveryv1.EndpointSlice
	for i := range services {
		slices = append(slices, service(fmt.Sprint("web-", i), firstDoor+2*int32(i), serves.Serves{Protocol: map[string]serves.Protocol{"http": protocol}, PerPod: 1000}, "", b.port)...)
	}
	s := newAPIServer(slices...)
	defer s.Close()
	defer s.CloseClientConnections()
	c, err := b.activator(s, fmt.Sprint("127.0.0.1:", firstDoor+2*(services-1)+1))
	if err != nil {
		return err
	}
	defer c.stop()
	empty, err := rss(c.pid)
	if err != nil {
		return err
	}
	all, err := request(ctx, b.held)
	if err != nil {
		return err
	}
	time.Sleep(5 * time.Second) //nolint:forbidigo // until all are held; memory only grows till then
	full, err := rss(c.pid)
	if err != nil {
		return err
	}
	for i := range services {
		s.changes <- service(fmt.Sprint("web-", i), firstDoor, serves.Serves{}, b.backend, b.port)[1]
	}
	fmt.Fprintf(out, "| %d, %s | %.0f MiB | %.0f MiB | %.1f KiB | %d |\n", b.held, protocol, mib(empty), mib(full), float64(full-empty)/1024/float64(b.held), answered(all))
	return nil
}

// request opens connections, and sends a request on each.
func request(ctx context.Context, n int) ([]net.Conn, error) {
	all := make([]net.Conn, 0, n)
	text := "POST / HTTP/1.1\r\nHost: web\r\nConnection: close\r\nContent-Length: 2048\r\n\r\n" + strings.Repeat("x", 2048)
	for i := range n {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprint("127.0.0.1:", firstDoor+2*(i%services)+1))
		if err == nil {
			_, err = io.WriteString(conn, text)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, conn)
	}
	return all, nil
}

// answered is how many get the answer that they should.
func answered(all []net.Conn) int {
	var mu sync.Mutex
	var reading sync.WaitGroup
	n := 0
	for _, c := range all {
		reading.Go(func() {
			defer c.Close()
			_ = c.SetReadDeadline(time.Now().Add(time.Minute))
			text, err := io.ReadAll(c)
			if err == nil && strings.HasPrefix(string(text), "HTTP/1.1 200 OK\r\n") && len(text) > answerSize {
				mu.Lock()
				defer mu.Unlock()
				n++
			}
		})
	}
	reading.Wait()
	return n
}

// sleepMany measures what Services cost for which nobody comes.
func (b *bench) sleepMany(ctx context.Context, out io.Writer) error {
	const services, pair = 1000, 20016
	var slices []discoveryv1.EndpointSlice
	for i := range services {
		slices = append(slices, service(fmt.Sprint("web-", i), pair+2*int32(i), serves.Serves{}, "", b.port)...)
	}
	s := newAPIServer(slices...)
	defer s.Close()
	defer s.CloseClientConnections()
	c, err := b.activator(s, fmt.Sprint("127.0.0.1:", pair+2*(services-1)+1))
	if err != nil {
		return err
	}
	defer c.stop()
	begun := s.asked.Load()
	const rest = 25 * time.Second // shorter than a watch
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(rest):
	}
	memory, err := rss(c.pid)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d Services that sleep: %.0f MiB (RSS), and %d requests to the API server in %s.\n", services, mib(memory), s.asked.Load()-begun, rest)
	return nil
}

func rss(pid int) (int64, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0, err
	}
	status, err := p.NewStatus()
	return int64(status.VmRSS), err
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
