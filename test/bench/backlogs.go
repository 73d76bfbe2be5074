//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// crowdOfStep is how many workloads of each broker a step is about.
const crowdOfStep = 20

// backlogs is what it costs to ask brokers how much work waits, and how soon an answer counts.
type backlogs struct {
	setting
	// Base is with the same workloads, none of which is annotated; Rest with a line for each.
	Base, Rest costs
	Rounds     int
	Brokers    []asked
	Faults     []faulty
}

// costs are what mini-hpa takes: bytes, and seconds of CPU in a minute.
type costs struct {
	RSS, Peak int64
	CPU       float64
}

// asked is what one broker is asked.
type asked struct {
	Name      string
	Workloads int
	// Requests that the broker gets in a minute, and Batches as mini-hpa counts them.
	Requests, Batches float64
	// Answers is how long the broker answers for in a round, from the first to the last byte, and Reaction the time from there to the write of the
	// scale. A workload that is scaled earlier, while others still wait for their answers, counts from the newest byte of then.
	Answers, Reaction spread
}

// faulty is a fault of one broker, and how soon the answers of the others counted meanwhile.
type faulty struct {
	What   string
	Others spread
}

// market is workloads that wait for brokers.
type market struct {
	*annotated
	stalls []*stall
}

// stall is a broker and its workloads.
type stall struct {
	broker
	name  string
	names []types.NamespacedName
}

// measureBacklogs has no controllers but mini-hpa, and its workloads no pods: what is measured is mini-hpa, and what brokers are asked.
func measureBacklogs(ctx context.Context, s settings, program string, book *book) error {
	s.pods = 1
	a := &arena{settings: s, size: s.kafka + s.rabbitmq + s.redis, program: program}
	closeAll, err := a.openBare(ctx)
	if err != nil {
		return err
	}
	defer closeAll()
	a.fleet = newFleet(a.client, a.load, a.size, a.pods, a.perNamespace)
	a.fleet.bare = true
	if err := a.fleet.create(ctx); err != nil {
		return err
	}
	defer a.fleet.stop()
	say("%d workloads are ready", a.size)
	m := &market{annotated: &annotated{arena: a}}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	defer m.close()
	if err := m.furnish(ctx, dir); err != nil {
		return err
	}
	b := &backlogs{Rounds: s.rounds}
	if b.setting, err = a.setting(ctx); err != nil {
		return err
	}
	if err := m.play(ctx, dir, b); err != nil {
		return err
	}
	book.Backlogs = b
	return book.save()
}

// furnish starts the brokers, with a little work for each workload.
func (m *market) furnish(ctx context.Context, dir string) error {
	for _, name := range []string{"rabbit", "redis"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return err
		}
	}
	k, err := startKafka(ctx, m.kafka)
	if err != nil {
		return err
	}
	m.open("kafka", k, m.kafka)
	r, err := startRabbit(ctx, filepath.Join(dir, "rabbit"), m.rabbitmq)
	if err != nil {
		return err
	}
	m.open("rabbit", r, m.rabbitmq)
	c, err := startRedis(ctx, filepath.Join(dir, "redis"))
	if err != nil {
		return err
	}
	m.open("redis", c, m.redis)
	for _, s := range m.stalls {
		if err := s.set(ctx, upTo(len(s.names)), fewWait); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	k.count()
	say("the brokers are ready")
	return nil
}

// open gives a broker the next workloads.
func (m *market) open(name string, b broker, workloads int) {
	first := 0
	for _, s := range m.stalls {
		first += len(s.names)
	}
	m.stalls = append(m.stalls, &stall{b, name, m.fleet.names[first : first+workloads]})
}

