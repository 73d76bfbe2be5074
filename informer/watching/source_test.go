package watching

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// server is an API server of pods, inside a bubble of fake time. It streams lists and sends bookmarks as a real one does.
type server struct {
	t *testing.T

	mu       sync.Mutex
	version  int
	pods     map[string]*corev1.Pod
	open     []*watch.RaceFreeFakeWatcher
	opened   time.Time // when the last of them was
	bookless bool      // it sends no bookmarks of its own accord
	silent   bool      // no watch gets an event any more
	stuck    bool      // no watch ends any more
	late     int       // so many of three bookmarks come too late
	marks    int
	answer   func(streamed bool) (watch.Interface, error)        // if set, the answer to a watch
	refusal  func(ctx context.Context, watched bool) (err error) // if set, how a request fails
	requests []string
	told     []string
	reach    []string

	informer cache.SharedIndexInformer // set by follow
	source   *Source[*corev1.PodList]
	stop     func() // ends the informer and waits for it
}

func newServer(t *testing.T) *server { return &server{t: t, pods: map[string]*corev1.Pod{}} }

// put creates or updates a pod and sends the event to all watches.
func (s *server) put(name string) {
	s.mu.Lock()
	s.version++
	kind := watch.Modified
	if s.pods[name] == nil {
		kind = watch.Added
	}
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, ResourceVersion: strconv.Itoa(s.version)}}
	s.pods[name] = p
	if !s.silent {
		for _, w := range s.open {
			if !w.IsStopped() {
				w.Action(kind, p)
			}
		}
	}
	s.mu.Unlock()
	synctest.Wait()
}

func (s *server) List(ctx context.Context, opts metav1.ListOptions) (*corev1.PodList, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, "list from "+strconv.Quote(opts.ResourceVersion))
	if s.refusal != nil {
		if err := s.refused(ctx, false); err != nil {
			return nil, err
		}
	}
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: strconv.Itoa(s.version)}}
	names := slices.Sorted(maps.Keys(s.pods))
	begin := 0
	if opts.Continue != "" {
		begin, _ = slices.BinarySearch(names, opts.Continue)
	}
	for i, name := range names[begin:] {
		if opts.Limit > 0 && int64(i) == opts.Limit {
			list.Continue = name
			break
		}
		list.Items = append(list.Items, *s.pods[name])
	}
	return list, nil
}

func (s *server) refused(ctx context.Context, watched bool) error {
	refusal := s.refusal
	s.mu.Unlock()
	defer s.mu.Lock()
	return refusal(ctx, watched)
}

func (s *server) Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	streamed := opts.SendInitialEvents != nil
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, map[bool]string{false: "watch", true: "stream"}[streamed])
	if s.refusal != nil {
		if err := s.refused(ctx, true); err != nil {
			return nil, err
		}
	}
	if s.answer != nil {
		return s.answer(streamed)
	}
	w := watch.NewRaceFreeFake()
	s.open, s.opened = append(s.open, w), time.Now()
	if streamed && !s.silent {
		for _, p := range s.pods {
			w.Action(watch.Added, p)
		}
		w.Action(watch.Bookmark, s.mark("true"))
	} else if from, err := strconv.Atoi(opts.ResourceVersion); err == nil && !s.silent {
		for _, p := range s.pods {
			if v, _ := strconv.Atoi(p.ResourceVersion); v > from {
				w.Action(watch.Modified, p)
			}
		}
	}
	life := time.Duration(*opts.TimeoutSeconds) * time.Second
	go func() {
		select {
		case <-time.After(life - 2*time.Second):
			s.bookmark(w)
		case <-ctx.Done():
		}
		select {
		case <-time.After(2 * time.Second):
			s.end(w)
		case <-ctx.Done():
		}
	}()
	return w, nil
}

func (s *server) bookmark(w *watch.RaceFreeFakeWatcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marks++
	if !s.silent && !s.bookless && !w.IsStopped() && s.marks%3 >= s.late {
		w.Action(watch.Bookmark, s.mark(""))
	}
}

func (s *server) end(w *watch.RaceFreeFakeWatcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stuck {
		w.Stop()
	}
}

func (s *server) mark(initial string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: strconv.Itoa(s.version)}}
	if initial != "" {
		p.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: initial}
	}
	return p
}

