package arch

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestLicenses: what the program is linked with may be passed on with it, and a license that wants to be named is named in NOTICE.
func TestLicenses(t *testing.T) {
	t.Parallel()
	notice, err := os.ReadFile(filepath.Join(repository, "NOTICE"))
	if err != nil {
		t.Fatal(err)
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-tags", "grpcnotrace", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}", "./cmd/mini-hpa")
	list.Dir = repository
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for module := range strings.Lines(string(out)) {
		path, dir, found := strings.Cut(strings.TrimSpace(module), " ")
		if !found || seen[path] {
			continue
		}
		seen[path] = true
		switch license := licenseOf(t, dir); {
		case strings.Contains(license, "Mozilla Public License"):
			if !strings.Contains(string(notice), path+",") {
				t.Errorf("%s has the Mozilla Public License, and NOTICE does not say where its source is", path)
			}
		case strings.Contains(license, "Apache License"), strings.Contains(license, "Redistribution and use in source and binary forms"), strings.Contains(license, "Permission is hereby granted, free of charge"), strings.Contains(license, "ISC License"):
		default:
			t.Errorf("%s has a license that nobody has looked at: %.80q", path, license)
		}
	}
	if len(seen) < 30 {
		t.Errorf("only %d modules are linked", len(seen))
	}
}

// licenseOf is the text of a module's license.
func licenseOf(t *testing.T, dir string) string {
	t.Helper()
	for _, pattern := range []string{"LICENSE*", "LICENCE*", "COPYING*"} {
		files, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, file := range files {
			if text, err := os.ReadFile(file); err == nil {
				return string(text)
			}
		}
	}
	return ""
}
