package controller

import (
	"os"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/mini-hpa/mini-hpa/cmd/internal/clitest"
)

func TestUnwritten(t *testing.T) {
	t.Parallel()
	const program = "/a b/mini-hpa"
	numbers := func(anonymous string) string {
		return "Size:                  4 kB\nRss:                   4 kB\nAnonymous:             " + anonymous + " kB\nVmFlags: rd r--p mw me sd\n"
	}
	all := unwritten("00400000-01a1f000 r-xp 00000000 fe:00 1    /a b/mini-hpa\n"+numbers("0")+
		"01a1e000-01a1f000 r-xp 00000000 fe:00 1    /a b/mini-hpa\n"+numbers("4")+ // a breakpoint
		"01a1f000-03122000 r--p 0161f000 fe:00 1    /a b/mini-hpa\n"+numbers("0")+
		"03122000-03123000 r--p 0161f000 fe:00 1    /a b/mini-hpa\n"+numbers("4")+ // relocated
		"03123000-031dc000 rw-p 02d22000 fe:00 1    /a b/mini-hpa\n"+numbers("0")+
		"05238000-05239000 r--p 00000000 fe:00 2    /lib/mini-hpa\n"+numbers("0")+
		"7f0f9cd10000-7f0f9d100000 r--p 00000000 00:00 0 \n"+numbers("0")+
		"7f0fe3bf6000-7f0fe3bf8000 r--p 00000000 fe:00 1    /a b/mini-hpa\n"+numbers("0"), program)
	want := []mapping{{0x400000, 0x1a1f000}, {0x1a1f000, 0x3122000}, {0x7f0fe3bf6000, 0x7f0fe3bf8000}}
	if diff := cmp.Diff(want, all, cmp.AllowUnexported(mapping{})); diff != "" {
		t.Error(diff)
	}
	if all := unwritten("nothing\n-\nAnonymous: 0 kB\n", program); len(all) > 0 {
		t.Errorf("found %v", all)
	}
}

// TestWhatOnlyTheStartNeedsIsNotResident: with all of the program in memory, a controller lets go of most of it some time after its caches are filled.
func TestWhatOnlyTheStartNeedsIsNotResident(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as a controller takes to settle")
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	var size uintptr
	for _, m := range unwritten(string(smaps), program) {
		if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_POPULATE_READ); errno != 0 {
			t.Skipf("cannot bring the program into memory: %v", errno)
		}
		size += m.to - m.from
	}
	before := residentOfFiles(t)
	if size < 8<<20 || before < size {
		t.Fatalf("%d bytes are resident of files, and the program has %d", before, size)
	}
	server := clitest.NewAPIServer(t, nil)
	r := start(t, "--kubeconfig", server.Kubeconfig(), "--metrics-bind-address=0", "--health-probe-bind-address=0", "--leader-elect=false")
	r.Logged("caches filled", "", "")
	for until := time.Now().Add(settling + time.Minute); residentOfFiles(t) > before-size/2; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d bytes are resident of files, %d before; the program has %d", residentOfFiles(t), before, size)
		}
	}
	r.End()
}

// residentOfFiles is how many bytes of files this process has in its memory, also of those that are in a tmpfs, as /tmp is on many a machine.
func residentOfFiles(t *testing.T) (all uintptr) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`Rss(?:File|Shmem):\s*(\d+) kB`).FindAllSubmatch(status, -1)
	if len(found) != 2 {
		t.Fatalf("not one RssFile and one RssShmem in %s", status)
	}
	for _, of := range found {
		n, err := strconv.ParseUint(string(of[1]), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		all += uintptr(n) << 10
	}
	return all
}