// set changes how the server answers.
func (s *server) set(change func()) {
	s.mu.Lock()
	change()
	s.mu.Unlock()
	synctest.Wait()
}

// taken returns the notes of a field and empties it.
func (s *server) taken(field *[]string) []string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	noted := *field
	*field = nil
	return noted
}

func (s *server) note(field *[]string, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*field = append(*field, text)
}

// slimmed keeps no labels of a pod.
func slimmed(obj any) (any, error) {
	if p, ok := obj.(*corev1.Pod); ok {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name, ResourceVersion: p.ResourceVersion}}, nil
	}
	return obj, nil
}

// story begins a test with a server that has the pod a, in a bubble of fake time.
func story(t *testing.T, test func(t *testing.T, s *server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.put("a")
		test(t, s)
	})
}

// follow runs an informer of the server's pods until the end of the test, or until stop.
func (s *server) follow() {
	s.source = New("pods", s, NewWatches("https://10.0.0.1:6443", func(err error) { s.note(&s.reach, fmt.Sprint(err)) }),
		func(err error) { s.note(&s.told, err.Error()) })
	s.informer = s.source.Informer(struct{}{}, &corev1.Pod{}, nil, slimmed)
	if err := s.informer.SetWatchErrorHandlerWithContext(s.source.Failed); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.informer.RunWithContext(ctx) })
	s.stop = func() { cancel(); running.Wait() }
	s.t.Cleanup(s.stop)
	synctest.Wait()
}

// stopsAtOnce checks that the informer waits for nothing when the program ends.
func (s *server) stopsAtOnce() {
	s.t.Helper()
	ending := time.Now()
	s.stop()
	if took := time.Since(ending); took > 0 {
		s.t.Errorf("the informer ended only after %s", took)
	}
}

// cutOff ends all watches. After a watch of less than a second a reflector lists, whoever ended it, so the last one gets two.
func (s *server) cutOff() {
	s.mu.Lock()
	young := 2*time.Second - time.Since(s.opened)
	s.mu.Unlock()
	time.Sleep(young)
	s.set(func() {
		for _, w := range s.open {
			w.Stop()
		}
	})
}

// known are the pods in the informer with their versions.
func (s *server) known() []string {
	synctest.Wait()
	var found []string
	for _, obj := range s.informer.GetStore().List() {
		p := obj.(*corev1.Pod)
		found = append(found, p.Name+"@"+p.ResourceVersion)
	}
	slices.Sort(found)
	return found
}

// failures counts the failures of one reason.
func (s *server) failures(reason string) int {
	return int(s.source.watches.Failures()[Failure{"pods", reason}]) //nolint:gosec // small
}

// tally counts requests of each sort since the last time.
func (s *server) tally() map[string]int {
	n := map[string]int{}
	for _, r := range s.taken(&s.requests) {
		n[r]++
	}
	return n
}

// onlyWatched checks that nothing but watches was asked for since the last time, and returns how many.
func (s *server) onlyWatched() int {
	s.t.Helper()
	requests := s.tally()
	watches := requests["watch"]
	delete(requests, "watch")
	check(s.t, "requests besides watches", requests, map[string]int{})
	return watches
}

// answering answers watches with an error: refused as a response, opened as the first event of a watch.
func answering(err *apierrors.StatusError) map[string]func(bool) (watch.Interface, error) {
	return map[string]func(bool) (watch.Interface, error){
		"refused": func(bool) (watch.Interface, error) { return nil, err },
		"opened": func(bool) (watch.Interface, error) {
			w := watch.NewRaceFreeFake()
			status := err.Status()
			w.Error(&status)
			return w, nil
		},
	}
}

func TestAQuietWatchIsNotASilentOne(t *testing.T) {
	story(t, func(t *testing.T, s *server) {
		s.follow()
		check(t, "first requests", s.taken(&s.requests), []string{"stream"})
		time.Sleep(time.Hour)
		if n := s.onlyWatched(); n < 122 || n > 132 {
			t.Errorf("%d watches in an hour in which nothing changes, want 129", n)
		}
		check(t, "told", s.taken(&s.told), []string(nil))
		check(t, "failures", s.source.watches.Failures(), map[Failure]uint64{
			{"pods", FailedUnreachable}: 0, {"pods", FailedRefused}: 0, {"pods", FailedForbidden}: 0, {"pods", FailedExpired}: 0, {"pods", FailedSilent}: 0, {"pods", FailedLate}: 0})
		s.put("b")
		check(t, "known", s.known(), []string{"a@1", "b@2"})
	})
}

