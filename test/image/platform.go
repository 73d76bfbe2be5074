package image

import (
	"debug/elf"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// platform is what tells the compiler, and a look into a binary, what a platform is.
type platform struct {
	machine elf.Machine
	// environment names the architecture for the go command. The lowest level of each is Go's default, said here so that the
	// builder's own environment does not change it.
	environment []string
}

// platforms are those that Kubernetes is released for: https://kubernetes.io/releases/download
func platforms() map[string]platform {
	return map[string]platform{
		"linux/amd64":   {machine: elf.EM_X86_64, environment: []string{"GOARCH=amd64", "GOAMD64=v1"}},
		"linux/arm64":   {machine: elf.EM_AARCH64, environment: []string{"GOARCH=arm64", "GOARM64=v8.0"}},
		"linux/ppc64le": {machine: elf.EM_PPC64, environment: []string{"GOARCH=ppc64le", "GOPPC64=power8"}},
		"linux/s390x":   {machine: elf.EM_S390, environment: []string{"GOARCH=s390x"}},
	}
}

// Platforms returns the names of the platforms that images can be written for, sorted.
func Platforms() []string { return slices.Sorted(maps.Keys(platforms())) }

func findPlatform(name string) (platform, error) {
	found, ok := platforms()[name]
	if !ok {
		return platform{}, fmt.Errorf("unknown platform %q; known are %s", name, strings.Join(Platforms(), ", "))
	}
	return found, nil
}

func (s Spec) check() error {
	if len(s.Binaries) == 0 {
		return errors.New("it has no binary")
	}
	if !path.IsAbs(s.Path) || path.Clean(s.Path) != s.Path || s.Path == "/" {
		return fmt.Errorf("its Path %q is not the clean, absolute path of a file, such as \"/mini-hpa\"", s.Path)
	}
	return s.checkBinaries()
}

func (s Spec) checkBinaries() error {
	for _, name := range slices.Sorted(maps.Keys(s.Binaries)) {
		target, err := findPlatform(name)
		if err != nil {
			return err
		}
		if err := target.checkBinary(s.Binaries[name]); err != nil {
			return fmt.Errorf("the binary for %s, %s: %w", name, s.Binaries[name], err)
		}
	}
	return nil
}

// checkBinary refuses what a container would refuse later with "exec format error" or "no such file or directory".
func (p platform) checkBinary(file string) error {
	binary, err := elf.Open(file)
	if err != nil {
		return fmt.Errorf("it cannot be read as a Linux binary: %w", err)
	}
	defer binary.Close()
	if binary.Machine != p.machine {
		return fmt.Errorf("it is for the machine %s, not for %s", binary.Machine, p.machine)
	}
	for _, segment := range binary.Progs {
		if segment.Type == elf.PT_INTERP {
			return errors.New("it needs a dynamic loader, which the image does not have; build it with CGO_ENABLED=0")
		}
	}
	return nil
}