func (m *market) close() {
	for _, s := range m.stalls {
		s.close()
	}
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// play measures with and without lines, then steps, and steps while a broker is at fault.
func (m *market) play(ctx context.Context, dir string, b *backlogs) error {
	file := filepath.Join(dir, "sources.yaml")
	if err := os.WriteFile(file, []byte(m.file()), 0o600); err != nil {
		return err
	}
	m.extra = append(slices.Clone(m.extra), "--sources="+file)
	p, err := m.start(ctx)
	if err != nil {
		return err
	}
	defer func() { p.Kill() }()
	if b.Base, _, err = m.costs(ctx, p); err != nil {
		return err
	}
	say("without a line: %s", b.Base)
	if err := p.stop(); err != nil {
		return err
	}
	if err := m.annotate(ctx); err != nil {
		return err
	}
	if p, err = m.start(ctx); err != nil {
		return err
	}
	if b.Rest, b.Brokers, err = m.costs(ctx, p); err != nil {
		return err
	}
	say("with a line for each: %s; %+v", b.Rest, b.Brokers)
	if err := m.rounds(ctx, b); err != nil {
		return err
	}
	if b.Faults, err = m.faults(ctx); err != nil {
		return err
	}
	b.Rest.Peak, err = p.peak()
	return err
}

func (m *market) file() string {
	var text strings.Builder
	text.WriteString("version: v1\nsources:\n")
	for _, s := range m.stalls {
		fmt.Fprintf(&text, "- %s\n", s.entry())
	}
	return text.String()
}

// annotate gives each workload its line. It sleeps as soon as it may.
func (m *market) annotate(ctx context.Context) error {
	lines := map[types.NamespacedName]string{}
	for _, s := range m.stalls {
		for i, name := range s.names {
			lines[name] = s.line(i)
		}
	}
	return m.fleet.each(func(name types.NamespacedName) error {
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"mini-hpa/sources":%q,"mini-hpa/min":"0","mini-hpa/max":"10","mini-hpa/sleep-after":"0s","mini-hpa/scale-down-stabilization":"0s"}}}`, lines[name])
		_, err := m.client.AppsV1().Deployments(name.Namespace).Patch(ctx, name.Name, types.MergePatchType, patch, metav1.PatchOptions{})
		return err
	})
}

// costs are those of a minute or more in which nothing changes, and what the brokers are asked meanwhile.
func (m *market) costs(ctx context.Context, p *process) (c costs, brokers []asked, err error) {
	// Until then questions that began at different moments are asked together, and the garbage of the start is collected.
	if err := pause(ctx, 4*period); err != nil {
		return c, nil, err
	}
	began := time.Now()
	before, err := m.counts(ctx, p)
	if err != nil {
		return c, nil, err
	}
	if err := pause(ctx, max(m.rest, 4*period)); err != nil {
		return c, nil, err
	}
	after, err := m.counts(ctx, p)
	if err != nil {
		return c, nil, err
	}
	perMinute := 1 / time.Since(began).Minutes()
	for i, s := range m.stalls {
		brokers = append(brokers, asked{Name: s.name, Workloads: len(s.names),
			Requests: (after.requests[i] - before.requests[i]) * perMinute, Batches: (after.batches[i] - before.batches[i]) * perMinute})
	}
	c.CPU = (after.cpu - before.cpu) * perMinute
	c.RSS, err = p.rss()
	if err == nil {
		c.Peak, err = p.peak()
	}
	return c, brokers, err
}

// counts are counters at a moment: seconds of CPU, and of each broker its requests and mini-hpa's batches.
type counts struct {
	cpu               float64
	requests, batches []float64
}

func (m *market) counts(ctx context.Context, p *process) (c counts, err error) {
	if c.cpu, err = cpuOf(p.PID()); err != nil {
		return c, err
	}
	page, err := m.page(ctx)
	if err != nil {
		return c, err
	}
	told, err := seriesOf(page, "mini_hpa_source_requests_total")
	if err != nil {
		return c, err
	}
	for _, s := range m.stalls {
		n, err := s.requests(ctx)
		if err != nil {
			return c, fmt.Errorf("%s: %w", s.name, err)
		}
		batches := 0.0
		for _, one := range told {
			if one.labels["source"] == s.name {
				batches += one.value
			}
		}
		c.requests, c.batches = append(c.requests, n), append(c.batches, batches)
	}
	return c, nil
}

// rounds measures steps on some workloads of each broker.
func (m *market) rounds(ctx context.Context, b *backlogs) error {
	all := make([][]time.Duration, len(m.stalls))
	for round := range b.Rounds {
		reactions, err := m.step(ctx, round, m.stalls)
		if err != nil {
			return err
		}
		for i := range m.stalls {
			all[i] = append(all[i], reactions[i]...)
			b.Brokers[i].Reaction, b.Brokers[i].Answers = spreadOf(slices.Clone(all[i])), spreadOf(answers(m.stalls[i].said()))
			say("  after round %d: %s answers for %s; reaction %s", round+1, m.stalls[i].name, b.Brokers[i].Answers, b.Brokers[i].Reaction)
		}
	}
	return nil
}

// step has more work wait for some workloads of these brokers, until all of them are scaled and no other one, and takes it away again. It returns
// how soon after the answers they were, by broker.
func (m *market) step(ctx context.Context, round int, stalls []*stall) ([][]time.Duration, error) {
	chosen, names := make([][]int, len(stalls)), make([][]types.NamespacedName, len(stalls))
	total := 0
	for i, s := range stalls {
		for k := range min(crowdOfStep, len(s.names)) {
			workload := (round*crowdOfStep + k) * 7 % len(s.names)
			if !slices.Contains(chosen[i], workload) {
				chosen[i], names[i] = append(chosen[i], workload), append(names[i], s.names[workload])
			}
		}
		total += len(names[i])
	}
	m.change(nil, calm) // from now on what moves is noted
	if err := setAll(ctx, stalls, chosen, manyWait); err != nil {
		return nil, err
	}
	err := m.fleet.await(ctx, "all workloads of the step are scaled", func() (bool, string) {
		n := count(m.fleet.moved, func(time.Time) bool { return true })
		return n >= total, fmt.Sprintf("%d of %d", n, total)
	})
	if err != nil {
		return nil, err
	}
	reactions, err := m.reactions(stalls, names)
	if err != nil {
		return nil, err
	}
	if err := setAll(ctx, stalls, chosen, fewWait); err != nil {
		return nil, err
	}
	return reactions, errors.Join(m.fleet.atRest(ctx), m.fleet.allAwake())
}

func setAll(ctx context.Context, stalls []*stall, chosen [][]int, waiting int) error {
	for i, s := range stalls {
		if err := s.set(ctx, chosen[i], waiting); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// reactions are the times from the newest answer to the first change of each workload.
func (m *market) reactions(stalls []*stall, names [][]types.NamespacedName) ([][]time.Duration, error) {
	m.fleet.mu.Lock()
	defer m.fleet.mu.Unlock()
	all := make([][]time.Duration, len(stalls))
	total := 0
	for i, s := range stalls {
		said := s.said()
		for _, name := range names[i] {
			moved, ok := m.fleet.moved[name]
			at, _ := slices.BinarySearchFunc(said, moved, time.Time.Compare)
			if !ok || at == 0 {
				return nil, fmt.Errorf("%s has moved without an answer of %s", name, s.name)
			}
			all[i] = append(all[i], moved.Sub(said[at-1]))
		}
		total += len(names[i])
	}
	if n := len(m.fleet.moved); n != total {
		return nil, fmt.Errorf("%d workloads have moved, and something was to do for %d", n, total)
	}
	return all, nil
}

// said is when the servers of a broker have said something, in order.
func (s *stall) said() (all []time.Time) {
	for _, w := range s.wires() {
		w.mu.Lock()
		all = append(all, w.said...)
		w.mu.Unlock()
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

// answers are how long each round of answers took. Between two of them there is a silence.
func answers(said []time.Time) (all []time.Duration) {
	const silence = 3 * time.Second
	for i := 0; i < len(said); {
		n := i
		for n+1 < len(said) && said[n+1].Sub(said[n]) < silence {
			n++
		}
		all = append(all, said[n].Sub(said[i]))
		i = n + 1
	}
	return all
}

// faults measures steps on the workloads of the other brokers while one is at fault, of which nothing may sleep, and then one on its own.
func (m *market) faults(ctx context.Context) (all []faulty, err error) {
	kafka, rabbit, redis := m.stalls[0], m.stalls[1], m.stalls[2]
	stories := []struct {
		what        string
		of          *stall
		begin, over func() error
	}{
		{"5 of 10 Kafka brokers are gone", kafka, wiresOf(kafka.wires()[:5], 0, true), wiresOf(kafka.wires()[:5], 0, false)},
		{"RabbitMQ answers after 10 s", rabbit, wiresOf(rabbit.wires(), 10*time.Second, false), wiresOf(rabbit.wires(), 0, false)},
		{"RabbitMQ is killed and starts again", rabbit, nil, func() error { return rabbit.restart(ctx) }},
		{"Redis ends and starts again", redis, nil, func() error { return redis.restart(ctx) }},
		{"all Kafka brokers are gone for half a minute", kafka, nil, func() error { return kafka.restart(ctx) }},
	}
	for round, story := range stories {
		say("  %s", story.what)
		others, err := m.endure(ctx, round, story.of, story.begin, story.over)
		if err != nil {
			return all, fmt.Errorf("%s: %w", story.what, err)
		}
		all = append(all, faulty{story.what, spreadOf(others)})
		say("    the others: %s", all[len(all)-1].Others)
	}
	return all, nil
}

func wiresOf(wires []*wire, slow time.Duration, cut bool) func() error {
	return func() error {
		for _, w := range wires {
			w.set(slow, cut)
		}
		return nil
	}
}

// endure is one fault: where it has no beginning, it ends by itself, and steps are made meanwhile.
func (m *market) endure(ctx context.Context, round int, of *stall, begin, over func() error) ([]time.Duration, error) {
	others := slices.DeleteFunc(slices.Clone(m.stalls), func(s *stall) bool { return s == of })
	ended := make(chan error, 1)
	if begin == nil {
		go func() { ended <- over() }()
	} else if err := begin(); err != nil {
		return nil, err
	}
	reactions, err := m.step(ctx, round, others)
	if begin != nil {
		err = errors.Join(err, over())
	} else {
		err = errors.Join(err, <-ended)
	}
	if err != nil {
		return nil, err
	}
	_, err = m.step(ctx, round, []*stall{of})
	return slices.Concat(reactions...), err
}

func (c costs) String() string {
	return fmt.Sprintf("RSS %.1f MiB, peak %.1f MiB, CPU %.2f s a minute", float64(c.RSS)/(1<<20), float64(c.Peak)/(1<<20), c.CPU)
}

func (b *backlogs) table() string {
	var out strings.Builder
	total := 0
	for _, a := range b.Brokers {
		total += a.Workloads
	}
	fmt.Fprintf(&out, "\n### %d workloads that wait for brokers\n\n%s. Each has a line of `mini-hpa/sources`, and is asked for every 15 seconds. With the lines, and with the same workloads "+
		"without them: %s; %s. A step is on %d workloads of each broker, %d times; the reaction is the time from the last byte of a round's answers to the write of the scale.\n\n"+
		"| | workloads | requests a minute | batches | answers p50 | reaction p50 | p99 | last |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n",
		total, b.setting, b.Rest, b.Base, crowdOfStep, b.Rounds)
	for _, a := range b.Brokers {
		fmt.Fprintf(&out, "| %s | %d | %.0f | %.0f | %s | %s | %s | %s |\n", a.Name, a.Workloads, a.Requests, a.Batches, rounded(a.Answers.P50), rounded(a.Reaction.P50), rounded(a.Reaction.P99), rounded(a.Reaction.Last))
	}
	out.WriteString("\n| while | the others' reaction p50 | p99 | last |\n| --- | ---: | ---: | ---: |\n")
	for _, f := range b.Faults {
		fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", f.What, rounded(f.Others.P50), rounded(f.Others.P99), rounded(f.Others.Last))
	}
	return out.String()
}
