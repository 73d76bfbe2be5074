//go:build linux

package machine

import (
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func TestNamesAreAnswered(t *testing.T) {
	t.Parallel()
	address := netip.MustParseAddr("10.96.1.2")
	for name, tc := range map[string]struct {
		kind    dnsmessage.Type
		err     error
		rcode   dnsmessage.RCode
		answers int
	}{
		"an address of a Service":                     {kind: dnsmessage.TypeA, answers: 1},
		"no IPv6 address, though the name exists":     {kind: dnsmessage.TypeAAAA},
		"a name that does not exist":                  {kind: dnsmessage.TypeA, err: errNoName, rcode: dnsmessage.RCodeNameError},
		"a name about which the API server is silent": {kind: dnsmessage.TypeA, err: errors.New("silence"), rcode: dnsmessage.RCodeServerFailure},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := dnsmessage.Question{Name: dnsmessage.MustNewName("web.shop.svc.cluster.local."), Type: tc.kind, Class: dnsmessage.ClassINET}
			question := dnsmessage.Message{Header: dnsmessage.Header{ID: 7}, Questions: []dnsmessage.Question{asked}}
			packed, err := question.Pack()
			if err != nil {
				t.Fatal(err)
			}
			answer, err := respond(packed, func(string) (netip.Addr, error) { return address, tc.err })
			if err != nil {
				t.Fatal(err)
			}
			var got dnsmessage.Message
			if err := got.Unpack(answer); err != nil {
				t.Fatal(err)
			}
			if !got.Response || got.ID != 7 || got.RCode != tc.rcode || len(got.Answers) != tc.answers {
				t.Errorf("got %+v", got)
			}
			if tc.answers == 1 && got.Answers[0].Body.(*dnsmessage.AResource).A != address.As4() {
				t.Errorf("got %v", got.Answers[0].Body)
			}
		})
	}
}

func TestWhatIsNoQuestionIsNotAnswered(t *testing.T) {
	t.Parallel()
	empty, err := (&dnsmessage.Message{}).Pack()
	if err != nil {
		t.Fatal(err)
	}
	for _, question := range [][]byte{nil, []byte("nonsense"), empty} {
		if answer, err := respond(question, nil); err == nil {
			t.Errorf("%q is answered with %q", question, answer)
		}
	}
}

func TestServicesAreFoundInNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]string{
		"web.shop.svc.cluster.local.":               {"web", "shop"},
		"Web.Shop.SVC.cluster.local.":               {"web", "shop"},
		"web.shop.svc.":                             {},
		"web.svc.cluster.local.":                    {},
		".shop.svc.cluster.local.":                  {},
		"a.web.shop.svc.cluster.local.":             {},
		"example.com.":                              {},
		"web.shop.svc.cluster.local.svc.cluster.x.": {},
	} {
		service, namespace, ok := split(name)
		if got := [2]string{service, namespace}; ok != (want != [2]string{}) || ok && got != want {
			t.Errorf("%s: got %v, %t", name, got, ok)
		}
	}
}
