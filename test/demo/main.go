// Command demo plays mini-hpa's workshop on a real Kubernetes control plane: annotated Deployments scale out under load, settle, scale in,
// flap without their guards, and stop flapping with them. Its other story is that of a worker, which sleeps until a queue of a real RabbitMQ
// has messages. It checks what it shows: an expectation that fails makes it exit with 1. The picture is that of mini-hpa replay, of what the
// controller has recorded.
//
//	go run ./demo           on a control plane of its own, on loopback
//	go run ./demo --here    on the current cluster
//	go run ./demo queue     the worker, on a control plane of its own
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/mini-hpa/mini-hpa/test/child"
	"github.com/mini-hpa/mini-hpa/test/rabbitmq"
)

// What the process tells its caller.
const (
	exitHeld        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

const (
	module = "github.com/mini-hpa/mini-hpa"
	// grace is how long the controller may take to end, leadership is how long to begin.
	grace, leadership = 10 * time.Second, 30 * time.Second
)

// options are the flags.
type options struct {
	here       bool
	queue      bool // the other story
	image, out string
	period     time.Duration
}

func main() { os.Exit(command(os.Args[1:])) }

func command(args []string) int {
	o, err := parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		return exitHeld
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// A reader that goes away, as head does, ends the play with an error instead of the process without cleaning up.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	// The first interrupt asks to clean up; the second one ends the process, and with it its children, at once.
	context.AfterFunc(ctx, stop)
	err = perform(ctx, o)
	switch {
	case err == nil:
		return exitHeld
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "demo: interrupted; everything it started has been taken down")
		return exitInterrupted
	}
	fmt.Fprintln(os.Stderr, "demo:", err)
	return exitFailed
}

func parse(args []string) (options, error) {
	var o options
	flags := pflag.NewFlagSet("demo", pflag.ContinueOnError)
	flags.BoolVar(&o.here, "here", false,
		"play on the current cluster of KUBECONFIG or ~/.kube/config, in a namespace of its own, instead of a new control plane")
	flags.StringVar(&o.image, "image", "busybox:1.37", "with --here: the image of the pods that use CPU; it needs a POSIX shell and sleep")
	flags.DurationVar(&o.period, "period", 15*time.Second, "with --here: how often the metrics API has a new sample (--metric-resolution of metrics-server)")
	flags.StringVar(&o.out, "out", "", "the folder for picture, Events and logs (default demo-output at the root of the repository)")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.queue = flags.NArg() == 1 && flags.Arg(0) == "queue"
	switch {
	case flags.NArg() > 0 && !o.queue:
		return o, fmt.Errorf("unexpected arguments %.64q: want queue, or none", flags.Args())
	case o.queue && o.here:
		return o, errors.New("--here: the story of the queue has consumers beside a control plane of its own")
	}
	if o.period < time.Second || o.period > time.Minute {
		return o, fmt.Errorf("--period is %s, want 1s to 1m", o.period)
	}
	return o, nil
}

// demo is one run: where it writes, and what it plays with.
type demo struct {
	out, program string
	text         io.Writer
	stage        stage
	controller   *child.Process
}

// perform is the run from beginning to end. Its error says what could not be done or was not seen.
func perform(ctx context.Context, o options) (err error) {
	if o.queue {
		if err := rabbitmq.Installed(); err != nil {
			return err
		}
	}
	root, err := output(exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module))
	if err != nil {
		return fmt.Errorf("could not find the module %s: %w", module, err)
	}
	root = strings.TrimSpace(root)
	d := demo{out: o.out}
	if d.out == "" {
		d.out = filepath.Join(root, "demo-output")
		if o.queue {
			d.out = filepath.Join(d.out, "queue")
		}
	}
	if err := errors.Join(os.RemoveAll(d.traces()), os.MkdirAll(d.traces(), 0o755)); err != nil {
		return fmt.Errorf("could not make the folder for the results: %w", err)
	}
	transcript, err := os.Create(filepath.Join(d.out, "demo.txt"))
	if err != nil {
		return fmt.Errorf("could not make the transcript: %w", err)
	}
	defer func() { err = errors.Join(err, transcript.Close()) }()
	d.text = io.MultiWriter(os.Stdout, transcript)
	bin, err := os.MkdirTemp("", "mini-hpa-demo-bin-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(bin)) }()
	d.program = filepath.Join(bin, "mini-hpa")
	build := exec.CommandContext(ctx, "go", "build", "-tags", "grpcnotrace", "-o", d.program, "./cmd/mini-hpa")
	build.Dir = root
	if _, err := output(build); err != nil {
		return fmt.Errorf("could not build mini-hpa: %w", err)
	}
	return d.play(ctx, o)
}

func (d *demo) traces() string { return filepath.Join(d.out, "traces") }

// play sets up, plays, shows and takes down. What was seen is shown also when the play was cut short.
func (d *demo) play(ctx context.Context, o options) (err error) {
	defer func() { err = errors.Join(err, d.stage.close()) }()
	if err := d.stage.open(ctx, o, d.text); err != nil {
		return err
	}
	s, err := d.choose(ctx, o)
	if err != nil {
		return err
	}
	if err := d.control(ctx, s.flags); err != nil {
		return err
	}
	longest := time.Duration(0)
	for _, phase := range s.phases {
		longest += phase.expect.longest()
	}
	fmt.Fprintf(d.text, "%s\nThe story takes at most %s.\n", strings.Join(s.facts, "\n"), longest.Round(time.Second))
	p := player{stage: &d.stage, subject: s.subject, out: d.text, began: time.Now(), broken: d.controller.Fallen}
	playErr := p.play(ctx, s.phases)
	ended := d.controller.Stop(grace)
	if !ended {
		err = fmt.Errorf("the controller did not end within %s after SIGTERM", grace)
	}
	if playErr != nil && ctx.Err() == nil {
		playErr = fmt.Errorf("%w\nThe end of the controller's log:\n%s", playErr, d.controller.Tail())
	}
	return errors.Join(playErr, err, d.show(ctx, p.names))
}

