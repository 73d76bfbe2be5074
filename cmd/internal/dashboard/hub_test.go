package dashboard

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/mini-hpa/mini-hpa/scaler"
)

// rowsOf are so many workloads; that of index odd has a problem.
func rowsOf(n, odd int) []*row {
	rows := make([]*row, n)
	for i := range rows {
		s := scaler.Status{Kind: "Deployment", Group: "apps", Namespace: "shop", Name: fmt.Sprintf("web-%04d", i), State: scaler.StateOK}
		if i == odd {
			s.State = scaler.StateStarved
		}
		rows[i] = rowOf(&s, nil)
	}
	slices.SortStableFunc(rows, func(a, b *row) int { return a.Rank - b.Rank })
	return rows
}

// names are those of the rows that a tab is told.
func names(t *testing.T, parts []*table) (all []string) {
	t.Helper()
	for _, p := range parts {
		for _, text := range p.Rows {
			var r struct{ Name string }
			if err := json.Unmarshal(text, &r); err != nil {
				t.Fatal(err)
			}
			all = append(all, r.Name)
		}
	}
	return all
}

// TestATabIsToldWhatIsNewToIt: everything at first, in parts, the worst first; then what has changed and what is gone, also after a while away.
func TestATabIsToldWhatIsNewToIt(t *testing.T) {
	h := newHub("this", head{})
	if err := h.told(&head{}, rowsOf(250, 240)); err != nil {
		t.Fatal(err)
	}
	parts, first, _ := h.since(h.seen(""))
	all := names(t, parts)
	if len(parts) != 3 || len(all) != 250 || all[0] != "web-0240" || !parts[0].Reset || !parts[0].More || parts[2].More {
		t.Fatalf("%d parts, %d rows, the first %s", len(parts), len(all), all[0])
	}
	if err := h.told(&head{}, rowsOf(249, 3)); err != nil {
		t.Fatal(err)
	}
	parts, second, wait := h.since(h.seen(h.eventID(first)))
	if all := names(t, parts); len(parts) != 1 || parts[0].Reset || fmt.Sprint(all) != "[web-0003 web-0240]" || fmt.Sprint(parts[0].Gone) != "[shop/deployments.apps/web-0249]" {
		t.Errorf("told %v, gone %v", all, parts[0].Gone)
	}
	for _, id := range []string{"", "other." + fmt.Sprint(second), "this.x", "this.99999", "this.-1"} {
		if parts, _, _ := h.since(h.seen(id)); !parts[0].Reset || len(names(t, parts)) != 249 {
			t.Errorf("after %q: %d rows", id, len(names(t, parts)))
		}
	}
	select {
	case <-wait:
		t.Error("there is no news yet")
	default:
	}
	h.failed(errors.New("the API server is away"))
	<-wait
	parts, _, _ = h.since(second)
	if parts[0].Head.Problem == "" || len(names(t, parts)) != 0 || len(parts[0].Gone) != 0 {
		t.Errorf("a failure: %+v", parts[0])
	}
}

// TestWhatIsForgottenIsToldAnew: rows that have gone are not remembered for ever.
func TestWhatIsForgottenIsToldAnew(t *testing.T) {
	h := newHub("this", head{})
	for _, n := range []int{mostGone + 10, 5} {
		if err := h.told(&head{}, rowsOf(n, -1)); err != nil {
			t.Fatal(err)
		}
	}
	if parts, _, _ := h.since(1); !parts[0].Reset || len(h.gone) != 0 {
		t.Errorf("%d gone rows are remembered; reset %t", len(h.gone), parts[0].Reset)
	}
}

// TestWhatTabsLookAt is looked at once for all of them, and no longer than they do.
func TestWhatTabsLookAt(t *testing.T) {
	h := newHub("this", head{})
	const key = "shop/deployments.apps/web"
	one, two := h.look(key), h.look(key)
	if len(h.watched()) != 1 {
		t.Errorf("watched: %v", h.watched())
	}
	if err := h.looked(key, detail{Problem: "p"}); err != nil {
		t.Fatal(err)
	}
	_, seq, _ := h.seeing(key)
	if err := h.looked(key, detail{Problem: "p"}); err != nil {
		t.Fatal(err)
	}
	if v, again, _ := h.seeing(key); again != seq || seq == 0 || len(v.View) == 0 {
		t.Errorf("the same again is no news: %d, then %d", seq, again)
	}
	one()
	two()
	if err := h.looked(key, detail{}); err != nil || len(h.watched()) != 0 {
		t.Errorf("watched after the end: %v, %v", h.watched(), err)
	}
}