// A busy API server comes to some bookmarks only when the watch has ended.
func TestBookmarksThatGetLost(t *testing.T) {
	story(t, func(t *testing.T, s *server) {
		s.follow()
		time.Sleep(2 * time.Minute)
		s.taken(&s.requests)
		s.set(func() { s.late = 2 })
		time.Sleep(time.Hour)
		if n := s.onlyWatched(); n < 180 || n > 250 {
			t.Errorf("%d watches in an hour, want three in 48 s", n)
		}
		check(t, "told", s.taken(&s.told), []string(nil))
		check(t, "silent ones", s.failures(FailedSilent), 0)
		s.put("b")
		check(t, "known", s.known(), []string{"a@1", "b@2"})
	})
}

// Whatever a watch brought last, and however long it was quiet before: within a minute of its silence the pods are listed, and a report
// says how it was silent.
func TestASilentWatchIsNoticed(t *testing.T) {
	for _, quiet := range []time.Duration{0, 10 * time.Second, 25 * time.Second, 26 * time.Second, 27 * time.Second, 10 * time.Minute} {
		t.Run(quiet.String(), func(t *testing.T) {
			story(t, func(t *testing.T, s *server) {
				s.put("b")
				s.follow()
				time.Sleep(2 * time.Minute) // the server's bookmarks are known by then
				s.put("a")
				time.Sleep(quiet)
				s.taken(&s.requests)
				s.set(func() { s.silent = true })
				s.put("c")
				s.put("b")
				check(t, "known of what is kept back", s.known(), []string{"a@3", "b@2"})
				time.Sleep(time.Minute)
				check(t, "known after a minute", s.known(), []string{"a@3", "b@5", "c@4"})
				told := s.taken(&s.told)
				if len(told) == 0 || !strings.HasPrefix(told[0], "watching pods: open and silent for 5") || !strings.HasSuffix(told[0], "; listed again, and 2 of 3 had changed") {
					t.Errorf("told %q, want the silence and what it has kept back", told)
				}
				if requests := s.taken(&s.requests); !slices.Contains(requests, `list from ""`) {
					t.Errorf("%q: the list must not be from the API server's memory", requests)
				}
				s.put("d")
				time.Sleep(10 * time.Minute)
				n := s.failures(FailedSilent)
				if n != 2 {
					t.Errorf("%d silences counted that have kept something back, want 2", n)
				}
				check(t, "known, as long as it lasts", s.known(), []string{"a@3", "b@5", "c@4", "d@6"})
				s.taken(&s.requests)
				s.set(func() { s.silent = false })
				time.Sleep(2 * time.Minute)
				s.taken(&s.told)
				s.put("a")
				check(t, "known after its end", s.known(), []string{"a@7", "b@5", "c@4", "d@6"})
				time.Sleep(time.Hour)
				check(t, "told after its end", s.taken(&s.told), []string(nil))
			})
		})
	}
}

// The API server answers nothing at all, while its connection is in order: that, too, is reported within a minute, as long as it lasts.
func TestASilentWatchOfAnAPIServerThatAnswersNothing(t *testing.T) {
	for _, quiet := range []time.Duration{0, 10 * time.Second, 25 * time.Second, 27 * time.Second} {
		t.Run(quiet.String(), func(t *testing.T) {
			story(t, func(t *testing.T, s *server) {
				s.follow()
				time.Sleep(2*time.Minute + quiet)
				s.set(func() { s.silent, s.stuck = true, true; s.refusal = never })
				s.put("b")
				time.Sleep(56 * time.Second)
				told := s.taken(&s.told)
				if len(told) != 1 || !strings.HasSuffix(told[0], "s, and a list is not answered either") || !strings.Contains(told[0], ": open and silent for 5") {
					t.Errorf("told %q", told)
				}
				time.Sleep(5 * time.Minute)
				if told := s.taken(&s.told); len(told) < 4 || len(told) > 6 {
					t.Errorf("told %d times in the next five minutes: %q", len(told), told)
				}
				s.set(func() { s.silent, s.stuck, s.refusal = false, false, nil })
				time.Sleep(2 * time.Minute)
				check(t, "known after its end", s.known(), []string{"a@1", "b@2"})
				if n := s.failures(FailedUnreachable); n < 4 || n > 8 {
					t.Errorf("%d requests without an answer are counted in six minutes", n)
				}
			})
		})
	}
}