// story is what is played: phases about a subject, what the audience should know of it, and what the controller has to.
type story struct {
	subject subject
	phases  []phase
	facts   []string
	flags   []string
}

func (d *demo) choose(ctx context.Context, o options) (story, error) {
	s := &d.stage
	if !o.queue {
		return story{subject: &cpu{stage: s}, phases: workshop(s.pace), facts: facts(s)}, nil
	}
	fmt.Fprintln(d.text, "Starting RabbitMQ on loopback ...")
	q, err := openQueue(ctx, s)
	if err != nil {
		return story{}, err
	}
	return story{subject: q, phases: queueStory(), facts: queueFacts(s), flags: []string{"--sources=" + q.file}}, nil
}

// control starts the controller for the stage's namespace and returns when it leads.
func (d *demo) control(ctx context.Context, flags []string) (err error) {
	s := &d.stage
	// The story's end must not kill it: play asks it to end.
	flags = append(flags, "--kubeconfig="+s.kubeconfig, "--namespace="+s.namespace,
		"--metrics-resolution="+s.period.String(), "--leader-elect-resource-namespace="+s.namespace, "--record="+d.traces(),
		"--metrics-bind-address=127.0.0.1:0", "--health-probe-bind-address=127.0.0.1:0")
	command := exec.CommandContext(context.WithoutCancel(ctx), d.program, append([]string{"controller"}, flags...)...)
	if d.controller, err = child.Start("the controller", command, filepath.Join(d.out, "controller.log")); err != nil {
		return err
	}
	s.closers = append(s.closers, func(context.Context) error {
		d.controller.Stop(grace)
		return nil
	})
	err = wait.PollUntilContextTimeout(ctx, tick, leadership, true, func(ctx context.Context) (bool, error) {
		lease, err := s.client.CoordinationV1().Leases(s.namespace).Get(ctx, "mini-hpa", metav1.GetOptions{})
		return err == nil && lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity != "", d.controller.Fallen()
	})
	if err != nil {
		return fmt.Errorf("the controller did not begin to lead: %w\n%s", err, d.controller.Tail())
	}
	return nil
}

// facts are what the audience should know about how it is done.
func facts(s *stage) []string {
	pods := "pods that really use CPU"
	if s.simulated {
		pods = "the pods' CPU is simulated, everything else is real"
	}
	return []string{
		fmt.Sprintf("Kubernetes %s, namespace %s; a new sample every %s; %s.", s.version, s.namespace, s.period, pods),
		fmt.Sprintf("Every pod requests %dm of CPU; at the target of %d%% it uses %dm.", s.request, target, s.request*target/100),
		fmt.Sprintf("The scale-down stabilization window of web is shortened to %s by its annotation; the default is 5m.", s.pace.stabilization),
	}
}

// queueFacts are those of the queue's story.
func queueFacts(s *stage) []string {
	facts := []string{
		fmt.Sprintf("Kubernetes %s, namespace %s; the pods are simulated, but each has a real consumer, which ends with it, also in the middle of a message.",
			s.version, s.namespace),
		"The administrator's file lists the RabbitMQ as a source with the name rabbit. The annotations of the worker:",
	}
	for _, w := range queueStory()[0].workloads {
		for _, key := range slices.Sorted(maps.Keys(w.annotations)) {
			facts = append(facts, fmt.Sprintf("  %s: %q", key, w.annotations[key]))
		}
	}
	return facts
}

// show prints what kubectl describe says of each workload, and draws what was recorded.
func (d *demo) show(ctx context.Context, names []string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	for _, name := range names {
		if d.stage.kubectl == "" {
			continue
		}
		text, err := output(exec.CommandContext(ctx, d.stage.kubectl, "--kubeconfig="+d.stage.kubeconfig, "--namespace="+d.stage.namespace, "describe", "deployment", name))
		if err != nil {
			return err
		}
		fmt.Fprintf(d.text, "\n$ kubectl describe deployment %s\n...\n%s", name, text[strings.LastIndex(text, "\nEvents:")+1:])
	}
	replay := exec.CommandContext(ctx, d.program, "replay", "--output=html")
	replay.Dir = filepath.Join(d.traces(), d.stage.namespace)
	traces, err := filepath.Glob(filepath.Join(replay.Dir, "*"))
	if err != nil || len(traces) == 0 {
		return errors.Join(err, errors.New("the controller has recorded nothing"))
	}
	for _, trace := range traces {
		replay.Args = append(replay.Args, filepath.Base(trace))
	}
	html, err := output(replay)
	if err != nil {
		return err
	}
	picture := filepath.Join(d.out, "demo.html")
	fmt.Fprintf(d.text, "\nThe picture: %s. The controller's log: controller.log\n", picture)
	return os.WriteFile(picture, []byte(html), 0o644)
}

// output runs a command; its error says what the command complained about.
func output(command *exec.Cmd) (string, error) {
	out, err := command.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%s: %w: %s", command, err, strings.TrimSpace(string(exit.Stderr)))
	}
	return string(out), err
}
