package serves

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestParseServes(t *testing.T) {
	tests := map[string]struct {
		text string
		want Serves
	}{
		"the least": {`{"kind":"Pool","name":"web"}`, Serves{Kind: "Pool", Name: "web"}},
		"all of it": {
			`{"kind":"Deployment","group":"apps","name":"web","protocol":{"http":"http1","grpc":"tcp"},"hold":"10m","limit":10000,"perPod":1,"ignore":["/healthz","/metrics*"],"ignoreAgents":["kube-probe/"],"path":"always","holdOn":"unready"}`,
			Serves{Kind: "Deployment", Group: "apps", Name: "web", Protocol: map[string]Protocol{"http": HTTP1, "grpc": TCP}, Hold: metav1.Duration{Duration: 10 * time.Minute}, Limit: 10000, PerPod: 1,
				Ignore: []string{"/healthz", "/metrics*"}, IgnoreAgents: []string{"kube-probe/"}, Path: PathAlways, HoldOn: HoldOnUnready},
		},
		"keys of a later version, and those that differ in case": {`{"kind":"Deployment","name":"web","later":{"x":1},"Kind":"x"}`, Serves{Kind: "Deployment", Name: "web"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseServes(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseServesRefuses(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"nothing":          {"", "annotation mini-hpa/serves must be JSON"},
		"two":              {`{"kind":"D","name":"a"}{}`, "must be JSON"},
		"no workload":      {"{}", "[mini-hpa/serves.kind: Required value: the kind of the workload, mini-hpa/serves.name: Invalid value: \"\""},
		"a bad group":      {`{"kind":"D","name":"a","group":"A"}`, `mini-hpa/serves.group: Invalid value: "A"`},
		"a protocol":       {`{"kind":"D","name":"a","protocol":{"http":"h3"}}`, `mini-hpa/serves.protocol[http]: Unsupported value: "h3": supported values: "http1", "tcp"`},
		"a long hold":      {`{"kind":"D","name":"a","hold":"10m1s"}`, `mini-hpa/serves.hold: Invalid value: "10m1s": must be between 1s and 10m0s`},
		"a short hold":     {`{"kind":"D","name":"a","hold":"-1s"}`, `must be between 1s and 10m0s`},
		"a limit":          {`{"kind":"D","name":"a","limit":10001}`, `mini-hpa/serves.limit: Invalid value: 10001: must be between 1 and 10000, or 0 for the default`},
		"per pod":          {`{"kind":"D","name":"a","perPod":-1}`, `mini-hpa/serves.perPod: Invalid value: -1`},
		"a path":           {`{"kind":"D","name":"a","path":"never"}`, `mini-hpa/serves.path: Unsupported value: "never": supported values: "always"`},
		"hold on":          {`{"kind":"D","name":"a","holdOn":"x"}`, `mini-hpa/serves.holdOn: Unsupported value: "x": supported values: "unready"`},
		"no path":          {`{"kind":"D","name":"a","ignore":["healthz"]}`, `mini-hpa/serves.ignore[0]: Invalid value: "healthz": must not be empty, and begin with "/"`},
		"no agent":         {`{"kind":"D","name":"a","ignoreAgents":[""]}`, `mini-hpa/serves.ignoreAgents[0]`},
		"an agent":         {`{"kind":"D","name":"a","ignoreAgents":["a\u0007"]}`, `must be printable characters`},
		"a long agent":     {`{"kind":"D","name":"a","ignoreAgents":["` + strings.Repeat("a", 257) + `"]}`, `may not be more than 256 bytes`},
		"too many ignored": {`{"kind":"D","name":"a","ignore":["/` + strings.Repeat(`","/`, 32) + `"]}`, `mini-hpa/serves.ignore: Too many: 33: must have at most 16 items`},
		"too long":         {strings.Repeat(" ", 32<<10) + "{}", "annotation mini-hpa/serves is 32770 bytes long; must be at most 32768"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseServes(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %s", err, tt.want)
			}
		})
	}
}

func TestIgnores(t *testing.T) {
	s := Serves{Ignore: []string{"/healthz", "/metrics/*"}, IgnoreAgents: []string{"kube-probe/"}}
	for request, want := range map[[2]string]bool{
		{"/healthz", ""}: true, {"/healthz/x", ""}: false, {"/metrics/", ""}: true, {"/metrics/x", "curl"}: true, {"/metrics", ""}: false,
		{"/", "kube-probe/1.37"}: true, {"/", "Mozilla kube-probe/1.37"}: false, {"", ""}: false,
	} {
		if got := s.Ignores(request[0], request[1]); got != want {
			t.Errorf("%q is ignored: %t", request, got)
		}
	}
}

func TestDefaulted(t *testing.T) {
	got := Serves{Limit: 7}.Defaulted()
	if got.Hold.Duration != time.Minute || got.Limit != 7 || got.PerPod != 50 {
		t.Errorf("the defaults are %+v", got)
	}
	if got.ProtocolOf("x") != TCP {
		t.Errorf("a port of which nothing is said is %s", got.ProtocolOf("x"))
	}
}

func TestParseBackendsRefuses(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"nothing":    {"", "annotation mini-hpa/backends must be JSON"},
		"no address": {`[{"addresses":["x"]}]`, `mini-hpa/backends[0].addresses[0]: Invalid value: "x"`},
		"no port":    {`[{"ports":{"http":0}}]`, `mini-hpa/backends[0].ports[http]: Invalid value: 0`},
		"too many":   {`[{"addresses":["10.0.0.1"` + strings.Repeat(`,"10.0.0.1"`, 1000) + `]}]`, `mini-hpa/backends: Too many: 1001: must have at most 1000 items`},
		"too long":   {strings.Repeat(" ", 128<<10) + "[]", `annotation mini-hpa/backends is 131074 bytes long`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := parseBackends(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %s", err, tt.want)
			}
		})
	}
}

func TestDoors(t *testing.T) {
	for _, door := range []int32{20016, 20017} {
		if PairOf(door) != 20016 || ActiveDoor(PairOf(door)) != 20017 || isActiveDoor(door) != (door == 20017) {
			t.Errorf("door %d is of pair %d", door, PairOf(door))
		}
	}
}

func TestParseRange(t *testing.T) {
	for _, text := range []string{"20000-29999", "1024-1025", "65534-65535"} {
		if r, err := ParseRange(text); err != nil || r.String() != text || r.Pairs() < 1 {
			t.Errorf("%s is read as %s: %v", text, r, err)
		}
	}
	for _, text := range []string{"", "20000", "20001-29999", "20000-29998", "29998-20001", "1022-1025", "20000-65536", "020000-29999", "+20000-29999", "20000-29999-", "a-b", "20000 - 29999", strings.Repeat("9", 1000)} {
		if r, err := ParseRange(text); err == nil || len(err.Error()) > 200 {
			t.Errorf("%q is read as %s: %v", text, r, err)
		}
	}
}

func TestFree(t *testing.T) {
	r := Range{20000, 20019}
	none := func(int32) bool { return false }
	first, ok := r.Free("shop", "web", "http", none)
	if again, _ := r.Free("shop", "web", "http", none); !ok || again != first || !r.Has(first) {
		t.Errorf("the port has pair %d, then %d", first, again)
	}
	taken := map[int32]bool{}
	for i := range r.Pairs() {
		pair, ok := r.Free("shop", "web", "http", func(pair int32) bool { return taken[pair] })
		if !ok || taken[pair] || !r.Has(pair) {
			t.Fatalf("pair %d is %d: %t", i, pair, ok)
		}
		taken[pair] = true
	}
	if pair, ok := r.Free("shop", "web", "http", func(pair int32) bool { return taken[pair] }); ok {
		t.Errorf("pair %d is free, and all are taken", pair)
	}
	if _, ok := (Range{}).Free("", "", "", none); ok {
		t.Error("a range without ports has one")
	}
	places := map[int32]bool{}
	for i := range 1000 {
		pair, _ := DefaultRange().Free("shop", fmt.Sprint("web-", i), "http", none)
		places[pair] = true
	}
	if len(places) < 800 { // 906 are expected of a hash that is good
		t.Errorf("1000 Services have %d places", len(places))
	}
}

func FuzzParseServes(f *testing.F) {
	for _, text := range []string{"", "{}", `{"kind":"D","name":"a"}`, `{"kind":"D","name":"a","hold":"1h","ignore":["/a*"]}`, `{"kind":"D","name":"a","hold":5}`, `null`, `{"kind":"\ud800","name":"a"}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseServes(text)
		if err != nil {
			return
		}
		again, err := ParseServes(s.String())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s.String(), again.String()); diff != "" {
			t.Error(diff)
		}
		d := s.Defaulted()
		if d.Hold.Duration < MinHold || d.Hold.Duration > MaxHold || d.Limit < 1 || d.Limit > MaxLimit || d.PerPod < 1 || d.PerPod > MaxPerPod {
			t.Errorf("it is taken, and %+v", d)
		}
		s.Ignores("/a", "b")
	})
}

func FuzzParseBackends(f *testing.F) {
	for _, text := range []string{"", "[]", "null", `[{"addresses":["10.1.0.7","fd00::1"],"ports":{"http":8080,"":1}}]`, `[{"addresses":null}]`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseBackends(text)
		if err != nil {
			return
		}
		again, err := parseBackends(formatBackends(all))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(all, again); diff != "" {
			t.Error(diff)
		}
	})
}

func FuzzParseRange(f *testing.F) {
	for _, text := range []string{"20000-29999", "", "-", "1-0", "65534-65535"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRange(text)
		if err != nil {
			return
		}
		if r.String() != text {
			t.Errorf("%q is read as %s", text, r)
		}
		if pair, ok := r.Free("a", "b", text, func(int32) bool { return false }); !ok || !r.Has(pair) || !isPair(pair) {
			t.Errorf("of %s the pair %d is free", r, pair)
		}
	})
}