// A deletion while the watch was silent counts as a change.
func TestASilentWatchKeepsBackADeletion(t *testing.T) {
	story(t, func(t *testing.T, s *server) {
		s.put("b")
		s.follow()
		s.set(func() { s.silent = true; delete(s.pods, "a") })
		time.Sleep(time.Minute)
		check(t, "known", s.known(), []string{"b@2"})
		told := s.taken(&s.told)
		if len(told) != 1 || !strings.HasSuffix(told[0], "; listed again, and 1 of 1 had changed") {
			t.Errorf("told %q", told)
		}
	})
}

// An API server may send no bookmarks. Then a quiet watch looks like a silent one: it is checked by lists, less and less often, and
// nothing is reported.
func TestAServerWithoutBookmarks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.bookless = true
		s.put("a")
		s.follow()
		time.Sleep(3 * time.Hour)
		lists := 0
		for _, r := range s.taken(&s.requests) {
			if strings.HasPrefix(r, "list") {
				lists++
			}
		}
		if lists == 0 || lists > 20 {
			t.Errorf("%d lists in three hours in which nothing changes, want one in 15 minutes", lists)
		}
		check(t, "told", s.taken(&s.told), []string(nil))
		s.put("b")
		check(t, "known", s.known(), []string{"a@1", "b@2"})
	})
}

// As long as nothing changes, an API server may know of no newer version, and then it stops sending bookmarks. The watch misses nothing,
// so nothing is reported. A change that it does miss later is known within a minute.
func TestAServerThatSendsBookmarksNowAndThen(t *testing.T) {
	story(t, func(t *testing.T, s *server) {
		s.follow()
		time.Sleep(2 * time.Minute)
		s.taken(&s.requests)
		s.set(func() { s.bookless = true })
		time.Sleep(time.Hour)
		if n := s.tally()[`list from ""`]; n > 75 {
			t.Errorf("%d lists in an hour in which nothing changes", n)
		}
		check(t, "told", s.taken(&s.told), []string(nil))
		check(t, "silent ones", s.failures(FailedSilent), 0)
		s.set(func() { s.silent = true })
		s.put("b")
		time.Sleep(time.Minute)
		check(t, "known", s.known(), []string{"a@1", "b@2"})
		check(t, "silent ones that kept something back", s.failures(FailedSilent), 1)
	})
}

// A list that replaces a watch is read page by page, and each page is made slim before the next.
func TestAListInsteadOfAWatchIsReadInPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.put("gone")
		s.follow()
		s.set(func() {
			s.silent = true
			delete(s.pods, "gone")
			for i := range 1200 {
				name := fmt.Sprintf("pod-%04d", i)
				s.pods[name] = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, ResourceVersion: "2", Labels: map[string]string{"kept": "no"}}}
			}
			s.version = 2
		})
		s.taken(&s.requests)
		s.source.Doubt("nothing came of it")
		time.Sleep(2 * time.Second)
		check(t, "requests", s.tally(), map[string]int{`list from ""`: 3, "watch": 1})
		check(t, "told", s.taken(&s.told), []string{"watching pods: nothing came of it; listed again, and 1201 of 1200 had changed"})
		check(t, "known", len(s.known()), 1200)

		list, err := s.source.listInstead(t.Context(), metav1.ListOptions{ResourceVersion: "7"}, fault{FailedLate, "a test"})
		if err != nil {
			t.Fatal(err)
		}
		whole := 0
		if err := meta.EachListItem(list, func(o runtime.Object) error {
			if len(o.(*corev1.Pod).Labels) > 0 {
				whole++
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		check(t, "pods that are held whole", whole, 0)
		check(t, "pods", meta.LenList(list), 1200)
	})
}

// A streamed list that never comes is given up for an ordinary list.
func TestAStreamThatIsSilentFromTheBeginning(t *testing.T) {
	story(t, func(t *testing.T, s *server) {
		s.silent = true
		s.follow()
		time.Sleep(20 * time.Second)
		check(t, "known", s.known(), []string{"a@1"})
	})
}

