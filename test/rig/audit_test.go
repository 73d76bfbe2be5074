package rig

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// noon is when the audit logs of these tests begin.
var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// log writes an audit log of lines that the tests make of what matters.
func log(t *testing.T, lines ...string) []Record {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"+`{"verb":"half wri`), 0o600); err != nil {
		t.Fatal(err)
	}
	records, err := ReadAudit(path)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// line is a write after so many seconds, whose bodies are given as JSON.
func line(second int, user, write string, status int, bodies ...string) string {
	verb, resource, _ := strings.Cut(write, " ")
	resource, subresource, _ := strings.Cut(resource, "/")
	at := noon.Add(time.Duration(second) * time.Second)
	text := fmt.Sprintf(`{"verb":%q,"user":{"username":%q},"requestURI":"/apis/x?fieldManager=%s-manager","objectRef":{"resource":%q,"subresource":%q,"namespace":"a","name":"web"},
		"requestReceivedTimestamp":%q,"stageTimestamp":%q,"responseStatus":{"code":%d}`,
		verb, user, user, resource, subresource, at.Format(time.RFC3339Nano), at.Add(10*time.Millisecond).Format(time.RFC3339Nano), status)
	for i, body := range bodies {
		text += fmt.Sprintf(`,%q:%s`, []string{"requestObject", "responseObject"}[i], body)
	}
	return strings.ReplaceAll(text, "\n", "") + "}"
}

// replicas is a body at a version.
func replicas(version, n int) string {
	return fmt.Sprintf(`{"metadata":{"resourceVersion":"%d"},"spec":{"replicas":%d}}`, version, n)
}

func TestWrites(t *testing.T) {
	t.Parallel()
	records := log(t,
		line(0, "user", "create deployments", 201, `{"spec":{"replicas":2}}`, replicas(10, 2)),
		line(1, "user", "patch deployments", 200, `{"metadata":{"labels":{"a":"b"}}}`, replicas(11, 2)),
		line(2, "us", "update deployments/scale", 200, replicas(11, 5), replicas(15, 5)),
		line(3, "other", "patch deployments", 200, `[{"op":"replace","path":"/spec/replicas","value":1}]`, replicas(17, 1)),
		line(4, "us", "update deployments/scale", 409, replicas(15, 8), `{"code":409}`),
		line(5, "us", "get deployments", 200),
		line(6, "us", "update deployments/scale", 200, replicas(17, 4), replicas(20, 4)),
		line(7, "us", "update deployments/scale", 403, replicas(20, 6), `{"code":403}`),
	)
	want := []string{
		"12:00:00.000 user (user-manager) web -1->2: 201",
		"12:00:02.000 us (us-manager) web 2->5: 200",
		"12:00:03.000 other (other-manager) web 5->1: 200",
		"12:00:04.000 us (us-manager) web 5->8: 409",
		"12:00:06.000 us (us-manager) web 1->4: 200",
		"12:00:07.000 us (us-manager) web 4->6: 403",
	}
	if diff := cmp.Diff(want, told(Writes(records, "a", ""))); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	if got := append(Writes(records, "b", ""), Writes(records, "a", "api")...); len(got) > 0 {
		t.Errorf("writes of others: %v", got)
	}
}

func told(writes []Write) []string {
	var lines []string
	for _, w := range writes {
		lines = append(lines, w.String())
	}
	return lines
}

// renewed is the body of a Lease that its holder has renewed after so many seconds.
func renewed(holder string, second int) string {
	return fmt.Sprintf(`{"spec":{"holderIdentity":%q,"renewTime":%q,"leaseDurationSeconds":15}}`, holder, noon.Add(time.Duration(second)*time.Second).Format(time.RFC3339Nano))
}

func lease(second int, user, body string) string {
	return line(second, user, "update leases", 200, body, body)
}

func TestUsurped(t *testing.T) {
	t.Parallel()
	records := log(t,
		lease(0, "a", renewed("a", 0)), lease(2, "a", renewed("a", 2)),
		lease(20, "b", renewed("b", 20)), lease(30, "b", renewed("b", 28)), lease(31, "b", `{"spec":{"holderIdentity":""}}`),
		line(32, "a", "update leases", 409, renewed("a", 32), `{"code":409}`), lease(40, "a", renewed("a", 40)), lease(60, "a", renewed("a", 60)),
	)
	holds := Holds(records, "a", "web")
	var got []string
	for _, h := range holds {
		got = append(got, fmt.Sprint(h.User, " ", h.From.Sub(noon).Seconds(), " ", h.To.Sub(noon).Seconds()))
	}
	if diff := cmp.Diff([]string{"a 0 17", "b 20 31.01", "a 40 55", "a 60 75"}, got); diff != "" {
		t.Errorf("holds (-want +got):\n%s", diff)
	}
	write := func(user string, second, status int) Write {
		return Write{At: noon.Add(time.Duration(second) * time.Second), User: user, Scale: true, Status: status}
	}
	usurped := []Write{write("a", 18, 200), write("a", 25, 409), write("b", 33, 200), write("a", 57, 200)}
	lawful := []Write{write("a", 0, 200), write("a", 16, 200), write("b", 25, 200), write("a", 41, 409), write("a", 70, 200), {User: "user", Name: "through the Deployment"}}
	if diff := cmp.Diff(usurped, Usurped(append(lawful, usurped...), holds)); diff != "" {
		t.Errorf("usurped (-want +got):\n%s", diff)
	}
}

func TestReadAuditFails(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	if _, err := ReadAudit(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, []byte("{}\nnonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadAudit(path); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("nonsense: %v", err)
	}
}
