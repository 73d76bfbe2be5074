//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mini-hpa/mini-hpa/test/controlplane/binaries"
)

// env prints what points a shell at the running control plane.
func (a *app) env(ctx context.Context) error {
	s := a.service()
	running, err := s.Running()
	if err != nil {
		return err
	}
	if !running {
		return errors.New("none is running; `controlplane up` starts one")
	}
	files, err := binaries.Ensure(ctx, a.stderr)
	if err != nil {
		return err
	}
	return a.print("export KUBECONFIG=%s\nexport PATH=%s:\"$PATH\"\n", shellQuote(kubeconfig(s)), shellQuote(filepath.Dir(files["kubectl"])))
}

func (a *app) print(format string, args ...any) error {
	if _, err := fmt.Fprintf(a.stdout, format, args...); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// shellQuote makes one word of a POSIX shell; a plain path stays as it is, for people.
func shellQuote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@%,=", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