// The caller knows of a change that the watch has not brought.
func TestADoubtedWatchIsReplacedByAList(t *testing.T) {
	story(t, func(t *testing.T, s *server) {
		s.follow()
		s.set(func() { s.silent = true })
		s.put("a")
		s.source.Doubt("version 2 of shop/a is not in the cache")
		time.Sleep(2 * time.Second)
		check(t, "known", s.known(), []string{"a@2"})
		check(t, "told", s.taken(&s.told), []string{"watching pods: version 2 of shop/a is not in the cache; listed again, and 1 of 1 had changed"})
	})
}

// A process that was stopped for longer than the limit first reads the events that have come meanwhile.
func TestWhatHasComeMeanwhileIsHeard(t *testing.T) {
	story(t, func(t *testing.T, s *server) {
		s.follow()
		w := &stream{ctx: t.Context(), in: watch.NewRaceFreeFake(), out: make(chan watch.Event), done: make(chan struct{}), doubts: make(chan string, 1)}
		s.source.heard = time.Now().Add(-time.Hour)
		go s.source.listen(w)
		time.Sleep(time.Second)
		w.in.(*watch.RaceFreeFakeWatcher).Action(watch.Bookmark, s.mark(""))
		if e := <-w.out; e.Type != watch.Bookmark {
			t.Errorf("the watch told %v instead of what had come", e)
		}
		w.Stop()
		synctest.Wait()
	})
}

// Every watch is answered with 410, whether it should stream a list or not: pods are listed now and then, and that is reported.
func TestAWatchThatExpiresForEver(t *testing.T) {
	answers := answering(apierrors.NewResourceExpired("too old resource version"))
	maps.Copy(answers, map[string]func(bool) (watch.Interface, error){
		"closed": func(bool) (watch.Interface, error) {
			w := watch.NewRaceFreeFake()
			w.Stop()
			return w, nil
		},
		"of a version that is too large": func(bool) (watch.Interface, error) {
			err := apierrors.NewTimeoutError("Too large resource version", 1)
			err.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: metav1.CauseTypeResourceVersionTooLarge}}
			return nil, err
		},
		"closed after one event": func(streamed bool) (watch.Interface, error) {
			w := watch.NewRaceFreeFake()
			w.Action(watch.Modified, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "a", ResourceVersion: "1"}})
			w.Stop()
			return w, nil
		},
	})
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, s *server) {
				s.answer = answer
				s.follow()
				time.Sleep(time.Minute)
				check(t, "known", s.known(), []string{"a@1"})
				s.taken(&s.requests)
				time.Sleep(10 * time.Minute)
				if n := len(s.taken(&s.requests)); n > 600 {
					t.Errorf("%d requests in 10 minutes", n)
				}
				if name == "closed after one event" {
					return // no trouble, if it is not done more than once a second
				}
				told := s.taken(&s.told)
				if len(told) < 2 || len(told) > 22 || !strings.HasPrefix(told[0], "watching pods (") {
					t.Errorf("told %d times, the first is %q", len(told), told)
				}
				if s.failures(FailedExpired) == 0 {
					t.Error("no failure is counted")
				}
				s.set(func() { s.answer = nil })
				time.Sleep(2 * time.Minute)
				s.put("b")
				check(t, "known after its end", s.known(), []string{"a@1", "b@2"})
			})
		})
	}
}

// A single one is normal: after a pause a watch goes on from a list.
func TestAWatchThatExpiresOnce(t *testing.T) {
	story(t, func(t *testing.T, s *server) {
		s.follow()
		s.taken(&s.requests)
		status := apierrors.NewResourceExpired("too old resource version").Status()
		s.open[0].Error(&status)
		time.Sleep(2 * time.Second)
		check(t, "requests", s.taken(&s.requests), []string{"stream"})
		check(t, "told", s.taken(&s.told), []string(nil))
	})
}

// refusing fails as client-go does if a connection is refused.
func refusing(context.Context, bool) error {
	return &url.Error{Op: "Get", URL: "https://10.0.0.1:6443/api/v1/pods", Err: fmt.Errorf("dial tcp 10.0.0.1:6443: connect: %w", syscall.ECONNREFUSED)}
}

