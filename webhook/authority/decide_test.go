package authority

import (
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// long is the life of the CAs in the tables, where time is an argument: half of it is 500s, propagation takes 100s.
const long = 1000 * time.Second

// noon is the moment at which the tables begin.
func noon() time.Time { return time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC) }

// fresh makes a CA.
func fresh(t testing.TB, now time.Time, life time.Duration) *ca {
	t.Helper()
	s, err := newCA(now, life)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// stage has CAs with names: A made at noon, B after 500s, C after 10s, X after 600s.
type stage struct {
	t   *testing.T
	cas map[string]*ca
}

func newStage(t *testing.T) stage {
	return stage{t: t, cas: map[string]*ca{
		"A": fresh(t, noon(), long), "B": fresh(t, noon().Add(500*time.Second), long),
		"C": fresh(t, noon().Add(10*time.Second), long), "X": fresh(t, noon().Add(600*time.Second), long),
	}}
}

// certs are the certificates of CAs, given as "A B".
func (g stage) certs(names string) []*x509.Certificate {
	var all []*x509.Certificate
	for _, name := range strings.Fields(names) {
		all = append(all, g.cas[name].cert)
	}
	return all
}

// rotation is given as "current/next/previous previous".
func (g stage) rotation(text string) rotation {
	parts := strings.Split(text+"//", "/")
	return rotation{current: g.cas[parts[0]], next: g.cas[parts[1]], previous: g.certs(parts[2])}
}

// scene is what is observed, in words; times are seconds after noon.
type scene struct {
	at         int
	secret     string // "-" there is none, "?" it could not be read, else a rotation
	spoil      func(map[string][]byte)
	bundle     string // CAs in each caBundle; "-" there is no configuration, "?" it was never read, "!" it is cert-manager's
	since      int    // since when all of them are seen there
	known      string // a rotation
	leaf       string // the CA of the leaf
	issued     int    // when that was
	unprepared bool
}

// outcome is a plan in words.
type outcome struct {
	Write, Issue, Bundle, Known string
	Prepare, Expiring           bool
	Recheck                     int
}

const leafLife = 300 * time.Second

func (g stage) observed(c scene) observed {
	now := noon().Add(time.Duration(c.at) * time.Second)
	s := observed{now: now, known: g.rotation(c.known), trustedSince: map[string]time.Time{}}
	switch c.secret {
	case "?":
	case "-":
		s.secret = &secret{}
	default:
		data, err := g.rotation(c.secret).content()
		if err != nil {
			g.t.Fatal(err)
		}
		if c.spoil != nil {
			c.spoil(data)
		}
		s.secret = readSecret(&corev1.Secret{Data: data}, now)
	}
	switch c.bundle {
	case "?":
	case "-":
		s.configuration = &configuration{}
	case "!":
		s.configuration = &configuration{injected: true, webhooks: []webhook{{name: "h"}}}
	default:
		cas := g.certs(c.bundle)
		s.configuration = &configuration{webhooks: []webhook{{"h", encodePEM(cas...), cas}, {"i", encodePEM(cas...), cas}}}
		for _, ca := range cas {
			s.trustedSince[string(ca.Raw)] = noon().Add(time.Duration(c.since) * time.Second)
		}
	}
	if c.leaf != "" {
		l, err := g.cas[c.leaf].issue(subject{hosts: []string{"h"}}, noon().Add(time.Duration(c.issued)*time.Second), leafLife)
		if err != nil {
			g.t.Fatal(err)
		}
		s.leaf = l
	}
	if !c.unprepared {
		s.prepared = fresh(g.t, now, long)
		g.cas["new"] = s.prepared
	}
	return s
}

// name says which CA a certificate is.
func (g stage) name(c *x509.Certificate) string {
	for _, name := range slices.Sorted(maps.Keys(g.cas)) {
		if g.cas[name].cert.Equal(c) {
			return name
		}
	}
	return "unknown"
}

func (g stage) names(all []*x509.Certificate) string {
	var names []string
	for _, c := range all {
		names = append(names, g.name(c))
	}
	return strings.Join(names, " ")
}

func (g stage) text(v rotation) string {
	names := []string{"", "", g.names(v.previous)}
	for i, s := range []*ca{v.current, v.next} {
		if s != nil {
			names[i] = g.name(s.cert)
		}
	}
	return strings.Join(names, "/")
}

func (g stage) outcome(p plan) outcome {
	o := outcome{Prepare: p.prepare, Expiring: p.expiring != ""}
	if p.prepare {
		return o
	}
	o.Known = g.text(p.known)
	if p.write != nil {
		o.Write = g.text(*p.write)
	}
	if p.issue != nil {
		o.Issue = g.name(p.issue.cert)
	}
	cas, _ := decodePEM(p.bundle)
	o.Bundle = g.names(cas)
	o.Recheck = int(p.recheck.Sub(noon()) / time.Second)
	return o
}

func garbage(key, text string) func(map[string][]byte) {
	return func(data map[string][]byte) { data[key] = []byte(text) }
}

func TestDecide(t *testing.T) {
	tests := map[string]struct {
		scene scene
		want  outcome
	}{
		// a first start
		"nothing at all needs a CA":             {scene{secret: "-", bundle: "-", unprepared: true}, outcome{Prepare: true}},
		"nothing at all":                        {scene{secret: "-", bundle: "-"}, outcome{Write: "new//", Known: "//", Recheck: 3600}},
		"a Secret of another replica":           {scene{at: 1, secret: "A//", bundle: "-"}, outcome{Issue: "A", Known: "A//", Recheck: 500}},
		"a bundle that is empty":                {scene{at: 1, secret: "A//", bundle: "", leaf: "A"}, outcome{Bundle: "A", Known: "A//", Recheck: 200}},
		"a bundle with somebody else's":         {scene{at: 1, secret: "A//", bundle: "A X", leaf: "A"}, outcome{Bundle: "A", Known: "A//", Recheck: 200}},
		"a bundle that is cert-manager's":       {scene{at: 1, secret: "A//", bundle: "!", leaf: "A"}, outcome{Known: "A//", Recheck: 200}},
		"no Secret, but leaves of a lost CA":    {scene{at: 20, secret: "-", bundle: "C A"}, outcome{Write: "new//A C", Known: "//", Recheck: 3620}},
		"no Secret, and an expired lost CA":     {scene{at: 1005, secret: "-", bundle: "A C"}, outcome{Write: "new//C", Known: "//", Recheck: 4605}},
		"neither can be read, and nothing is":   {scene{secret: "?", bundle: "?"}, outcome{Known: "//", Recheck: 3600}},
		"the configuration can't be read":       {scene{at: 1, secret: "A//", bundle: "?"}, outcome{Issue: "A", Known: "A//", Recheck: 500}},
		"the Secret can't be read, all is well": {scene{at: 1, secret: "?", bundle: "A", known: "A//", leaf: "A"}, outcome{Known: "A//", Recheck: 200}},

		// a life
		"before half":          {scene{at: 499, secret: "A//", bundle: "A", known: "A//", leaf: "A", issued: 490}, outcome{Known: "A//", Recheck: 500}},
		"half, needs a CA":     {scene{at: 500, secret: "A//", bundle: "A", known: "A//", leaf: "A", issued: 490, unprepared: true}, outcome{Prepare: true}},
		"half":                 {scene{at: 500, secret: "A//", bundle: "A", known: "A//", leaf: "A", issued: 490}, outcome{Write: "A/B/", Known: "A//", Recheck: 690}},
		"made known":           {scene{at: 501, secret: "A/B/", bundle: "A", known: "A/B/", leaf: "A", issued: 490}, outcome{Bundle: "A B", Known: "A/B/", Recheck: 666}},
		"before two thirds":    {scene{at: 666, secret: "A/B/", bundle: "A B", since: 501, known: "A/B/", leaf: "A", issued: 490}, outcome{Known: "A/B/", Recheck: 666}},
		"two thirds":           {scene{at: 667, secret: "A/B/", bundle: "A B", since: 501, known: "A/B/", leaf: "A", issued: 490}, outcome{Write: "B//A", Known: "A/B/", Recheck: 690}},
		"two thirds, unknown":  {scene{at: 667, secret: "A/B/", bundle: "A", since: 501, known: "A/B/", leaf: "A", issued: 490}, outcome{Bundle: "A B", Known: "A/B/", Recheck: 690}},
		"known for a moment":   {scene{at: 667, secret: "A/B/", bundle: "A B", since: 600, known: "A/B/", leaf: "A", issued: 490}, outcome{Known: "A/B/", Recheck: 690}},
		"nobody to make known": {scene{at: 667, secret: "A/B/", bundle: "-", known: "A/B/", leaf: "A", issued: 490}, outcome{Write: "B//A", Known: "A/B/", Recheck: 690}},
		"not known whom":       {scene{at: 667, secret: "A/B/", bundle: "?", known: "A/B/", leaf: "A", issued: 490}, outcome{Known: "A/B/", Recheck: 690}},
		"cert-manager makes known": {scene{at: 667, secret: "A/B/", bundle: "!", known: "A/B/", leaf: "A", issued: 490},
			outcome{Write: "B//A", Known: "A/B/", Recheck: 690}},
		"two thirds, and no leaf": {scene{at: 667, secret: "A/B/", bundle: "A B", since: 501, known: "A/B/"}, outcome{Write: "B//A", Issue: "A", Known: "A/B/", Recheck: 950}},
		"promoted":                {scene{at: 668, secret: "B//A", bundle: "A B", since: 501, known: "A/B/", leaf: "A", issued: 490}, outcome{Issue: "B", Known: "B//A", Recheck: 690}},
		"with a new leaf":         {scene{at: 668, secret: "B//A", bundle: "A B", since: 501, known: "B//A", leaf: "B", issued: 668}, outcome{Known: "B//A", Recheck: 868}},
		"before the end":          {scene{at: 999, secret: "B//A", bundle: "A B", since: 501, known: "B//A", leaf: "B", issued: 868}, outcome{Known: "B//A", Recheck: 1000}},
		"the end":                 {scene{at: 1000, secret: "X//A B", bundle: "A B X", since: 501, known: "X//A B", leaf: "X", issued: 868}, outcome{Write: "X//B", Known: "X//A B", Recheck: 1068}},
		"forgotten":               {scene{at: 1001, secret: "X//B", bundle: "A B X", since: 501, known: "X//B", leaf: "X", issued: 868}, outcome{Bundle: "B X", Known: "X//B", Recheck: 1068}},

		// late
		"the deadline":               {scene{at: 950, secret: "A/X/", bundle: "A X", since: 949, known: "A/X/", leaf: "A", issued: 790}, outcome{Write: "X//A", Known: "A/X/", Expiring: true, Recheck: 1000}},
		"the deadline, nobody heard": {scene{at: 951, secret: "A/X/", bundle: "A", known: "A/X/", leaf: "A", issued: 790}, outcome{Bundle: "A X", Known: "A/X/", Expiring: true, Recheck: 1000}},
		"promoted early":             {scene{at: 940, secret: "X//A", bundle: "A X", since: 930, known: "X//A", leaf: "A", issued: 790}, outcome{Known: "X//A", Recheck: 950}},
		"promoted by the deadline":   {scene{at: 951, secret: "X//A", bundle: "A X", since: 949, known: "X//A", leaf: "A", issued: 790}, outcome{Issue: "X", Known: "X//A", Recheck: 1000}},
		"an expired one with a next": {scene{at: 1000, secret: "A/X/", bundle: "A X", known: "A/X/", leaf: "A", issued: 790}, outcome{Write: "X//", Known: "A/X/", Expiring: true, Recheck: 1600}},
		"everything is expired":      {scene{at: 1700, secret: "A/B/C", bundle: "A B C", known: "A/B/C", leaf: "A", issued: 690}, outcome{Write: "new//", Known: "A/B/C", Expiring: true, Recheck: 5300}},

		// leaves
		"a leaf is due":                  {scene{at: 200, secret: "A//", bundle: "A", known: "A//", leaf: "A"}, outcome{Issue: "A", Known: "A//", Recheck: 500}},
		"a leaf is due, the API is away": {scene{at: 200, secret: "?", bundle: "A", known: "A//", leaf: "A"}, outcome{Issue: "A", Known: "A//", Recheck: 500}},
		"a leaf that ends with its CA":   {scene{at: 980, secret: "?", bundle: "A", known: "A//", leaf: "A", issued: 720}, outcome{Known: "A//", Expiring: true, Recheck: 1000}},
		"a leaf of a CA that was lost":   {scene{at: 100, secret: "C//A", bundle: "A C", since: 50, known: "C//A", leaf: "A"}, outcome{Known: "C//A", Recheck: 150}},
		"until the new one is known":     {scene{at: 150, secret: "C//A", bundle: "A C", since: 50, known: "C//A", leaf: "A"}, outcome{Issue: "C", Known: "C//A", Recheck: 200}},
		"it is renewed meanwhile":        {scene{at: 200, secret: "C//A", bundle: "A C", since: 150, known: "C//A", leaf: "A"}, outcome{Issue: "A", Known: "C//A", Recheck: 250}},
		"a leaf that nobody trusts":      {scene{at: 100, secret: "C//A", bundle: "C", since: 99, known: "C//A", leaf: "A"}, outcome{Issue: "C", Bundle: "A C", Known: "C//A", Recheck: 199}},
		"a leaf's CA is missing":         {scene{at: 100, secret: "C//", bundle: "C A", since: 99, known: "C//", leaf: "A"}, outcome{Write: "C//A", Known: "C//", Recheck: 199}},

		// repairs
		"deleted":                   {scene{at: 100, secret: "-", bundle: "A", known: "A//", leaf: "A"}, outcome{Write: "A/new/", Known: "A//", Recheck: 200}},
		"deleted, needs a CA":       {scene{at: 100, secret: "-", bundle: "A", known: "A//", leaf: "A", unprepared: true}, outcome{Prepare: true}},
		"deleted while rotating":    {scene{at: 600, secret: "-", bundle: "A B", known: "A/B/", leaf: "A", issued: 490}, outcome{Write: "A/X/B", Known: "A/B/", Recheck: 666}},
		"deleted after rotating":    {scene{at: 700, secret: "-", bundle: "A B", known: "B//A", leaf: "B", issued: 690}, outcome{Write: "B/new/A", Known: "B//A", Recheck: 890}},
		"deleted behind our back":   {scene{at: 100, secret: "C//A", bundle: "A C", since: 99, known: "A//", leaf: "A"}, outcome{Known: "C//A", Recheck: 199}},
		"early next, not known":     {scene{at: 109, secret: "A/C/", bundle: "A C", since: 10, known: "A/C/", leaf: "A"}, outcome{Known: "A/C/", Recheck: 110}},
		"early next, known":         {scene{at: 110, secret: "A/C/", bundle: "A C", since: 10, known: "A/C/", leaf: "A"}, outcome{Write: "C//A", Known: "A/C/", Recheck: 200}},
		"another CA was put there":  {scene{at: 505, secret: "C//", bundle: "A B", known: "A/B/", leaf: "A", issued: 500}, outcome{Write: "C//A B", Known: "A/B/", Recheck: 666}},
		"a former one was given up": {scene{at: 700, secret: "B//", bundle: "A B", known: "B//A", leaf: "B", issued: 690}, outcome{Bundle: "B", Known: "B//", Recheck: 890}},
		"garbage, known":            {scene{at: 100, secret: "A//", spoil: garbage("ca.crt", "x"), bundle: "A", known: "A//", leaf: "A"}, outcome{Write: "A/new/", Known: "A//", Recheck: 200}},
		"garbage, unknown":          {scene{at: 100, secret: "A//", spoil: garbage("ca.key", "x"), bundle: "A"}, outcome{Write: "new//A", Known: "//", Recheck: 3700}},
		"garbage with a next":       {scene{at: 600, secret: "A/B/C", spoil: garbage("ca.key", "x"), bundle: "A B"}, outcome{Write: "B//A C", Known: "//", Recheck: 4200}},
		"garbage for a next":        {scene{at: 510, secret: "A/B/", spoil: garbage("next.key", "x"), bundle: "A B", known: "A//", leaf: "A", issued: 490}, outcome{Write: "A/new/B", Known: "A//", Recheck: 690}},
		"garbage among former ones": {scene{at: 20, secret: "A//C", spoil: garbage("previous.crt", "x"), bundle: "A C", known: "A//C", leaf: "A"}, outcome{Write: "A//C", Known: "A//C", Recheck: 200}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStage(t)
			s := g.observed(tc.scene)
			if tc.want.Write == "A/B/" { // B of the stage is made then
				s.prepared = g.cas["B"]
			}
			if tc.want.Write == "A/X/B" {
				s.prepared = g.cas["X"]
			}
			before := fmt.Sprintf("%+v", s)
			got := g.outcome(decide(s))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if after := fmt.Sprintf("%+v", s); before != after {
				t.Error("decide changed what it was given")
			}
		})
	}
}
