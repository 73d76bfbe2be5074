package controller

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// releaseProgram gives back the memory of the program's code and read-only data. Most of what is resident of them only the start needs, such as tables of types,
// and what packages do to initialize themselves. Nothing is lost: the kernel has these pages in its cache, as they are in the file, and maps
// those again that are used (docs/adr/0014-types-of-the-api.md has the figures).
//
// MADV_DONTNEED puts back what the file has. So whatever somebody has written to is left alone: a debugger, or a probe, has put a breakpoint into the code, or a dynamic
// linker has relocated data. MADV_COLD before it says that the pages were not used of late: otherwise they would count as used when they are let go of.
func releaseProgram() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return err
	}
	var failed []error
	for _, m := range unwritten(string(smaps), program) {
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_COLD) // Linux 5.4
		if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED); errno != 0 {
			failed = append(failed, fmt.Errorf("madvise of %x-%x: %w", m.from, m.to, errno))
		}
	}
	return errors.Join(failed...)
}

// mapping is a part of the address space.
type mapping struct{ from, to uintptr }

// unwritten finds the mappings of a program that can only be read or executed, and are as its file has them. smaps is what proc(5) describes, a line for each mapping, and below it one for each number:
//
//	01a1f000-03122000 r--p 0161f000 fe:00 9977908                            /mini-hpa
//	Rss:               16332 kB
//	Anonymous:             0 kB
func unwritten(smaps, program string) (all []mapping) {
	var m mapping
	isCandidate := false
	for line := range strings.Lines(smaps) {
		word, rest, _ := strings.Cut(line, " ")
		from, to, isFirst := strings.Cut(word, "-")
		switch {
		case isFirst:
			var err, err2 error
			m.from, err = address(from)
			m.to, err2 = address(to)
			isCandidate = err == nil && err2 == nil && (strings.HasPrefix(rest, "r--p ") || strings.HasPrefix(rest, "r-xp ")) && strings.HasSuffix(rest, " "+program+"\n")
		case isCandidate && word == "Anonymous:" && strings.TrimSpace(rest) == "0 kB":
			all = append(all, m)
		}
	}
	return all
}

func address(text string) (uintptr, error) {
	n, err := strconv.ParseUint(text, 16, strconv.IntSize)
	return uintptr(n), err
}