// The API server cannot be reached when the program starts, or later: that is reported at once and after each try, and does not hold up
// the end of the program.
func TestAnAPIServerThatCannotBeReached(t *testing.T) {
	for name, begin := range map[string]func(s *server){
		"from the beginning": func(s *server) { s.set(func() { s.refusal = refusing }) },
		"later":              func(*server) {},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, s *server) {
				begin(s)
				s.follow()
				s.set(func() { s.refusal = refusing })
				s.cutOff()
				time.Sleep(2 * time.Second)
				reach := s.taken(&s.reach)
				const first = `no answer from the API server https://10.0.0.1:6443 (try 1 in 0s, the next one in `
				const why = `: Get "https://10.0.0.1:6443/api/v1/pods": dial tcp 10.0.0.1:6443: connect: connection refused`
				if len(reach) == 0 || !strings.HasPrefix(reach[0], first) || !strings.HasSuffix(reach[0], why) {
					t.Fatalf("told %q, want at once %q...%q", reach, first, why)
				}
				time.Sleep(10 * time.Minute)
				if n := len(s.taken(&s.reach)); n < 30 || n > 45 {
					t.Errorf("told %d times in ten minutes, want each time when it is tried", n)
				}
				check(t, "told besides", s.taken(&s.told), []string(nil))
				if s.failures(FailedUnreachable) == 0 {
					t.Error("no failure is counted")
				}
				s.set(func() { s.refusal = nil })
				time.Sleep(lastPause * 2)
				check(t, "the end is told", s.taken(&s.reach), []string{"<nil>"})
				s.put("b")
				check(t, "known", s.known(), []string{"a@1", "b@2"})

				s.set(func() { s.refusal = refusing })
				s.cutOff()
				time.Sleep(3 * time.Minute)
				s.stopsAtOnce()
			})
		})
	}
}

// A watch that ends because the program ends has not failed.
func TestAWatchThatEndsWithTheProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		ctx, cancel := context.WithCancel(t.Context())
		from := New("pods", s, nil, func(err error) { t.Errorf("told %v", err) })
		in := watch.NewRaceFreeFake()
		w := from.follow(ctx, in, false, time.Now().Add(watchLife))
		cancel()
		status := apierrors.NewInternalError(context.Canceled).Status()
		in.Error(&status)
		if e := <-w.ResultChan(); e.Type != watch.Error {
			t.Errorf("the reflector is told %v", e)
		}
		w.Stop()
		synctest.Wait()
	})
}

// The program can end at once even if the API server was never reached.
func TestTheEndBeforeTheAPIServerIsReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.refusal = refusing
		s.follow()
		time.Sleep(5 * time.Minute)
		s.stopsAtOnce()
	})
}

// Kinds of objects that fail together are reported together.
func TestThoseThatFailTogetherAreToldTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var told []string
		w := NewWatches("here", func(err error) { told = append(told, err.Error()) })
		var asking sync.WaitGroup
		for _, kind := range []string{"pods", "deployments", "replicasets"} {
			asking.Go(func() {
				if err := w.Insist(ctx, kind, func() error { return refusing(ctx, true) }); err == nil {
					t.Error("no error")
				}
			})
		}
		time.Sleep(10 * time.Second)
		cancel()
		asking.Wait()
		if n := len(told); n < 3 || n > 5 {
			t.Errorf("told %d times in 10 s: %q, want at 0, 1, 3 and 7", n, told)
		}
		check(t, "failures", len(w.Failures()), 3)
	})
}

// An API server that takes requests and never answers counts as one that cannot be reached.
func TestAnAPIServerThatNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.refusal = never
		s.follow()
		time.Sleep(50 * time.Second)
		if told := s.taken(&s.told); len(told) == 0 || !strings.Contains(told[0], `: no answer within 45s: Get "https://10.0.0.1:6443/api/v1/pods"`) {
			t.Errorf("told %q", told)
		}
		time.Sleep(5 * time.Minute)
		if told := s.taken(&s.told); len(told) < 3 || len(told) > 10 {
			t.Errorf("told %q in five minutes", told)
		}
		s.stopsAtOnce()
	})
}

// never does not answer a request.
func never(ctx context.Context, _ bool) error {
	<-ctx.Done()
	return &url.Error{Op: "Get", URL: "https://10.0.0.1:6443/api/v1/pods", Err: ctx.Err()}
}

// slowly takes some time to open a watch, or with 0 never does.
func slowly(takes time.Duration) func(context.Context, bool) error {
	return func(ctx context.Context, watched bool) error {
		if !watched {
			return nil
		}
		var answer <-chan time.Time
		if takes > 0 {
			answer = time.After(takes)
		}
		select {
		case <-answer:
			return nil
		case <-ctx.Done():
			return &url.Error{Op: "Get", URL: "https://10.0.0.1:6443/api/v1/pods", Err: ctx.Err()}
		}
	}
}

