//go:build linux

// Package story is what happens on the real node: mini-hpa is installed from a registry by its Helm chart, scales a web server and a database that really
// use CPU, loses its leader, and is removed again. In another story a worker sleeps until a RabbitMQ has messages for it, and in a third
// one a workload sleeps until somebody makes a request. Every scene says what it expects, and the first expectation that fails ends the story.
package story

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"text/template"
	"time"

	"github.com/mini-hpa/mini-hpa/test/node/machine"
	"github.com/mini-hpa/mini-hpa/test/rabbitmq"
)

//go:embed files
var files embed.FS

// Names in the story. The release is also the name of the chart's Deployment, its Lease and its webhook configuration.
const (
	release   = "mini-hpa"
	namespace = "mini-hpa"
	shop      = "shop" // where the others are
	web       = "web"  // a Deployment
	db        = "db"   // a StatefulSet
	program   = "mini-hpa"
)

// director knows everything that a scene needs.
type director struct {
	*machine.Machine

	dir     string // a place for files
	began   time.Time
	words   map[string]string // what manifests leave open
	rate    throttle          // requests per second to the web server
	queries throttle          // those to the database
	broker  *rabbitmq.Broker
	book    rabbitmq.Book // of the worker's messages
	calls   callbook
	variant Variant

	mu      sync.Mutex // the watcher also speaks
	out     io.Writer
	history map[string][]int32 // replicas of the workloads that are watched
}

// scene is a part of the story. Its error says what was expected and what happened instead.
type scene struct {
	title string
	play  func(ctx context.Context) error
}

// Play plays the story on the machine, with its scratch files in dir, telling it as it goes.
func Play(ctx context.Context, m *machine.Machine, dir string, out io.Writer) error {
	d := newDirector(m, dir, out)
	return d.perform(ctx, []scene{
		{"a database starts", d.startDB},
		{"helm install, with a volume for traces", d.installWithTraces},
		{"a web server is deployed and annotated", d.deploy},
		{"the database is annotated", d.annotateDB},
		{"a Deployment that cannot be autoscaled is refused", d.refuse},
		{"load comes on", d.scaleOut},
		{"the leader dies under load", d.loseLeader},
		{"the database's pods have come in their turn", d.scaleOutDB},
		{"what was decided is on the volume", d.readTraces},
		{"mini-hpa has asked for nothing that it may not", d.nothingForbidden},
		{"load goes off", d.scaleIn},
		{"kubectl describe deployment", d.describe},
		{"kubectl describe statefulset", d.describeDB},
		{"helm test", d.test},
		{"helm uninstall", d.uninstall},
	})
}

// PlayQueue plays the story of the worker.
func PlayQueue(ctx context.Context, m *machine.Machine, dir string, out io.Writer) error {
	d := newDirector(m, dir, out)
	return d.perform(ctx, []scene{
		{"a broker starts", d.startBroker},
		{"helm install, with the broker as a source", d.installWithSources},
		{"a worker is deployed, and sleeps", d.deployWorker},
		{"messages come, and it wakes", d.publish},
		{"its consumers work, one of them for longer than the others", d.drain},
		{"nothing is left, and it sleeps", d.sleep},
		{"kubectl describe deployment", d.describeWorker},
		{"mini-hpa has asked for nothing that it may not", d.nothingForbidden},
	})
}

// PlayWake plays the story of a workload that sleeps and wakes on requests, in a variant.
func PlayWake(ctx context.Context, m *machine.Machine, variant Variant, dir string, out io.Writer) error {
	d := newDirector(m, dir, out)
	d.variant = variant
	return d.wake(ctx)
}

func newDirector(m *machine.Machine, dir string, out io.Writer) *director {
	return &director{
		Machine: m, dir: dir, began: time.Now(), out: out, history: map[string][]int32{},
		words: map[string]string{"Burner": machine.BurnerImage, "Consumer": machine.ConsumerImage, "Answerer": machine.AnswererImage},
	}
}

func (d *director) perform(ctx context.Context, scenes []scene) error {
	for number, s := range scenes {
		d.say("=== %d of %d: %s", number+1, len(scenes), s.title)
		if err := s.play(ctx); err != nil {
			return fmt.Errorf("scene %q: %w\n%s", s.title, err, d.lookAround(ctx))
		}
	}
	d.say("The story is over; everything was as expected.")
	return nil
}

// lookAround is what a person would look at after a failure.
func (d *director) lookAround(ctx context.Context) string {
	text := d.Describe(ctx, namespace) + d.Describe(ctx, shop)
	ctx = context.WithoutCancel(ctx)
	for _, args := range [][]string{
		{"-n", namespace, "logs", "--selector=app.kubernetes.io/component=controller", "--tail=20", "--prefix"},
		{"-n", shop, "describe", "deployments,statefulsets"},
	} {
		said, err := d.kubectl(ctx, args...)
		if err != nil {
			said = err.Error()
		}
		text += said + "\n"
	}
	return text
}

// say prints a line with the time since the story began.
func (d *director) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, "%6.1fs  %s\n", time.Since(d.began).Seconds(), fmt.Sprintf(format, args...))
}

// file writes a manifest with what it leaves open filled in, and returns its path.
func (d *director) file(name string) (string, error) {
	parsed, err := template.New(name).Option("missingkey=error").ParseFS(files, "files/"+name)
	if err != nil {
		return "", fmt.Errorf("read the manifest %s: %w", name, err)
	}
	var text bytes.Buffer
	if err := parsed.Execute(&text, d.words); err != nil {
		return "", fmt.Errorf("fill in the manifest %s: %w", name, err)
	}
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		return "", fmt.Errorf("write the manifest %s: %w", name, err)
	}
	return path, nil
}
