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
	// level is the lowest of the architecture's, for the go command: Go's default, said here so that the builder's own environment
	// does not change it. "" = it has none.
	level string
}

// platforms are those that Kubernetes is released for: https://kubernetes.io/releases/download
func platforms() map[string]platform {
	return map[string]platform{
		"linux/amd64":   {machine: elf.EM_X86_64, level: "GOAMD64=v1"},
		"linux/arm64":   {machine: elf.EM_AARCH64, level: "GOARM64=v8.0"},
		"linux/ppc64le": {machine: elf.EM_PPC64, level: "GOPPC64=power8"},
		"linux/s390x":   {machine: elf.EM_S390},
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

// Targets returns the names of the platforms that programs can be compiled for, sorted: those of images, and those of people's own machines.
func Targets() []string {
	return slices.Sorted(slices.Values(append(Platforms(), "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64")))
}

// targetEnvironment says a platform of Targets to the go command.
func targetEnvironment(name string) ([]string, error) {
	if !slices.Contains(Targets(), name) {
		return nil, fmt.Errorf("unknown platform %q; known are %s", name, strings.Join(Targets(), ", "))
	}
	system, architecture, _ := strings.Cut(name, "/")
	environment := []string{"GOOS=" + system, "GOARCH=" + architecture}
	if level := platforms()["linux/"+architecture].level; level != "" {
		environment = append(environment, level)
	}
	return environment, nil
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