// An API server that answers lists, but not watches, is asked for lists less and less often. Each unanswered watch is counted once.
func TestWatchesThatAreNeverAnswered(t *testing.T) {
	story(t, func(t *testing.T, s *server) {
		s.follow()
		s.taken(&s.requests)
		s.set(func() { s.refusal = slowly(0) })
		time.Sleep(time.Minute)
		s.put("b")
		time.Sleep(time.Minute)
		check(t, "known", s.known(), []string{"a@1", "b@2"})
		if told := s.taken(&s.told); len(told) == 0 || !strings.Contains(told[0], ": no answer within 45s: ") {
			t.Errorf("told %q", told)
		}
		time.Sleep(28 * time.Minute)
		requests := s.tally()
		if n := requests[`list from ""`]; n < 6 || n > 10 {
			t.Errorf("%d lists in half an hour, want them after 1, 2, and every 4 minutes", n)
		}
		// One of the watches is under way, and a watch that is not answered is not followed by a streamed list.
		if n, asked := s.failures(FailedUnreachable), requests["watch"]; n > asked || n+2 < asked {
			t.Errorf("%d failures counted of %d watches", n, asked)
		}
		check(t, "silent ones", s.failures(FailedSilent), 0)
		s.stopsAtOnce()
	})
}

// The time without an open watch does not count as silence. Nor does a watch that was cut off before an event was due.
func TestTimeWithoutAWatchIsNoSilence(t *testing.T) {
	outage := func(s *server) {
		s.set(func() { s.refusal = refusing })
		s.cutOff()
		time.Sleep(2 * time.Minute)
		s.set(func() { s.refusal = nil })
		s.taken(&s.reach)
	}
	for name, interrupt := range map[string]func(s *server){
		"an outage":                outage,
		"one outage after another": func(s *server) { outage(s); time.Sleep(17 * time.Second); outage(s) },
		"cut off":                  func(s *server) { time.Sleep(29 * time.Second); s.cutOff() },
		"opened in 7 s":            func(s *server) { s.set(func() { s.refusal = slowly(7 * time.Second) }) },
		"opened in 11 s":           func(s *server) { s.set(func() { s.refusal = slowly(11 * time.Second) }) },
		"opened in 40 s":           func(s *server) { s.set(func() { s.refusal = slowly(40 * time.Second) }) },
	} {
		for _, quiet := range []time.Duration{0, 10 * time.Second, 20 * time.Second, 30 * time.Second, 39 * time.Second} {
			t.Run(name+" after "+quiet.String(), func(t *testing.T) {
				story(t, func(t *testing.T, s *server) {
					s.follow()
					time.Sleep(3*time.Minute + quiet)
					s.taken(&s.requests)
					interrupt(s)
					time.Sleep(10 * time.Minute)
					s.onlyWatched()
					check(t, "told", s.taken(&s.told), []string(nil))
					check(t, "silent ones", s.failures(FailedSilent), 0)

					s.set(func() { s.silent = true })
					s.put("b")
					time.Sleep(3 * time.Minute)
					check(t, "known of what is kept back afterwards", s.known(), []string{"a@1", "b@2"})
				})
			})
		}
	}
}

// If every watch is cut off before an event is due, they count as silent in the end.
func TestWatchesThatAreAllCutOff(t *testing.T) {
	story(t, func(t *testing.T, s *server) {
		s.follow()
		time.Sleep(3 * time.Minute)
		s.set(func() { s.silent = true })
		s.put("b")
		for range 5 {
			time.Sleep(30 * time.Second)
			s.cutOff()
		}
		check(t, "known", s.known(), []string{"a@1", "b@2"})
		if s.failures(FailedSilent) == 0 {
			t.Error("no silence is counted")
		}
	})
}

// A watch that brings everything, but late, is doubted at each write. Its objects are listed at once, and then less and less often, as
// lists do not make a watch faster.
func TestAWatchThatIsLate(t *testing.T) {
	story(t, func(t *testing.T, s *server) {
		s.follow()
		time.Sleep(time.Minute)
		s.taken(&s.requests)
		for range 600 {
			s.mu.Lock()
			s.version++
			version := s.version
			p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "a", ResourceVersion: strconv.Itoa(version)}}
			s.pods["a"] = p
			s.mu.Unlock()
			time.AfterFunc(5*time.Second, func() {
				obj, _, err := s.informer.GetStore().GetByKey("shop/a")
				if err != nil {
					t.Error(err)
					return
				}
				if known, err := strconv.Atoi(obj.(*corev1.Pod).ResourceVersion); err == nil && known < version {
					s.source.Doubt("nothing came of it")
				}
			})
			time.AfterFunc(6*time.Second, func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				for _, w := range s.open {
					if !w.IsStopped() {
						w.Action(watch.Modified, p)
					}
				}
			})
			time.Sleep(time.Second)
		}
		time.Sleep(10 * time.Second)
		lists := s.tally()[`list from ""`]
		if lists < 2 || lists > 4 {
			t.Errorf("%d lists in ten minutes, want them after 0, 1, 3 and 7 minutes", lists)
		}
		check(t, "late ones", s.failures(FailedLate), lists)
		check(t, "silent ones", s.failures(FailedSilent), 0)
	})
}

// While the API server is too busy for watches, the cache stays as it is: a list would cost the API server even more.
func TestAskedToComeLaterWhenAllIsKnown(t *testing.T) {
	for name, answer := range answering(apierrors.NewTooManyRequests("come later", 1)) {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, s *server) {
				s.follow()
				time.Sleep(3 * time.Minute)
				s.taken(&s.requests)
				s.set(func() { s.answer = answer })
				time.Sleep(10 * time.Minute)
				asked := s.onlyWatched()
				if asked < 15 || asked > 30 {
					t.Errorf("%d watches in ten minutes, want one in 30 s or a little more", asked)
				}
				check(t, "refused ones", s.failures(FailedRefused), asked)
				if told := s.taken(&s.told); len(told) < 7 || len(told) > 10 || !strings.HasSuffix(told[0], "come later") {
					t.Errorf("told %q", told)
				}
				s.set(func() { s.answer = nil })
				s.put("b")
				time.Sleep(40 * time.Second)
				check(t, "known after its end", s.known(), []string{"a@1", "b@2"})
				time.Sleep(10 * time.Minute)
				s.onlyWatched()
				check(t, "told after its end", s.taken(&s.told), []string(nil))

				s.set(func() { s.answer = answer })
				time.Sleep(3 * time.Minute)
				s.stopsAtOnce()
			})
		})
	}
}

// An API server that has only begun to serve a kind of object says so for a moment, which is nothing to tell. If that lasts, or it
// knows what is in the way, it is told.
func TestWhileTheAPIServerBeginsToServe(t *testing.T) {
	const says = "storage is (re)initializing"
	for name, tt := range map[string]struct {
		message string
		lasts   time.Duration
		isTold  bool
	}{
		"a moment": {says, 5 * time.Second, false}, "minutes": {says, 2 * time.Minute, true}, "for a reason": {says + ": etcd is down", 5 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, answer := range answering(apierrors.NewTooManyRequests(tt.message, 1)) {
				story(t, func(t *testing.T, s *server) {
					s.answer = answer
					s.follow()
					time.Sleep(tt.lasts)
					s.set(func() { s.answer = nil })
					time.Sleep(time.Minute)
					check(t, "known", s.known(), []string{"a@1"})
					told := s.taken(&s.told)
					if (len(told) > 0) != tt.isTold || (s.failures(FailedRefused) > 0) != tt.isTold {
						t.Errorf("told %q, %d failures", told, s.failures(FailedRefused))
					}
					s.stopsAtOnce()
				})
			}
		})
	}
}

// An overloaded API server answers 429, when a watch is opened or in the middle of it.
func TestAskedToComeLater(t *testing.T) {
	for name, answer := range answering(apierrors.NewTooManyRequests("come later", 3600)) {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, s *server) {
				s.answer = answer
				s.follow()
				time.Sleep(5 * time.Minute)
				check(t, "known", s.known(), []string{"a@1"})
				if told := s.taken(&s.told); len(told) < 2 || len(told) > 10 || !strings.HasSuffix(told[0], "come later") {
					t.Errorf("told %q", told)
				}
				if n := len(s.taken(&s.requests)); n > 100 {
					t.Errorf("%d requests in 5 minutes", n)
				}
				s.stopsAtOnce()
			})
		})
	}
}
